//! What an Application can be granted, and what can narrow it.

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
