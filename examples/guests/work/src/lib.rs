//! Computes what small programs compute: a list is sorted and searched, matrices are multiplied, text
//! goes through a state machine, and a checksum goes over all results. Says every second how often.
#![no_std]

use wasmbed_sdk::{Line, clock_monotonic_ms, entry, log, telemetry};

const REPORT_MS: u64 = 1_000;
const LIST: usize = 32;
const SIDE: usize = 8;
const TEXT: &[u8] = b"17,-4,+2048,0x,3.14,99999,,-1,12e5,7,end";

entry!(run);

fn run() {
    let mut since_ms = clock_monotonic_ms();
    let mut rounds: u32 = 0;
    let mut seed: u32 = 1;
    loop {
        let sum = round(seed);
        seed = sum;
        rounds += 1;
        let now_ms = clock_monotonic_ms();
        if now_ms - since_ms >= REPORT_MS {
            let line = *Line::<48>::new().number(rounds).text(" rounds, checksum ").number(sum);
            log(line.as_str());
            // A value that is lost is followed by the next one.
            let _ = telemetry("work/rounds", rounds.into());
            since_ms = now_ms;
            rounds = 0;
        }
    }
}

/// One round; its checksum is the seed of the next.
fn round(seed: u32) -> u32 {
    let mut numbers = Numbers(seed | 1);
    let mut sum = 0xffff_ffff;
    sum = checksum(sum, sorted_middle(&mut numbers));
    sum = checksum(sum, product_trace(&mut numbers));
    for count in classes() {
        sum = checksum(sum, count);
    }
    sum
}

/// A generator by xorshift.
struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}

/// Sorts a list by insertion, and answers what is in its middle.
fn sorted_middle(numbers: &mut Numbers) -> u32 {
    let mut list = [0_u32; LIST];
    for length in 0..LIST {
        let value = numbers.next();
        let mut place = length;
        while place > 0 && list[place - 1] > value {
            list[place] = list[place - 1];
            place -= 1;
        }
        list[place] = value;
    }
    list[LIST / 2]
}

/// Multiplies two matrices, and adds up the diagonal.
fn product_trace(numbers: &mut Numbers) -> u32 {
    let mut left = [[0_i32; SIDE]; SIDE];
    let mut right = [[0_i32; SIDE]; SIDE];
    for (row, other) in left.iter_mut().zip(&mut right) {
        for (cell, twin) in row.iter_mut().zip(other) {
            *cell = (numbers.next() & 0xff) as i32;
            *twin = (numbers.next() & 0xff) as i32;
        }
    }
    let mut trace = 0_i32;
    for (index, row) in left.iter().enumerate() {
        let products = row.iter().zip(&right).map(|(cell, other)| cell.wrapping_mul(other[index]));
        trace = products.fold(trace, i32::wrapping_add);
    }
    trace as u32
}

/// Where a word of the text stands.
#[derive(Clone, Copy)]
enum State {
    Start,
    Sign,
    Whole,
    Fraction,
    Other,
}

/// How many words are empty, whole numbers, fractions, and other things.
fn classes() -> [u32; 4] {
    let mut counts = [0; 4];
    let mut state = State::Start;
    for byte in TEXT.iter().chain(b",") {
        state = match (state, byte) {
            (_, b',') => {
                counts[match state {
                    State::Start => 0,
                    State::Whole => 1,
                    State::Fraction => 2,
                    State::Sign | State::Other => 3,
                }] += 1;
                State::Start
            }
            (State::Start, b'+' | b'-') => State::Sign,
            (State::Start | State::Sign | State::Whole, b'0'..=b'9') => State::Whole,
            (State::Whole, b'.') => State::Fraction,
            (State::Fraction, b'0'..=b'9') => State::Fraction,
            _ => State::Other,
        };
    }
    counts
}

/// CRC-32 of one word, bit by bit.
fn checksum(mut sum: u32, word: u32) -> u32 {
    sum ^= word;
    for _ in 0..32 {
        sum = sum >> 1 ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
    }
    sum
}
