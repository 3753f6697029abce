//! Functions a guest may import, and the function it must export: names, numbers, types, capabilities.
//!
//! Leaves out what the functions do on a device: that is `runtime`'s. Pointers are offsets into the
//! guest's own linear memory, lengths are in bytes, text is UTF-8.
//!
//! A guest exports its entry as `run` or `_start`, without parameters and results. It ends when the
//! entry returns. A module that exports both is entered at `run`.
#![no_std]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

/// Module name of every import that is not WASI.
pub const MODULE: &str = "wasmbed";

/// Names under which a guest may export its entry, in the order they are looked for.
pub const ENTRY_NAMES: [&str; 2] = ["run", "_start"];

/// Longest line that [`LOG`] keeps; the rest of the text is cut.
///
/// Chosen so that a line and its frame fit one message of the device protocol (480 bytes).
pub const LOG_BYTES_MAX: usize = 256;

/// Longest topic name that [`TELEMETRY`] accepts.
///
/// Chosen so that a topic costs less than a tenth of a message.
pub const TOPIC_BYTES_MAX: usize = 32;

/// Most argument words that any import takes, where an `i64` counts as two.
pub const ARGUMENT_WORDS_MAX: usize = 4;

/// Type of a parameter or result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ValueType {
    /// 32-bit integer, one argument word.
    I32,
    /// 64-bit integer, two argument words, the low one first.
    I64,
}

impl ValueType {
    /// Argument words that a value of this type takes.
    pub const fn words(self) -> u16 {
        match self {
            ValueType::I32 => 1,
            ValueType::I64 => 2,
        }
    }
}

/// Permission that an Application must be granted before its guest may import a function.
///
/// The number stands in the signed manifest: never reused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Capability {
    /// Write lines to the device's log.
    Log = 0,
    /// Read the clocks.
    Clock = 1,
    /// Wait for time to pass.
    Timer = 2,
    /// Publish telemetry values.
    Telemetry = 3,
    /// Take random bytes.
    Random = 4,
    /// Read the arguments and the environment that the Application gives.
    Args = 5,
    /// Send messages to other guests and to the cloud.
    Send = 6,
    /// Receive messages from other guests and from the cloud.
    Receive = 7,
    /// Keep values over restarts, updates and power cuts.
    Storage = 8,
    /// Switch LEDs.
    Led = 9,
    /// Read buttons.
    Button = 10,
    /// Talk to devices on the I2C bus.
    I2c = 11,
    /// Talk over a serial line.
    Uart = 12,
}

/// What narrows a [`Capability`] where an Application grants it, as in `telemetry:sensors/`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ArgumentKind {
    /// Nothing does.
    None,
    /// Topics must begin with this text; without it, any topic will do.
    Prefix,
    /// Bytes of values and keys that may be kept; must be given.
    Bytes,
    /// A number from 0 on; without it, any will do.
    Index,
    /// A number from 0 on, or the name that the board file gives; without it, any will do.
    IndexOrName,
    /// A 7-bit address on the bus; without it, any will do.
    Address,
}

impl Capability {
    /// Every capability, in the order of the numbers.
    pub const ALL: [Capability; 13] = [
        Capability::Log,
        Capability::Clock,
        Capability::Timer,
        Capability::Telemetry,
        Capability::Random,
        Capability::Args,
        Capability::Send,
        Capability::Receive,
        Capability::Storage,
        Capability::Led,
        Capability::Button,
        Capability::I2c,
        Capability::Uart,
    ];

