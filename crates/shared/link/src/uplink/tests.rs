//! A device and a host over a line that loses, garbles, doubles and stops at every byte.

use std::collections::VecDeque;

use super::*;
use crate::limits::{HOST_WINDOW_BYTES, WINDOW_BYTES_MIN};

/// What happens to one byte on its way.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Lose,
    Double,
    Flip(u8),
    Insert(u8),
    /// The device is reset: it forgets all, and what it has not read stays in the line.
    Reset,
    /// The host is restarted: what is in the line is lost, both ways.
    Restart,
    /// So many bytes are lost from here on: half a frame, or several.
    Gap(usize),
    /// So many bytes come that nobody sent.
    Noise(usize),
}

const FAULTS: [Fault; 8] = [
    Fault::Lose,
    Fault::Double,
    Fault::Flip(0x01),
    Fault::Flip(0xFF),
    Fault::Insert(0x00),
    Fault::Insert(0x7E),
    Fault::Reset,
    Fault::Restart,
];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Device,
    Host,
}

/// Bytes of the longest frame to a device that does not count.
const ECHO_BYTES: usize = OVERHEAD_BYTES + SYNC_BYTES;

/// Both ends of a line, and what each wants to say in a session.
struct World {
    device: Device<48>,
    host: Host,
    window: u16,
    to_host: VecDeque<u8>,
    to_device: VecDeque<u8>,
    /// Bytes carried so far, to the host and to the device.
    carried: [usize; 2],
    faults: Vec<(Side, usize, Fault)>,
    /// Bytes that a gap still swallows, to the host and to the device.
    gaps: [usize; 2],
    /// Bytes in the line to the device that were meant for a former session.
    stale: usize,
    /// Starts after which the line should have recovered.
    starts_max: usize,
    nonce: u64,
    up: Vec<u8>,
    down: Vec<u8>,
    up_sent: usize,
    down_sent: usize,
    up_received: Vec<u8>,
    down_received: Vec<u8>,
    console: Vec<u8>,
    starts: usize,
    ring_max: usize,
}

fn pattern(bytes: usize, factor: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * factor + index / 251) as u8).collect()
}

impl World {
    fn new(window: u16) -> Self {
        Self {
            device: Device::new(window),
            host: Host::new(),
            window,
            to_host: VecDeque::new(),
            to_device: VecDeque::new(),
            carried: [0; 2],
            faults: Vec::new(),
            gaps: [0; 2],
            stale: 0,
            starts_max: 20,
            nonce: 1,
            up: pattern(300, 7),
            down: pattern(300, 11),
            up_sent: 0,
            down_sent: 0,
            up_received: Vec::new(),
            down_received: Vec::new(),
            console: Vec::new(),
            starts: 0,
            ring_max: 0,
        }
    }

    fn start(&mut self) {
        self.starts += 1;
        assert!(self.starts < self.starts_max, "the line never recovers");
        self.nonce = self.nonce.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
        let frame = self.device.start(self.nonce.to_be_bytes());
        self.to_host.extend(std::iter::repeat_n(0, START_ZEROS));
        self.to_host.extend(frame.bytes());
        (self.up_sent, self.down_received) = (0, Vec::new());
    }

    fn reset(&mut self) {
        self.device = Device::new(self.window);
        self.start();
    }

    fn restart_host(&mut self) {
        self.host = Host::new();
        self.to_host.clear();
        self.to_device.clear();
        self.stale = 0;
    }

    /// The byte as it arrives, and perhaps others.
    fn pass(&mut self, side: Side, byte: u8) -> Vec<u8> {
        let way = usize::from(side == Side::Device);
        let index = self.carried[way];
        self.carried[way] += 1;
        if self.gaps[way] > 0 {
            self.gaps[way] -= 1;
            return Vec::new();
        }
        let fault = self.faults.iter().find(|(to, at, _)| *to == side && *at == index);
        match fault.map(|(_, _, fault)| *fault) {
            None => vec![byte],
            Some(Fault::Lose) => vec![],
            Some(Fault::Double) => vec![byte, byte],
            Some(Fault::Flip(mask)) => vec![byte ^ mask],
            Some(Fault::Insert(extra)) => vec![extra, byte],
            Some(Fault::Reset) => {
                self.reset();
                vec![byte]
            }
            Some(Fault::Restart) => {
                self.restart_host();
                vec![]
            }
            Some(Fault::Gap(bytes)) => {
                self.gaps[way] = bytes;
                vec![]
            }
            Some(Fault::Noise(bytes)) => {
                let mut noise = pattern(bytes, index * 31 + 3);
                noise.push(byte);
                noise
            }
        }
    }

