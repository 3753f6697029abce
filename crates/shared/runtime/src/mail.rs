//! Messages to guests: who gets one, and what becomes of it when a guest ends.

use wasmbed_image::{Capability, Grants};
use wasmbed_wire::{AppId, CommandOutcome, Deliver};

use crate::core_state::Core;
use crate::guests::{Guest, cut};
use crate::limits;
use crate::queue::{GATEWAY, Queue, UNROUTED};

/// The application that a message from the cloud comes from: none.
const CLOUD: AppId = AppId([0; 16]);

/// Bit of a guest in the set of those a message waits for.
pub const fn receiver(index: usize) -> u64 {
    1 << (index as u64 & 31)
}

/// Running guests that were granted a topic, but for the one that sent the message.
fn receivers(guests: &[Guest], arena: &mut [u8], topic: &[u8], sender: AppId) -> u64 {
    let mut set = 0;
    for (index, guest) in guests.iter().enumerate() {
        let Some(range) = guest.range.filter(|_| guest.instance.is_set()) else { continue };
        if guest.app == sender {
            continue;
        }
        let care = cut(arena, range, guest.image_bytes, guest.care_bytes).care;
        let grants = Grants::decoded(care.get(..guest.grant_bytes.into()).unwrap_or_default());
        let is_granted = grants.iter().any(|grant| {
            grant.capability == Capability::Receive && grant.argument.allows_topic(topic)
        });
        if is_granted {
            set |= receiver(index);
        }
    }
    set
}

/// Those of `set` that have room for one more message; for each of the others one is lost.
fn with_room(queue: &mut Queue<'_>, set: u64) -> u64 {
    let mut rest = set;
    for index in 0..limits::GUESTS_MAX {
        let bit = receiver(index);
        if set & bit != 0 && queue.count_messages_for(bit) >= limits::MESSAGES_PER_GUEST_MAX {
            queue.count_lost_message();
            rest &= !bit;
        }
    }
    rest
}

impl<const GUESTS: usize> Core<'_, GUESTS> {
    /// Decides which guests get the messages that guests sent in the last slice.
    #[inline(never)]
    pub fn route_messages(&mut self) {
        while let Some(record) = self.queue.message_for(UNROUTED) {
            let (topic, _) = record.message();
            let set = receivers(&self.guests, &mut self.arena, topic, record.app);
            let set = with_room(&mut self.queue, set);
            self.queue.take_message(UNROUTED, set);
        }
    }

    /// Takes a message of the cloud; answers for how many guests it waits.
    #[inline(never)]
    pub fn deliver(&mut self, message: &Deliver<'_>, now_ms: u64) -> (CommandOutcome, u8) {
        let topic = message.topic.as_bytes();
        let set = receivers(&self.guests, &mut self.arena, topic, CLOUD);
        if set == 0 {
            return (CommandOutcome::NoReceiver, 0);
        }
        let rest = with_room(&mut self.queue, set);
        if rest == 0 || !self.queue.push_message(CLOUD, now_ms, topic, message.payload, rest) {
            return (CommandOutcome::QueueFull, 0);
        }
        let outcome = if rest == set { CommandOutcome::Done } else { CommandOutcome::QueueFull };
        (outcome, rest.count_ones() as u8)
    }

    /// A guest ended: what waits for it is lost, and its last line is over.
    #[inline(never)]
    pub fn empty_mailbox(&mut self, index: usize) {
        if let Some(guest) = self.guests.get(index) {
            self.queue.close_log(guest.app);
        }
        while self.queue.message_for(receiver(index)).is_some() {
            self.queue.take_message(receiver(index), 0);
            self.queue.count_lost_message();
        }
    }

    /// The gateway of this session does not take messages: those for it are lost.
    pub fn drop_messages_to_gateway(&mut self) {
        while self.queue.message_for(GATEWAY).is_some() {
            self.queue.take_message(GATEWAY, 0);
            self.queue.count_lost_message();
        }
    }
}
