//! Everything a device knows apart from its TLS session: so that a message can be handled while it
//! still lies in the session's buffer.

use wasmbed_image::{FORMAT_LOWERED_V1, Manifest};
use wasmbed_journal::{Error, Journal};
use wasmbed_wire::{
    AppId, Budget, CommandOutcome, Counters, Digest, GuestReason, GuestState, StateReport,
};

use crate::console::Line;
use crate::guests::{Detail, Guest, Previous, Stage, plain_report};
use crate::install::Install;
use crate::late::{Bytes, Late};
use crate::limits;
use crate::loader::Loader;
use crate::platform::{BoardFacts, Platform};
use crate::queue::Queue;
use crate::store::{self, BootRecord, Provisioned};

/// An image that the device will not take, remembered so that it is not asked for again.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    pub is_held: bool,
    pub is_report_due: bool,
    pub at_ms: u64,
    pub app: AppId,
    pub generation: u64,
    pub digest: Option<Digest>,
    pub state: GuestState,
    pub reason: GuestReason,
    pub detail: Detail,
}

impl Refusal {
    const NONE: Self = Self {
        is_held: false,
        is_report_due: false,
        at_ms: 0,
        app: AppId([0; 16]),
        generation: 0,
        digest: None,
        // The first of its values, which is zero.
        state: GuestState::Installing,
        reason: GuestReason::None,
        detail: Detail::None,
    };

    /// The report about it.
    pub fn report(&self) -> StateReport {
        let Self { app, generation, digest, state, reason, .. } = *self;
        self.detail.fill(plain_report(app, generation, digest, state, reason))
    }
}

/// One application that the gateway wants here.
#[derive(Clone, Copy, Debug)]
pub struct Desired {
    pub is_held: bool,
    pub is_run_wanted: bool,
    pub restart_token: u32,
    pub app: AppId,
    pub generation: u64,
}

impl Desired {
    pub const NONE: Self = Self {
        is_held: false,
        is_run_wanted: false,
        restart_token: 0,
        app: AppId([0; 16]),
        generation: 0,
    };
}

/// A command that was carried out.
#[derive(Clone, Copy, Debug)]
pub struct CommandEntry {
    pub is_due: bool,
    pub id: u64,
    pub outcome: CommandOutcome,
    pub uptime_ms: u64,
    pub receivers: Option<u8>,
}

impl CommandEntry {
    const NONE: Self =
        Self { is_due: false, id: 0, outcome: CommandOutcome::Done, uptime_ms: 0, receivers: None };
}

/// The state of a device without its session.
#[derive(Debug)]
pub struct Core<'a, const GUESTS: usize> {
    pub arena: Bytes<'a>,
    pub queue: Queue<'a>,
    pub facts: Late<BoardFacts<'a>>,
    pub journal: Journal,
    pub slots: u8,
    pub boot: BootRecord,
    pub provisioning: Provisioned,
    pub counters: Counters,
    pub guests: [Guest; GUESTS],
    pub refusals: [Refusal; GUESTS],
    pub desired: [Desired; GUESTS],
    /// Whether the gateway said in this session what it wants.
    pub is_desired_known: bool,
    pub revision: u64,
    pub install: Install,
    pub loader: Loader,
    /// When the current step began.
    pub now_ms: u64,
    /// Wall clock at a time since boot, both in milliseconds, once the gateway told it.
    pub told: Option<(u64, u64)>,
    /// Whether the gateway of this session takes messages of guests.
    pub takes_messages: bool,
    /// Slots whose guest shall not run, as kept in the journal.
    pub stopped: u16,
    pub results: [CommandEntry; limits::COMMAND_RESULTS],
    pub is_reboot_requested: bool,
    /// Which guest the next heartbeat begins with, when not all fit.
    pub heartbeat_turn: usize,
}

impl<'a, const GUESTS: usize> Core<'a, GUESTS> {
    pub const fn new() -> Self {
        Self {
            arena: Bytes::NONE,
            queue: Queue::NONE,
            facts: Late::Unset,
            journal: Journal::unmounted(),
            slots: 0,
            boot: BootRecord { count: 0, last_epoch: 0, last_command: 0, is_commanded: false },
            provisioning: Provisioned::none(),
            counters: NO_COUNTERS,
            guests: [const { Guest::EMPTY }; GUESTS],
            refusals: [Refusal::NONE; GUESTS],
            desired: [Desired::NONE; GUESTS],
            is_desired_known: false,
            revision: 0,
            install: Install::NONE,
            loader: Loader::idle(),
            now_ms: 0,
            told: None,
            takes_messages: false,
            stopped: 0,
            results: [CommandEntry::NONE; limits::COMMAND_RESULTS],
            is_reboot_requested: false,
            heartbeat_turn: 0,
        }
    }

