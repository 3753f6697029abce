//! WASI preview 1, as much of it as a program without files needs: arguments, environment, clocks,
//! random bytes, standard output to the log, and waiting.
//!
//! # Source
//! WebAssembly/WASI, legacy/preview1, docs.

use wasmbed_abi::{self as abi, wasi};
use wasmbed_engine::{Args, HostOutcome, guest_slice};
use wasmbed_image::Capability;
use wasmbed_image::limits::{CONFIG_BYTES_MAX, NAME_BYTES_MAX};
use wasmbed_journal::Journal;

use super::{GuestHost, target_slice};
use crate::core_state::{MANIFEST_AT, Part, Strings};
use crate::limits;
use crate::platform::Platform;

/// Nanoseconds of a millisecond.
const NS_PER_MS: u64 = 1_000_000;

/// The error of a call, or nothing; the guest traps where it is `None` because a pointer leads
/// outside its memory.
type Errno = Option<u32>;

fn put(memory: &mut [u8], at: u32, bytes: &[u8]) -> Option<()> {
    target_slice(memory, at, bytes.len() as u32)?.copy_from_slice(bytes);
    Some(())
}

fn put_word(memory: &mut [u8], at: u32, value: u32) -> Option<()> {
    put(memory, at, &value.to_le_bytes())
}

