//! Messages between guests of one device, and with the cloud.

use crate::error::{Error, count, done};
use crate::imports;

/// Longest topic.
pub const TOPIC_BYTES_MAX: usize = 32;

/// Longest payload.
pub const PAYLOAD_BYTES_MAX: usize = 256;

/// Bytes of a buffer that takes any message.
pub const BUFFER_BYTES: usize = 1 + TOPIC_BYTES_MAX + PAYLOAD_BYTES_MAX;

/// A message as it came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message<'a> {
    /// What it is about.
    pub topic: &'a str,
    /// What it says.
    pub payload: &'a [u8],
}

/// Sends a message to every guest of this device that receives its topic, and to the cloud. Needs
/// the capability `send`, which may be narrowed to topics that begin alike.
///
/// # Errors
/// [`Error::Dropped`] if there was no room, [`Error::Refused`] for another topic than granted,
/// [`Error::TooOften`] above the granted rate.
pub fn send(topic: &str, payload: &[u8]) -> Result<(), Error> {
    // SAFETY: the device reads exactly these bytes, during the call.
    done(unsafe {
        imports::message_send(topic.as_ptr(), topic.len(), payload.as_ptr(), payload.len())
    })
}

/// Waits for the next message. Needs the capability `receive`, which says the topics.
///
/// # Errors
/// [`Error::Timeout`] if none came in time; [`Error::TooSmall`] if `buffer` does not hold it
/// ([`BUFFER_BYTES`] hold any), and the message stays.
pub fn receive(buffer: &mut [u8], timeout_ms: u32) -> Result<Message<'_>, Error> {
    // SAFETY: the device writes inside of these bytes only, during the call.
    let answer = unsafe { imports::message_receive(buffer.as_mut_ptr(), buffer.len(), timeout_ms) };
    let bytes = count(answer)? as usize;
    split(buffer.get(..bytes).unwrap_or(&[])).ok_or(Error::Failed)
}

/// Takes a message apart: the length of its topic in one byte, the topic, the payload.
fn split(bytes: &[u8]) -> Option<Message<'_>> {
    let (topic_bytes, rest) = bytes.split_first()?;
    let (topic, payload) = rest.split_at_checked(usize::from(*topic_bytes))?;
    // SAFETY: a device takes no topic that is not UTF-8 (docs/abi.md), and so gives none.
    Some(Message { topic: unsafe { core::str::from_utf8_unchecked(topic) }, payload })
}

#[cfg(test)]
mod tests;
