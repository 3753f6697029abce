//! Stopping a guest with grace: one that can learn that it shall end gets time to do so.

use wasmbed_wire::{GuestReason, GuestState};

use crate::core_state::Core;
use crate::guests::{Detail, Stage};
use crate::limits;
use crate::platform::Platform;

impl<const GUESTS: usize> Core<'_, GUESTS> {
    /// Tells a running guest that it shall end; false if it cannot learn that, so that it may be
    /// taken off the processor at once.
    #[inline(never)]
    pub fn ask_to_stop(&mut self, index: usize) -> bool {
        let now_ms = self.now_ms;
        let Some(guest) = self.guests.get_mut(index) else { return false };
        if !guest.instance.is_set() || !guest.learns_stop {
            return false;
        }
        if guest.stop_at_ms.is_none() {
            guest.stop_at_ms = Some(now_ms + limits::STOP_GRACE_MS);
            if matches!(guest.stage, Stage::Parked { .. }) {
                guest.resume();
            }
        }
        true
    }

    /// Kills guests that had their time to end.
    pub fn end_grace<P: Platform>(&mut self, now_ms: u64, platform: &mut P) {
        for index in 0..GUESTS {
            let stop_at_ms = self.guests.get(index).and_then(|guest| guest.stop_at_ms);
            if stop_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
                self.finish_stop(index, GuestReason::KilledAfterGrace, platform);
            }
        }
    }

    /// A guest that was asked to end has ended, or was killed.
    #[inline(never)]
    pub fn finish_stop<P: Platform>(
        &mut self,
        index: usize,
        reason: GuestReason,
        platform: &mut P,
    ) {
        self.empty_mailbox(index);
        let Some(guest) = self.guests.get_mut(index) else { return };
        guest.stop_at_ms = None;
        if guest.is_wanted {
            // It was a restart, or it is wanted again.
            guest.is_report_due = true;
            guest.request_start();
            return;
        }
        guest.unload();
        guest.set_state(GuestState::Stopped, reason, Detail::None);
        self.drop_previous(index, platform);
        self.retry_refused();
    }
}
