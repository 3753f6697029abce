//! Conditions that resources carry: their types, their reasons, and what one says.

pub mod kinds;
pub mod reasons;

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can tell.
    Unknown,
}

impl Verdict {
    /// As a condition's `status`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }

    /// From a condition's `status`; what is neither True nor False is Unknown.
    pub fn parse(text: &str) -> Self {
        match text {
            "True" => Self::True,
            "False" => Self::False,
            _ => Self::Unknown,
        }
    }
}

impl From<bool> for Verdict {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// One condition as it was observed, without its history.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observation {
    /// Type, from [`kinds`].
    pub kind: &'static str,
    /// Whether it holds.
    pub verdict: Verdict,
    /// Reason, from [`reasons`], or a code's name from the wire.
    pub reason: &'static str,
    /// A sentence for people, with the numbers.
    pub message: String,
}

impl Observation {
    /// One observation.
    pub fn new(
        kind: &'static str,
        verdict: Verdict,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self { kind, verdict, reason, message: message.into() }
    }

    /// The condition holds.
    pub fn holds(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(kind, Verdict::True, reason, message)
    }

    /// The condition does not hold.
    pub fn fails(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(kind, Verdict::False, reason, message)
    }

    /// Nobody can tell.
    pub fn unknown(kind: &'static str, reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(kind, Verdict::Unknown, reason, message)
    }
}
