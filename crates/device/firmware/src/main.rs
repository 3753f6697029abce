//! The one device binary: joins a board's peripherals and the runtime, in one loop.
//!
//! Everything that is decided is decided in `runtime`; this crate moves bytes and time.
#![no_std]
#![no_main]
#![expect(unsafe_code, reason = "the binary places statics, stacks and fault handlers")]

mod board;
mod clock;
mod console;
mod fault;
mod flash;
mod limits;
#[cfg(board_uplink = "ethernet")]
mod network;
mod platform;
mod ports;
mod protection;
mod stack;
#[cfg(board_uplink = "serial")]
mod uplink;
mod vectors;
mod watchdog;

use crate::console::{Part, say};
use crate::platform::Board;
use core::ptr::addr_of_mut;
#[cfg(board_uplink = "ethernet")]
use network::{Buffers, Transport};
#[cfg(board_uplink = "serial")]
use uplink::{Buffers, Transport};
use wasmbed_runtime::{BoardFacts, Device, Memory, StartError, Wants};
use wasmbed_wire::Digest;

/// Version of this firmware.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// All buffers, so that the linker counts them.
struct Statics {
    arena: Arena,
    queue: [u8; limits::QUEUE_BYTES],
}

/// The guests' memory, aligned as the runtime asks.
#[repr(align(8))]
struct Arena([u8; board::ARENA_BYTES]);

static mut STATICS: Statics =
    Statics { arena: Arena([0; board::ARENA_BYTES]), queue: [0; limits::QUEUE_BYTES] };

static mut BUFFERS: Buffers = Buffers::new();

/// The device of this board.
type OwnDevice = Device<'static, { board::GUEST_COUNT_MAX }>;

static mut DEVICE: OwnDevice = Device::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    stack::run(run)
}

/// Everything after the change of stacks.
extern "C" fn run() -> ! {
    let Some((device, mut transport, mut platform)) = start() else { halt() };
    serve(device, &mut transport, &mut platform)
}

/// Everything before the loop, which has the stack to itself afterwards. `None`, and the console
/// says why, if the board cannot go on.
#[inline(never)]
fn start() -> Option<(&'static mut OwnDevice, Transport, Board)> {
    // SAFETY: called once, and nothing else takes the core's peripherals.
    let mut core = unsafe { cortex_m::Peripherals::steal() };
    clock::start();
    watchdog::start();
    let is_protected = protection::start();
    if let Some(complaint) = ports::start(&mut core.NVIC, &mut core.SCB) {
        say(&[Part::Text("start: "), Part::Text(complaint)]);
        return None;
    }
    let last = fault::take();
    // SAFETY: `start` is called once, so this is the only reference, ever.
    let buffers = unsafe { &mut *addr_of_mut!(BUFFERS) };
    // SAFETY: as above.
    let statics = unsafe { &mut *addr_of_mut!(STATICS) };
    // SAFETY: as above.
    let device = unsafe { &mut *addr_of_mut!(DEVICE) };
    #[cfg_attr(board_uplink = "serial", expect(unused_mut, reason = "only Ethernet is configured"))]
    let mut transport = Transport::start(buffers)?;
    if !is_protected {
        say(&[Part::Text("start: no memory protection")]);
    }
    fault::show(&last);
    pause(last.streak);
    // SAFETY: `start` is called once.
    let Some(mut platform) = (unsafe { Board::open() }) else {
        say(&[Part::Text("storage: the flash does not answer")]);
        return None;
    };
    let memory = Memory { arena: &mut statics.arena.0, queue: &mut statics.queue };
    let facts = BoardFacts {
        board: board::NAME,
        firmware: VERSION,
        dtb_digest: Digest(board::DTB_DIGEST),
        reset_reason: last.reason,
        fault: last.fault,
    };
    if let Err(error) = device.start(memory, facts, &mut platform) {
        say(&[Part::Text("start: "), Part::Text(start_error(error))]);
        return None;
    }
    #[cfg(board_uplink = "ethernet")]
    if let Some(station) = device.station() {
        transport.configure(&station);
    }
    Some((device, transport, platform))
}

/// Waits after the third fault in a row, longer each time: a board that cannot run must not wear
/// its flash out with boot counts.
fn pause(streak: u32) {
    let Some(excess) = streak.checked_sub(limits::STREAK_WITHOUT_PAUSE) else { return };
    let pause_us = (limits::PAUSE_US << excess.min(16)).min(limits::PAUSE_US_MAX);
    say(&[
        Part::Text("start: waits "),
        Part::Number(pause_us / 1_000_000),
        Part::Text(" s after "),
        Part::Number(u64::from(streak)),
        Part::Text(" faults in a row"),
    ]);
    clock::wait(
        pause_us,
        || true,
        || {
            watchdog::feed();
            None::<()>
        },
    );
}

/// The loop: device, transport, sleep. One frame with [`run`], below which everything is.
#[inline(always)]
fn serve<const GUESTS: usize>(
    device: &mut Device<'_, GUESTS>,
    transport: &mut Transport,
    platform: &mut Board,
) -> ! {
    let mut is_settled = false;
    loop {
        watchdog::feed();
        let now_ms = clock::CLOCK.now_ms();
        if !is_settled && now_ms > limits::SETTLED_MS {
            is_settled = true;
            fault::settle();
        }
        let next = device.step(now_ms, platform);
        if next.wants == Wants::Reboot {
            say(&[Part::Text("reboot: requested")]);
            fault::reboot();
        }
        // Before the poll, which may change what the device wants.
        transport.obey(next.wants, device, now_ms);
        if transport.poll(device, now_ms) {
            // What moved may let the device go on.
            continue;
        }
        let wake_at_ms = transport
            .wake_at_ms()
            .unwrap_or(u64::MAX)
            .min(next.wake_at_ms)
            .min(now_ms + limits::SLEEP_MS_MAX);
        let mut now_ms = now_ms;
        while wake_at_ms > now_ms {
            clock::sleep(wake_at_ms.saturating_mul(1_000), || transport.is_idle());
            now_ms = clock::CLOCK.now_ms();
            // A piece of a frame concerns nobody before the rest of it is there.
            if !transport.has_piece() || transport.poll(device, now_ms) {
                break;
            }
            watchdog::feed();
        }
    }
}

fn start_error(error: StartError) -> &'static str {
    match error {
        StartError::JournalDamaged => "the journal is damaged",
        StartError::Flash => "the flash does not take what is written",
        StartError::Entropy => "no key yet, and the entropy source is silent",
        StartError::Memory => "a buffer is too small",
    }
}

/// Nothing more can be done before someone looks.
fn halt() -> ! {
    say(&[Part::Text("halted")]);
    loop {
        watchdog::feed();
        clock::sleep(u64::MAX, || true);
    }
}