    /// What fits on this device.
    pub fn budget(&self) -> Budget {
        Budget {
            arena_bytes: (self.arena.len() as u32)
                .saturating_sub(GUESTS as u32 * limits::GUEST_OVERHEAD_BYTES),
            slot_bytes: limits::IMAGE_BYTES_MAX,
            slots: self.slots,
            guests: GUESTS as u8,
        }
    }

    /// The image format that is executed.
    pub const fn image_format() -> u8 {
        FORMAT_LOWERED_V1
    }

    /// Notes the outcome of a journal operation in the counters.
    pub fn count_store(&mut self) {
        self.counters.journal_stores = self.counters.journal_stores.wrapping_add(1);
    }

    /// The guest of an application, those on their way out not counted.
    pub fn find(&self, app: AppId) -> Option<usize> {
        self.guests.iter().position(|guest| {
            guest.is_held && guest.app == app && guest.state != GuestState::Removed
        })
    }

    /// Remembers that an image is not taken.
    pub fn refuse(
        &mut self,
        app: AppId,
        generation: u64,
        digest: Option<Digest>,
        reason: GuestReason,
        detail: Detail,
    ) {
        self.refuse_in_state(app, generation, digest, GuestState::Refused, reason, detail);
    }

    /// The same, for an image that was tried and failed.
    #[inline(never)]
    pub fn refuse_in_state(
        &mut self,
        app: AppId,
        generation: u64,
        digest: Option<Digest>,
        state: GuestState,
        reason: GuestReason,
        detail: Detail,
    ) {
        let same = self.refusals.iter().position(|refusal| refusal.is_held && refusal.app == app);
        let free = self.refusals.iter().position(|refusal| !refusal.is_held);
        let index = same.or(free).unwrap_or(0);
        if let Some(refusal) = self.refusals.get_mut(index) {
            *refusal = Refusal {
                is_held: true,
                is_report_due: true,
                at_ms: self.now_ms,
                app,
                generation,
                digest,
                state,
                reason,
                detail,
            };
        }
    }

    /// Whether this generation was refused already.
    pub fn is_refused(&self, app: AppId, generation: u64) -> bool {
        self.refusals.iter().any(|refusal| {
            refusal.is_held && refusal.app == app && refusal.generation == generation
        })
    }

    /// Brings the guests of the journal back: the higher generation of each application runs, a
    /// lower one is kept as the one before it.
    #[inline(never)]
    pub fn boot_guests<P: Platform>(&mut self, platform: &mut P) -> Result<(), Error> {
        self.slots = Journal::slots(platform.flash());
        self.stopped = store::read_stopped(&mut self.journal, platform)?;
        for slot in 0..self.slots {
            let Some(record) = self.journal.image(platform.flash(), slot)? else { continue };
            let is_adopted = Note::decode(record.note()).is_some_and(|note| self.adopt(slot, note));
            if !is_adopted {
                Line::new("image dropped from slot ").number(slot.into()).show(platform);
                self.journal.image_remove(platform.flash(), slot)?;
                self.count_store();
            }
        }
        for guest in &mut self.guests {
            if guest.is_held && self.stopped & slot_bit(guest.slot) == 0 {
                guest.is_wanted = true;
                guest.request_start();
            } else if guest.is_held {
                guest.state = GuestState::Stopped;
            }
        }
        Ok(())
    }

    /// Gives a guest from the journal its place; false if there is none for it. Its manifest is
    /// read by the loader.
    #[inline(never)]
    fn adopt(&mut self, slot: u8, note: Note) -> bool {
        let mut own = Previous { slot, image_crc: note.image_crc, generation: note.generation };
        let held = self.find(note.app);
        let index = held.or_else(|| self.guests.iter().position(|guest| !guest.is_held));
        let Some(guest) = index.and_then(|index| self.guests.get_mut(index)) else { return false };
        if held.is_some() {
            if guest.previous.is_some() || guest.generation == own.generation {
                return false;
            }
            let mut older = guest.as_previous();
            if older.generation > own.generation {
                core::mem::swap(&mut older, &mut own);
            }
            guest.previous = Some(older);
        }
        guest.hold(note.app);
        guest.come_from(own);
        true
    }

