//! Grants as people write them: `NAME[:ARGUMENT][@COUNT/UNIT]`, as in `telemetry:sensors/@10/s`.
use super::{Argument, Grant, GrantError, GrantList, Rate, RateUnit};
use crate::limits::{
    GRANTS_BYTES_MAX, GRANTS_MAX, LED_INDEX_MAX, STORAGE_BYTES_MAX, TOPIC_BYTES_MAX,
};
use core::fmt;
use wasmbed_abi::{ArgumentKind, Capability};

/// Whether a capability can be bounded in how often it is used: those that cost somebody something.
pub const fn takes_rate(capability: Capability) -> bool {
    matches!(
        capability,
        Capability::Log
            | Capability::Telemetry
            | Capability::Send
            | Capability::Storage
            | Capability::Led
            | Capability::I2c
            | Capability::Uart
    )
}

/// Why a text is no grant, or none that can be added. Whoever wrote it is at fault in every case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ParseError<'a> {
    /// The whole text.
    pub text: &'a str,
    /// What is wrong.
    pub kind: ParseErrorKind,
}

/// What is wrong with a grant's text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ParseErrorKind {
    /// No capability has the name in front.
    Name,
    /// The capability takes no argument, or not this one.
    Argument(Capability),
    /// The capability cannot be bounded in how often it is used.
    RateNotTaken(Capability),
    /// What follows `@` is no rate.
    Rate,
    /// The count is 0 or more than can be told apart.
    Count(RateUnit),
    /// The same was granted before.
    Twice,
    /// There are more than [`GRANTS_MAX`].
    TooMany,
    /// All of them together take too many bytes.
    TooLong,
}

impl<'a> Grant<'a> {
    /// Reads one grant.
    ///
    /// # Errors
    /// [`ParseError`] names what is wrong, and in its text what is allowed.
    pub fn parse(text: &'a str) -> Result<Grant<'a>, ParseError<'a>> {
        let error = |kind| ParseError { text, kind };
        // A prefix may hold `@` as well: the rate is behind the last one, if it looks like one.
        let (front, rate) = match text.rsplit_once('@') {
            Some((front, rate)) => (front, Some(rate)),
            None => (text, None),
        };
        let (name, argument) = match front.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (front, None),
        };
        let capability = Capability::by_name(name).ok_or(error(ParseErrorKind::Name))?;
        let argument = match argument {
            None => Argument::Any,
            Some(argument) => parse_argument(capability, argument)
                .ok_or(error(ParseErrorKind::Argument(capability)))?,
        };
        let rate = match rate {
            None => None,
            Some(_) if !takes_rate(capability) => {
                return Err(error(ParseErrorKind::RateNotTaken(capability)));
            }
            Some(rate) => Some(parse_rate(rate).map_err(error)?),
        };
        let grant = Grant { capability, argument, rate };
        if grant.is_sound() { Ok(grant) } else { Err(error(ParseErrorKind::Argument(capability))) }
    }
}

fn parse_argument(capability: Capability, text: &str) -> Option<Argument<'_>> {
    let number = || text.parse::<u8>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    match capability.argument() {
        ArgumentKind::None => None,
        ArgumentKind::Prefix => Some(Argument::Prefix(text)),
        ArgumentKind::Bytes => {
            let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_decimal).map(Argument::Bytes)
        }
        ArgumentKind::Index => number().map(Argument::Index),
        ArgumentKind::IndexOrName => Some(number().map_or(Argument::Name(text), Argument::Index)),
        ArgumentKind::Address => {
            let digits = text.strip_prefix("0x")?;
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            u8::from_str_radix(digits, 16).ok().filter(|_| is_hex).map(Argument::Address)
        }
    }
}

fn parse_rate(text: &str) -> Result<Rate, ParseErrorKind> {
    let (count, unit) = text.split_once('/').ok_or(ParseErrorKind::Rate)?;
    let unit = match unit {
        "s" => RateUnit::Second,
        "m" => RateUnit::Minute,
        "h" => RateUnit::Hour,
        _ => return Err(ParseErrorKind::Rate),
    };
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseErrorKind::Rate);
    }
    let count = count.parse().map_err(|_| ParseErrorKind::Count(unit))?;
    if count == 0 || count > unit.count_max() {
        return Err(ParseErrorKind::Count(unit));
    }
    Ok(Rate { count, unit })
}

