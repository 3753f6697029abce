//! `devices/NAME/log`: the lines that guests wrote, as far as they are still held.
//!
//! Query: `follow=true` goes on with new lines, across sessions; `sinceSeq=N` begins at number N;
//! `tail=N` at the last N lines; `application=NAME` keeps one application's lines;
//! `format=text|json`. A text line is `TIME APPLICATION TEXT`. A JSON line is an object with `seq`,
//! `time`, `application`, `uid`, `boot`, `uptimeMs` and `text`. Losses are lines of their own: in
//! text `--- N lines dropped by the gateway ---` or `… by the device`, in JSON `{"dropped": N,
//! "by": "gateway"|"device", "nextSeq": M}`.

use std::sync::{Arc, Mutex};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use super::pages::{self, Format, Source, Window};
use super::status::Refusal;
use super::{Target, time_text};
use crate::connection::Service;
use crate::registry::{LiveDevice, LogEntry};
use crate::ring::{Page, Ring};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LogQuery {
    follow: bool,
    since_seq: Option<u64>,
    tail: Option<u64>,
    application: Option<String>,
    format: Format,
}

pub(super) async fn read(
    State(service): State<Arc<Service>>,
    path: Path<(String, String)>,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(|rejection| Refusal::bad_request(rejection.body_text()))?;
    let target = Target::find(&service, path, "log")?;
    let window = Window { follow: query.follow, since_seq: query.since_seq, tail: query.tail };
    Ok(pages::respond(target, query, window))
}

impl Source for LogQuery {
    type Entry = LogEntry;

    fn ring(device: &LiveDevice) -> &Mutex<Ring<LogEntry>> {
        &device.log
    }

    fn news(device: &LiveDevice) -> &watch::Sender<u64> {
        &device.log_next
    }

    fn format(&self) -> Format {
        self.format
    }

    fn render(&self, target: &Target, page: Page<LogEntry>) -> String {
        let mut text = String::new();
        if page.dropped_count > 0 {
            let next = page.entries.first().map_or(page.next_sequence, |(sequence, _)| *sequence);
            self.format.loss(&mut text, page.dropped_count, "lines", "gateway", next);
        }
        for (sequence, entry) in page.entries {
            let name = target.app_name(&entry.line.app);
            if self.application.as_ref().is_some_and(|wanted| *wanted != name) {
                continue;
            }
            if entry.lost_before > 0 {
                let count = entry.lost_before.into();
                self.format.loss(&mut text, count, "lines", "device", sequence);
            }
            self.line(&mut text, sequence, &name, &entry);
        }
        text
    }
}

impl LogQuery {
    fn line(&self, text: &mut String, sequence: u64, name: &str, entry: &LogEntry) {
        let time = time_text(entry.received_ms);
        let line = &entry.line;
        if self.format == Format::Text {
            // A line is a line, whatever the guest wrote.
            let written = line.text.trim_end_matches('\n').replace(['\n', '\r'], " ");
            text.push_str(&format!("{time} {name} {written}\n"));
            return;
        }
        let object = json!({
            "seq": sequence,
            "time": time,
            "application": name,
            "uid": wasmbed_model::ids::uid_text(&line.app),
            "boot": entry.boot_count,
            "uptimeMs": line.uptime_ms,
            "text": line.text,
        });
        text.push_str(&format!("{object}\n"));
    }
}
