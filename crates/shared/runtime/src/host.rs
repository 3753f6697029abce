//! What a guest may call: the host side of `abi`, for one slice of one guest.

use wasmbed_abi as abi;
use wasmbed_engine::{Args, Host, HostOutcome, guest_slice};
use wasmbed_wire::AppId;

use crate::guests::Grant;
use crate::platform::Platform;
use crate::queue::Queue;

/// Host of one guest during one slice.
pub struct GuestHost<'x, 'q, P: Platform> {
    pub platform: &'x mut P,
    pub queue: &'x mut Queue<'q>,
    pub app: AppId,
    pub grant: Grant,
    /// Calls so far.
    pub calls: u32,
    /// When a parked guest goes on.
    pub wake_at_ms: u64,
}

impl<P: Platform> GuestHost<'_, '_, P> {
    fn now_ms(&mut self) -> u64 {
        self.platform.now_us() / 1000
    }

    fn log(&mut self, args: Args<'_>, memory: &[u8]) -> HostOutcome {
        let Some(text) = guest_slice(memory, args.word(0), args.word(1)) else {
            return HostOutcome::Trap;
        };
        let text = text.get(..abi::LOG_BYTES_MAX).unwrap_or(text);
        let now_ms = self.now_ms();
        self.platform.console(text);
        self.queue.push_log(self.app, now_ms, text);
        HostOutcome::Return(0)
    }

    fn telemetry(&mut self, args: Args<'_>, memory: &[u8]) -> HostOutcome {
        let Some(topic) = guest_slice(memory, args.word(0), args.word(1)) else {
            return HostOutcome::Trap;
        };
        let value = args.long(2) as i64;
        if !self.grant.allows_topic(topic) {
            return HostOutcome::Return(u64::from(abi::TELEMETRY_REFUSED));
        }
        let now_ms = self.now_ms();
        let is_queued = self.queue.push_sample(self.app, now_ms, topic, value);
        let answer = if is_queued { abi::TELEMETRY_QUEUED } else { abi::TELEMETRY_DROPPED };
        HostOutcome::Return(u64::from(answer))
    }
}

impl<P: Platform> Host for GuestHost<'_, '_, P> {
    fn call(&mut self, import: u16, args: Args<'_>, memory: &mut [u8]) -> HostOutcome {
        self.calls = self.calls.saturating_add(1);
        match import {
            abi::LOG => self.log(args, memory),
            abi::CLOCK_MONOTONIC_MS => HostOutcome::Return(self.now_ms()),
            abi::TIMER_WAIT_MS => {
                self.wake_at_ms = self.now_ms().saturating_add(u64::from(args.word(0)));
                HostOutcome::Park
            }
            abi::TELEMETRY => self.telemetry(args, memory),
            _ => HostOutcome::Trap,
        }
    }
}
