//! What an application was granted: a list of capabilities, each with what narrows it and how often
//! it may be used, in the few bytes that stand in the signed manifest.
//!
//! Leaves out which import needs which capability (`abi`'s table), the text form (in [`text`]), and
//! counting uses, which is the device's.
use crate::limits::{
    GRANTS_BYTES_MAX, GRANTS_MAX, LED_INDEX_MAX, STORAGE_BYTES_MAX, TOPIC_BYTES_MAX,
};
use wasmbed_abi::{ArgumentKind, Capability};

pub mod text;

/// Bytes in which a device keeps how often one rated grant was used.
pub const RATE_STATE_BYTES: usize = 8;

/// Bits of a grant's first byte: the capability, whether an argument follows, and the unit.
const NUMBER_MASK: u8 = 0x1f;
const ARGUMENT_BIT: u8 = 0x20;
const UNIT_SHIFT: u8 = 6;

/// First byte of a name in place of an index: this and the bytes of the name.
const NAME_BASE: u8 = LED_INDEX_MAX + 1;

/// Longest name of a pin: what a byte has left beside the indices.
const PIN_NAME_BYTES_MAX: usize = 31;

/// What narrows one grant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Argument<'a> {
    /// Nothing does.
    Any,
    /// Topics that begin with this.
    Prefix(&'a str),
    /// So many bytes of keys and values.
    Bytes(u16),
    /// The one with this number.
    Index(u8),
    /// The one with this name in the board file.
    Name(&'a str),
    /// The device with this 7-bit address.
    Address(u8),
}

impl Argument<'_> {
    /// Whether `topic` is among what this allows.
    pub fn allows_topic(&self, topic: &[u8]) -> bool {
        match self {
            Argument::Any => topic.len() <= TOPIC_BYTES_MAX,
            Argument::Prefix(prefix) => {
                topic.len() <= TOPIC_BYTES_MAX && topic.starts_with(prefix.as_bytes())
            }
            _ => false,
        }
    }

    /// Whether `number`, an index or an address, is what this allows. Names are the caller's.
    pub fn allows_number(&self, number: u32) -> bool {
        match self {
            Argument::Any => true,
            Argument::Index(one) | Argument::Address(one) => u32::from(*one) == number,
            _ => false,
        }
    }
}

/// Time in which the count of a [`Rate`] may be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum RateUnit {
    /// A second.
    Second = 1,
    /// A minute.
    Minute = 2,
    /// An hour.
    Hour = 3,
}

impl RateUnit {
    /// Its microseconds.
    pub const fn us(self) -> u64 {
        match self {
            RateUnit::Second => 1_000_000,
            RateUnit::Minute => 60_000_000,
            RateUnit::Hour => 3_600_000_000,
        }
    }

    /// Its letter.
    pub const fn letter(self) -> char {
        match self {
            RateUnit::Second => 's',
            RateUnit::Minute => 'm',
            RateUnit::Hour => 'h',
        }
    }

    /// Largest count: not more than one use a millisecond, and what 16 bits hold.
    pub const fn count_max(self) -> u16 {
        match self {
            RateUnit::Second => 1_000,
            RateUnit::Minute => 60_000,
            RateUnit::Hour => u16::MAX,
        }
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            1 => Some(RateUnit::Second),
            2 => Some(RateUnit::Minute),
            3 => Some(RateUnit::Hour),
            _ => None,
        }
    }
}

/// How often a grant may be used: this many uses at once, and as many again in each unit of time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// Uses.
    pub count: u16,
    /// In which time.
    pub unit: RateUnit,
}

impl Rate {
    /// Whether one more use is within the rate, and if so, counts it in `state`, which is 0 before
    /// the first use: a bucket of `count` tokens that fills within the unit.
    pub fn take(&self, state: &mut u64, now_us: u64) -> bool {
        // `state` is when the bucket will be full again.
        let count = u64::from(self.count.max(1));
        let interval_us = self.unit.us().div_ceil(count);
        let full_at_us = (*state).max(now_us);
        let is_allowed = full_at_us - now_us + interval_us <= interval_us * count;
        if is_allowed {
            *state = full_at_us + interval_us;
        }
        is_allowed
    }
}

/// One capability that was granted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Grant<'a> {
    /// Which.
    pub capability: Capability,
    /// What narrows it.
    pub argument: Argument<'a>,
    /// How often, if that is bounded.
    pub rate: Option<Rate>,
}

