//! The device: one step function over everything it does.

use sha2::{Digest as _, Sha256};
use wasmbed_curve::ed25519::Key;
use wasmbed_journal::Error;
use wasmbed_wire::{ResetReason, Station};
use zeroize::Zeroize;

use crate::console::Line;
use crate::core_state::Core;
use crate::install;
use crate::keys;
use crate::late::{Bytes, Late};
use crate::limits;
use crate::platform::{BoardFacts, Platform};
use crate::queue::Queue;
use crate::session::{Phase, Session};
use crate::store::BootRecord;

/// Memory that a device works in, given once by the caller.
#[derive(Debug)]
pub struct Memory<'a> {
    /// Guests: images and their working memory. Aligned to 8 bytes.
    pub arena: &'a mut [u8],
    /// Log lines and telemetry that wait for the gateway, at least [`limits::QUEUE_BYTES_MIN`].
    pub queue: &'a mut [u8],
}

/// Why a device cannot start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StartError {
    /// The journal is damaged beyond what a power cut can do. Nothing was written.
    JournalDamaged,
    /// The flash does not answer, or does not take what is written.
    Flash,
    /// There is no key yet and the entropy source gave nothing.
    Entropy,
    /// A buffer of [`Memory`] is smaller than its bound.
    Memory,
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        match error {
            Error::Damaged => Self::JournalDamaged,
            _ => Self::Flash,
        }
    }
}

/// What the device wants from its transport.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wants {
    /// Leave the transport as it is.
    Nothing,
    /// Open a connection to the gateway at this address, then call [`Device::connected`].
    Connect {
        /// IPv4 address.
        address: [u8; 4],
        /// TCP port.
        port: u16,
    },
    /// Send what [`Device::outgoing`] still has, close, then call [`Device::disconnected`].
    Disconnect,
    /// Restart the board.
    Reboot,
}

/// What to do after a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Next {
    /// Milliseconds since boot at which the next step is due, if no byte arrives or leaves before.
    /// Not after now when work is left.
    pub wake_at_ms: u64,
    /// What the transport should do.
    pub wants: Wants,
}

/// Why a connection ended, as the transport saw it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closed {
    /// Nobody answered at the address.
    Unreachable,
    /// The other side closed, or the line was cut.
    ByPeer,
    /// The device asked for it.
    Requested,
}

/// A device without its hardware, with room for `GUESTS` guests. About 2 KB for one guest, so it
/// wants to be static: before its start it is all zeros, which take no flash.
pub struct Device<'a, const GUESTS: usize> {
    session: Session,
    pub(crate) core: Core<'a, GUESTS>,
    key: Option<Key>,
}

impl<const GUESTS: usize> Default for Device<'_, GUESTS> {
    fn default() -> Self {
        Self::new()
    }
}

/// Bytes of a device's name.
pub const NAME_BYTES: usize = 18;

impl<'a, const GUESTS: usize> Device<'a, GUESTS> {
    /// A device that has not started: for a static, so that nothing of it passes over the stack.
    pub const fn new() -> Self {
        const { assert!(GUESTS >= 1 && GUESTS <= limits::GUESTS_MAX) };
        Self { session: Session::new(), core: Core::new(), key: None }
    }

    /// Starts it: mounts the journal, counts the boot, makes the key at the first boot, and brings
    /// back the guests.
    ///
    /// # Errors
    /// [`StartError`]: the device must not run, and the caller shows why on the console.
    pub fn start<P: Platform>(
        &mut self,
        memory: Memory<'a>,
        mut facts: BoardFacts<'a>,
        platform: &mut P,
    ) -> Result<(), StartError> {
        if memory.queue.len() < limits::QUEUE_BYTES_MIN {
            return Err(StartError::Memory);
        }
        let core = &mut self.core;
        core.arena = Bytes::new(memory.arena);
        core.queue = Queue::new(memory.queue);
        core.boot = BootRecord::read(&mut core.journal, platform)?;
        if core.boot.is_commanded && facts.reset_reason == ResetReason::PowerOn {
            facts.reset_reason = ResetReason::Commanded;
        }
        core.facts = Late::Set(facts);
        core.boot.is_commanded = false;
        core.boot.count = core.boot.count.saturating_add(1);
        core.boot.write(&mut core.journal, platform)?;
        core.count_store();
        self.key = Some(identity(core, platform)?);
        // No guest has its memory yet.
        core.provisioning.read(&mut core.journal, platform, &mut core.arena)?;
        core.boot_guests(platform)?;
        self.show_start(platform);
        Ok(())
    }

