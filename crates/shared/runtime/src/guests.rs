//! The guests that a device holds: where each stands, and running them in slices. Loading is in
//! [`crate::loader`], installing in [`crate::install`].

use wasmbed_engine::{Instance, Outcome, Place, Trap};
use wasmbed_image::{Capability, Grants, RestartPolicy};
use wasmbed_wire::{AppId, Digest, GuestReason, GuestState, StateReport};

use crate::arena::{self, Range};
use crate::core_state::{Core, Strings};
use crate::host::{GuestHost, Wait};
use crate::late::Late;
use crate::limits;
use crate::mail::receiver;
use crate::platform::{Platform, has};

/// What a guest needs next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Nothing: it is stopped, has ended, or was refused.
    Stored,
    /// Its image has to come from the flash into the arena.
    Waiting,
    /// Its image is in the arena and has to be made an instance.
    Loaded,
    /// It can have a slice.
    Ready,
    /// It waits for a time.
    Parked {
        /// When it goes on.
        wake_at_ms: u64,
    },
    /// It failed or ended, and is started again at this time.
    BackOff {
        /// When.
        retry_at_ms: u64,
    },
}

/// Numbers that belong to a reason.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detail {
    /// None.
    None,
    /// Where a trap happened.
    Place(Place),
    /// A size that did not fit.
    Size {
        /// Bytes that were needed.
        needed_bytes: u32,
        /// Bytes that were there.
        available_bytes: u32,
    },
    /// Code that the guest ended itself with.
    Exit(i32),
}

impl Detail {
    /// Adds the numbers to a report.
    pub fn fill(self, report: StateReport) -> StateReport {
        match self {
            Self::None => report,
            Self::Place(place) => StateReport {
                function: Some(place.function.into()),
                offset: Some(place.offset),
                ..report
            },
            Self::Size { needed_bytes, available_bytes } => StateReport {
                needed_bytes: Some(needed_bytes),
                available_bytes: Some(available_bytes),
                ..report
            },
            Self::Exit(code) => StateReport { exit_code: Some(code), ..report },
        }
    }
}

/// A report without numbers.
pub fn plain_report(
    app: AppId,
    generation: u64,
    image: Option<Digest>,
    state: GuestState,
    reason: GuestReason,
) -> StateReport {
    StateReport {
        app,
        generation,
        image,
        state,
        reason,
        restarts: 0,
        function: None,
        offset: None,
        needed_bytes: None,
        available_bytes: None,
        exit_code: None,
        memory_bytes: None,
        fuel: None,
        backoff_ms: None,
    }
}

/// The image before this one, kept until this one proved healthy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Previous {
    /// Where it is.
    pub slot: u8,
    /// CRC-32 of the image.
    pub image_crc: u32,
    /// Generation of its manifest.
    pub generation: u64,
}

