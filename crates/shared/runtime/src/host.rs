//! What a guest may call: the host side of `abi`, for one slice of one guest.
//!
//! A call that waits parks the guest and is made again when the guest goes on: [`Wait`] keeps what it
//! has to know of the time before. A call that works long ends the slice first, so that it never
//! adds to one.

use wasmbed_abi::{self as abi, status};
use wasmbed_engine::{Args, Host, HostOutcome, guest_slice};
use wasmbed_image::{Argument, Capability, Grants};
use wasmbed_journal::Journal;
use wasmbed_wire::AppId;

use crate::core_state::Strings;
use crate::platform::{Platform, has};
use crate::queue::Queue;

mod hardware;
mod messages;
mod storage;
mod wasi;

/// What a call that waits keeps while the guest is parked.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// Whether the call that comes next was made before.
    pub is_resumed: bool,
    /// Whether a message ends the waiting.
    pub is_for_message: bool,
    /// How often the call was made again.
    stage: u8,
    /// What the call keeps.
    kept: u32,
    /// When the call was made first.
    start_ms: u64,
}

impl Wait {
    /// Nothing waits.
    pub const NONE: Self =
        Self { is_resumed: false, is_for_message: false, stage: 0, kept: 0, start_ms: 0 };
}

/// Host of one guest during one slice.
pub struct GuestHost<'x, 'q, P: Platform> {
    pub platform: &'x mut P,
    pub queue: &'x mut Queue<'q>,
    pub journal: &'x mut Journal,
    pub app: AppId,
    /// Place of the guest.
    pub index: usize,
    pub grants: Grants<'x>,
    /// State of the rates, [`wasmbed_image::grants::RATE_STATE_BYTES`] each.
    pub rates: &'x mut [u8],
    pub wait: &'x mut Wait,
    /// Slot of the image, and where the strings lie in the manifest there.
    pub slot: u8,
    pub strings: &'x Strings,
    /// Wall clock at a time since boot, both in milliseconds, if the gateway told it.
    pub told: Option<(u64, u64)>,
    /// Whether the guest shall end.
    pub is_stopping: bool,
    /// Calls so far.
    pub calls: u32,
    /// Stores of the journal so far.
    pub stores: u32,
    /// When a parked guest goes on.
    pub wake_at_ms: u64,
}

/// What a call answers: a status, or a count where the call answers one.
type Answer = Result<u32, u32>;

/// The result of a call that answers a status.
fn plain(answer: Answer) -> HostOutcome {
    let (Ok(value) | Err(value)) = answer;
    HostOutcome::Return(value.into())
}

/// The result of a call that answers a count, or a negated status.
fn counted(answer: Answer) -> HostOutcome {
    HostOutcome::Return(answer.unwrap_or_else(status::negated).into())
}

/// The part of a guest's memory that a call may write to.
fn target_slice(memory: &mut [u8], pointer: u32, bytes: u32) -> Option<&mut [u8]> {
    memory.get_mut(pointer as usize..)?.get_mut(..bytes as usize)
}

impl<P: Platform> GuestHost<'_, '_, P> {
    fn now_ms(&mut self) -> u64 {
        self.platform.now_us() / 1000
    }

    /// Parks the guest until then; the call is made again.
    fn park(&mut self, wake_at_ms: u64) -> HostOutcome {
        self.wake_at_ms = wake_at_ms;
        HostOutcome::Park
    }

    /// When a call that was made first a while ago is to give up.
    fn deadline_ms(&self, timeout_ms: u32) -> u64 {
        if timeout_ms == abi::FOR_EVER {
            return u64::MAX;
        }
        self.wait.start_ms.saturating_add(timeout_ms.into())
    }

    /// Waits for something that just did not happen; looks again at `again_at_ms` at the latest.
    fn wait_until(&mut self, timeout_ms: u32, again_at_ms: u64) -> HostOutcome {
        let deadline_ms = self.deadline_ms(timeout_ms);
        if self.is_stopping {
            return counted(Err(status::STOPPING));
        }
        if self.now_ms() >= deadline_ms {
            return counted(Err(status::TIMEOUT));
        }
        self.park(again_at_ms.min(deadline_ms))
    }

    /// Does what takes long in a step of its own: the slice ends before and after it.
    fn apart(&mut self, work: impl FnOnce(&mut Self) -> u32) -> HostOutcome {
        let stage = self.wait.stage;
        self.wait.stage = stage.saturating_add(1);
        match stage {
            0 => {}
            1 => self.wait.kept = work(self),
            _ => return HostOutcome::Return(self.wait.kept.into()),
        }
        let now_ms = self.now_ms();
        self.park(now_ms)
    }

