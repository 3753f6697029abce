//! `devices/NAME/log`: the lines that guests wrote, as far as they are still held.
//!
//! Query: `follow=true` goes on with new lines, across sessions; `sinceSeq=N` begins at number N;
//! `tail=N` at the last N lines; `application=NAME` keeps one application's lines;
//! `format=text|json`. A text line is `TIME APPLICATION TEXT`. A JSON line is an object with `seq`,
//! `time`, `application`, `uid`, `boot`, `uptimeMs` and `text`. Losses are lines of their own: in
//! text `--- N lines dropped by the gateway ---` or `… by the device`, in JSON `{"dropped": N,
//! "by": "gateway"|"device", "nextSeq": M}`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use http::header;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use super::status::Refusal;
use super::{Target, time_text};
use crate::connection::Service;
use crate::registry::{LogEntry, lock};
use crate::ring::Page;

/// Lines that are written at once, so that one reader holds little memory.
const PAGE_LINES_MAX: usize = 64;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct LogQuery {
    follow: bool,
    since_seq: Option<u64>,
    tail: Option<u64>,
    application: Option<String>,
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Text,
    Json,
}

pub(super) async fn read(
    State(service): State<Arc<Service>>,
    path: Path<(String, String)>,
    query: Result<Query<LogQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(|rejection| Refusal::bad_request(rejection.body_text()))?;
    let target = Target::find(&service, path, "log")?;
    let sequence = {
        let log = lock(&target.device.log);
        match (query.since_seq, query.tail) {
            (Some(since), Some(tail)) => since.max(log.tail(tail)),
            (Some(since), None) => since,
            (None, Some(tail)) => log.tail(tail),
            // Whoever asks for everything is not told of what was dropped before.
            (None, None) => log.tail(u64::MAX),
        }
    };
    let content_type = match query.format {
        Format::Text => "text/plain; charset=utf-8",
        Format::Json => "application/x-ndjson",
    };
    let news = target.device.log_next.subscribe();
    let reader = Reader { target, query, sequence, news };
    let body = Body::from_stream(stream::unfold(reader, Reader::next));
    Ok(([(header::CONTENT_TYPE, content_type)], body).into_response())
}

struct Reader {
    target: Target,
    query: LogQuery,
    /// Number of the next line to send.
    sequence: u64,
    news: watch::Receiver<u64>,
}

impl Reader {
    async fn next(mut self) -> Option<(Result<Bytes, std::convert::Infallible>, Self)> {
        loop {
            self.news.borrow_and_update();
            let page = lock(&self.target.device.log).read(self.sequence, PAGE_LINES_MAX);
            self.sequence = page.next_sequence;
            let is_end = page.entries.is_empty();
            let text = self.render(page);
            if !text.is_empty() {
                return Some((Ok(Bytes::from(text)), self));
            }
            if is_end {
                if !self.query.follow {
                    return None;
                }
                // The device lives as long as this reader holds it.
                self.news.changed().await.ok()?;
            }
        }
    }

    fn render(&self, page: Page<LogEntry>) -> String {
        let mut text = String::new();
        if page.dropped_count > 0 {
            let next = page.entries.first().map_or(page.next_sequence, |(sequence, _)| *sequence);
            self.loss(&mut text, page.dropped_count, "gateway", next);
        }
        for (sequence, entry) in page.entries {
            let name = self.target.app_name(&entry.line.app);
            if self.query.application.as_ref().is_some_and(|wanted| *wanted != name) {
                continue;
            }
            if entry.lost_before > 0 {
                self.loss(&mut text, entry.lost_before.into(), "device", sequence);
            }
            self.line(&mut text, sequence, &name, &entry);
        }
        text
    }

    fn line(&self, text: &mut String, sequence: u64, name: &str, entry: &LogEntry) {
        let time = time_text(entry.received_ms);
        let line = &entry.line;
        if self.query.format == Format::Text {
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

    fn loss(&self, text: &mut String, count: u64, by: &str, next: u64) {
        text.push_str(&match self.query.format {
            Format::Text => format!("--- {count} lines dropped by the {by} ---\n"),
            Format::Json => {
                format!("{}\n", json!({ "dropped": count, "by": by, "nextSeq": next }))
            }
        });
    }
}
