//! What the gateway counts about itself, for Prometheus. Counts only: nothing of any one device.

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// A label with one word.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(crate) struct Word {
    word: Text,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Text(&'static str);

impl prometheus_client::encoding::EncodeLabelValue for Text {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        prometheus_client::encoding::EncodeLabelValue::encode(&self.0, encoder)
    }
}

/// Counters by one word: a reason, or the name of a message.
pub(crate) type Words = Family<Word, Counter>;

/// Counts one more of `word`.
pub(crate) fn count(words: &Words, word: &'static str) {
    words.get_or_create(&Word { word: Text(word) }).inc();
}

macro_rules! metrics {
    ($(#[doc = $doc:literal] $name:ident: $type:ty = $exported:literal,)*) => {
        /// Everything this process counts.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $(#[doc = $doc] pub(crate) $name: $type,)*
        }

        impl Metrics {
            fn register(&self) -> Registry {
                let mut registry = Registry::with_prefix("wasmbed_gateway");
                $(registry.register($exported, help($doc), self.$name.clone());)*
                registry
            }
        }
    };
}

metrics! {
    /// Sessions that stand.
    sessions: Gauge = "sessions",
    /// Connections that have not been welcomed yet.
    handshakes: Gauge = "handshakes",
    /// Connections accepted.
    connections: Counter = "connections",
    /// Connections that ended before a session began, by reason.
    handshake_failures: Words = "handshake_failures",
    /// Devices refused by message, by reason.
    refusals: Words = "refusals",
    /// Devices enrolled.
    enrollments: Counter = "enrollments",
    /// Sessions that ended, by reason.
    sessions_ended: Words = "sessions_ended",
    /// Messages received, by name.
    messages_received: Words = "messages_received",
    /// Messages sent, by name.
    messages_sent: Words = "messages_sent",
    /// Image bytes sent.
    image_bytes_sent: Counter = "image_bytes_sent",
    /// Images that were asked for and could not be read.
    image_errors: Counter = "image_errors",
    /// Status writes that succeeded.
    status_writes: Counter = "status_writes",
    /// Status writes that met a change by somebody else.
    status_conflicts: Counter = "status_conflicts",
    /// Status writes that were not made because a newer session exists.
    status_superseded: Counter = "status_superseded",
    /// Status writes that failed.
    status_errors: Counter = "status_errors",
    /// Errors of watches of the control plane.
    watch_errors: Counter = "watch_errors",
    /// Lease renewals that failed.
    lease_errors: Counter = "lease_errors",
    /// Messages that users sent to devices, by what became of them.
    deliveries: Words = "deliveries",
    /// Messages of guests that their device dropped for lack of room.
    messages_lost: Counter = "messages_lost",
    /// Requests of the live API, by operation.
    live_requests: Words = "live_requests",
    /// Requests of the live API that were refused, by reason.
    live_refusals: Words = "live_refusals",
}

/// The doc comment without its leading space and final stop, which the encoder adds.
fn help(doc: &'static str) -> &'static str {
    doc.trim().trim_end_matches('.')
}

impl Metrics {
    /// Everything in the OpenMetrics text format.
    pub(crate) fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.register())?;
        Ok(text)
    }
}