    /// Keeps whether the guest in this slot shall run after the next boot.
    #[inline(never)]
    pub fn keep_wanted<P: Platform>(&mut self, slot: u8, is_wanted: bool, platform: &mut P) {
        let stopped =
            if is_wanted { self.stopped & !slot_bit(slot) } else { self.stopped | slot_bit(slot) };
        if stopped == self.stopped {
            return;
        }
        let value = stopped.to_le_bytes();
        let key = crate::keys::STOPPED;
        if self.journal.store(platform.flash(), key, &value).is_ok() {
            self.stopped = stopped;
            self.count_store();
        }
    }

    /// Frees a slot.
    pub fn drop_slot<P: Platform>(&mut self, slot: u8, platform: &mut P) -> Result<(), Error> {
        self.journal.image_remove(platform.flash(), slot)?;
        self.count_store();
        self.keep_wanted(slot, true, platform);
        Ok(())
    }

    /// Forgets the image before the current one.
    #[inline(never)]
    pub fn drop_previous<P: Platform>(&mut self, index: usize, platform: &mut P) {
        let Some(previous) = self.guests.get_mut(index).and_then(|guest| guest.previous.take())
        else {
            return;
        };
        if self.drop_slot(previous.slot, platform).is_err()
            && let Some(guest) = self.guests.get_mut(index)
        {
            guest.previous = Some(previous);
        }
    }

    /// Goes back to the image before the current one, which failed; its report says why.
    #[inline(never)]
    pub fn roll_back<P: Platform>(&mut self, index: usize, now_ms: u64, platform: &mut P) {
        let Some(guest) = self.guests.get_mut(index) else { return };
        let Some(previous) = guest.previous.take() else { return };
        let (app, generation, digest) = (guest.app, guest.generation, guest.digest);
        let (state, reason, detail) = (guest.state, guest.reason, guest.detail);
        let failed_slot = guest.slot;
        guest.unload();
        let (is_wanted, restart_token) = (guest.is_wanted, guest.restart_token);
        *guest = Guest::EMPTY;
        guest.hold(app);
        guest.come_from(previous);
        guest.is_wanted = is_wanted;
        guest.restart_token = restart_token;
        guest.stage = Stage::Waiting;
        guest.started_at_ms = now_ms;
        self.refuse_in_state(app, generation, Some(digest), state, reason, detail);
        // A slot that could not be freed is found again at the next boot, as the newer image.
        let _ = self.drop_slot(failed_slot, platform);
    }

    /// Slots that hold no image.
    pub fn slots_free(&self) -> u8 {
        let used = self.guests.iter().filter(|guest| guest.is_held).map(|guest| {
            u8::from(guest.state != GuestState::Removed) + u8::from(guest.previous.is_some())
        });
        self.slots.saturating_sub(used.sum())
    }

    /// A slot that no guest uses.
    pub fn free_slot(&self) -> Option<u8> {
        (0..self.slots).find(|slot| {
            !self.guests.iter().any(|guest| {
                guest.is_held
                    && guest.state != GuestState::Removed
                    && (guest.slot == *slot
                        || guest.previous.is_some_and(|previous| previous.slot == *slot))
            })
        })
    }

    /// Bytes of the arena in use.
    pub fn arena_used_bytes(&self) -> u32 {
        self.ranges().map(|range| range.bytes).sum()
    }

    /// Ranges of the arena in use.
    pub fn ranges(&self) -> impl Iterator<Item = crate::arena::Range> + Clone + '_ {
        self.guests.iter().filter_map(|guest| guest.range).chain(self.install.range)
    }
}

const NO_COUNTERS: Counters = Counters {
    rx_bytes: 0,
    tx_bytes: 0,
    handshakes: 0,
    messages: 0,
    journal_stores: 0,
    logs_dropped: 0,
    telemetry_dropped: 0,
    slices: 0,
    traps: 0,
    arena_used_bytes: 0,
    stack_high_water_bytes: None,
    slots_free: 0,
    messages_dropped: None,
};

fn slot_bit(slot: u8) -> u16 {
    1_u16.checked_shl(slot.into()).unwrap_or(0)
}

/// What is kept with an image in the journal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Note {
    pub app: AppId,
    pub generation: u64,
    /// CRC-32 of the image.
    pub image_crc: u32,
}

impl Note {
    /// Bytes of a note.
    pub const BYTES: usize = 28;

    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(&self.app.0);
        bytes[16..24].copy_from_slice(&self.generation.to_le_bytes());
        bytes[24..].copy_from_slice(&self.image_crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::BYTES] = bytes.try_into().ok()?;
        let (app, rest) = bytes.split_first_chunk()?;
        let (generation, crc) = rest.split_first_chunk()?;
        Some(Self {
            app: AppId(*app),
            generation: u64::from_le_bytes(*generation),
            image_crc: u32::from_le_bytes(*crc.first_chunk()?),
        })
    }
}

