//! The entries of a device's ring as a stream of text: those that are held, then those that come.
//!
//! How an entry is written is the business of `log` and `messages`.

use std::convert::Infallible;
use std::sync::Mutex;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use http::header;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use super::Target;
use crate::registry::{LiveDevice, lock};
use crate::ring::{Page, Ring, Weigh};

/// Entries that are written at once, so that one reader holds little memory.
const PAGE_ENTRIES_MAX: usize = 64;

/// Which form the entries are written in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    #[default]
    Text,
    Json,
}

impl Format {
    /// Writes that `count` entries are missing before number `next`.
    pub(super) fn loss(self, text: &mut String, count: u64, noun: &str, by: &str, next: u64) {
        text.push_str(&match self {
            Self::Text => format!("--- {count} {noun} dropped by the {by} ---\n"),
            Self::Json => {
                format!("{}\n", json!({ "dropped": count, "by": by, "nextSeq": next }))
            }
        });
    }
}

/// Which entries a reader wants.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub(super) follow: bool,
    pub(super) since_seq: Option<u64>,
    pub(super) tail: Option<u64>,
}

/// A ring of a device, and how its entries are written.
pub(super) trait Source: Send + 'static {
    type Entry: Clone + Weigh + Send;

    fn ring(device: &LiveDevice) -> &Mutex<Ring<Self::Entry>>;

    /// Tells when the ring has grown.
    fn news(device: &LiveDevice) -> &watch::Sender<u64>;

    fn format(&self) -> Format;

    fn render(&self, target: &Target, page: Page<Self::Entry>) -> String;
}

/// The entries of `window`, written as they are read.
pub(super) fn respond<S: Source>(target: Target, source: S, window: Window) -> Response {
    let sequence = {
        let ring = lock(S::ring(&target.device));
        match (window.since_seq, window.tail) {
            (Some(since), Some(tail)) => since.max(ring.tail(tail)),
            (Some(since), None) => since,
            (None, Some(tail)) => ring.tail(tail),
            // Whoever asks for everything is not told of what was dropped before.
            (None, None) => ring.tail(u64::MAX),
        }
    };
    let content_type = match source.format() {
        Format::Text => "text/plain; charset=utf-8",
        Format::Json => "application/x-ndjson",
    };
    let news = S::news(&target.device).subscribe();
    let reader = Reader { target, source, is_following: window.follow, sequence, news };
    let body = Body::from_stream(stream::unfold(reader, Reader::next));
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

struct Reader<S> {
    target: Target,
    source: S,
    is_following: bool,
    /// Number of the next entry to send.
    sequence: u64,
    news: watch::Receiver<u64>,
}

impl<S: Source> Reader<S> {
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        loop {
            self.news.borrow_and_update();
            let page = lock(S::ring(&self.target.device)).read(self.sequence, PAGE_ENTRIES_MAX);
            self.sequence = page.next_sequence;
            let is_end = page.entries.is_empty();
            let text = self.source.render(&self.target, page);
            if !text.is_empty() {
                return Some((Ok(Bytes::from(text)), self));
            }
            if is_end {
                if !self.is_following {
                    return None;
                }
                // The device lives as long as this reader holds it.
                self.news.changed().await.ok()?;
            }
        }
    }
}