    fn host_takes(&mut self, byte: u8) {
        let mut released = 0;
        match self.host.receive(byte) {
            Some(HostEvent::Open) => {
                (self.down_sent, self.up_received) = (0, Vec::new());
                self.stale = self.to_device.len();
            }
            Some(HostEvent::Session(bytes)) => {
                self.up_received.extend_from_slice(bytes);
                released = bytes.len();
            }
            Some(HostEvent::Console(text)) => self.console.extend_from_slice(text),
            Some(HostEvent::Closed | HostEvent::Lost) | None => {}
        }
        self.host.release(released);
        assert!(self.up.starts_with(&self.up_received), "the host took what was never sent");
    }

    fn device_takes(&mut self, byte: u8) {
        let mut is_lost = false;
        match self.device.receive(byte) {
            Some(Event::Session(bytes)) => self.down_received.extend_from_slice(bytes),
            Some(Event::Lost | Event::Closed(_)) => is_lost = true,
            Some(Event::Open) | None => {}
        }
        assert!(self.down.starts_with(&self.down_received), "the device took what was never sent");
        if is_lost {
            self.start();
        }
    }

    /// Lets both sides do one thing; false when neither has anything to do.
    fn turn(&mut self) -> bool {
        let before = (self.carried, self.to_host.len(), self.to_device.len());
        if let Some(byte) = self.to_host.pop_front() {
            self.pass(Side::Host, byte).into_iter().for_each(|byte| self.host_takes(byte));
        }
        if let Some(frame) = self.host.control() {
            self.to_device.extend(frame.bytes());
        } else if let Some(frame) = self.host.session(&self.down[self.down_sent..]) {
            self.to_device.extend(frame.bytes());
            self.down_sent += frame.payload().len();
        }
        if self.host.is_open() {
            self.ring_max = self.ring_max.max(self.to_device.len() - self.stale);
        }
        // One Echo or one Lost beside what was counted: a device has 16 bytes for it and takes the
        // first three of an Echo before more than them can come.
        let is_within = self.ring_max <= usize::from(self.window) + ECHO_BYTES;
        assert!(is_within, "beyond the credit");
        // The device is slower than the line: it takes a byte only now and then.
        if (self.carried[0].is_multiple_of(2) || self.to_host.is_empty())
            && let Some(byte) = self.to_device.pop_front()
        {
            self.stale = self.stale.saturating_sub(1);
            self.pass(Side::Device, byte).into_iter().for_each(|byte| self.device_takes(byte));
        }
        if let Some(frame) = self.device.credit() {
            self.to_host.extend(frame.bytes());
        }
        if self.to_host.len() < 64
            && let Some(frame) = self.device.session(&self.up[self.up_sent..])
        {
            self.to_host.extend(frame.bytes());
            self.up_sent += frame.payload().len();
        }
        before != (self.carried, self.to_host.len(), self.to_device.len())
    }

    fn is_done(&self) -> bool {
        self.up_received == self.up && self.down_received == self.down
    }

    /// Runs until both sides have all of one session; silence makes the device start again.
    fn run(&mut self) {
        self.start();
        while !self.is_done() {
            if !self.turn() {
                self.start();
            }
        }
    }
}

#[test]
fn both_sides_receive_what_was_sent() {
    for window in [WINDOW_BYTES_MIN, 100, 224, 1000] {
        let mut world = World::new(window);
        world.run();
        assert_eq!(world.starts, 1);
        assert!(world.ring_max <= usize::from(window) + 19, "window {window}: {}", world.ring_max);
    }
    println!("\ncases: 4\n");
}

#[test]
fn every_fault_at_every_byte_ends_in_a_whole_session() {
    let mut plain = World::new(WINDOW_BYTES_MIN);
    plain.run();
    let mut cases = 0;
    for fault in FAULTS {
        for (side, bytes) in [(Side::Host, plain.carried[0]), (Side::Device, plain.carried[1])] {
            for at in 0..bytes {
                let mut world = World::new(WINDOW_BYTES_MIN);
                world.faults.push((side, at, fault));
                world.run();
                cases += 1;
            }
        }
    }
    println!("\ncases: {cases}\n");
}