/// One place for a guest.
#[derive(Debug)]
pub struct Guest {
    /// Whether the place is taken.
    pub is_held: bool,
    /// Whether it shall run.
    pub is_wanted: bool,
    /// Whether the gateway has to hear of it.
    pub is_report_due: bool,
    /// Whether what the manifest says was read: policy, limits, capabilities.
    pub has_manifest: bool,
    /// Whether a slice was executed since the last start.
    pub has_run: bool,
    /// Image slot.
    pub slot: u8,
    /// Failures in a row.
    pub failures: u8,
    /// Bytes of the manifest in the slot.
    pub manifest_bytes: u16,
    /// Bytes of the image.
    pub image_bytes: u32,
    /// Which application.
    pub app: AppId,
    /// Generation of the manifest.
    pub generation: u64,
    /// Digest of the image.
    pub digest: Digest,
    /// CRC-32 of the image: what a load checks.
    pub image_crc: u32,
    /// What it needs next.
    pub stage: Stage,
    /// Where it stands, as reported.
    pub state: GuestState,
    /// Why.
    pub reason: GuestReason,
    /// Numbers for the reason.
    pub detail: Detail,
    /// Starts after a failure since it was installed.
    pub restarts: u32,
    /// Number whose change restarts the guest.
    pub restart_token: Option<u32>,
    /// What happens when it ends.
    pub policy: RestartPolicy,
    /// Fuel of one run.
    pub fuel_limit: Option<u64>,
    /// Which guest goes first, where several could.
    pub priority: i16,
    /// Whether it had its slice of this round.
    pub is_served: bool,
    /// Whether it imports the call that tells it to end.
    pub learns_stop: bool,
    /// Whether the grants are in its part of the arena.
    pub has_care: bool,
    /// Capabilities that it was granted, one bit each.
    pub capabilities: u32,
    /// Where the encoded grants lie in the manifest.
    pub grants_at: u16,
    /// Bytes of the encoded grants.
    pub grant_bytes: u8,
    /// Bytes of the arena that grants and rates take.
    pub care_bytes: u16,
    /// When it is killed, if it was asked to end.
    pub stop_at_ms: Option<u64>,
    /// Where its arguments and environment lie in the manifest.
    pub strings: Strings,
    /// What the call that waits keeps.
    pub wait: Wait,
    /// Part of the arena: image, working memory.
    pub range: Option<Range>,
    /// The running guest.
    pub instance: Late<Instance>,
    /// When it was started last.
    pub started_at_ms: u64,
    /// Fuel used since the last start, if it is counted; see [`Guest::fuel`].
    pub fuel_used: u64,
    /// Whether fuel is counted: without a limit, boards do not.
    pub is_fuel_counted: bool,
    /// Slices since the last start.
    pub slices: u32,
    /// Host calls since the last start.
    pub host_calls: u32,
    /// The image before this one.
    pub previous: Option<Previous>,
}

impl Guest {
    /// A free place: all zeros, so that a static one takes no flash.
    pub const EMPTY: Self = Self {
        is_held: false,
        is_wanted: false,
        is_report_due: false,
        has_manifest: false,
        has_run: false,
        slot: 0,
        failures: 0,
        manifest_bytes: 0,
        image_bytes: 0,
        app: AppId([0; 16]),
        generation: 0,
        digest: Digest([0; 32]),
        image_crc: 0,
        stage: Stage::Stored,
        // The first of its values, which is zero.
        state: GuestState::Installing,
        reason: GuestReason::None,
        detail: Detail::None,
        restarts: 0,
        restart_token: None,
        policy: RestartPolicy::Always,
        fuel_limit: None,
        priority: 0,
        is_served: false,
        learns_stop: false,
        has_care: false,
        capabilities: 0,
        grants_at: 0,
        grant_bytes: 0,
        care_bytes: 0,
        stop_at_ms: None,
        strings: Strings::NONE,
        wait: Wait::NONE,
        range: None,
        instance: Late::Unset,
        started_at_ms: 0,
        fuel_used: 0,
        is_fuel_counted: false,
        slices: 0,
        host_calls: 0,
        previous: None,
    };

    /// Takes the place for an application whose image is in a slot.
    pub const fn hold(&mut self, app: AppId) {
        self.is_held = true;
        self.app = app;
        self.state = GuestState::Installed;
    }

    /// Changes the state that is reported.
    pub fn set_state(&mut self, state: GuestState, reason: GuestReason, detail: Detail) {
        if (self.state, self.reason, self.detail) != (state, reason, detail) {
            (self.state, self.reason, self.detail) = (state, reason, detail);
            self.is_report_due = true;
        }
    }

    /// The report about it.
    pub fn report(&self, now_ms: u64) -> StateReport {
        // Zeros stand for a digest that was not read yet; no image has it.
        let image = Some(self.digest).filter(|digest| digest.0 != [0; 32]);
        let report = plain_report(self.app, self.generation, image, self.state, self.reason);
        let backoff_ms = match self.stage {
            Stage::BackOff { retry_at_ms } => Some(retry_at_ms.saturating_sub(now_ms) as u32),
            _ => None,
        };
        self.detail.fill(StateReport {
            restarts: self.restarts,
            memory_bytes: self.range.map(|range| range.bytes),
            fuel: self.fuel(),
            backoff_ms,
            ..report
        })
    }

    /// Fuel used since the last start, where it is counted.
    pub fn fuel(&self) -> Option<u64> {
        self.is_fuel_counted.then_some(self.fuel_used)
    }

