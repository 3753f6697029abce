//! Properties that hold for any bytes on a line. Fuzz targets and tests call them.

use crate::flash::{AnswerParser, Command, RequestParser};
use crate::limits::FLASH_DATA_BYTES_MAX;
use crate::uplink::{Device, Event, Host, HostEvent};

#[cfg(test)]
mod tests;

/// Whatever a device sends, a request that is understood keeps to its bounds.
pub fn flash_requests(bytes: &[u8]) {
    let mut parser = RequestParser::new();
    for byte in bytes {
        let data_bytes = match parser.push(*byte) {
            Some((_, Command::Read { length, .. })) => usize::from(length),
            Some((_, Command::Program { data, .. })) => data.len(),
            Some((_, Command::Erase { .. } | Command::Sync { .. })) | None => 0,
        };
        assert!(data_bytes <= FLASH_DATA_BYTES_MAX);
    }
}

/// Whatever a host answers, no more is taken than there is room for.
pub fn flash_answers(bytes: &[u8]) {
    let mut target = [0; 64];
    let mut parser = AnswerParser::new(1);
    for byte in bytes {
        if let Some(answer) = parser.push(*byte, &mut target) {
            assert!(answer.data_bytes <= target.len());
        }
    }
}

/// Whatever a device sends, a host gives back no more than it was granted.
pub fn uplink_host(bytes: &[u8]) {
    let mut host = Host::new();
    for byte in bytes {
        let taken = match host.receive(*byte) {
            Some(HostEvent::Session(payload)) => payload.len(),
            _ => 0,
        };
        host.release(taken);
        while host.control().is_some() {}
        let mut sent = 0;
        while let Some(frame) = host.session(&[0x55; 200]) {
            sent += frame.payload().len();
            assert!(sent <= usize::from(u16::MAX));
        }
    }
}

/// Whatever a host sends, a device takes no payload longer than its buffer, and opens no session
/// without its nonce.
pub fn uplink_device(bytes: &[u8]) {
    let mut device = Device::<48>::new(224);
    device.start(*b"8 random");
    for byte in bytes {
        match device.receive(*byte) {
            Some(Event::Session(payload)) => assert!(payload.len() <= 48),
            Some(Event::Open) => assert!(bytes.windows(8).any(|part| part == b"8 random")),
            Some(Event::Closed(_) | Event::Lost) => {
                device.start(*b"8 random");
            }
            None => {}
        }
        if let Some(frame) = device.credit() {
            assert!(frame.bytes().len() <= 19);
        }
    }
}