/// Where the manifest lies in its slot, behind its length.
pub const MANIFEST_AT: u32 = 2;

/// Where something lies in an encoded record: a manifest, or the provisioning record.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// First byte.
    pub at: u16,
    /// Length.
    pub bytes: u8,
}

impl Part {
    pub const NONE: Self = Self { at: 0, bytes: 0 };

    /// Where `part` lies in `whole`, of which it is a part.
    pub fn of(part: &[u8], whole: &[u8]) -> Self {
        let at = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        Self { at: at as u16, bytes: part.len() as u8 }
    }
}

/// Where the strings of a guest lie: it asks for them seldom, so they stay in the flash.
#[derive(Clone, Copy, Debug)]
pub struct Strings {
    /// Name of the application.
    pub name: Part,
    /// Arguments.
    pub args: Part,
    /// Environment.
    pub environ: Part,
}

impl Strings {
    pub const NONE: Self = Self { name: Part::NONE, args: Part::NONE, environ: Part::NONE };
}

/// Where the image lies in its slot.
pub const fn image_offset(manifest_bytes: u16) -> u32 {
    MANIFEST_AT + manifest_bytes as u32 + limits::SIGNATURE_BYTES as u32
}

/// Puts what a guest was granted into its part of the arena; false if that is not in the slot.
#[inline(never)]
pub fn read_grants<P: Platform>(platform: &mut P, guest: &Guest, care: &mut [u8]) -> bool {
    care.fill(0);
    let Some(target) = care.get_mut(..guest.grant_bytes.into()) else { return false };
    let at = MANIFEST_AT + u32::from(guest.grants_at);
    target.is_empty() || Journal::image_read(platform.flash(), guest.slot, at, target).is_ok()
}

/// Reads what a guest is from the head of its slot; false if that is not what the journal says.
#[inline(never)]
pub fn read_head<P: Platform>(platform: &mut P, guest: &mut Guest) -> bool {
    let mut buffer = [0; wasmbed_wire::limits::MANIFEST_BYTES_MAX];
    let Some(length) = buffer.first_chunk_mut::<2>() else { return false };
    if Journal::image_read(platform.flash(), guest.slot, 0, length).is_err() {
        return false;
    }
    let manifest_bytes = u16::from_le_bytes(*length);
    let Some(bytes) = buffer.get_mut(..usize::from(manifest_bytes)) else { return false };
    Journal::image_read(platform.flash(), guest.slot, MANIFEST_AT, bytes).is_ok()
        && guest.take_head(bytes)
}

impl Guest {
    /// What has to be kept to come back to this image.
    pub fn as_previous(&self) -> Previous {
        let Self { slot, image_crc, generation, .. } = *self;
        Previous { slot, image_crc, generation }
    }

    /// Takes the image that was kept.
    fn come_from(&mut self, kept: Previous) {
        self.slot = kept.slot;
        self.image_crc = kept.image_crc;
        self.generation = kept.generation;
        self.has_manifest = false;
    }

    /// Takes over the manifest in `bytes`; false if it is another one.
    #[inline(never)]
    fn take_head(&mut self, bytes: &[u8]) -> bool {
        let Ok(manifest) = Manifest::decode(bytes) else { return false };
        let is_own = manifest.app_uid == self.app.0 && manifest.generation == self.generation;
        if is_own {
            self.take_manifest(&manifest, bytes);
        }
        is_own
    }

    /// Takes over what the signed manifest, encoded in `bytes`, says.
    fn take_manifest(&mut self, manifest: &Manifest<'_>, bytes: &[u8]) {
        self.digest = Digest(manifest.image_digest);
        self.image_bytes = manifest.image_bytes;
        self.manifest_bytes = bytes.len() as u16;
        self.strings = Strings {
            name: Part::of(manifest.app_name.as_bytes(), bytes),
            args: Part::of(manifest.config.args, bytes),
            environ: Part::of(manifest.config.environ, bytes),
        };
        self.policy = manifest.restart_policy;
        self.fuel_limit = manifest.limits.fuel;
        self.priority = manifest.priority;
        self.capabilities = manifest.grants.bits();
        let grants = Part::of(manifest.grants.bytes(), bytes);
        (self.grants_at, self.grant_bytes) = (grants.at, grants.bytes);
        self.care_bytes = manifest.grants.arena_bytes() as u16;
        self.has_manifest = true;
    }
}