    /// Goes on after waiting: the call that parked is made again.
    pub fn resume(&mut self) {
        if let Some(instance) = self.instance.value_mut() {
            instance.repeat();
        }
        self.wait.is_resumed = true;
        self.stage = Stage::Ready;
    }

    /// Asks for a start from the flash, or from the arena where the image still is.
    pub fn request_start(&mut self) {
        self.instance = Late::Unset;
        self.has_run = false;
        self.stop_at_ms = None;
        self.stage = if self.range.is_some() { Stage::Loaded } else { Stage::Waiting };
    }

    /// Takes it off the processor and frees its memory.
    pub fn unload(&mut self) {
        self.instance = Late::Unset;
        self.range = None;
        self.has_run = false;
        self.has_care = false;
        self.stop_at_ms = None;
        self.stage = Stage::Stored;
    }

    /// When it will have proved healthy, if the image before it waits for that.
    fn proves_at_ms(&self) -> Option<u64> {
        let is_proving = self.previous.is_some() && self.has_run && self.instance.is_set();
        is_proving.then_some(self.started_at_ms + limits::HEALTHY_MS)
    }

    /// Whether the manifest has to be read from the slot.
    pub fn needs_manifest(&self) -> bool {
        self.is_held && !self.has_manifest && self.state != GuestState::Removed
    }

    /// When it needs the next step, if ever.
    pub fn wake_at_ms(&self) -> Option<u64> {
        let own = match self.stage {
            _ if self.needs_manifest() => Some(0),
            Stage::Stored => None,
            Stage::Waiting | Stage::Loaded | Stage::Ready => Some(0),
            Stage::Parked { wake_at_ms } => Some(wake_at_ms),
            Stage::BackOff { retry_at_ms } => Some(retry_at_ms),
        };
        [own, self.proves_at_ms(), self.stop_at_ms].into_iter().flatten().min()
    }
}

/// The parts of a guest's range.
pub struct Parts<'a> {
    /// The image.
    pub image: &'a mut [u8],
    /// What it was granted, and the state of the rates.
    pub care: &'a mut [u8],
    /// The engine's working memory.
    pub working: &'a mut [u8],
}

/// Cuts a guest's range into its parts; empty ones if it is too small, which the placement rules
/// out.
pub fn cut(arena: &mut [u8], range: Range, image_bytes: u32, care_bytes: u16) -> Parts<'_> {
    let room = arena::align(image_bytes.into()).unwrap_or(0) as usize;
    let (image, rest) = range.of(arena).split_at_mut_checked(room).unwrap_or_default();
    let (care, working) = rest.split_at_mut_checked(care_bytes.into()).unwrap_or_default();
    Parts { image: image.get_mut(..image_bytes as usize).unwrap_or_default(), care, working }
}

/// The reason that a trap is reported with.
fn reason_of(trap: Trap) -> GuestReason {
    match trap {
        Trap::Unreachable => GuestReason::TrapUnreachable,
        Trap::MemoryOutOfBounds => GuestReason::TrapMemoryOutOfBounds,
        Trap::DivideByZero => GuestReason::TrapDivideByZero,
        Trap::IntegerOverflow => GuestReason::TrapIntegerOverflow,
        Trap::InvalidConversion => GuestReason::TrapInvalidConversion,
        Trap::StackExhausted => GuestReason::TrapStackExhausted,
        Trap::TableOutOfBounds | Trap::UninitializedElement => GuestReason::TrapTableOutOfBounds,
        Trap::IndirectCallType => GuestReason::TrapIndirectCall,
        Trap::Host => GuestReason::TrapHostCall,
        Trap::BadCode => GuestReason::ImageMalformed,
    }
}

