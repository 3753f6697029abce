//! What the runtime keeps in the journal beside images: identity, provisioning, boot record, last
//! known time, the generation table and the set of stopped slots.

use wasmbed_journal::{Error, Journal};
use wasmbed_wire::limits::{NAME_BYTES_MAX, PINS_MAX, PROVISIONING_BYTES_MAX};
use wasmbed_wire::{AppId, Provisioning, PublicKey, Seq, Station};

use crate::core_state::Part;
use crate::keys;
use crate::late::Late;
use crate::limits;
use crate::platform::Platform;

/// What changes at each boot and session.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BootRecord {
    /// Starts since the journal was made.
    pub count: u32,
    /// Highest session epoch seen.
    pub last_epoch: u64,
    /// Highest id of a command carried out.
    pub last_command: u64,
    /// Whether the device was told to restart.
    pub is_commanded: bool,
}

const BOOT_BYTES: usize = 21;

impl BootRecord {
    /// Reads the record; an absent one is that of a new device.
    #[inline(never)]
    pub fn read<P: Platform>(journal: &mut Journal, platform: &mut P) -> Result<Self, Error> {
        let mut bytes = [0; BOOT_BYTES];
        match journal.fetch(platform.flash(), keys::BOOT, &mut bytes)? {
            None => Ok(Self::default()),
            Some(BOOT_BYTES) => {
                let [a, b, c, d, rest @ ..] = bytes;
                let (epoch, rest) = rest.split_first_chunk::<8>().ok_or(Error::Damaged)?;
                let (command, rest) = rest.split_first_chunk::<8>().ok_or(Error::Damaged)?;
                Ok(Self {
                    count: u32::from_le_bytes([a, b, c, d]),
                    last_epoch: u64::from_le_bytes(*epoch),
                    last_command: u64::from_le_bytes(*command),
                    is_commanded: rest == [1],
                })
            }
            Some(_) => Err(Error::Damaged),
        }
    }

    /// Keeps the record.
    #[inline(never)]
    pub fn write<P: Platform>(&self, journal: &mut Journal, platform: &mut P) -> Result<(), Error> {
        let mut bytes = [0; BOOT_BYTES];
        bytes[..4].copy_from_slice(&self.count.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.last_epoch.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.last_command.to_le_bytes());
        bytes[20] = u8::from(self.is_commanded);
        journal.store(platform.flash(), keys::BOOT, &bytes)
    }
}

/// Keys that a record pins, of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Pins {
    keys: [[u8; 32]; PINS_MAX],
    used: u8,
}

impl Pins {
    const NONE: Self = Self { keys: [[0; 32]; PINS_MAX], used: 0 };

    fn of(pins: &Seq<'_, PublicKey, PINS_MAX>) -> Self {
        let mut own = Self::NONE;
        for (target, pin) in own.keys.iter_mut().zip(pins.iter()) {
            *target = pin.0;
            own.used += 1;
        }
        own
    }

    /// The keys.
    pub fn keys(&self) -> &[[u8; 32]] {
        self.keys.get(..self.used.into()).unwrap_or_default()
    }
}
/// A name from the provisioning record.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    bytes: [u8; NAME_BYTES_MAX],
    used: u8,
}

impl Name {
    const NONE: Self = Self { bytes: [0; NAME_BYTES_MAX], used: 0 };

    fn of(text: &str) -> Self {
        let mut own = Self::NONE;
        if let Some(target) = own.bytes.get_mut(..text.len()) {
            target.copy_from_slice(text.as_bytes());
            own.used = text.len() as u8;
        }
        own
    }

    /// The name.
    pub fn text(&self) -> Option<&str> {
        core::str::from_utf8(self.bytes.get(..self.used.into())?).ok()
    }
}

/// Where a string lies in the provisioning record: it is asked for seldom, so it stays in the flash.
#[derive(Clone, Copy, Debug)]
pub struct Text(Part);

impl Text {
    const NONE: Self = Self(Part::NONE);

    fn of(text: &str, record: &[u8]) -> Self {
        Self(Part::of(text.as_bytes(), record))
    }

