//! Lines for people, on the console: time since boot, then the text. Numbers without `core::fmt`.

use crate::clock::CLOCK;
#[cfg(board_uplink = "ethernet")]
use crate::ports;
#[cfg(board_uplink = "ethernet")]
use wasmbed_hal::Serial;

/// A part of a line.
#[derive(Clone, Copy)]
pub enum Part<'a> {
    /// Text as it is.
    Text(&'a str),
    /// Bytes that are text, or should be.
    Bytes(&'a [u8]),
    /// A decimal number.
    Number(u64),
    /// A hexadecimal word with all its digits.
    Word(u32),
    /// An IPv4 address.
    #[cfg(board_uplink = "ethernet")]
    Address([u8; 4]),
}

/// Hands a part to `emit` in pieces.
pub fn spell(part: Part<'_>, emit: &mut impl FnMut(&[u8])) {
    match part {
        Part::Text(text) => emit(text.as_bytes()),
        Part::Bytes(bytes) => emit(bytes),
        Part::Number(number) => decimal(number, 1, emit),
        Part::Word(word) => {
            let mut digits = *b"0x00000000";
            for (index, digit) in digits.iter_mut().skip(2).enumerate() {
                let nibble = (word >> (28 - 4 * index)) as u8 & 15;
                *digit = if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble };
            }
            emit(&digits);
        }
        #[cfg(board_uplink = "ethernet")]
        Part::Address(address) => {
            for (index, byte) in address.into_iter().enumerate() {
                if index > 0 {
                    emit(b".");
                }
                decimal(u64::from(byte), 1, emit);
            }
        }
    }
}

/// Spells a number with at least `digits` digits.
fn decimal(mut number: u64, digits: usize, emit: &mut impl FnMut(&[u8])) {
    let mut text = [b'0'; 20];
    let mut start = text.len();
    while number > 0 || start > text.len() - digits {
        start -= 1;
        text[start] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    emit(&text[start..]);
}

/// Hands a whole line to `emit`: time, parts, end of line.
pub fn line(parts: &[Part<'_>], emit: &mut impl FnMut(&[u8])) {
    let now_ms = CLOCK.now_ms();
    emit(b"[");
    decimal(now_ms / 1_000, 1, emit);
    emit(b".");
    decimal(now_ms % 1_000, 3, emit);
    emit(b"] ");
    for part in parts {
        spell(*part, emit);
    }
    emit(b"\r\n");
}

/// Shows a line. What still does not fit the queue after some milliseconds is dropped: a console that
/// nobody reads must not stop a device. Time alone drops nothing, because an emulator's clock also
/// runs while the emulator does not.
#[cfg(board_uplink = "ethernet")]
pub fn say(parts: &[Part<'_>]) {
    const PATIENCE_US: u64 = 20_000;
    let end = CLOCK.now_us() + PATIENCE_US;
    line(parts, &mut |bytes| {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = ports::CONSOLE.write(rest);
            rest = &rest[taken..];
            if taken == 0 && CLOCK.now_us() >= end {
                break;
            }
        }
    });
}

/// Shows a line in a frame of the uplink's console channel.
#[cfg(board_uplink = "serial")]
pub fn say(parts: &[Part<'_>]) {
    crate::uplink::console(parts);
}
