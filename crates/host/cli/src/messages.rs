//! `wasmbed messages` and `wasmbed send`: what guests send, and what is sent to them.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wasmbed_wire::limits::{PAYLOAD_BYTES_MAX, TOPIC_BYTES_MAX};

use crate::arguments::{Messages, Scope, Send};
use crate::client::connect;
use crate::logs;
use crate::operate::{device_of, live_path};
use crate::output::outln;

#[cfg(test)]
mod tests;

/// Prints the messages of one device's guests, and follows them if asked to.
pub async fn run(scope: &Scope, messages: &Messages) -> Result<ExitCode> {
    let query = query(messages)?;
    let connection = connect(scope).await?;
    let device = device_of(&connection, &messages.target.word()).await?;
    let path = format!("{}?{query}", live_path(&connection, &device, "messages"));
    logs::print(&connection, path).await?;
    if messages.follow {
        bail!("the gateway ended the messages of {device}");
    }
    Ok(ExitCode::SUCCESS)
}

fn query(messages: &Messages) -> Result<String> {
    let format = match messages.output.as_deref() {
        None => "text",
        Some("json") => "json",
        Some(other) => bail!("unknown output format {other:?}; there is: json"),
    };
    let mut query = format!("follow={}&format={format}", messages.follow);
    let pairs = [
        ("tail", messages.tail.map(|count| count.to_string())),
        ("sinceSeq", messages.since_seq.map(|number| number.to_string())),
        ("application", messages.application.clone()),
        ("topic", messages.topic.clone()),
    ];
    for (name, value) in pairs {
        if let Some(value) = value {
            query += &format!("&{name}={}", escaped(&value));
        }
    }
    Ok(query)
}

/// A value of a query: what is not plain is written as `%` and two hex digits.
fn escaped(value: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    value.bytes().fold(String::new(), |text, byte| match is_plain(&byte) {
        true => text + char::from(byte).encode_utf8(&mut [0; 4]),
        false => text + &format!("%{byte:02X}"),
    })
}

/// Sends one message, and says how many guests have it.
pub async fn send(scope: &Scope, send: &Send) -> Result<ExitCode> {
    let payload = match (&send.payload, &send.file) {
        (Some(text), None) => text.clone().into_bytes(),
        (None, Some(file)) => read(file)?,
        _ => bail!("name a message, or a file with --file"),
    };
    check(&send.topic, &payload)?;
    let connection = connect(scope).await?;
    let device = device_of(&connection, &send.device).await?;
    let body = json!({"topic": send.topic, "payload": STANDARD.encode(payload)});
    let request = http::Request::post(live_path(&connection, &device, "messages"))
        .header("Content-Type", "application/json")
        .body(serde_json::to_vec(&body)?)?;
    let answer: Value = connection.client.request(request).await?;
    let guests = match answer["receivers"].as_u64() {
        Some(1) => "1 guest".to_owned(),
        Some(count) => format!("{count} guests"),
        None => {
            bail!("device {device} answered without the number of guests that have the message")
        }
    };
    let round_trip_ms = answer["roundTripMs"].as_u64().unwrap_or_default();
    outln!("delivered to {guests} of device/{device} ({round_trip_ms} ms)");
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let mut payload = Vec::new();
    // One byte more than may be sent shows that there is too much.
    let bytes_max = PAYLOAD_BYTES_MAX as u64 + 1;
    if file == Path::new("-") {
        std::io::stdin().take(bytes_max).read_to_end(&mut payload).context("standard input")?;
    } else {
        let opened = std::fs::File::open(file);
        let opened = opened.with_context(|| format!("open {}", file.display()))?;
        let read = opened.take(bytes_max).read_to_end(&mut payload);
        read.with_context(|| format!("read {}", file.display()))?;
    }
    Ok(payload)
}

fn check(topic: &str, payload: &[u8]) -> Result<()> {
    if topic.is_empty() || topic.len() > TOPIC_BYTES_MAX {
        bail!(
            "the topic takes {} bytes; 1 to {TOPIC_BYTES_MAX} are allowed\nhint: the order is \
             `wasmbed send DEVICE TOPIC MESSAGE`",
            topic.len()
        );
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        bail!(
            "the message is longer than {PAYLOAD_BYTES_MAX} bytes, which is what a device takes at \
             once\nhint: send it in parts"
        );
    }
    Ok(())
}