    /// Reads it into `target`; nothing if it is not there any more. Empty if it never was.
    pub fn read<'t, P: Platform>(
        &self,
        journal: &mut Journal,
        platform: &mut P,
        target: &'t mut [u8],
    ) -> Option<&'t str> {
        let target = target.get_mut(..self.0.bytes.into())?;
        if target.is_empty() {
            return Some("");
        }
        let skipped = self.0.at.into();
        journal
            .peek_behind(platform.flash(), keys::PROVISIONING, skipped, target)
            .ok()?
            .then_some(())?;
        core::str::from_utf8(target).ok()
    }

    /// Whether it is `expected`, compared piece by piece: this is asked deep in the stack.
    fn is<P: Platform>(&self, journal: &mut Journal, platform: &mut P, expected: &[u8]) -> bool {
        let mut at = self.0.at.into();
        usize::from(self.0.bytes) == expected.len()
            && expected.chunks(COMPARED_BYTES).all(|expected| {
                let mut piece = [0; COMPARED_BYTES];
                let Some(piece) = piece.get_mut(..expected.len()) else { return false };
                let read = journal.peek_behind(platform.flash(), keys::PROVISIONING, at, piece);
                at += expected.len();
                read == Ok(true) && piece == expected
            })
    }
}

/// Bytes of the piece in which a text is compared. Chosen: most namespaces are one.
const COMPARED_BYTES: usize = 16;

/// What is known of the provisioning record: what a connection needs, and where the rest lies.
#[derive(Debug)]
pub struct Provisioned {
    /// Whether there is a record.
    pub is_known: bool,
    /// Address of the gateway.
    pub address: [u8; 4],
    /// Port of the gateway.
    pub port: u16,
    /// The device's own network address.
    pub station: Late<Station>,
    /// Keys of the fleet's authority.
    pub authorities: Pins,
    /// Name that the gateway's certificate carries.
    pub gateway: Name,
    /// Namespace of the device.
    pub namespace: Text,
    /// What the device shows to be enrolled.
    pub token: Text,
    /// Where the keys lie whose signatures over images count; 0 for none.
    signers: [u16; PINS_MAX],
}

impl Provisioned {
    pub const fn none() -> Self {
        Self {
            is_known: false,
            address: [0; 4],
            port: 0,
            station: Late::Unset,
            authorities: Pins::NONE,
            gateway: Name::NONE,
            namespace: Text::NONE,
            token: Text::NONE,
            signers: [0; PINS_MAX],
        }
    }

    /// Reads the record, in `scratch`, which is overwritten: it is too large for a stack.
    #[inline(never)]
    pub fn read<P: Platform>(
        &mut self,
        journal: &mut Journal,
        platform: &mut P,
        scratch: &mut [u8],
    ) -> Result<(), Error> {
        let scratch = scratch.get_mut(..PROVISIONING_BYTES_MAX).ok_or(Error::TooLarge)?;
        let found = journal.fetch(platform.flash(), keys::PROVISIONING, scratch)?;
        let Some(bytes) = scratch.get(..found.unwrap_or(0)) else { return Ok(()) };
        let Ok(record) = Provisioning::decode(bytes) else { return Ok(()) };
        self.is_known = true;
        self.address = record.gateway_address.to_be_bytes();
        self.port = record.gateway_port;
        self.station = record.station.map_or(Late::Unset, Late::Set);
        self.authorities = Pins::of(&record.ca_pins);
        self.gateway = Name::of(record.gateway_name);
        self.namespace = Text::of(record.namespace, bytes);
        self.token = record.token.map_or(Text::NONE, |token| Text::of(token, bytes));
        for (place, pin) in self.signers.iter_mut().zip(record.signer_pins.iter()) {
            let at = bytes.windows(pin.0.len()).position(|window| window == pin.0);
            *place = at.unwrap_or(0) as u16;
        }
        Ok(())
    }

    /// One of the keys whose signatures over images count.
    #[inline(never)]
    pub fn signer<P: Platform>(
        &self,
        index: usize,
        journal: &mut Journal,
        platform: &mut P,
    ) -> Option<[u8; 32]> {
        let at = self.signers.get(index).copied().filter(|at| *at > 0)?;
        let mut key = [0; 32];
        let place = keys::PROVISIONING;
        journal.peek_behind(platform.flash(), place, at.into(), &mut key).ok()?.then_some(key)
    }

    /// Whether this is the namespace of the device.
    #[inline(never)]
    pub fn is_own_namespace<P: Platform>(
        &self,
        journal: &mut Journal,
        platform: &mut P,
        namespace: &str,
    ) -> bool {
        self.namespace.is(journal, platform, namespace.as_bytes())
    }
}

/// Why a generation is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GenerationError {
    /// A higher one was installed before.
    TooLow,
    /// Another application would need an entry and there is none.
    TableFull,
    /// The journal failed.
    Journal,
}

/// Bytes of one entry of the generation table: application and generation.
const ENTRY_BYTES: usize = 24;