    #[inline(never)]
    fn show_start<P: Platform>(&self, platform: &mut P) {
        let Some(facts) = self.core.facts.value() else { return };
        let mut line = Line::new("wasmbed ");
        line.text(facts.firmware).text(" on ").text(facts.board);
        line.text(", boot ").number(self.core.boot.count.into());
        line.text(", device ").bytes(&self.name()).show(platform);
        if !self.core.provisioning.is_known {
            platform.console(b"no provisioning record: no gateway to talk to");
        }
    }

    /// Does one bounded piece of work: at most one curve operation and one slice of a guest. To be
    /// called again when bytes came or went, and at the time it answers.
    #[inline(never)]
    pub fn step<P: Platform>(&mut self, now_ms: u64, platform: &mut P) -> Next {
        let Self { session, core, key } = self;
        let Some(key) = key.as_ref() else {
            return Next { wake_at_ms: u64::MAX, wants: Wants::Nothing };
        };
        core.now_ms = now_ms;
        let was_ready = session.phase == Phase::Ready;
        let has_more = session.step(core, key, now_ms, platform);
        if was_ready && session.phase != Phase::Ready {
            core.forget_removed();
        }
        core.install_end(platform);
        if !core.read_manifest(now_ms, platform) {
            core.work(now_ms, platform);
        }
        if session.phase == Phase::Ready {
            core.retry_storage();
            core.reconcile(platform);
            core.repeat_request(now_ms);
        }
        session.fill(core, now_ms, platform);
        Next { wake_at_ms: self.wake_at_ms(has_more, now_ms), wants: self.wants() }
    }

    /// The transport reached the gateway.
    pub fn connected(&mut self, now_ms: u64) {
        if self.session.phase == Phase::Connecting {
            self.session.enter(Phase::Connected, now_ms);
        }
    }

    /// The transport is closed.
    pub fn disconnected(&mut self, now_ms: u64, why: Closed) {
        // How it ended makes no difference to what comes next: a new attempt, later and later.
        let _ = why;
        if !matches!(self.session.phase, Phase::Down { .. } | Phase::Lost) {
            self.session.lost(now_ms);
            self.core.forget_removed();
        }
    }

    /// Takes bytes that arrived; answers how many were taken. What is left must be given again
    /// after the next step, so the transport's own window pushes back.
    pub fn received(&mut self, bytes: &[u8]) -> usize {
        let taken = match self.session.phase {
            Phase::Handshake | Phase::Hello | Phase::Enrolling | Phase::Ready => {
                let taken = self.session.tls.receive(bytes);
                self.session.is_blocked = taken == 0 && !bytes.is_empty();
                taken
            }
            // The handshake starts with the next step; nothing can have been meant for it yet.
            Phase::Connected => 0,
            _ => bytes.len(),
        };
        self.core.counters.rx_bytes = self.core.counters.rx_bytes.wrapping_add(taken as u64);
        taken
    }

    /// Bytes to send to the gateway now.
    pub fn outgoing(&self) -> &[u8] {
        match self.session.phase {
            Phase::Lost | Phase::Down { .. } | Phase::Connecting | Phase::Connected => &[],
            _ => self.session.tls.outgoing(),
        }
    }

    /// The transport took `count` bytes of [`Device::outgoing`].
    pub fn sent(&mut self, count: usize) {
        self.session.tls.sent(count);
        self.session.has_progress |= count > 0;
        self.core.counters.tx_bytes = self.core.counters.tx_bytes.wrapping_add(count as u64);
    }

    /// The device's own network address, from the provisioning record.
    pub fn station(&self) -> Option<Station> {
        self.core.provisioning.station.value().copied()
    }

