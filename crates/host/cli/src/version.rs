//! `wasmbed version`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::arguments::{Scope, Version};
use crate::client::connect;
use crate::get::fetch;
use crate::output::outln;

/// Prints this program's version, and the server's unless only the client was asked for.
pub async fn run(scope: &Scope, version: &Version) -> Result<ExitCode> {
    let client = env!("CARGO_PKG_VERSION");
    let server = if version.client {
        Value::Null
    } else {
        let connection = connect(scope).await?;
        fetch(&connection.client, "/version", "application/json").await?
    };
    match version.output.as_deref() {
        Some("json") => {
            let value = json!({"clientVersion": {"gitVersion": client}, "serverVersion": server});
            outln!("{}", serde_json::to_string_pretty(&value)?);
        }
        Some(other) => bail!("unknown output format {other:?}; there is: json"),
        None => {
            outln!("Client Version: v{client}");
            if let Some(version) = server["gitVersion"].as_str() {
                outln!("Server Version: {version}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