/// One value of the generation table.
struct Entries {
    bytes: [u8; ENTRY_BYTES * limits::GENERATIONS_PER_KEY],
    used: usize,
    index: u8,
}

impl Entries {
    const fn none() -> Self {
        Self { bytes: [0; ENTRY_BYTES * limits::GENERATIONS_PER_KEY], used: 0, index: 0 }
    }

    /// Reads in place: this is too large to be handed around by value.
    fn read<P: Platform>(
        &mut self,
        journal: &mut Journal,
        platform: &mut P,
        index: u8,
    ) -> Result<(), GenerationError> {
        let found = journal.fetch(platform.flash(), keys::generation(index), &mut self.bytes);
        self.used = found.map_err(|_| GenerationError::Journal)?.unwrap_or(0);
        self.index = index;
        Ok(())
    }

    fn entries(&mut self) -> impl Iterator<Item = (&[u8], &mut [u8])> {
        let used = self.bytes.get_mut(..self.used).unwrap_or_default();
        used.chunks_exact_mut(ENTRY_BYTES).map(|entry| {
            let (app, generation) = entry.split_at_mut(16);
            (&*app, generation)
        })
    }

    fn generation_of(&mut self, app: AppId) -> Option<u64> {
        let (_, generation) = self.entries().find(|(id, _)| *id == app.0)?;
        generation.first_chunk().copied().map(u64::from_le_bytes)
    }

    fn is_full(&self) -> bool {
        self.used == self.bytes.len()
    }

    fn set(&mut self, app: AppId, generation: u64) {
        if self.generation_of(app).is_none()
            && let Some(entry) = self.bytes.get_mut(self.used..self.used + ENTRY_BYTES)
        {
            entry[..16].copy_from_slice(&app.0);
            self.used += ENTRY_BYTES;
        }
        if let Some((_, known)) = self.entries().find(|(id, _)| *id == app.0) {
            known.copy_from_slice(&generation.to_le_bytes());
        }
    }
}

/// Where an application stands in the generation table.
struct GenerationEntry {
    index: u8,
    known: Option<u64>,
}

/// Looks an application up, and checks that `generation` is not lower than the one known.
pub fn check_generation<P: Platform>(
    journal: &mut Journal,
    platform: &mut P,
    app: AppId,
    generation: u64,
) -> Result<(), GenerationError> {
    locate(&mut Entries::none(), journal, platform, app, generation).map(|_| ())
}

/// Remembers `generation`, unless it is known already. Answers whether a store was made.
#[inline(never)]
pub fn keep_generation<P: Platform>(
    journal: &mut Journal,
    platform: &mut P,
    app: AppId,
    generation: u64,
) -> Result<bool, GenerationError> {
    let mut part = Entries::none();
    let entry = locate(&mut part, journal, platform, app, generation)?;
    if entry.known == Some(generation) {
        return Ok(false);
    }
    part.read(journal, platform, entry.index)?;
    part.set(app, generation);
    let value = part.bytes.get(..part.used).unwrap_or_default();
    journal
        .store(platform.flash(), keys::generation(part.index), value)
        .map_err(|_| GenerationError::Journal)?;
    Ok(true)
}

/// Finds the place of an application in the table, reading part after part into `part`.
#[inline(never)]
fn locate<P: Platform>(
    part: &mut Entries,
    journal: &mut Journal,
    platform: &mut P,
    app: AppId,
    generation: u64,
) -> Result<GenerationEntry, GenerationError> {
    let mut free = None;
    for index in 0..limits::GENERATION_KEYS {
        part.read(journal, platform, index)?;
        match part.generation_of(app) {
            Some(known) if generation < known => return Err(GenerationError::TooLow),
            Some(known) => return Ok(GenerationEntry { index, known: Some(known) }),
            None if !part.is_full() => free = free.or(Some(index)),
            None => {}
        }
    }
    let index = free.ok_or(GenerationError::TableFull)?;
    Ok(GenerationEntry { index, known: None })
}

/// Reads the set of slots whose guest shall not run.
pub fn read_stopped<P: Platform>(journal: &mut Journal, platform: &mut P) -> Result<u16, Error> {
    let mut bytes = [0; 2];
    journal.fetch(platform.flash(), keys::STOPPED, &mut bytes)?;
    Ok(u16::from_le_bytes(bytes))
}

/// Reads the last known wall-clock time in seconds; 0 if there is none.
pub fn read_time<P: Platform>(journal: &mut Journal, platform: &mut P) -> Result<u64, Error> {
    let mut bytes = [0; 8];
    journal.fetch(platform.flash(), keys::TIME, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}