    /// Name as written in an Application.
    pub const fn name(self) -> &'static str {
        match self {
            Capability::Log => "log",
            Capability::Clock => "clock",
            Capability::Timer => "timer",
            Capability::Telemetry => "telemetry",
            Capability::Random => "random",
            Capability::Args => "args",
            Capability::Send => "send",
            Capability::Receive => "receive",
            Capability::Storage => "storage",
            Capability::Led => "led",
            Capability::Button => "button",
            Capability::I2c => "i2c",
            Capability::Uart => "uart",
        }
    }

    /// The capability called `name`.
    pub fn by_name(name: &str) -> Option<Capability> {
        Capability::ALL.into_iter().find(|capability| capability.name() == name)
    }

    /// The capability with this number.
    pub fn by_number(number: u8) -> Option<Capability> {
        Capability::ALL.get(usize::from(number)).copied()
    }

    /// The capability's bit in a set.
    pub const fn bit(self) -> u32 {
        1 << self as u8
    }

    /// What narrows it.
    pub const fn argument(self) -> ArgumentKind {
        match self {
            Capability::Log
            | Capability::Clock
            | Capability::Timer
            | Capability::Random
            | Capability::Args => ArgumentKind::None,
            Capability::Telemetry | Capability::Send | Capability::Receive => ArgumentKind::Prefix,
            Capability::Storage => ArgumentKind::Bytes,
            Capability::Led => ArgumentKind::IndexOrName,
            Capability::Button | Capability::Uart => ArgumentKind::Index,
            Capability::I2c => ArgumentKind::Address,
        }
    }
}

/// One function that a guest may import.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Import {
    /// Number in an image: never reused.
    pub number: u16,
    /// Module part of the import name.
    pub module: &'static str,
    /// Field part of the import name.
    pub name: &'static str,
    /// Parameters, in order.
    pub params: &'static [ValueType],
    /// Result, if there is one.
    pub result: Option<ValueType>,
    /// What must have been granted; nothing for calls that every guest may make.
    pub capability: Option<Capability>,
}

/// Number of `log(text: i32, text_bytes: i32)`: one line to the device's log.
pub const LOG: u16 = 1;

/// Number of `clock_monotonic_ms() -> i64`: milliseconds since the device booted.
pub const CLOCK_MONOTONIC_MS: u16 = 2;

/// Number of `timer_wait_ms(delay_ms: i32)`: parks the guest for an unsigned number of milliseconds.
pub const TIMER_WAIT_MS: u16 = 3;

/// Number of `telemetry(topic: i32, topic_bytes: i32, value: i64) -> i32`: publishes one value.
///
/// The result is one of [`TELEMETRY_QUEUED`], [`TELEMETRY_DROPPED`] and [`TELEMETRY_REFUSED`].
pub const TELEMETRY: u16 = 4;

/// [`TELEMETRY`] took the value.
pub const TELEMETRY_QUEUED: u32 = 0;

/// [`TELEMETRY`] had no room: the value is lost, and counted as such.
pub const TELEMETRY_DROPPED: u32 = 1;

/// [`TELEMETRY`] refused the topic: too long, not UTF-8, or not granted.
pub const TELEMETRY_REFUSED: u32 = 2;

/// Every import, in the order of the numbers.
pub static IMPORTS: [Import; 4] = [
    Import {
        number: LOG,
        module: MODULE,
        name: "log",
        params: &[ValueType::I32, ValueType::I32],
        result: None,
        capability: Some(Capability::Log),
    },
    Import {
        number: CLOCK_MONOTONIC_MS,
        module: MODULE,
        name: "clock_monotonic_ms",
        params: &[],
        result: Some(ValueType::I64),
        capability: Some(Capability::Clock),
    },
    Import {
        number: TIMER_WAIT_MS,
        module: MODULE,
        name: "timer_wait_ms",
        params: &[ValueType::I32],
        result: None,
        capability: Some(Capability::Timer),
    },
    Import {
        number: TELEMETRY,
        module: MODULE,
        name: "telemetry",
        params: &[ValueType::I32, ValueType::I32, ValueType::I64],
        result: Some(ValueType::I32),
        capability: Some(Capability::Telemetry),
    },
];

/// The import with this number.
pub fn import_by_number(number: u16) -> Option<&'static Import> {
    IMPORTS.iter().find(|import| import.number == number)
}

/// The import with this two-part name.
pub fn import_by_name(module: &str, name: &str) -> Option<&'static Import> {
    IMPORTS.iter().find(|import| import.module == module && import.name == name)
}

#[cfg(test)]
mod tests;
