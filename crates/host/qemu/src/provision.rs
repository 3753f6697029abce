//! Writes a fresh flash that holds what a device must know before it may talk.

use std::fs;
use std::io;

use wasmbed_catalog::Uplink;
use wasmbed_journal::{Journal, Key};
use wasmbed_wire::limits::PROVISIONING_BYTES_MAX;
use wasmbed_wire::{Provisioning, PublicKey, Seq, Station};

use crate::board::BoardConfig;
use crate::cable::{PREFIX_BITS, RELAY_ADDRESS, RELAY_PORT, STATION_ADDRESS};
use crate::flash::{FlashError, FlashFile};

#[cfg(test)]
mod tests;

/// Key of the record in the journal.
///
/// # Source
/// docs/protocol.md, "Provisioning record".
const PROVISIONING_KEY: Key = Key::new(1);

/// What a new device is to know. All addresses are those of its own cable.
#[derive(Clone, Debug)]
pub struct Provision {
    /// Keys of the fleet CA; one or two.
    pub ca_pins: Vec<[u8; 32]>,
    /// Keys of the image signer; one or two.
    pub signer_pins: Vec<[u8; 32]>,
    /// Name in the gateway's certificate, `<gateway>.<namespace>`.
    pub gateway_name: String,
    /// Namespace the device belongs to.
    pub namespace: String,
    /// Enrolment token; none relies on a pairing window.
    pub token: Option<String>,
}

/// Why a flash could not be provisioned. None is left behind then.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The record breaks a bound of the protocol, or does not fit.
    #[error("names and pins do not fit a provisioning record of {PROVISIONING_BYTES_MAX} bytes")]
    Record,
    /// The flash file could not be made.
    #[error("flash")]
    Flash(#[from] FlashError),
    /// The journal could not be written.
    #[error("journal: {0:?}")]
    Journal(wasmbed_journal::Error),
    /// The file could not be put in its place.
    #[error("flash file")]
    File(#[from] io::Error),
}

/// Makes the flash of a board that has none yet: with the record, and without an identity, which the
/// device makes by itself.
///
/// # Errors
/// [`ProvisionError`]; a flash that exists already is not touched.
pub fn provision(config: &BoardConfig, record: &Provision) -> Result<(), ProvisionError> {
    let path = config.flash_path();
    if path.exists() {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
    }
    let mut buffer = [0; PROVISIONING_BYTES_MAX];
    let record = encode(config, record, &mut buffer).ok_or(ProvisionError::Record)?;
    fs::create_dir_all(&config.directory)?;
    // Written beside its place and moved: a half written flash is never taken for a whole one.
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut flash = FlashFile::create(&draft, config.board.storage.bytes)?;
    let stored = Journal::mount(&mut flash)
        .and_then(|mut journal| journal.store(&mut flash, PROVISIONING_KEY, record));
    stored.map_err(ProvisionError::Journal)?;
    fs::rename(&draft, &path)?;
    Ok(fs::File::open(&config.directory)?.sync_all()?)
}

fn encode<'b>(config: &BoardConfig, record: &Provision, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let keys = |pins: &[[u8; 32]]| pins.iter().map(|pin| PublicKey(*pin)).collect::<Vec<_>>();
    let (ca_pins, signer_pins) = (keys(&record.ca_pins), keys(&record.signer_pins));
    let station = (config.board.uplink == Uplink::Ethernet).then_some(Station {
        address: STATION_ADDRESS.to_bits(),
        prefix: PREFIX_BITS,
        router: None,
    });
    let record = Provisioning {
        ca_pins: Seq::Items(&ca_pins),
        signer_pins: Seq::Items(&signer_pins),
        gateway_name: &record.gateway_name,
        gateway_address: RELAY_ADDRESS.to_bits(),
        gateway_port: RELAY_PORT,
        namespace: &record.namespace,
        token: record.token.as_deref(),
        station,
    };
    let encoded = record.encode(buffer).ok()?;
    // What a device would refuse is refused here.
    Provisioning::decode(encoded).is_ok().then_some(encoded)
}
