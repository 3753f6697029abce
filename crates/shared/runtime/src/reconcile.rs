//! Brings the guests to what the gateway wants: level-triggered, so it can run at any time and
//! nothing is lost when a message is.

use wasmbed_image::Capability;
use wasmbed_wire::{AppId, DesiredState, GuestReason, GuestState};

use crate::console::Line;
use crate::core_state::{Core, Desired};
use crate::guests::{Detail, Guest, Stage};
use crate::install::Phase;
use crate::limits;
use crate::platform::{Platform, has};
use crate::values;

impl<const GUESTS: usize> Core<'_, GUESTS> {
    /// Takes a new set of wanted applications.
    #[inline(never)]
    pub fn desire(&mut self, message: &DesiredState<'_>) {
        if self.is_desired_known && message.revision < self.revision {
            return;
        }
        self.revision = message.revision;
        self.is_desired_known = true;
        self.desired = [Desired::NONE; GUESTS];
        let mut places = self.desired.iter_mut();
        let mut left_over = None;
        for entry in message.apps.iter() {
            match places.next() {
                Some(place) => {
                    *place = Desired {
                        is_held: true,
                        is_run_wanted: entry.run,
                        restart_token: entry.restart_token,
                        app: entry.app,
                        generation: entry.generation,
                    };
                }
                None => left_over = left_over.or(Some((entry.app, entry.generation))),
            }
        }
        for refusal in &mut self.refusals {
            let (app, generation) = (refusal.app, refusal.generation);
            refusal.is_held &=
                message.apps.iter().any(|entry| entry.app == app && entry.generation == generation);
        }
        if let Some((app, generation)) = left_over
            && !self.is_refused(app, generation)
        {
            self.refuse(app, generation, None, GuestReason::TooManyGuests, Detail::None);
        }
        // What was asked for in the last session is asked for again in this one.
        self.install.is_request_due = self.install.phase != Phase::Idle;
    }

    /// Does what is missing between the guests and the wanted set.
    #[inline(never)]
    pub fn reconcile<P: Platform>(&mut self, platform: &mut P) {
        if !self.is_desired_known {
            return;
        }
        for index in 0..GUESTS {
            let Some(guest) = self.guests.get(index) else { continue };
            if guest.is_held && guest.state != GuestState::Removed && !self.is_desired(guest.app) {
                self.remove_guest(index, platform);
            }
        }
        let (app, generation) = (self.install.app, self.install.generation);
        let is_wanted = self
            .desired
            .iter()
            .any(|entry| entry.is_held && entry.app == app && entry.generation == generation);
        if self.install.phase != Phase::Idle && !is_wanted {
            self.install_abort();
        }
        for place in 0..GUESTS {
            let Some(entry) = self.desired.get(place).copied() else { continue };
            if entry.is_held {
                self.follow(&entry, platform);
            }
        }
    }

    fn is_desired(&self, app: AppId) -> bool {
        self.desired.iter().any(|entry| entry.is_held && entry.app == app)
    }

    /// Does what one wanted application needs.
    #[inline(never)]
    fn follow<P: Platform>(&mut self, entry: &Desired, platform: &mut P) {
        let held = self.find(entry.app);
        if let Some(index) = held {
            self.follow_run(index, entry, platform);
        }
        let generation = held.and_then(|index| self.guests.get(index)).map(|g| g.generation);
        if generation == Some(entry.generation)
            || self.install.phase != Phase::Idle
            || self.is_refused(entry.app, entry.generation)
        {
            return;
        }
        if generation.is_some_and(|held| held > entry.generation) {
            let reason = GuestReason::GenerationTooLow;
            self.refuse(entry.app, entry.generation, None, reason, Detail::None);
            return;
        }
        let is_leaving = self.guests.iter().any(|guest| guest.state == GuestState::Removed);
        if held.is_none() && self.guests.iter().all(|guest| guest.is_held) {
            if !is_leaving {
                let reason = GuestReason::TooManyGuests;
                self.refuse(entry.app, entry.generation, None, reason, Detail::None);
            }
            return;
        }
        let is_proving = self.guests.iter().any(|guest| guest.previous.is_some());
        if self.free_slot().is_none() && is_proving {
            // A slot becomes free when the image in it has proved healthy, or has not.
            return;
        }
        self.install_begin(entry.app, entry.generation, platform);
    }

    /// Starts, stops or restarts a guest as wanted.
    #[inline(never)]
    fn follow_run<P: Platform>(&mut self, index: usize, entry: &Desired, platform: &mut P) {
        let Some(guest) = self.guests.get_mut(index) else { return };
        let token = guest.restart_token.replace(entry.restart_token);
        let is_restart = token.is_some_and(|token| token != entry.restart_token);
        match (guest.is_wanted, entry.is_run_wanted) {
            (true, false) => self.stop_guest(index, platform),
            (false, true) => self.start_guest(index, platform),
            (true, true) if is_restart => self.restart_guest(index),
            _ => {}
        }
    }

    /// Starts a guest that does not run; answers nothing new for one that does.
    pub fn start_guest<P: Platform>(&mut self, index: usize, platform: &mut P) {
        let Some(guest) = self.guests.get_mut(index) else { return };
        let slot = guest.slot;
        guest.is_wanted = true;
        if guest.stage == Stage::Stored {
            guest.failures = 0;
            guest.request_start();
        }
        self.keep_wanted(slot, true, platform);
    }

    /// Takes a guest off the processor; its image stays.
    #[inline(never)]
    pub fn stop_guest<P: Platform>(&mut self, index: usize, platform: &mut P) {
        let Some(guest) = self.guests.get_mut(index) else { return };
        let slot = guest.slot;
        guest.is_wanted = false;
        self.keep_wanted(slot, false, platform);
        if !self.ask_to_stop(index) {
            self.finish_stop(index, GuestReason::None, platform);
        }
    }

    /// Starts a guest anew, with its memory as at first.
    pub fn restart_guest(&mut self, index: usize) {
        if let Some(guest) = self.guests.get_mut(index) {
            guest.failures = 0;
        }
        if self.ask_to_stop(index) {
            return;
        }
        self.empty_mailbox(index);
        let Some(guest) = self.guests.get_mut(index) else { return };
        guest.is_report_due = true;
        guest.request_start();
    }

    /// Forgets a guest and its images.
    #[inline(never)]
    pub fn remove_guest<P: Platform>(&mut self, index: usize, platform: &mut P) {
        if let Some(guest) = self.guests.get_mut(index) {
            guest.is_wanted = false;
        }
        // While it may still end by itself, this is called again and again.
        if self.ask_to_stop(index) {
            return;
        }
        self.empty_mailbox(index);
        self.drop_previous(index, platform);
        let Some(guest) = self.guests.get_mut(index) else { return };
        let (slot, app) = (guest.slot, guest.app);
        guest.unload();
        Line::new("removed ").id(&guest.app.0).show(platform);
        if self.drop_slot(slot, platform).is_err() {
            let Some(guest) = self.guests.get_mut(index) else { return };
            guest.set_state(GuestState::Stopped, GuestReason::StorageFailed, Detail::None);
            return;
        }
        if let Some(guest) = self.guests.get_mut(index) {
            guest.set_state(GuestState::Removed, GuestReason::None, Detail::None);
        }
        // What could not be forgotten stays without harm: the same application finds it again.
        if has::<P>(Capability::Storage) {
            let _ = values::forget(&mut self.journal, platform, app);
        }
        self.retry_refused();
    }

    /// Memory or a place became free: what did not fit is tried again.
    pub fn retry_refused(&mut self) {
        for guest in &mut self.guests {
            let is_starved = guest.is_held
                && guest.state == GuestState::Refused
                && guest.reason == GuestReason::ArenaTooSmall;
            if is_starved && guest.is_wanted {
                guest.request_start();
            }
        }
        for refusal in &mut self.refusals {
            let is_freed = matches!(
                refusal.reason,
                GuestReason::ArenaTooSmall | GuestReason::TooManyGuests | GuestReason::NoImageSlot
            );
            refusal.is_held &= !is_freed;
        }
    }

    /// A storage that failed may be back: what it did not keep is tried again after a while.
    pub fn retry_storage(&mut self) {
        for refusal in &mut self.refusals {
            let is_over = refusal.reason == GuestReason::StorageFailed
                && self.now_ms >= refusal.at_ms + limits::STORAGE_RETRY_MS;
            refusal.is_held &= !is_over;
        }
    }

    /// The session is gone: nobody waits for the reports of what was removed.
    pub fn forget_removed(&mut self) {
        for guest in &mut self.guests {
            if guest.is_held && guest.state == GuestState::Removed {
                *guest = Guest::EMPTY;
            }
        }
    }
}
