//! `wasmbed certs`: keys and certificates of a data folder. Prints no private key.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::json;
use wasmbed_pki::{DirectoryStore, Entry, Fleet, Rotation};

use crate::arguments::{Certs, CertsCommand, GatewayName, Rotatable};
use crate::client::state_directory;
use crate::output::{out, outln};
use crate::platform::now_s;
use crate::table::Table;

/// Opens the keys in a data folder; those that are missing are made.
pub fn open(data_dir: Option<&Path>) -> Result<Fleet> {
    let folder = data_dir.map(Path::to_owned).unwrap_or_else(state_directory).join("pki");
    let store = DirectoryStore::open(&folder)
        .with_context(|| format!("open the key store {}", folder.display()))?;
    Fleet::open(Arc::new(store), now_s()).context("open the keys of the fleet")
}

/// Lists, issues or rotates.
pub fn run(certs: &Certs) -> Result<ExitCode> {
    match &certs.command {
        CertsCommand::List { output } => list(&open(certs.data_dir.as_deref())?, output.as_deref()),
        CertsCommand::Issue(name) => issue(&open(certs.data_dir.as_deref())?, name),
        CertsCommand::Rotate { what, gateway } => {
            rotate(&open(certs.data_dir.as_deref())?, *what, gateway)
        }
    }
}

fn list(fleet: &Fleet, output: Option<&str>) -> Result<ExitCode> {
    let entries = fleet.list()?;
    match output {
        None => {
            let mut table = Table::new(["Name", "For", "Until", "Days left", "Key (SHA-256)"]);
            entries.iter().for_each(|entry| table.row(row(entry)));
            out!("{}", table.text(true, &mut Vec::new()));
        }
        Some("json") => {
            let items: Vec<_> = entries
                .iter()
                .map(|entry| {
                    json!({
                        "name": entry.name, "dnsNames": entry.dns_names,
                        "notBefore": entry.not_before_s.map(time),
                        "notAfter": entry.not_after_s.map(time),
                        "keySha256": entry.key_sha256,
                    })
                })
                .collect();
            outln!("{}", serde_json::to_string_pretty(&items)?);
        }
        Some(other) => bail!("unknown output format {other:?}; there is: json"),
    }
    Ok(ExitCode::SUCCESS)
}

fn row(entry: &Entry) -> Vec<String> {
    let days = entry.not_after_s.map(|end| (end - now_s()) / 86_400);
    vec![
        entry.name.clone(),
        if entry.dns_names.is_empty() { "<none>".into() } else { entry.dns_names.join(",") },
        entry.not_after_s.map_or_else(|| "<none>".into(), time),
        days.map_or_else(|| "<none>".into(), |days| days.to_string()),
        entry.key_sha256.chars().take(16).collect(),
    ]
}

fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

fn issue(fleet: &Fleet, name: &GatewayName) -> Result<ExitCode> {
    let identity = fleet.gateway(&name.gateway, &name.namespace, now_s())?;
    let until = time(identity.certificate().not_after_s);
    outln!("gateway {}.{} has a certificate until {until}", name.gateway, name.namespace);
    Ok(ExitCode::SUCCESS)
}

fn rotate(fleet: &Fleet, what: Rotatable, name: &GatewayName) -> Result<ExitCode> {
    let rotation = match what {
        Rotatable::Gateway => Rotation::Gateway { name: &name.gateway, namespace: &name.namespace },
        Rotatable::LiveServer => Rotation::LiveServer,
        Rotatable::FrontProxy => Rotation::FrontProxy,
        Rotatable::FleetCa => Rotation::FleetAuthority,
        Rotatable::ImageSigner => Rotation::ImageSigner,
    };
    let identity = fleet.rotate(rotation, now_s())?;
    let until = time(identity.certificate().not_after_s);
    outln!("rotated; the new certificate is valid until {until}");
    Ok(ExitCode::SUCCESS)
}