impl GrantList {
    /// Reads a list, as an Application has it.
    ///
    /// # Errors
    /// [`ParseError`] of the first text that cannot be taken.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, ParseError<'t>> {
        let mut list = GrantList::new();
        for text in texts {
            let grant = Grant::parse(text)?;
            list.push(&grant).map_err(|error| {
                let kind = match error {
                    GrantError::TooMany => ParseErrorKind::TooMany,
                    GrantError::Twice => ParseErrorKind::Twice,
                    GrantError::TooLong => ParseErrorKind::TooLong,
                    GrantError::Argument | GrantError::Malformed => {
                        ParseErrorKind::Argument(grant.capability)
                    }
                };
                ParseError { text, kind }
            })?;
        }
        Ok(list)
    }
}

impl fmt::Display for Grant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.capability.name())?;
        match self.argument {
            Argument::Any => {}
            Argument::Prefix(text) | Argument::Name(text) => write!(f, ":{text}")?,
            Argument::Bytes(bytes) => write!(f, ":{bytes}")?,
            Argument::Index(index) => write!(f, ":{index}")?,
            Argument::Address(address) => write!(f, ":{address:#04x}")?,
        }
        match self.rate {
            Some(rate) => write!(f, "@{}/{}", rate.count, rate.unit.letter()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ParseError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ", self.text)?;
        match self.kind {
            ParseErrorKind::Name => {
                f.write_str("is no capability; there are: ")?;
                for (index, capability) in Capability::ALL.into_iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    f.write_str(capability.name())?;
                }
                Ok(())
            }
            ParseErrorKind::Argument(capability) => {
                f.write_str("has the wrong argument: ")?;
                allowed_argument(capability, f)
            }
            ParseErrorKind::RateNotTaken(capability) => {
                write!(f, "has a rate, and {} takes none; these do: ", capability.name())?;
                let rated = Capability::ALL.into_iter().filter(|one| takes_rate(*one));
                for (index, capability) in rated.enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    f.write_str(capability.name())?;
                }
                Ok(())
            }
            ParseErrorKind::Rate => f.write_str(
                "has no rate behind the @: it is COUNT/UNIT, as in @10/s, with s, m or h",
            ),
            ParseErrorKind::Count(unit) => write!(
                f,
                "has a count out of bounds: 1 to {} per {}",
                unit.count_max(),
                unit.letter()
            ),
            ParseErrorKind::Twice => f.write_str("grants what was granted before it in the list"),
            ParseErrorKind::TooMany => write!(f, "is one too many: {GRANTS_MAX} may be granted"),
            ParseErrorKind::TooLong => write!(
                f,
                "does not fit: all grants of an application take {GRANTS_BYTES_MAX} bytes at most"
            ),
        }
    }
}

/// Says what the argument of a capability may be.
fn allowed_argument(capability: Capability, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = capability.name();
    match capability.argument() {
        ArgumentKind::None => write!(f, "{name} takes none"),
        ArgumentKind::Prefix => {
            write!(f, "{name}:PREFIX takes 1 to {TOPIC_BYTES_MAX} bytes, {name} alone any topic")
        }
        ArgumentKind::Bytes => {
            write!(f, "{name}:BYTES needs a number up to {STORAGE_BYTES_MAX}, as in {name}:256")
        }
        ArgumentKind::Index => {
            write!(f, "{name}:INDEX takes 0 to {LED_INDEX_MAX}, {name} alone is all of them")
        }
        ArgumentKind::IndexOrName => write!(
            f,
            "{name}:INDEX takes 0 to {LED_INDEX_MAX}, {name}:NAME what the board file names, \
             {name} alone is all of them"
        ),
        ArgumentKind::Address => {
            write!(f, "{name}:ADDRESS takes 0x00 to 0x7f, {name} alone is any address")
        }
    }
}
