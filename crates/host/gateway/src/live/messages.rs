//! `devices/NAME/messages`: what guests sent, and a way to send something to them.
//!
//! GET answers what is still held. Query as for `log`, with `topic=TEXT` besides, which keeps one
//! topic. A text line is `TIME APPLICATION TOPIC PAYLOAD`; a payload that is not printable text is
//! written as `base64:…`. A JSON line is an object with `seq`, `time`, `application`, `uid`, `boot`,
//! `deviceSeq`, `uptimeMs`, `topic`, `payload` in Base64, and `text` where it is UTF-8. Losses are
//! lines of their own, as in a log.
//!
//! POST takes `{"topic": …, "text": …}` or `{"topic": …, "payload": BASE64}`, hands it to every guest
//! of the device that may receive the topic, and answers with their number once they have it.

use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use wasmbed_wire::limits::{PAYLOAD_BYTES_MAX, TOPIC_BYTES_MAX};
use wasmbed_wire::{CommandOutcome, MAJOR, MINOR_MESSAGES};

use super::commands::{self, Answered};
use super::pages::{self, Format, Source, Window};
use super::status::Refusal;
use super::{Target, time_text};
use crate::connection::Service;
use crate::metrics;
use crate::registry::{LiveDevice, MessageEntry};
use crate::ring::{Page, Ring};
use crate::session::{CommandKind, Delivery};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MessagesQuery {
    follow: bool,
    since_seq: Option<u64>,
    tail: Option<u64>,
    application: Option<String>,
    topic: Option<String>,
    format: Format,
}

pub(super) async fn read(
    State(service): State<Arc<Service>>,
    path: Path<(String, String)>,
    query: Result<Query<MessagesQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(|rejection| Refusal::bad_request(rejection.body_text()))?;
    let target = Target::find(&service, path, "messages")?;
    let window = Window { follow: query.follow, since_seq: query.since_seq, tail: query.tail };
    Ok(pages::respond(target, query, window))
}

impl Source for MessagesQuery {
    type Entry = MessageEntry;

    fn ring(device: &LiveDevice) -> &Mutex<Ring<MessageEntry>> {
        &device.messages
    }

    fn news(device: &LiveDevice) -> &watch::Sender<u64> {
        &device.messages_next
    }

    fn format(&self) -> Format {
        self.format
    }

    fn render(&self, target: &Target, page: Page<MessageEntry>) -> String {
        let mut text = String::new();
        if page.dropped_count > 0 {
            let next = page.entries.first().map_or(page.next_sequence, |(sequence, _)| *sequence);
            self.format.loss(&mut text, page.dropped_count, "messages", "gateway", next);
        }
        for (sequence, entry) in page.entries {
            // What the device dropped is not known to be of another topic or application.
            if entry.lost_before > 0 {
                let count = entry.lost_before.into();
                self.format.loss(&mut text, count, "messages", "device", sequence);
            }
            let name = target.app_name(&entry.message.app);
            let is_wanted = self.application.as_ref().is_none_or(|wanted| *wanted == name)
                && self.topic.as_deref().is_none_or(|wanted| *wanted == *entry.message.topic);
            if is_wanted {
                self.line(&mut text, sequence, &name, &entry);
            }
        }
        text
    }
}

impl MessagesQuery {
    fn line(&self, text: &mut String, sequence: u64, name: &str, entry: &MessageEntry) {
        let time = time_text(entry.received_ms);
        let message = &entry.message;
        let utf8 = std::str::from_utf8(&message.payload).ok();
        if self.format == Format::Text {
            let payload = match utf8.filter(|text| !text.contains(char::is_control)) {
                Some(text) => text.to_owned(),
                None => format!("base64:{}", BASE64.encode(&message.payload)),
            };
            let topic = message.topic.replace(char::is_control, " ");
            text.push_str(&format!("{time} {name} {topic} {payload}\n"));
            return;
        }
        let mut object = json!({
            "seq": sequence,
            "time": time,
            "application": name,
            "uid": wasmbed_model::ids::uid_text(&message.app),
            "boot": entry.boot_count,
            "deviceSeq": message.device_sequence,
            "uptimeMs": message.uptime_ms,
            "topic": message.topic,
            "payload": BASE64.encode(&message.payload),
        });
        if let Some(utf8) = utf8 {
            object["text"] = utf8.into();
        }
        text.push_str(&format!("{object}\n"));
    }
}

/// What to send, as the caller writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    topic: String,
    text: Option<String>,
    payload: Option<String>,
}

impl Order {
    fn delivery(self) -> Result<Delivery, String> {
        let Self { topic, text, payload } = self;
        if topic.is_empty() || topic.len() > TOPIC_BYTES_MAX {
            let bytes = topic.len();
            return Err(format!("topic takes {bytes} bytes; 1 to {TOPIC_BYTES_MAX} are allowed"));
        }
        let payload = match (text, payload) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(payload)) => {
                BASE64.decode(payload).map_err(|error| format!("payload is not Base64: {error}"))?
            }
            _ => return Err("give either text, or payload in Base64".to_owned()),
        };
        if payload.len() > PAYLOAD_BYTES_MAX {
            let bytes = payload.len();
            return Err(format!(
                "the message takes {bytes} bytes; {PAYLOAD_BYTES_MAX} are allowed"
            ));
        }
        Ok(Delivery { topic: topic.into(), payload: payload.into() })
    }
}

/// Hands a message to the guests of a device.
pub(super) async fn send(
    State(service): State<Arc<Service>>,
    path: Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let order: Order = serde_json::from_slice(&body)
        .map_err(|error| Refusal::bad_request(format!("the body is no message: {error}")))?;
    let delivery = order.delivery().map_err(Refusal::bad_request)?;
    let target = Target::find(&service, path, "messages")?;
    let delivered = deliver(&target, delivery).await;
    let outcome = delivered.as_ref().map_or_else(Refusal::reason, |_| "Delivered");
    metrics::count(&service.metrics.deliveries, outcome);
    delivered.map(Json)
}

async fn deliver(target: &Target, delivery: Delivery) -> Result<Value, Refusal> {
    let name = &target.device.name;
    let session = target.device.session().ok_or_else(|| Refusal::no_session(name))?;
    if session.minor < MINOR_MESSAGES {
        let (major, minor) = (MAJOR, session.minor);
        return Err(Refusal::not_implemented(
            name,
            format!(
                "the firmware of device \"{name}\" speaks protocol {major}.{minor}; messages need \
                 {major}.{MINOR_MESSAGES}"
            ),
        ));
    }
    let topic = delivery.topic.clone();
    let Answered { answer, round_trip_ms } =
        commands::ask(target, CommandKind::Deliver(delivery)).await?;
    let receivers = answer.receivers.unwrap_or_default();
    match answer.outcome {
        CommandOutcome::Done => {
            Ok(commands::result(target, "message", "Delivered", &answer, round_trip_ms))
        }
        CommandOutcome::NoReceiver => Err(Refusal::no_receiver(name, &topic)),
        CommandOutcome::QueueFull => Err(Refusal::queue_full(name, &topic, receivers)),
        outcome => Err(Refusal::command(name, outcome)),
    }
}
