//! The serial port of the board file's flash, as `link` wants it.

use crate::{clock, limits, ports};
use wasmbed_hal::Serial;
use wasmbed_link::flash::Port;

/// The flash line.
pub struct StoragePort;

impl Port for StoragePort {
    fn send(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = ports::STORAGE.write(rest);
            rest = &rest[taken..];
            if !rest.is_empty() {
                clock::sleep(u64::MAX, || !ports::STORAGE.has_room());
            }
        }
    }

    fn receive(&mut self) -> Option<u8> {
        clock::wait(limits::SILENCE_US, || !ports::STORAGE.has_received(), || ports::STORAGE.read())
    }

    fn nonce(&mut self) -> u32 {
        let mut bytes = [0; 4];
        // Without randomness the time since boot still tells most lives of a device apart.
        if !ports::random(&mut bytes) {
            return clock::CLOCK.now_us() as u32;
        }
        u32::from_le_bytes(bytes)
    }
}