    /// Whether a use of a capability is granted now, for an argument that `is_meant` knows; counts
    /// it where it is bounded.
    #[inline(never)]
    fn permit(
        &mut self,
        capability: Capability,
        is_meant: &dyn Fn(&Argument<'_>) -> bool,
    ) -> Result<(), u32> {
        let now_us = self.platform.now_us();
        let mut answer = Err(status::REFUSED);
        let mut states = self.rates.chunks_exact_mut(wasmbed_image::grants::RATE_STATE_BYTES);
        for grant in self.grants.iter() {
            let state = grant.rate.and_then(|_| states.next());
            if grant.capability != capability || !is_meant(&grant.argument) {
                continue;
            }
            let Some(rate) = grant.rate else { return Ok(()) };
            let Some(state) = state.and_then(|state| state.first_chunk_mut()) else { continue };
            let mut full_at_us = u64::from_le_bytes(*state);
            let is_allowed = rate.take(&mut full_at_us, now_us);
            *state = full_at_us.to_le_bytes();
            if is_allowed {
                return Ok(());
            }
            answer = Err(status::TOO_OFTEN);
        }
        answer
    }

    fn log(&mut self, args: Args<'_>, memory: &[u8]) -> HostOutcome {
        let Some(text) = guest_slice(memory, args.word(0), args.word(1)) else {
            return HostOutcome::Trap;
        };
        if self.permit(Capability::Log, &|_| true).is_err() {
            self.queue.logs_dropped = self.queue.logs_dropped.saturating_add(1);
            return HostOutcome::Return(0);
        }
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
        let permit = self.permit_topic(Capability::Telemetry, topic);
        plain(permit.and_then(|()| {
            let now_ms = self.now_ms();
            let is_queued = self.queue.push_sample(self.app, now_ms, topic, value);
            if is_queued { Ok(status::OK) } else { Err(status::DROPPED) }
        }))
    }

    fn permit_topic(&mut self, capability: Capability, topic: &[u8]) -> Result<(), u32> {
        // A topic is text everywhere else.
        if core::str::from_utf8(topic).is_err() {
            return Err(status::REFUSED);
        }
        self.permit(capability, &|argument| argument.allows_topic(topic))
    }

    fn timer_wait(&mut self, args: Args<'_>) -> HostOutcome {
        let wake_at_ms = self.wait.start_ms.saturating_add(args.word(0).into());
        if self.wait.stage > 0 && (self.is_stopping || self.now_ms() >= wake_at_ms) {
            return HostOutcome::Return(0);
        }
        self.wait.stage = 1;
        self.park(wake_at_ms)
    }
}

/// Whether calls to any hardware were linked.
const fn has_hardware<P: Platform>() -> bool {
    has::<P>(Capability::Led)
        || has::<P>(Capability::Button)
        || has::<P>(Capability::I2c)
        || has::<P>(Capability::Uart)
}

impl<P: Platform> Host for GuestHost<'_, '_, P> {
    fn call(&mut self, import: u16, args: Args<'_>, memory: &mut [u8]) -> HostOutcome {
        if core::mem::take(&mut self.wait.is_resumed) {
            self.wait.is_for_message = false;
        } else {
            self.calls = self.calls.saturating_add(1);
            *self.wait = Wait { start_ms: self.now_ms(), ..Wait::NONE };
        }
        match import {
            abi::LOG => self.log(args, memory),
            abi::CLOCK_MONOTONIC_MS => HostOutcome::Return(self.now_ms()),
            abi::TIMER_WAIT_MS => self.timer_wait(args),
            abi::TELEMETRY => self.telemetry(args, memory),
            abi::MESSAGE_SEND if has::<P>(Capability::Send) => self.message_send(args, memory),
            abi::MESSAGE_RECEIVE if has::<P>(Capability::Receive) => {
                self.message_receive(args, memory)
            }
            abi::KV_GET..=abi::KV_DELETE if has::<P>(Capability::Storage) => {
                self.storage(import, args, memory)
            }
            abi::LED_COUNT..=abi::UART_READ if has_hardware::<P>() => {
                self.hardware(import, args, memory)
            }
            abi::STOP_REQUESTED => HostOutcome::Return(self.is_stopping.into()),
            _ if P::HAS_WASI => self.wasi(import, args, memory),
            _ => HostOutcome::Trap,
        }
    }
}
