//! `wasmbed provision`: writes what a device must know before it may talk into its flash.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use wasmbed_journal::file::FileFlash;
use wasmbed_journal::{Journal, Key};
use wasmbed_wire::{Provisioning, PublicKey, Seq, Station, limits};

use crate::arguments::Provision;
use crate::certs;
use crate::output::outln;

/// Key of the provisioning record in the journal.
const PROVISIONING: Key = Key::new(1);

/// Writes the record, keeping the device's identity if the flash has one.
pub fn run(provision: &Provision) -> Result<ExitCode> {
    let fleet = certs::open(provision.data_dir.as_deref())?;
    let ca_pins: Vec<PublicKey> = fleet.ca_pins().into_iter().map(PublicKey).collect();
    let signer_pins: Vec<PublicKey> = fleet.signer_pins().into_iter().map(PublicKey).collect();
    let name = format!("{}.{}", provision.gateway.gateway, provision.gateway.namespace);
    let token = provision.token_file.as_deref().map(read_token).transpose()?;
    let station = provision.station.as_deref().map(parse_station).transpose()?;
    let record = Provisioning {
        ca_pins: Seq::Items(&ca_pins),
        signer_pins: Seq::Items(&signer_pins),
        gateway_name: &name,
        gateway_address: u32::from(*provision.address.ip()),
        gateway_port: provision.address.port(),
        namespace: &provision.gateway.namespace,
        token: token.as_deref(),
        station,
    };
    let mut buffer = [0; limits::PROVISIONING_BYTES_MAX];
    let Ok(bytes) = record.encode(&mut buffer) else {
        bail!(
            "the record is longer than the {} bytes a device keeps",
            limits::PROVISIONING_BYTES_MAX
        )
    };
    store(provision, bytes)?;
    outln!("{} provisioned for gateway {name} at {}", provision.flash.display(), provision.address);
    Ok(ExitCode::SUCCESS)
}

fn store(provision: &Provision, record: &[u8]) -> Result<()> {
    let board = wasmbed_catalog::board(&provision.board).map_err(|error| anyhow!("{error}"))?;
    let path = &provision.flash;
    let mut flash = if path.exists() {
        FileFlash::open(path)
    } else {
        FileFlash::create(path, usize::try_from(board.storage.bytes)?)
    }
    .with_context(|| format!("open {}", path.display()))?;
    let damaged = |error| anyhow!("{}: the journal refused: {error:?}", path.display());
    let mut journal = Journal::mount(&mut flash).map_err(damaged)?;
    journal.store(&mut flash, PROVISIONING, record).map_err(damaged)
}

/// Reads a token from a file or standard input, so that it is in no process's arguments.
fn read_token(path: &Path) -> Result<String> {
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    }
    .with_context(|| format!("read the token from {}", path.display()))?;
    let token = text.trim();
    if token.is_empty() || token.len() > limits::TOKEN_BYTES_MAX {
        bail!(
            "a token has 1 to {} characters, this one has {}",
            limits::TOKEN_BYTES_MAX,
            token.len()
        );
    }
    Ok(token.to_owned())
}

/// Reads `10.0.0.2/24` or `10.0.0.2/24,10.0.0.1`: address, network part, router.
fn parse_station(text: &str) -> Result<Station> {
    let (own, router) = match text.split_once(',') {
        Some((own, router)) => (own, Some(router)),
        None => (text, None),
    };
    let Some((address, prefix)) = own.split_once('/') else {
        bail!("a station is ADDRESS/BITS[,ROUTER], not {text:?}");
    };
    let address: Ipv4Addr = address.parse().with_context(|| format!("address in {text:?}"))?;
    let prefix: u8 = prefix.parse().with_context(|| format!("bits in {text:?}"))?;
    if prefix > 32 {
        bail!("a network part has at most 32 bits, not {prefix}");
    }
    let router = router
        .map(|router| router.parse::<Ipv4Addr>().with_context(|| format!("router in {text:?}")))
        .transpose()?;
    Ok(Station { address: u32::from(address), prefix, router: router.map(u32::from) })
}