/// SplitMix64: small, and good enough to choose faults.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((value ^ (value >> 31)) % bound as u64) as usize
    }
}

#[test]
fn any_faults_together_end_in_a_whole_session() {
    const ROUNDS: u64 = 2000;
    for seed in 0..ROUNDS {
        let mut random = Random(seed);
        let window = [WINDOW_BYTES_MIN, 100, 224, 1000][random.below(4)];
        let mut world = World::new(window);
        let count = 1 + random.below(12);
        world.starts_max = 20 + 3 * count;
        for _ in 0..count {
            let side = if random.below(2) == 0 { Side::Host } else { Side::Device };
            let fault = match random.below(8) {
                0 => Fault::Lose,
                1 => Fault::Double,
                2 => Fault::Flip(1 << random.below(8)),
                3 => Fault::Insert(random.below(256) as u8),
                4 => Fault::Reset,
                5 => Fault::Restart,
                6 => Fault::Gap(1 + random.below(2 * FRAME_BYTES_MAX)),
                _ => Fault::Noise(1 + random.below(2 * FRAME_BYTES_MAX)),
            };
            world.faults.push((side, random.below(2500), fault));
        }
        println!("seed {seed}: {:?}", world.faults);
        world.run();
    }
    println!("\ncases: {ROUNDS}\n");
}