    /// The device's public key; zeros before it was started.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.as_ref().map_or([0; 32], |key| *key.public())
    }

    /// The device's name: "d-" and 16 base32 characters of the SHA-256 of its public key.
    pub fn name(&self) -> [u8; NAME_BYTES] {
        let digest = Sha256::digest(self.public_key());
        let mut name = *b"d-----------------";
        let mut bits = 0_u16;
        let mut count = 0;
        let mut bytes = digest.iter();
        for target in name.iter_mut().skip(2) {
            if count < 5 {
                bits = bits << 8 | u16::from(bytes.next().copied().unwrap_or(0));
                count += 8;
            }
            count -= 5;
            let index = usize::from(bits >> count & 31);
            *target = b"abcdefghijklmnopqrstuvwxyz234567"[index];
        }
        name
    }

    fn wants(&self) -> Wants {
        match self.session.phase {
            _ if self.core.is_reboot_requested && self.is_reboot_ready() => Wants::Reboot,
            Phase::Connecting => self.connect(),
            Phase::Closing => Wants::Disconnect,
            _ => Wants::Nothing,
        }
    }

    fn connect(&self) -> Wants {
        let provisioned = &self.core.provisioning;
        if !provisioned.is_known {
            return Wants::Nothing;
        }
        Wants::Connect { address: provisioned.address, port: provisioned.port }
    }

    /// A reboot waits for its own result to be sent.
    fn is_reboot_ready(&self) -> bool {
        let is_told =
            self.session.is_drained() && !self.core.results.iter().any(|entry| entry.is_due);
        is_told || self.session.phase != Phase::Ready
    }

    #[inline(never)]
    fn wake_at_ms(&self, has_more: bool, now_ms: u64) -> u64 {
        if has_more {
            return now_ms;
        }
        let is_unprovisioned =
            matches!(self.session.phase, Phase::Down { .. }) && !self.core.provisioning.is_known;
        let session = self.session.deadline_ms().filter(|_| !is_unprovisioned);
        let guests = self.core.guests.iter().filter_map(|guest| guest.wake_at_ms()).min();
        let install = match self.core.install.phase {
            install::Phase::Idle => None,
            _ if self.session.phase != Phase::Ready => None,
            _ => Some(self.core.install.asked_at_ms + limits::INSTALL_ANSWER_MS_MAX),
        };
        let or_never = |due: Option<u64>| due.unwrap_or(u64::MAX);
        or_never(session).min(or_never(guests)).min(or_never(install)).max(now_ms)
    }
}

impl<const GUESTS: usize> Core<'_, GUESTS> {
    /// Asks again for what did not come.
    fn repeat_request(&mut self, now_ms: u64) {
        let install = &mut self.install;
        let is_late = now_ms >= install.asked_at_ms + limits::INSTALL_ANSWER_MS_MAX;
        if install.phase != install::Phase::Idle && !install.is_request_due && is_late {
            install.is_request_due = true;
        }
    }
}

/// The key of the journal, or a new one.
#[inline(never)]
fn identity<P: Platform, const GUESTS: usize>(
    core: &mut Core<'_, GUESTS>,
    platform: &mut P,
) -> Result<Key, StartError> {
    let mut seed = [0; 32];
    let found = core.journal.fetch(platform.flash(), keys::IDENTITY, &mut seed)?;
    let result = match found {
        Some(32) => Ok(Key::from_seed(&seed)),
        Some(_) => Err(StartError::JournalDamaged),
        None => new_identity(core, &mut seed, platform),
    };
    seed.zeroize();
    result
}

fn new_identity<P: Platform, const GUESTS: usize>(
    core: &mut Core<'_, GUESTS>,
    seed: &mut [u8; 32],
    platform: &mut P,
) -> Result<Key, StartError> {
    platform.entropy(seed).map_err(|_| StartError::Entropy)?;
    // A source that is not there reads as the same byte over and over.
    if seed.iter().all(|byte| *byte == seed[0]) {
        return Err(StartError::Entropy);
    }
    core.journal.store(platform.flash(), keys::IDENTITY, seed)?;
    core.count_store();
    Ok(Key::from_seed(seed))
}