/// Runs until the guest stops by itself or its slice is over, by the flag or by fuel.
fn run_bounded<P: Platform>(
    instance: &mut Instance,
    [image, working]: [&mut [u8]; 2],
    host: &mut GuestHost<'_, '_, P>,
    fuel_limit: Option<u64>,
    slice_fuel: Option<u64>,
) -> Outcome {
    let mut stop = host.platform.stop_flag();
    let mut extra = slice_fuel;
    loop {
        let used = instance.fuel_used();
        let slice_end = extra.map(|fuel| used.saturating_add(fuel));
        let limit = match (fuel_limit, slice_end) {
            (Some(limit), Some(end)) => Some(limit.min(end)),
            (limit, end) => limit.or(end),
        };
        instance.set_fuel_limit(limit);
        let outcome = instance.run(image, working, host, &mut stop);
        let is_slice_over = matches!(outcome, Outcome::OutOfFuel(_)) && limit != fuel_limit;
        if !is_slice_over {
            return outcome;
        }
        if instance.fuel_used() != used {
            return Outcome::SliceEnd;
        }
        // One operation costs more than a slice has: it must still happen some day.
        extra = extra.map(|fuel| fuel.saturating_mul(2));
    }
}

impl<const GUESTS: usize> Core<'_, GUESTS> {
    /// Gives the next guest that can use it a slice, or does a piece of loading.
    #[inline(never)]
    pub fn work<P: Platform>(&mut self, now_ms: u64, platform: &mut P) {
        self.end_grace(now_ms, platform);
        self.wake(now_ms);
        self.judge_health(now_ms, platform);
        if self.load_step(now_ms, platform) {
            return;
        }
        let Some(index) = self.next_to_run() else { return };
        if let Some((outcome, wake_at_ms)) = self.run_slice(index, now_ms, platform) {
            self.settle(index, outcome, wake_at_ms, now_ms, platform);
            if has::<P>(Capability::Send) {
                self.route_messages();
                self.wake(now_ms);
            }
        }
    }

    /// Each guest that is ready has one slice a round; those of higher priority go first in it.
    fn next_to_run(&mut self) -> Option<usize> {
        let is_ready = |guest: &Guest| guest.stage == Stage::Ready;
        if !self.guests.iter().any(|guest| is_ready(guest) && !guest.is_served) {
            for guest in &mut self.guests {
                guest.is_served = false;
            }
        }
        let waiting = self.guests.iter().enumerate().rev();
        let waiting = waiting.filter(|(_, guest)| is_ready(guest) && !guest.is_served);
        // Of several with the same priority the last one counts, so the lowest place.
        let (index, _) = waiting.max_by_key(|(_, guest)| guest.priority)?;
        if let Some(guest) = self.guests.get_mut(index) {
            guest.is_served = true;
        }
        Some(index)
    }

    fn wake(&mut self, now_ms: u64) {
        for (index, guest) in self.guests.iter_mut().enumerate() {
            match guest.stage {
                Stage::Parked { wake_at_ms } => {
                    let has_message = guest.wait.is_for_message
                        && self.queue.message_for(receiver(index)).is_some();
                    if wake_at_ms <= now_ms || has_message {
                        guest.resume();
                    }
                }
                Stage::BackOff { retry_at_ms } if retry_at_ms <= now_ms => {
                    guest.restarts = guest.restarts.saturating_add(1);
                    // What the storage failed to give is read anew, all of it.
                    guest.has_manifest &= guest.reason != GuestReason::StorageFailed;
                    guest.request_start();
                }
                _ => {}
            }
        }
    }

    #[inline(never)]
    fn run_slice<P: Platform>(
        &mut self,
        index: usize,
        now_ms: u64,
        platform: &mut P,
    ) -> Option<(Outcome, u64)> {
        let guest = self.guests.get_mut(index)?;
        let (Some(instance), Some(range)) = (guest.instance.value_mut(), guest.range) else {
            return None;
        };
        let Parts { image, care, working } =
            cut(&mut self.arena, range, guest.image_bytes, guest.care_bytes);
        let (grants, rates) = care
            .split_at_mut_checked(usize::from(guest.grant_bytes).next_multiple_of(8))
            .unwrap_or_default();
        let slice_fuel = platform.slice_fuel();
        platform.slice_begin(limits::SLICE_US);
        let mut host = GuestHost {
            platform: &mut *platform,
            queue: &mut self.queue,
            journal: &mut self.journal,
            app: guest.app,
            index,
            grants: Grants::decoded(grants.get(..guest.grant_bytes.into()).unwrap_or_default()),
            rates,
            wait: &mut guest.wait,
            slot: guest.slot,
            strings: &guest.strings,
            told: self.told,
            is_stopping: guest.stop_at_ms.is_some(),
            calls: 0,
            stores: 0,
            wake_at_ms: now_ms,
        };
        let parts = [image, working];
        let outcome = run_bounded(instance, parts, &mut host, guest.fuel_limit, slice_fuel);
        let (calls, stores, wake_at_ms) = (host.calls, host.stores, host.wake_at_ms);
        platform.slice_end();
        guest.slices = guest.slices.saturating_add(1);
        guest.host_calls = guest.host_calls.saturating_add(calls);
        guest.is_fuel_counted = guest.fuel_limit.is_some() || slice_fuel.is_some();
        guest.fuel_used = instance.fuel_used();
        guest.has_run = true;
        self.counters.slices = self.counters.slices.wrapping_add(1);
        self.counters.journal_stores = self.counters.journal_stores.wrapping_add(stores);
        Some((outcome, wake_at_ms))
    }

    /// Acts on what ended a slice.
    fn settle<P: Platform>(
        &mut self,
        index: usize,
        outcome: Outcome,
        wake_at_ms: u64,
        now_ms: u64,
        platform: &mut P,
    ) {
        let (reason, detail) = match outcome {
            Outcome::SliceEnd | Outcome::Parked => {
                let Some(guest) = self.guests.get_mut(index) else { return };
                guest.set_state(GuestState::Running, GuestReason::None, Detail::None);
                if matches!(outcome, Outcome::Parked) {
                    guest.stage = Stage::Parked { wake_at_ms };
                }
                return;
            }
            Outcome::Finished => (GuestReason::None, Detail::None),
            Outcome::Exited(code) => {
                let reason =
                    if code == 0 { GuestReason::None } else { GuestReason::ExitedWithError };
                (reason, Detail::Exit(code as i32))
            }
            Outcome::OutOfFuel(place) => (GuestReason::TrapFuelExhausted, Detail::Place(place)),
            Outcome::Trapped(trap, place) => (reason_of(trap), Detail::Place(place)),
        };
        if matches!(outcome, Outcome::Trapped(..) | Outcome::OutOfFuel(_)) {
            self.counters.traps = self.counters.traps.wrapping_add(1);
        }
        self.end(index, reason, detail, now_ms, platform);
    }

    /// The guest is over: finished if there is no reason, failed otherwise.
    #[inline(never)]
    fn end<P: Platform>(
        &mut self,
        index: usize,
        reason: GuestReason,
        detail: Detail,
        now_ms: u64,
        platform: &mut P,
    ) {
        let has_failed = reason != GuestReason::None;
        self.empty_mailbox(index);
        let is_stopping = self.guests.get(index).is_some_and(|guest| guest.stop_at_ms.is_some());
        if is_stopping {
            self.finish_stop(index, GuestReason::None, platform);
            return;
        }
        let Some(guest) = self.guests.get_mut(index) else { return };
        let state = if has_failed { GuestState::Failed } else { GuestState::Finished };
        guest.set_state(state, reason, detail);
        if has_failed && guest.previous.is_some() {
            self.roll_back(index, now_ms, platform);
            return;
        }
        let is_restarted = match guest.policy {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => has_failed,
            RestartPolicy::Never => false,
        };
        if now_ms.saturating_sub(guest.started_at_ms) >= limits::HEALTHY_MS {
            guest.failures = 0;
        }
        if is_restarted {
            let wait_ms = limits::RESTART_MS_MIN << guest.failures.min(16);
            let wait_ms = wait_ms.min(limits::RESTART_MS_MAX);
            guest.failures = guest.failures.saturating_add(1);
            guest.instance = Late::Unset;
            guest.stage = Stage::BackOff { retry_at_ms: now_ms + u64::from(wait_ms) };
        } else {
            guest.unload();
            self.drop_previous(index, platform);
        }
    }

    /// A guest that ran long enough no longer needs the image before it.
    fn judge_health<P: Platform>(&mut self, now_ms: u64, platform: &mut P) {
        for index in 0..GUESTS {
            let proves_at_ms = self.guests.get(index).and_then(Guest::proves_at_ms);
            if proves_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
                self.drop_previous(index, platform);
            }
        }
    }
}
