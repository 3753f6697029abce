//! Messages to and from other guests and the cloud.

use wasmbed_abi::{self as abi, status};
use wasmbed_engine::{Args, HostOutcome, guest_slice};
use wasmbed_image::Capability;

use super::{GuestHost, counted, plain, target_slice};
use crate::mail::receiver;
use crate::platform::Platform;
use crate::queue::{GATEWAY, UNROUTED};

impl<P: Platform> GuestHost<'_, '_, P> {
    pub(super) fn message_send(&mut self, args: Args<'_>, memory: &[u8]) -> HostOutcome {
        let topic = guest_slice(memory, args.word(0), args.word(1));
        let payload = guest_slice(memory, args.word(2), args.word(3));
        let (Some(topic), Some(payload)) = (topic, payload) else { return HostOutcome::Trap };
        if payload.len() > abi::PAYLOAD_BYTES_MAX || topic.is_empty() {
            return plain(Err(status::REFUSED));
        }
        let permit = self.permit_topic(Capability::Send, topic);
        plain(permit.and_then(|()| {
            let now_ms = self.now_ms();
            // Which guests it is for is decided after the slice: their grants are theirs.
            let waiting = GATEWAY | UNROUTED;
            let is_taken = self.queue.push_message(self.app, now_ms, topic, payload, waiting);
            if is_taken { Ok(status::OK) } else { Err(status::DROPPED) }
        }))
    }

    pub(super) fn message_receive(&mut self, args: Args<'_>, memory: &mut [u8]) -> HostOutcome {
        let Some(target) = target_slice(memory, args.word(0), args.word(1)) else {
            return HostOutcome::Trap;
        };
        let own = receiver(self.index);
        let Some(message) = self.queue.message_for(own) else {
            self.wait.is_for_message = true;
            return self.wait_until(args.word(2), u64::MAX);
        };
        let bytes = message.payload.len();
        let Some(target) = target.get_mut(..bytes) else {
            return counted(Err(status::TOO_SMALL));
        };
        target.copy_from_slice(message.payload);
        self.queue.take_message(own, 0);
        counted(Ok(bytes as u32))
    }
}