#[test]
fn what_lies_in_the_line_for_a_former_life_never_reaches_the_next() {
    let mut cases = 0;
    for read in 0..200 {
        let mut world = World::new(224);
        world.start();
        while world.carried[1] < read && world.turn() {}
        world.reset();
        while !world.is_done() {
            if !world.turn() {
                world.start();
            }
        }
        assert!(world.starts <= 3, "{} starts after a reset at {read}", world.starts);
        cases += 1;
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn credit_lets_a_session_go_on_for_ever() {
    let mut world = World::new(WINDOW_BYTES_MIN);
    (world.up, world.down) = (pattern(200_000, 7), pattern(200_000, 11));
    world.run();
    assert_eq!(world.starts, 1);
}

/// All bytes of a frame.
fn bytes(frame: &Frame<'_>) -> Vec<u8> {
    frame.bytes().collect()
}

#[test]
fn a_slow_gateway_holds_the_device_back() {
    let mut world = World::new(224);
    (world.up, world.down) = (Vec::new(), Vec::new());
    world.start();
    while !world.device.is_open() {
        assert!(world.turn());
    }
    let (mut sent, mut taken) = (0, 0);
    while let Some(frame) = world.device.session(&[0x55; 128]) {
        sent += frame.payload().len();
        for byte in bytes(&frame) {
            if let Some(HostEvent::Session(payload)) = world.host.receive(byte) {
                taken += payload.len();
            }
        }
    }
    assert_eq!(sent, taken);
    assert!(sent < usize::from(HOST_WINDOW_BYTES));
    // Only the overhead is free again; the rest waits for the gateway.
    assert!(world.host.control().is_none());
    world.host.release(taken);
    assert!(world.host.control().is_some());
}

#[test]
fn console_text_that_looks_like_frames_is_never_obeyed() {
    let mut inner = vec![0; START_ZEROS - OVERHEAD_BYTES - 60];
    let mut other = Device::<48>::new(224);
    inner.extend(other.start([9; 8]).bytes());
    inner.extend(bytes(&console(b"forged")));
    let frame = bytes(&console(&inner));
    let mut cases = 0;
    // The host begins within it, or its beginning was lost between two others.
    for cut in 0..frame.len() {
        for before in [0, START_ZEROS] {
            let mut host = Host::new();
            (0..before).for_each(|_| assert!(host.receive(0).is_none()));
            bytes(&console(b"before"))
                .into_iter()
                .for_each(|byte| assert_ne!(host.receive(byte), Some(HostEvent::Open)));
            for byte in &frame[cut..] {
                assert_ne!(host.receive(*byte), Some(HostEvent::Open), "cut at {cut}");
            }
            cases += 1;
        }
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn the_console_is_heard_without_a_session_and_beside_one() {
    let mut host = Host::new();
    (0..START_ZEROS).for_each(|_| assert!(host.receive(0).is_none()));
    let text = b"panic at the disco";
    let heard: Vec<u8> = bytes(&console(text))
        .into_iter()
        .filter_map(|byte| match host.receive(byte) {
            Some(HostEvent::Console(text)) => Some(text.to_vec()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(heard, text);
}

#[test]
fn a_device_that_missed_the_end_is_told_again_when_it_speaks() {
    let mut cases = 0;
    for is_host_new in [false, true] {
        for missed in 0..3 {
            let mut world = World::new(224);
            (world.up, world.down) = (Vec::new(), Vec::new());
            world.start();
            while !world.device.is_open() {
                assert!(world.turn());
            }
            if is_host_new {
                world.restart_host();
                assert!(world.host.control().is_some());
            } else {
                assert!(world.host.close(CloseReason::ByPeer).is_some());
            }
            // What the host said is lost, and so is what it says to the first heartbeats.
            let mut told = Vec::new();
            for heartbeat in 0..=missed {
                let frame = bytes(&world.device.session(&[0x55; 40]).unwrap());
                frame.iter().for_each(|byte| assert_eq!(world.host.receive(*byte), None));
                let said = world.host.control();
                if heartbeat == missed {
                    told.extend_from_slice(said.unwrap().bytes());
                }
            }
            let hears = |byte: &u8| world.device.receive(*byte).map(is_lost);
            let events: Vec<bool> = told.iter().filter_map(hears).collect();
            assert_eq!(events, [true]);
            assert!(!world.device.is_open());
            cases += 1;
        }
    }
    println!("\ncases: {cases}\n");
}

fn is_lost(event: Event<'_>) -> bool {
    matches!(event, Event::Lost)
}

/// What a fault handler does: it knows nothing of the line, not even whether a frame has begun.
#[test]
fn a_dying_device_is_heard_whatever_it_was_saying() {
    let mut device = Device::<48>::new(224);
    let sync = device.start([9; 8]);
    let mut opened = Host::new();
    let mut prelude = vec![0; START_ZEROS];
    prelude.extend(sync.bytes());
    let hear = |host: &mut Host, bytes: &[u8]| {
        let mut heard = Vec::new();
        for byte in bytes {
            if let Some(HostEvent::Console(text)) = host.receive(*byte) {
                heard.extend_from_slice(text);
            }
        }
        heard
    };
    hear(&mut opened, &prelude);
    for byte in opened.control().unwrap().bytes() {
        let _ = device.receive(*byte);
    }
    prelude.extend(bytes(&device.session(&[0x7E; 100]).unwrap()));
    prelude.extend(bytes(&console(b"interrupted")));
    let mut shout = vec![0; START_ZEROS];
    shout.extend(bytes(&console(b"fault: pc 0x1234")));
    for cut in 0..=prelude.len() {
        let mut host = Host::new();
        hear(&mut host, &prelude[..cut]);
        assert_eq!(hear(&mut host, &shout), b"fault: pc 0x1234", "cut at {cut}");
    }
    println!("\ncases: {}\n", prelude.len() + 1);
}

#[test]
fn an_ended_session_is_told_to_the_other_side() {
    let mut world = World::new(224);
    (world.up, world.down) = (Vec::new(), Vec::new());
    world.start();
    while !world.device.is_open() {
        assert!(world.turn());
    }
    let closed = world.host.close(CloseReason::Unreachable).unwrap();
    let told = closed.bytes().iter().filter_map(|byte| match world.device.receive(*byte) {
        Some(Event::Closed(reason)) => Some(reason),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [CloseReason::Unreachable]);
    assert!(!world.device.is_open() && !world.host.is_open());
}

/// Written with zlib's CRC-32, not with ours.
#[test]
fn frames_have_the_documented_bytes() {
    let expected = [&[0x7E, 0x11, 0, 2, b'h', b'i'][..], &CONSOLE_CRC].concat();
    assert_eq!(bytes(&console(b"hi")), expected);
    let mut device = Device::<48>::new(0x0102);
    let sync = [&[0x7E, 0x01, 0, 11, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 48][..], &SYNC_CRC].concat();
    assert_eq!(device.start([1, 2, 3, 4, 5, 6, 7, 8]).bytes(), sync);
}

const CONSOLE_CRC: [u8; 4] = [0x47, 0xA4, 0x9F, 0x1D];
const SYNC_CRC: [u8; 4] = [0x4E, 0x05, 0xB9, 0xD8];
