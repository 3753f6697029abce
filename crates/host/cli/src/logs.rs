//! `wasmbed logs`: what guests wrote, from the live API.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use futures::{AsyncBufReadExt, StreamExt};

use crate::arguments::{Logs, Scope};
use crate::client::{Connection, connect};
use crate::operate::{device_of, live_path};

/// Prints the log of one device, and follows it if asked to.
pub async fn run(scope: &Scope, logs: &Logs) -> Result<ExitCode> {
    let connection = connect(scope).await?;
    let device = device_of(&connection, &logs.target.word()).await?;
    let mut query = vec![format!("follow={}", logs.follow)];
    query.extend(logs.tail.map(|lines| format!("tail={lines}")));
    query.extend(logs.application.as_ref().map(|name| format!("application={name}")));
    let path = format!("{}?{}", live_path(&connection, &device, "log"), query.join("&"));
    print(&connection, path).await?;
    if logs.follow {
        bail!("the gateway ended the log of {device}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the lines of a live resource as they come.
pub async fn print(connection: &Connection, path: String) -> Result<()> {
    let request = http::Request::get(path).body(Vec::new())?;
    let mut lines = connection.client.request_stream(request).await?.lines();
    let mut out = std::io::stdout();
    while let Some(line) = lines.next().await {
        let line = line.context("the stream of lines broke off")?;
        writeln!(out, "{line}")?;
        out.flush()?;
    }
    Ok(())
}
