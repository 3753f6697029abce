//! The set of capabilities that an application was granted.
//!
//! Leaves out which import needs which capability: that is `abi`'s table.
use crate::limits::TOPIC_BYTES_MAX;
use wasmbed_abi::Capability;

/// What a guest may do, with the arguments that narrow it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Capabilities<'a> {
    bits: u32,
    telemetry_prefix: &'a str,
}

impl<'a> Capabilities<'a> {
    /// The empty set.
    pub const fn none() -> Self {
        Capabilities { bits: 0, telemetry_prefix: "" }
    }

    /// Every capability there is, with no argument narrowing it.
    pub fn all() -> Self {
        Capability::ALL.into_iter().fold(Capabilities::none(), Capabilities::with)
    }

    /// The set with `capability` added.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Capabilities { bits: self.bits | capability.bit(), ..self }
    }

    /// The set with telemetry added, for topics that begin with `prefix` only.
    ///
    /// A prefix longer than the longest topic cannot match, and the encoder refuses it.
    #[must_use]
    pub const fn with_telemetry_topic(self, prefix: &'a str) -> Self {
        Capabilities { bits: self.bits | Capability::Telemetry.bit(), telemetry_prefix: prefix }
    }

    /// Whether `capability` was granted.
    pub const fn has(&self, capability: Capability) -> bool {
        self.bits & capability.bit() != 0
    }

    /// Whether the guest may publish under `topic`.
    pub fn allows_topic(&self, topic: &str) -> bool {
        self.has(Capability::Telemetry)
            && topic.len() <= TOPIC_BYTES_MAX
            && topic.as_bytes().starts_with(self.telemetry_prefix.as_bytes())
    }

    /// The set as bits, one per [`Capability`] number.
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// What every published topic must begin with; empty allows all.
    pub const fn telemetry_prefix(&self) -> &'a str {
        self.telemetry_prefix
    }

    /// The set from its parts, or nothing if a bit has no meaning.
    pub(crate) fn from_parts(bits: u32, telemetry_prefix: &'a str) -> Option<Self> {
        let is_known = bits & !Capabilities::all().bits == 0;
        is_known.then_some(Capabilities { bits, telemetry_prefix })
    }
}
