//! Which crate may import which: the allow-list behind the picture in ARCHITECTURE.md.

use anyhow::{Context, Result};

use crate::paths;

/// Crate and what it may import. A new arrow is its own change, with a decision page.
const ALLOWED: &[(&str, &[&str])] = &[
    ("abi", &[]),
    ("catalog", &[]),
    ("curve", &[]),
    ("link", &[]),
    ("cbor", &[]),
    ("wire", &["cbor"]),
    ("journal", &[]),
    ("image", &["abi", "cbor", "curve"]),
    ("tls", &["curve"]),
    ("engine", &["abi", "image"]),
    ("runtime", &["abi", "curve", "engine", "image", "journal", "tls", "wire"]),
    ("hal", &[]),
    ("chip-mps2", &["hal"]),
    ("chip-stm32", &["hal"]),
    (
        "firmware",
        &[
            "catalog",
            "chip-mps2",
            "chip-stm32",
            "hal",
            "journal",
            "link",
            "runtime",
            "tls",
            "wire",
            "engine",
        ],
    ),
    ("model", &["abi", "catalog", "image", "wire"]),
    ("crds", &["model", "wire", "image"]),
    ("pki", &["curve", "image", "model"]),
    ("compiler", &["abi", "catalog", "engine", "image"]),
    ("workshop", &["abi", "catalog", "compiler", "image", "journal", "runtime", "wire"]),
    ("controllers", &["abi", "catalog", "compiler", "crds", "image", "model", "pki", "wire"]),
    ("gateway", &["crds", "image", "model", "pki", "wire"]),
    ("apiserver", &[]),
    ("qemu", &["catalog", "crds", "journal", "link", "model", "wire"]),
    (
        "cli",
        &[
            "apiserver",
            "catalog",
            "compiler",
            "controllers",
            "crds",
            "gateway",
            "image",
            "journal",
            "link",
            "model",
            "pki",
            "qemu",
            "wire",
            "workshop",
        ],
    ),
    ("devicetree", &[]),
    (
        "testkit",
        &["compiler", "curve", "engine", "image", "journal", "pki", "runtime", "tls", "wire"],
    ),
];

/// Compares each manifest's `[dependencies]` with the list.
pub fn check(findings: &mut Vec<String>) -> Result<()> {
    for group in ["shared", "device", "host", "build"] {
        let folder = paths::root().join("crates").join(group);
        for entry in std::fs::read_dir(&folder).context("read crates/")?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(text) = std::fs::read_to_string(entry.path().join("Cargo.toml")) else {
                continue;
            };
            let manifest: toml::Table =
                text.parse().with_context(|| format!("crates/{group}/{name}/Cargo.toml"))?;
            let Some((_, allowed)) = ALLOWED.iter().find(|(of, _)| *of == name) else {
                findings.push(format!("crates/{group}/{name}: not in the list of arrows"));
                continue;
            };
            for imported in imports(&manifest) {
                if !allowed.contains(&imported.as_str()) {
                    findings.push(format!(
                        "crates/{group}/{name}/Cargo.toml: must not import {imported}"
                    ));
                }
            }
        }
    }
    Ok(())
}

fn imports(manifest: &toml::Table) -> Vec<String> {
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table
        .into_iter()
        .flat_map(|table| table.keys())
        .filter_map(|key| key.strip_prefix("wasmbed-").map(str::to_owned))
        .collect()
}