/// Why a list of grants was refused. Its maker is at fault in every case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GrantError {
    /// There are more than [`GRANTS_MAX`].
    TooMany,
    /// Together they take more than [`GRANTS_BYTES_MAX`].
    TooLong,
    /// The capability was granted before, with the same argument.
    Twice,
    /// A capability has an argument that it cannot have, or lacks one that it must have.
    Argument,
    /// A capability or unit has no meaning here, or something is cut off or out of its bounds.
    Malformed,
}

impl<'a> Grant<'a> {
    /// The capability, not narrowed by anything.
    pub const fn of(capability: Capability) -> Self {
        Grant { capability, argument: Argument::Any, rate: None }
    }

    /// Whether argument and rate are such as the capability can have.
    fn is_sound(&self) -> bool {
        let is_argument_sound = match (self.capability.argument(), self.argument) {
            (ArgumentKind::Bytes, Argument::Bytes(bytes)) => bytes <= STORAGE_BYTES_MAX,
            (ArgumentKind::Bytes, _) => false,
            (_, Argument::Any) => true,
            (ArgumentKind::Prefix, Argument::Prefix(prefix)) => {
                !prefix.is_empty() && prefix.len() <= TOPIC_BYTES_MAX
            }
            (ArgumentKind::Index | ArgumentKind::IndexOrName, Argument::Index(index)) => {
                index <= LED_INDEX_MAX
            }
            (ArgumentKind::IndexOrName, Argument::Name(name)) => {
                name.len() <= PIN_NAME_BYTES_MAX
                    && name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
            }
            (ArgumentKind::Address, Argument::Address(address)) => address < 0x80,
            _ => false,
        };
        let is_rate_sound = self.rate.is_none_or(|rate| {
            text::takes_rate(self.capability)
                && rate.count > 0
                && rate.count <= rate.unit.count_max()
        });
        is_argument_sound && is_rate_sound
    }

    /// Reads the grant at the front of `bytes`, and answers what is behind it.
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, mut rest) = bytes.split_first()?;
        let capability = Capability::by_number(head & NUMBER_MASK)?;
        let mut rate = None;
        if let Some(unit) = RateUnit::from_bits(head >> UNIT_SHIFT) {
            let (count, behind) = rest.split_first_chunk()?;
            rate = Some(Rate { count: u16::from_le_bytes(*count), unit });
            rest = behind;
        }
        let mut argument = Argument::Any;
        if head & ARGUMENT_BIT != 0 {
            (argument, rest) = split_argument(capability, rest)?;
        }
        let grant = Grant { capability, argument, rate };
        grant.is_sound().then_some((grant, rest))
    }
}

fn split_argument(capability: Capability, bytes: &[u8]) -> Option<(Argument<'_>, &[u8])> {
    let (first, behind) = bytes.split_first()?;
    let text = |length: u8| {
        let (text, rest) = behind.split_at_checked(length.into())?;
        Some((core::str::from_utf8(text).ok()?, rest))
    };
    Some(match capability.argument() {
        ArgumentKind::None => return None,
        ArgumentKind::Prefix => {
            let (prefix, rest) = text(*first)?;
            (Argument::Prefix(prefix), rest)
        }
        ArgumentKind::Bytes => {
            let (count, rest) = bytes.split_first_chunk()?;
            (Argument::Bytes(u16::from_le_bytes(*count)), rest)
        }
        ArgumentKind::IndexOrName if *first >= NAME_BASE => {
            let (name, rest) = text(*first - NAME_BASE)?;
            (Argument::Name(name), rest)
        }
        ArgumentKind::Index | ArgumentKind::IndexOrName => (Argument::Index(*first), behind),
        ArgumentKind::Address => (Argument::Address(*first), behind),
    })
}

/// The grants of an application, as they are encoded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Grants<'a> {
    bytes: &'a [u8],
}

impl<'a> Grants<'a> {
    /// The empty list.
    pub const fn none() -> Self {
        Grants { bytes: &[] }
    }

