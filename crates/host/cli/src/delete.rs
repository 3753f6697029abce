//! `wasmbed delete`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::Value;

use crate::apply::is_not_found;
use crate::arguments::{Delete, Scope};
use crate::client::{Connection, connect};
use crate::documents;
use crate::kinds::{self, Kind};
use crate::output::outln;
use crate::wait::{State, parse_duration, until};

/// Deletes what is named, and waits until it is gone.
pub async fn run(scope: &Scope, delete: &Delete) -> Result<ExitCode> {
    let limit = parse_duration(&delete.timeout)?;
    let mut wanted: Vec<(Kind, String, Option<String>)> = Vec::new();
    if !delete.what.is_empty() {
        for (kind, names) in kinds::parse_words(&delete.what)? {
            if names.is_empty() {
                bail!("name the {} to delete", kind.plural);
            }
            wanted.extend(names.into_iter().map(|name| (kind, name, None)));
        }
    }
    if !delete.files.is_empty() {
        let documents = documents::read(&delete.files)?;
        wanted.extend(
            documents
                .into_iter()
                .map(|document| (document.kind, document.name, document.namespace)),
        );
    }
    if wanted.is_empty() {
        bail!("name what to delete: TYPE NAME, TYPE/NAME, or -f FILE");
    }
    let connection = connect(scope).await?;
    let mut code = ExitCode::SUCCESS;
    let mut gone = Vec::new();
    for (kind, name, namespace) in wanted {
        let connection = Connection {
            namespace: namespace.unwrap_or_else(|| connection.namespace.clone()),
            ..connection.clone()
        };
        match delete_one(&connection, kind, &name).await {
            Ok(()) => {
                outln!("{} deleted", kind.object_name(&name).replacen('/', " \"", 1) + "\"");
                gone.push((connection, kind, name));
            }
            Err(error) if delete.ignore_not_found && is_not_found(&error) => {}
            Err(error) => {
                eprintln!("{}", crate::output::error_text(&error));
                code = ExitCode::FAILURE;
            }
        }
    }
    if delete.no_wait {
        return Ok(code);
    }
    for (connection, kind, name) in gone {
        let waited = until(&connection, kind, &name, &State::Deleted);
        match tokio::time::timeout(limit, waited).await {
            Ok(result) => result?,
            Err(_) => bail!(
                "timed out waiting for {} to be gone; its finalizers are not done",
                kind.object_name(&name)
            ),
        }
    }
    Ok(code)
}

async fn delete_one(connection: &Connection, kind: Kind, name: &str) -> Result<()> {
    let path = kind.path(Some(&connection.namespace), Some(name));
    let request = http::Request::delete(path)
        .header("Content-Type", "application/json")
        .body(br#"{"propagationPolicy":"Background"}"#.to_vec())?;
    connection.client.request::<Value>(request).await?;
    Ok(())
}