fn word_at(memory: &[u8], at: u32) -> Option<u32> {
    guest_slice(memory, at, 4)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn long_at(memory: &[u8], at: u32) -> Option<u64> {
    guest_slice(memory, at, 8)?.first_chunk().copied().map(u64::from_le_bytes)
}

/// A place in a table of the guest's.
fn entry(table: u32, index: u32, bytes: u32) -> Option<u32> {
    table.checked_add(index.checked_mul(bytes)?)
}

impl<P: Platform> GuestHost<'_, '_, P> {
    #[inline(never)]
    pub(super) fn wasi(&mut self, import: u16, args: Args<'_>, memory: &mut [u8]) -> HostOutcome {
        let first = args.word(0);
        let is_open = first <= wasi::STDERR;
        let errno = match import {
            abi::ARGS_SIZES_GET..=abi::ENVIRON_GET => return self.config(import, args, memory),
            abi::CLOCK_RES_GET => clock_res_get(first, args.word(1), memory),
            abi::CLOCK_TIME_GET => self.clock_time_get(first, args.word(3), memory),
            abi::RANDOM_GET => return self.random_get(first, args.word(1), memory),
            abi::FD_WRITE => self.fd_write(args, memory),
            abi::FD_READ if first == wasi::STDIN => {
                put_word(memory, args.word(3), 0).map(|()| wasi::SUCCESS)
            }
            abi::FD_FDSTAT_GET if is_open => fd_fdstat_get(first, args.word(1), memory),
            abi::FD_CLOSE if is_open => Some(wasi::SUCCESS),
            abi::FD_SEEK if is_open => Some(wasi::SPIPE),
            abi::FD_READ..=abi::FD_PRESTAT_DIR_NAME => Some(wasi::BADF),
            abi::POLL_ONEOFF => return self.poll_oneoff(args, memory),
            abi::SCHED_YIELD => return self.sched_yield(),
            abi::PROC_EXIT => return HostOutcome::Exit(first),
            _ => None,
        };
        errno.map_or(HostOutcome::Trap, |errno| HostOutcome::Return(errno.into()))
    }

    /// Arguments and environment lie with the manifest in the flash, not in RAM.
    fn config(&mut self, import: u16, args: Args<'_>, memory: &mut [u8]) -> HostOutcome {
        let (first, second) = (args.word(0), args.word(1));
        let is_inside =
            guest_slice(memory, first, 0).is_some() && guest_slice(memory, second, 0).is_some();
        if !is_inside {
            return HostOutcome::Trap;
        }
        let mut is_sound = true;
        let outcome = self.apart(|host| {
            let errno = host.read_config(import, [first, second], memory);
            is_sound = errno.is_some();
            errno.unwrap_or(wasi::INVAL)
        });
        if is_sound { outcome } else { HostOutcome::Trap }
    }

    #[inline(never)]
    fn read_config(&mut self, import: u16, at: [u32; 2], memory: &mut [u8]) -> Errno {
        let mut text = [0; NAME_BYTES_MAX + 1 + CONFIG_BYTES_MAX];
        let Some(bytes) = self.read_strings(import, &mut text) else { return Some(wasi::IO) };
        let text = text.get(..bytes)?;
        let strings = text.iter().filter(|byte| **byte == 0).count();
        let [first, second] = at;
        if matches!(import, abi::ARGS_SIZES_GET | abi::ENVIRON_SIZES_GET) {
            put_word(memory, first, strings as u32)?;
            put_word(memory, second, bytes as u32)?;
            return Some(wasi::SUCCESS);
        }
        target_slice(memory, first, strings as u32 * 4)?;
        target_slice(memory, second, bytes as u32)?;
        let (mut place, mut pointer, mut is_begin) = (second, first, true);
        for byte in text {
            if is_begin {
                put_word(memory, pointer, place)?;
                pointer += 4;
            }
            put(memory, place, &[*byte])?;
            place += 1;
            is_begin = *byte == 0;
        }
        Some(wasi::SUCCESS)
    }

    /// Reads the strings of a call, each with its end; answers their bytes.
    fn read_strings(&mut self, import: u16, text: &mut [u8]) -> Option<usize> {
        let Strings { name, args, environ } = *self.strings;
        if !matches!(import, abi::ARGS_SIZES_GET | abi::ARGS_GET) {
            return self.read_part(environ, text);
        }
        // The first argument is the name of the program; the zero behind it is there already.
        let name_bytes = self.read_part(name, text)? + 1;
        Some(name_bytes + self.read_part(args, text.get_mut(name_bytes..)?)?)
    }

    fn read_part(&mut self, part: Part, text: &mut [u8]) -> Option<usize> {
        let target = text.get_mut(..part.bytes.into())?;
        let at = MANIFEST_AT + u32::from(part.at);
        Journal::image_read(self.platform.flash(), self.slot, at, target).ok()?;
        Some(part.bytes.into())
    }

    /// The time of a clock in nanoseconds.
    fn clock_ns(&mut self, clock: u32) -> Result<u64, u32> {
        match clock {
            wasi::CLOCK_MONOTONIC => Ok(self.platform.now_us().saturating_mul(1000)),
            wasi::CLOCK_REALTIME => {
                // Nobody told the time yet: an error rather than 1970.
                let (unix_ms, at_ms) = self.told.ok_or(wasi::AGAIN)?;
                let since_ms = self.now_ms().saturating_sub(at_ms);
                Ok(unix_ms.saturating_add(since_ms).saturating_mul(NS_PER_MS))
            }
            _ => Err(wasi::NOTSUP),
        }
    }

    fn clock_time_get(&mut self, clock: u32, target: u32, memory: &mut [u8]) -> Errno {
        match self.clock_ns(clock) {
            Ok(ns) => put(memory, target, &ns.to_le_bytes()).map(|()| wasi::SUCCESS),
            Err(errno) => Some(errno),
        }
    }

    fn random_get(&mut self, target: u32, bytes: u32, memory: &mut [u8]) -> HostOutcome {
        let Some(target) = target_slice(memory, target, bytes) else { return HostOutcome::Trap };
        // Pieces, each in a slice of its own; what is kept is how far they got.
        let rest = target.get_mut(self.wait.kept as usize..).unwrap_or_default();
        let count = rest.len().min(limits::RANDOM_PIECE_BYTES);
        let is_last = count == rest.len();
        let piece = rest.get_mut(..count).unwrap_or_default();
        if !piece.is_empty() && self.platform.entropy(piece).is_err() {
            return HostOutcome::Return(wasi::IO.into());
        }
        if is_last {
            return HostOutcome::Return(wasi::SUCCESS.into());
        }
        self.wait.kept += count as u32;
        self.sched_yield_now()
    }

    fn sched_yield(&mut self) -> HostOutcome {
        if core::mem::replace(&mut self.wait.stage, 1) > 0 {
            return HostOutcome::Return(wasi::SUCCESS.into());
        }
        self.sched_yield_now()
    }

    fn sched_yield_now(&mut self) -> HostOutcome {
        let now_ms = self.now_ms();
        self.park(now_ms)
    }

    /// Writes what one call may, which can be less than it was given: programs go on with the rest.
    fn fd_write(&mut self, args: Args<'_>, memory: &mut [u8]) -> Errno {
        if args.word(0) == wasi::STDIN || args.word(0) > wasi::STDERR {
            return Some(wasi::BADF);
        }
        let is_granted = self.permit(Capability::Log, &|_| true).is_ok();
        let now_ms = self.now_ms();
        let mut written = 0;
        for index in 0..args.word(2).min(abi::VECTORS_MAX) {
            let at = entry(args.word(1), index, 8)?;
            let (text, bytes) = (word_at(memory, at)?, word_at(memory, at.checked_add(4)?)?);
            let text = guest_slice(memory, text, bytes)?;
            let room = abi::STREAM_BYTES_MAX - written;
            let piece = text.get(..room).unwrap_or(text);
            written += piece.len();
            if is_granted {
                let platform = &mut *self.platform;
                let mut show = |line: &[u8]| platform.console(line);
                self.queue.write_log(self.app, now_ms, piece, &mut show);
            }
            if piece.len() < text.len() {
                break;
            }
        }
        if !is_granted {
            self.queue.logs_dropped = self.queue.logs_dropped.saturating_add(1);
        }
        put_word(memory, args.word(3), written as u32).map(|()| wasi::SUCCESS)
    }

    fn poll_oneoff(&mut self, args: Args<'_>, memory: &mut [u8]) -> HostOutcome {
        match self.poll(args, memory) {
            Some(Ok(errno)) => HostOutcome::Return(errno.into()),
            Some(Err(wake_at_ms)) => self.park(wake_at_ms),
            None => HostOutcome::Trap,
        }
    }

    /// Looks at each subscription: the outer `None` is a pointer outside the memory, `Err` when to
    /// look again.
    #[inline(never)]
    fn poll(&mut self, args: Args<'_>, memory: &mut [u8]) -> Option<Result<u32, u64>> {
        let (subscriptions, events, count) = (args.word(0), args.word(1), args.word(2));
        if count == 0 || count > abi::VECTORS_MAX {
            return Some(Ok(wasi::INVAL));
        }
        target_slice(memory, events, count * wasi::EVENT_BYTES)?;
        guest_slice(memory, args.word(3), 4)?;
        let now_ms = self.now_ms();
        let mut earliest_ms = u64::MAX;
        let mut happened = 0;
        for index in 0..count {
            let at = entry(subscriptions, index, wasi::SUBSCRIPTION_BYTES)?;
            let kind = *guest_slice(memory, at.checked_add(8)?, 1)?.first()?;
            let due = if kind == wasi::EVENT_CLOCK {
                self.clock_due_ms(at, memory)?
            } else {
                Err(wasi::NOTSUP)
            };
            let errno = match due {
                Ok(due_ms) if due_ms > now_ms => {
                    earliest_ms = earliest_ms.min(due_ms);
                    continue;
                }
                Ok(_) => wasi::SUCCESS,
                Err(errno) => errno,
            };
            let mut event = [0; wasi::EVENT_BYTES as usize];
            event[..8].copy_from_slice(&long_at(memory, at)?.to_le_bytes());
            event[8..10].copy_from_slice(&(errno as u16).to_le_bytes());
            event[10] = kind;
            put(memory, entry(events, happened, wasi::EVENT_BYTES)?, &event)?;
            happened += 1;
        }
        if happened == 0 && self.is_stopping {
            return Some(Ok(wasi::INTR));
        }
        if happened == 0 {
            return Some(Err(earliest_ms));
        }
        put_word(memory, args.word(3), happened)?;
        Some(Ok(wasi::SUCCESS))
    }

    /// When a subscription to a clock is due, in milliseconds since boot.
    fn clock_due_ms(&mut self, at: u32, memory: &[u8]) -> Option<Result<u64, u32>> {
        let clock = word_at(memory, at.checked_add(0x10)?)?;
        let timeout_ms = long_at(memory, at.checked_add(0x18)?)?.div_ceil(NS_PER_MS);
        let flags = word_at(memory, at.checked_add(0x28)?)? as u16;
        if flags & wasi::CLOCK_ABSTIME == 0 {
            let is_known = matches!(clock, wasi::CLOCK_MONOTONIC | wasi::CLOCK_REALTIME);
            // The start was rounded down, and a sleep is never shorter than asked for.
            let due_ms = self.wait.start_ms.saturating_add(timeout_ms).saturating_add(1);
            return Some(if is_known { Ok(due_ms) } else { Err(wasi::NOTSUP) });
        }
        Some(self.clock_ns(clock).map(|ns| {
            let rest_ms = timeout_ms.saturating_sub(ns / NS_PER_MS);
            self.now_ms().saturating_add(rest_ms)
        }))
    }
}

fn clock_res_get(clock: u32, target: u32, memory: &mut [u8]) -> Errno {
    let ns: u64 = match clock {
        wasi::CLOCK_MONOTONIC => 1_000,
        wasi::CLOCK_REALTIME => NS_PER_MS,
        _ => return Some(wasi::NOTSUP),
    };
    put(memory, target, &ns.to_le_bytes()).map(|()| wasi::SUCCESS)
}

fn fd_fdstat_get(descriptor: u32, target: u32, memory: &mut [u8]) -> Errno {
    let right = if descriptor == wasi::STDIN { wasi::RIGHT_READ } else { wasi::RIGHT_WRITE };
    let mut stat = [0; wasi::FDSTAT_BYTES as usize];
    stat[0] = wasi::CHARACTER_DEVICE;
    stat[8..16].copy_from_slice(&right.to_le_bytes());
    put(memory, target, &stat).map(|()| wasi::SUCCESS)
}