    /// Every capability there is, with no argument narrowing it.
    pub const fn all() -> Grants<'static> {
        const STORAGE: [u8; 2] = STORAGE_BYTES_MAX.to_le_bytes();
        const BYTES: &[u8] =
            &[0, 1, 2, 3, 4, 5, 6, 7, 8 | ARGUMENT_BIT, STORAGE[0], STORAGE[1], 9, 10, 11, 12];
        Grants { bytes: BYTES }
    }

    /// The list that `bytes` encode.
    ///
    /// # Errors
    /// [`GrantError`] for everything that [`GrantList`] does not write.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, GrantError> {
        if bytes.len() > GRANTS_BYTES_MAX {
            return Err(GrantError::TooLong);
        }
        let grants = Grants { bytes };
        let mut rest = bytes;
        let mut count = 0;
        while !rest.is_empty() {
            let (grant, behind) = Grant::split(rest).ok_or(GrantError::Malformed)?;
            count += 1;
            if count > GRANTS_MAX {
                return Err(GrantError::TooMany);
            }
            if grants.iter().take(count - 1).any(|other| is_same(&other, &grant)) {
                return Err(GrantError::Twice);
            }
            rest = behind;
        }
        Ok(grants)
    }

    /// The list that `bytes` encode, which were decoded before. Other bytes give another list, up to
    /// what cannot be read.
    pub const fn decoded(bytes: &'a [u8]) -> Self {
        Grants { bytes }
    }

    /// The encoded list.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The grants, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Grant<'a>> + use<'a> {
        let mut rest = self.bytes;
        core::iter::from_fn(move || {
            let (grant, behind) = Grant::split(rest)?;
            rest = behind;
            Some(grant)
        })
    }

    /// Whether `capability` was granted, however narrowed.
    pub fn has(&self, capability: Capability) -> bool {
        self.bits() & capability.bit() != 0
    }

    /// The capabilities as bits, one per [`Capability`] number.
    pub fn bits(&self) -> u32 {
        self.iter().fold(0, |bits, grant| bits | grant.capability.bit())
    }

    /// Bytes of a device's arena that a guest with these grants takes for them: the list and the
    /// state of each rate, both rounded up to 8.
    pub fn arena_bytes(&self) -> u32 {
        (self.bytes.len().next_multiple_of(8) + self.rate_bytes()) as u32
    }

    /// Bytes for the state of the rates.
    pub fn rate_bytes(&self) -> usize {
        self.iter().filter(|grant| grant.rate.is_some()).count() * RATE_STATE_BYTES
    }
}

/// Whether two grants say about the same thing how it is granted.
fn is_same(one: &Grant<'_>, other: &Grant<'_>) -> bool {
    let is_single = one.capability.argument() == ArgumentKind::Bytes;
    one.capability == other.capability && (is_single || one.argument == other.argument)
}

/// A list of grants with the bytes it is encoded in.
#[derive(Clone, Copy, Debug)]
pub struct GrantList {
    bytes: [u8; GRANTS_BYTES_MAX],
    used: usize,
}

impl Default for GrantList {
    fn default() -> Self {
        Self::new()
    }
}

impl GrantList {
    /// An empty list.
    pub const fn new() -> Self {
        GrantList { bytes: [0; GRANTS_BYTES_MAX], used: 0 }
    }

    /// The list.
    pub fn grants(&self) -> Grants<'_> {
        Grants::decoded(self.bytes.get(..self.used).unwrap_or_default())
    }

    /// Adds a grant.
    ///
    /// # Errors
    /// [`GrantError`]; the list is then as before.
    pub fn push(&mut self, grant: &Grant<'_>) -> Result<(), GrantError> {
        if !grant.is_sound() {
            return Err(GrantError::Argument);
        }
        if self.grants().iter().any(|other| is_same(&other, grant)) {
            return Err(GrantError::Twice);
        }
        if self.grants().iter().count() == GRANTS_MAX {
            return Err(GrantError::TooMany);
        }
        let before = self.used;
        let result = self.append(grant).ok_or(GrantError::TooLong);
        if result.is_err() {
            self.used = before;
        }
        result
    }

    fn append(&mut self, grant: &Grant<'_>) -> Option<()> {
        let unit = grant.rate.map_or(0, |rate| rate.unit as u8);
        let has_argument = grant.argument != Argument::Any;
        let argument_bit = if has_argument { ARGUMENT_BIT } else { 0 };
        self.write(&[grant.capability as u8 | argument_bit | unit << UNIT_SHIFT])?;
        if let Some(rate) = grant.rate {
            self.write(&rate.count.to_le_bytes())?;
        }
        match grant.argument {
            Argument::Any => Some(()),
            Argument::Prefix(prefix) => {
                self.write(&[prefix.len() as u8])?;
                self.write(prefix.as_bytes())
            }
            Argument::Bytes(bytes) => self.write(&bytes.to_le_bytes()),
            Argument::Index(number) | Argument::Address(number) => self.write(&[number]),
            Argument::Name(name) => {
                self.write(&[NAME_BASE + name.len() as u8])?;
                self.write(name.as_bytes())
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.used + bytes.len();
        self.bytes.get_mut(self.used..end)?.copy_from_slice(bytes);
        self.used = end;
        Some(())
    }
}

#[cfg(test)]
mod tests;
