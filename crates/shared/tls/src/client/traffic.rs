//! Records once they are whole: decrypting, alerts, key updates; and everything that is queued.

use super::{Client, Closed, Phase, RECORD_BYTES_MAX, Session};
use crate::error::Error;
use crate::hello::{KEY_UPDATE, NEW_SESSION_TICKET};
use crate::limits::{CHANGE_CIPHER_SPECS_MAX, HEADER_BYTES, SEAL_BYTES, TICKET_BYTES_MAX};
use crate::record::{self, ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE};
use crate::schedule;

/// The alert that ends a session in good order.
///
/// # Source
/// RFC 8446, section 6.1.
pub(super) const CLOSE_NOTIFY: u8 = 0;
/// The alert that announces a close_notify before the handshake is over.
const USER_CANCELED: u8 = 90;

/// Alert levels. They mean nothing in TLS 1.3 but have to be there.
const WARNING: u8 = 1;
const FATAL: u8 = 2;

/// A handshake message after the handshake, as far as it has arrived. None is ever kept whole.
pub(super) struct PostHandshake {
    /// Type, length and the one byte of a KeyUpdate.
    head: [u8; 5],
    head_bytes: u8,
    /// Bytes of a NewSessionTicket still to be passed over.
    skip_bytes: u32,
}

impl PostHandshake {
    pub(super) const fn new() -> Self {
        Self { head: [0; 5], head_bytes: 0, skip_bytes: 0 }
    }

    const fn is_between_messages(&self) -> bool {
        self.head_bytes == 0 && self.skip_bytes == 0
    }

    /// Takes one byte; what a KeyUpdate says, when it ends with this byte.
    fn push(&mut self, byte: u8) -> Result<Option<u8>, Error> {
        if self.skip_bytes > 0 {
            self.skip_bytes -= 1;
            return Ok(None);
        }
        if let Some(slot) = self.head.get_mut(usize::from(self.head_bytes)) {
            *slot = byte;
        }
        self.head_bytes += 1;
        let [kind, high, middle, low, request] = self.head;
        if self.head_bytes < 4 {
            return Ok(None);
        }
        let body_bytes = u32::from_be_bytes([0, high, middle, low]);
        match (kind, body_bytes) {
            (KEY_UPDATE, 1) if self.head_bytes == 4 => return Ok(None),
            (KEY_UPDATE, 1) => {
                self.head_bytes = 0;
                return if request <= 1 { Ok(Some(request)) } else { Err(Error::IllegalParameter) };
            }
            (KEY_UPDATE, _) => return Err(Error::Decode),
            (NEW_SESSION_TICKET, ..=TICKET_BYTES_MAX) => self.skip_bytes = body_bytes,
            (NEW_SESSION_TICKET, _) => return Err(Error::MessageTooLarge),
            _ => return Err(Error::UnexpectedMessage),
        }
        self.head_bytes = 0;
        Ok(None)
    }
}

impl Client {
    /// Decrypts the record that has arrived and acts on what it holds.
    #[inline(never)]
    pub(super) fn open_record(&mut self) -> Result<(), Error> {
        let start = usize::from(self.held);
        let end = start + usize::from(self.arrived);
        let record = self.buffer.get_mut(start..end).ok_or(Error::Decode)?;
        let outer = record.first().copied().unwrap_or(0);
        let is_handshake = !matches!(self.phase, Phase::Open | Phase::Closed);
        let keys = &mut self.session.read;
        let (kind, content_bytes) = match (outer, keys.is_set) {
            (CHANGE_CIPHER_SPEC, _) if is_handshake && self.held == 0 => {
                self.session.pass_change_cipher_spec(record)?;
                self.arrived = 0;
                return Ok(());
            }
            (ALERT | HANDSHAKE, false) => (outer, record.len().saturating_sub(HEADER_BYTES)),
            (APPLICATION_DATA, true) => record::open(record, keys)?,
            _ => return Err(Error::UnexpectedMessage),
        };
        self.arrived = 0;
        let content = start + HEADER_BYTES..start + HEADER_BYTES + content_bytes;
        // Nothing may come between the parts of a handshake message.
        let is_between =
            if is_handshake { self.held == 0 } else { self.session.post.is_between_messages() };
        match kind {
            HANDSHAKE if content_bytes == 0 => return Err(Error::UnexpectedMessage),
            HANDSHAKE if !is_handshake => {
                let bytes = self.buffer.get(content).unwrap_or(&[]);
                return self.session.take_post_handshake(bytes);
            }
            HANDSHAKE => {}
            ALERT if is_between => return self.take_alert(start + HEADER_BYTES, content_bytes),
            APPLICATION_DATA if is_between && !is_handshake => {}
            _ => return Err(Error::UnexpectedMessage),
        }
        self.buffer.copy_within(content, start);
        self.held += content_bytes as u16;
        Ok(())
    }

