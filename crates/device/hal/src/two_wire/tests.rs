//! The controller against a simulated target with one register pointer, bit by bit.

use super::{BusError, Lines, transfer};
use std::cell::Cell;

/// What the target is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Idle,
    /// Takes a byte: bits so far, and whether it is the address.
    Take {
        bits: u8,
        byte: u8,
        is_address: bool,
    },
    /// Answers the byte it took.
    Answer {
        is_address: bool,
        is_read: bool,
    },
    /// Gives a byte: bits that are left.
    Give {
        bits: u8,
    },
    /// Waits for the controller's answer.
    Asked,
}

struct Target {
    address: u8,
    memory: [u8; 4],
    pointer: usize,
    is_pointer_set: bool,
    /// Bytes that it takes after the pointer.
    room: usize,
    phase: Phase,
    holds_data: bool,
    /// Pauses for which it holds the clock at each byte.
    stretch: u32,
    holds_clock: Cell<u32>,
    clock: bool,
    data: bool,
    starts: u32,
    stops: u32,
}

impl Target {
    fn new() -> Self {
        Target {
            address: 0x48,
            memory: [0x19, 0x80, 0x4b, 0xff],
            pointer: 0,
            is_pointer_set: false,
            room: 3,
            phase: Phase::Idle,
            holds_data: false,
            stretch: 0,
            holds_clock: Cell::new(0),
            clock: true,
            data: true,
            starts: 0,
            stops: 0,
        }
    }

    fn took(&mut self, byte: u8, is_address: bool) {
        let is_read = is_address && byte & 1 != 0;
        let answers = if is_address {
            byte >> 1 == self.address
        } else if !self.is_pointer_set {
            self.pointer = usize::from(byte) % self.memory.len();
            self.is_pointer_set = true;
            true
        } else if self.room > 0 {
            self.room -= 1;
            self.memory[self.pointer] = byte;
            self.pointer = (self.pointer + 1) % self.memory.len();
            true
        } else {
            false
        };
        self.holds_data = answers;
        self.holds_clock.set(self.stretch);
        self.phase = if answers { Phase::Answer { is_address, is_read } } else { Phase::Idle };
    }

    fn clock_rises(&mut self) {
        let data = self.data && !self.holds_data;
        match &mut self.phase {
            Phase::Take { bits, byte, .. } => {
                *byte = *byte << 1 | u8::from(data);
                *bits += 1;
            }
            Phase::Asked if data => self.phase = Phase::Idle,
            _ => {}
        }
    }

    fn clock_falls(&mut self) {
        match self.phase {
            Phase::Take { bits: 8, byte, is_address } => self.took(byte, is_address),
            Phase::Answer { is_read: true, .. } => self.give(),
            Phase::Answer { .. } => {
                self.holds_data = false;
                self.phase = Phase::Take { bits: 0, byte: 0, is_address: false };
            }
            Phase::Give { bits: 0 } => {
                self.holds_data = false;
                self.pointer = (self.pointer + 1) % self.memory.len();
                self.phase = Phase::Asked;
            }
            Phase::Give { bits } => self.show(bits - 1),
            Phase::Asked => self.give(),
            _ => {}
        }
    }

    fn give(&mut self) {
        self.show(7);
    }

    fn show(&mut self, bits: u8) {
        self.holds_data = self.memory[self.pointer] >> bits & 1 == 0;
        self.phase = Phase::Give { bits };
    }
}

impl Lines for Target {
    fn set_clock(&mut self, is_high: bool) {
        let was_high = self.clock;
        self.clock = is_high;
        match (was_high, is_high) {
            (false, true) => self.clock_rises(),
            (true, false) => self.clock_falls(),
            _ => {}
        }
    }

    fn set_data(&mut self, is_high: bool) {
        let was_high = self.data;
        self.data = is_high;
        if self.clock && was_high && !is_high {
            self.starts += 1;
            self.is_pointer_set &= self.phase != Phase::Idle;
            self.phase = Phase::Take { bits: 0, byte: 0, is_address: true };
            self.holds_data = false;
        } else if self.clock && !was_high && is_high {
            self.stops += 1;
            self.is_pointer_set = false;
            self.phase = Phase::Idle;
            self.holds_data = false;
        }
    }

    fn clock(&self) -> bool {
        self.clock && self.holds_clock.get() == 0
    }

    fn data(&self) -> bool {
        self.data && !self.holds_data
    }

    fn pause(&self) {
        self.holds_clock.set(self.holds_clock.get().saturating_sub(1));
    }
}

#[test]
fn writes_a_pointer_and_reads_from_there() {
    for stretch in [0, 5, 300] {
        let mut target = Target { stretch, ..Target::new() };
        let mut input = [0; 2];
        assert_eq!(transfer(&mut target, 0x48, &[1], &mut input), Ok(()));
        assert_eq!(input, [0x80, 0x4b]);
        assert_eq!((target.starts, target.stops), (2, 1), "started again without a stop");
    }
}

#[test]
fn writes_what_the_target_takes_and_says_when_it_does_not() {
    let mut target = Target::new();
    assert_eq!(transfer(&mut target, 0x48, &[0, 1, 2, 3], &mut []), Ok(()));
    assert_eq!(target.memory, [1, 2, 3, 0xff]);
    let mut target = Target { room: 1, ..Target::new() };
    assert_eq!(transfer(&mut target, 0x48, &[0, 7, 8], &mut []), Err(BusError::Refused));
    assert_eq!(target.memory[..2], [7, 0x80]);
    assert_eq!(target.stops, 1, "the bus is free again");
}

#[test]
fn an_address_that_nobody_has_is_told() {
    let mut target = Target::new();
    let mut input = [0x55; 2];
    assert_eq!(transfer(&mut target, 0x49, &[], &mut input), Err(BusError::NoAnswer));
    assert_eq!(input, [0x55; 2]);
    assert_eq!(transfer(&mut target, 0x48, &[], &mut []), Ok(()), "asked whether it is there");
}

#[test]
fn a_clock_that_stays_low_ends_the_transfer() {
    let mut target = Target { stretch: u32::MAX, ..Target::new() };
    assert_eq!(transfer(&mut target, 0x48, &[1], &mut []), Err(BusError::Stuck));
}