    fn take_alert(&mut self, start: usize, content_bytes: usize) -> Result<(), Error> {
        let content = self.buffer.get(start..start + content_bytes).unwrap_or(&[]);
        match content {
            [] => Err(Error::UnexpectedMessage),
            [_, CLOSE_NOTIFY] => {
                self.end(Closed::Peer, Some(CLOSE_NOTIFY));
                Ok(())
            }
            [_, USER_CANCELED] => Ok(()),
            [_, description] => {
                let description = *description;
                self.end(Closed::PeerAlert(description), None);
                Ok(())
            }
            _ => Err(Error::Decode),
        }
    }

    /// Sends the KeyUpdate that is due and changes our key. Whether one was.
    pub(super) fn send_key_update(&mut self) -> bool {
        let Some(request) = self.session.update_due else { return false };
        if self.out_start != self.out_end || !self.queue(HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, request])
        {
            return false;
        }
        self.session.update_due = None;
        self.session.client = schedule::next_secret(&self.session.client);
        self.session.write.set(&self.session.client);
        true
    }

    /// Queues an alert behind whatever else is queued.
    pub(super) fn queue_alert(&mut self, description: u8) {
        let level = if description == CLOSE_NOTIFY { WARNING } else { FATAL };
        self.queue(ALERT, &[level, description]);
    }

    /// Queues a short record: before the room of the alert, or the alert itself. Whether there was
    /// room for it.
    fn queue(&mut self, kind: u8, content: &[u8]) -> bool {
        let start = match (kind, self.out_start == self.out_end) {
            (ALERT, true) => RECORD_BYTES_MAX,
            (_, true) => RECORD_BYTES_MAX - HEADER_BYTES - SEAL_BYTES - content.len(),
            (_, false) => usize::from(self.out_end),
        };
        let target = self.buffer.get_mut(start + HEADER_BYTES..);
        let target = target.and_then(|room| room.get_mut(..content.len()));
        let Some(target) = target else { return false };
        if start < usize::from(self.held + self.arrived) {
            return false;
        }
        target.copy_from_slice(content);
        self.seal_at(start, kind, content.len())
    }

    /// Makes a record of the content that lies behind the place of its header at `start`, and queues
    /// it. Whether there was room for its end.
    #[inline(never)]
    pub(super) fn seal_at(&mut self, start: usize, kind: u8, content_bytes: usize) -> bool {
        let room = self.buffer.get_mut(start..).unwrap_or(&mut []);
        let record_bytes = record::seal(room, kind, content_bytes, &mut self.session.write);
        if self.out_start == self.out_end {
            self.out_start = start as u16;
        }
        self.out_end = (start + record_bytes) as u16;
        record_bytes > 0
    }
}

impl Session {
    /// Lets a ChangeCipherSpec pass: it means nothing, but some servers send one.
    ///
    /// # Source
    /// RFC 8446, section 5.
    fn pass_change_cipher_spec(&mut self, record: &[u8]) -> Result<(), Error> {
        let is_well_formed = record.get(HEADER_BYTES..) == Some(&[1]);
        if !is_well_formed || self.change_cipher_specs >= CHANGE_CIPHER_SPECS_MAX {
            return Err(Error::UnexpectedMessage);
        }
        self.change_cipher_specs += 1;
        Ok(())
    }

    /// Takes handshake bytes after the handshake: tickets are passed over, keys are updated.
    fn take_post_handshake(&mut self, content: &[u8]) -> Result<(), Error> {
        let mut bytes = content.iter();
        while let Some(byte) = bytes.next() {
            let Some(request) = self.post.push(*byte)? else { continue };
            // The next record has new keys, so nothing may follow in this one.
            if bytes.next().is_some() {
                return Err(Error::UnexpectedMessage);
            }
            self.server = schedule::next_secret(&self.server);
            self.read.set(&self.server);
            if request == 1 && self.update_due.is_none() {
                self.update_due = Some(0);
            }
        }
        Ok(())
    }
}
