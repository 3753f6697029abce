//! The session: its buffer, what the caller may do, and which step comes next.
//!
//! The handshake's messages are in `handshake`, what follows it in `traffic`.

use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use wasmbed_curve::ed25519;

use crate::certificate::Validity;
use crate::error::Error;
use crate::limits::{
    BUFFER_BYTES, ENTROPY_BYTES, HEADER_BYTES, MESSAGE_BYTES_MAX, RECORD_BYTES_MAX, SEAL_BYTES,
};
use crate::record;
use crate::schedule::{HASH_BYTES, Hash, TrafficKeys};

mod handshake;
mod traffic;

#[cfg(test)]
mod tests;

/// Who the client is, and whom it believes. A view: the caller makes it for each step.
#[derive(Clone, Copy)]
pub struct Config<'a> {
    /// The device's identity.
    pub key: &'a ed25519::Key,
    /// Ed25519 public keys of the authorities that may sign the server's certificate, at most
    /// [`crate::limits::PINS_MAX`].
    pub pins: &'a [[u8; 32]],
    /// The one name that the server's certificate holds, in lower case.
    pub server_name: &'a str,
    /// Protocols offered by ALPN, best first; one of them has to be chosen. None are asked for if
    /// this is empty. Each has 1 to 255 bytes.
    pub alpn: &'a [&'a [u8]],
}

/// How a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Closed {
    /// By [`Client::close`].
    Local,
    /// By the server, in good order.
    Peer,
    /// By the server, with this alert.
    PeerAlert(u8),
    /// By us, because of this. [`Error::alert`] is what the server is told.
    Failed(Error),
}

/// Where a session is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Not started.
    Idle,
    /// Before the first data.
    Handshaking,
    /// The server is who it should be; data flows.
    Open,
    /// Over; an alert may still wait in [`Client::outgoing`].
    Closed(Closed),
}

/// What the session does next or waits for. Idle is zero, so that a static client needs no flash.
#[derive(Clone, Copy, Eq, PartialEq)]
#[repr(u8)]
enum Phase {
    Idle,
    SendHello,
    AwaitHello,
    AwaitExtensions,
    AwaitRequest,
    AwaitCertificate,
    AwaitVerify,
    AwaitFinished,
    SendFlight,
    Open,
    Closed,
}

/// A TLS session, or the place for one: about 1 KB, so it wants to be static.
///
/// # Layout
/// The buffer holds, from its start: `held` bytes that are not used up yet (handshake messages during
/// the handshake, data afterwards), then `arrived` bytes of the record being received. What is to be
/// sent lies from `out_start` to `out_end`, always behind them; the room of one alert follows it.
pub struct Client {
    phase: Phase,
    /// How the session ended, in the phase `Closed`.
    closed: Closed,
    held: u16,
    arrived: u16,
    out_start: u16,
    out_end: u16,
    session: Session,
    buffer: [u8; BUFFER_BYTES],
}

/// Secrets and progress of a session.
struct Session {
    /// Our X25519 secret; then our handshake, then our application traffic secret.
    client: Hash,
    /// Our random number; then the server's handshake, then its application traffic secret.
    server: Hash,
    /// The master secret; between Finished and our answer, our coming application traffic secret.
    master: Hash,
    leaf_key: [u8; 32],
    read: TrafficKeys,
    write: TrafficKeys,
    transcript: Option<Sha256>,
    validity: Option<Validity>,
    protocol: Option<u8>,
    /// A HelloRetryRequest was answered.
    is_retried: bool,
    change_cipher_specs: u8,
    /// The number of the pin that the leaf is checked against next.
    pin: u8,
    /// A KeyUpdate to send, with what it says: 0 answers one, 1 asks for one.
    update_due: Option<u8>,
    post: traffic::PostHandshake,
    #[cfg(feature = "keylog")]
    log: crate::keylog::KeyLog,
}

impl Client {
    /// No session yet.
    pub const fn new() -> Self {
        Self {
            phase: Phase::Idle,
            closed: Closed::Local,
            held: 0,
            arrived: 0,
            out_start: 0,
            out_end: 0,
            session: Session::new(),
            buffer: [0; BUFFER_BYTES],
        }
    }

    /// Begins a new session, whatever was before. `entropy` must be fresh and random.
    pub fn start(&mut self, entropy: &[u8; ENTROPY_BYTES]) {
        self.session.wipe();
        self.buffer.zeroize();
        (self.held, self.arrived, self.out_start, self.out_end) = (0, 0, 0, 0);
        if let Some((random, secret)) = entropy.split_first_chunk() {
            self.session.server = *random;
            for (target, byte) in self.session.client.iter_mut().zip(secret) {
                *target = *byte;
            }
        }
        #[cfg(feature = "keylog")]
        {
            self.session.log.client_random = self.session.server;
        }
        self.phase = Phase::SendHello;
    }

    /// Does one bounded piece of work, at most one curve operation (1.9 M instructions). Whether it
    /// did anything: if not, there is nothing to do before more bytes arrive or are sent.
    ///
    /// The certificate's dates are checked if `now_unix` is known; see [`Self::validity`].
    pub fn step(&mut self, config: &Config<'_>, now_unix: Option<u64>) -> bool {
        match self.progress(config, now_unix) {
            Ok(worked) => worked,
            Err(error) => {
                self.fail(error);
                true
            }
        }
    }

    fn progress(&mut self, config: &Config<'_>, now_unix: Option<u64>) -> Result<bool, Error> {
        match self.phase {
            Phase::Idle | Phase::Closed => return Ok(false),
            Phase::SendHello => return self.send_hello(config, 0).map(|()| true),
            Phase::SendFlight => return Ok(self.send_flight(config)),
            _ => {}
        }
        if self.send_key_update() {
            return Ok(true);
        }
        if let Some(message_bytes) = self.message_bytes()? {
            self.handle_message(message_bytes, config, now_unix)?;
            return Ok(true);
        }
        if self.is_record_whole() {
            self.open_record()?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Takes bytes from the wire, at most to the end of one record, and returns how many. Fewer than
    /// given means that [`Self::step`] or [`Self::consume`] has to make room.
    pub fn receive(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while let Some(wanted) = self.wanted_bytes() {
            let rest = bytes.get(taken..).unwrap_or(&[]);
            let count = wanted.min(rest.len());
            let start = usize::from(self.held + self.arrived);
            let (Some(source), Some(target)) =
                (rest.get(..count), self.buffer.get_mut(start..start + count))
            else {
                break;
            };
            if count == 0 {
                break;
            }
            target.copy_from_slice(source);
            self.arrived += count as u16;
            taken += count;
            if usize::from(self.arrived) == HEADER_BYTES
                && let Err(error) = self.check_header()
            {
                self.fail(error);
            }
        }
        taken
    }

    /// How many bytes may be received now without going past the header or the record; `None` for
    /// none at all.
    fn wanted_bytes(&self) -> Option<usize> {
        if matches!(self.phase, Phase::Idle | Phase::SendHello | Phase::SendFlight | Phase::Closed)
            || self.message_bytes() != Ok(None)
        {
            return None;
        }
        let arrived = usize::from(self.arrived);
        let record_bytes = match self.record_header() {
            None => HEADER_BYTES,
            Some((_, body_bytes)) => HEADER_BYTES + body_bytes,
        };
        let is_room = usize::from(self.held) + record_bytes <= self.room_bytes();
        (arrived < record_bytes && is_room).then_some(record_bytes - arrived)
    }

    /// Bytes of the buffer that received data may fill.
    fn room_bytes(&self) -> usize {
        let is_sending = self.out_start < self.out_end;
        match self.phase {
            _ if is_sending => usize::from(self.out_start),
            // What is held stays when the session ends, and an alert may follow it.
            Phase::Open => RECORD_BYTES_MAX,
            _ => BUFFER_BYTES,
        }
    }

    /// Refuses a record as soon as its header tells that it cannot be taken.
    fn check_header(&self) -> Result<(), Error> {
        let start = usize::from(self.held);
        let header = self.buffer.get(start..).and_then(<[u8]>::first_chunk);
        let (_, body_bytes) = record::parse_header(*header.ok_or(Error::Decode)?)?;
        let is_handshake = self.phase != Phase::Open;
        if is_handshake && start + HEADER_BYTES + body_bytes > BUFFER_BYTES {
            return Err(Error::MessageTooLarge);
        }
        Ok(())
    }

    /// Type and body length of the record being received, once its header is there.
    fn record_header(&self) -> Option<(u8, usize)> {
        if usize::from(self.arrived) < HEADER_BYTES {
            return None;
        }
        let header = self.buffer.get(usize::from(self.held)..)?.first_chunk()?;
        record::parse_header(*header).ok()
    }

    fn is_record_whole(&self) -> bool {
        self.record_header()
            .is_some_and(|(_, body_bytes)| usize::from(self.arrived) == HEADER_BYTES + body_bytes)
    }

    /// Bytes of the handshake message that `held` begins with, once it is whole.
    fn message_bytes(&self) -> Result<Option<usize>, Error> {
        if matches!(self.phase, Phase::Open | Phase::SendFlight | Phase::Closed) {
            return Ok(None);
        }
        let held = self.buffer.get(..usize::from(self.held)).unwrap_or(&[]);
        let Some([_, high, middle, low]) = held.first_chunk() else { return Ok(None) };
        let bytes = 4 + u32::from_be_bytes([0, *high, *middle, *low]) as usize;
        if bytes > MESSAGE_BYTES_MAX {
            return Err(Error::MessageTooLarge);
        }
        Ok((bytes <= held.len()).then_some(bytes))
    }

    /// Bytes for the wire.
    pub fn outgoing(&self) -> &[u8] {
        self.buffer.get(usize::from(self.out_start)..usize::from(self.out_end)).unwrap_or(&[])
    }

    /// Drops the first `bytes` of [`Self::outgoing`], which were sent.
    pub fn sent(&mut self, bytes: usize) {
        let count = bytes.min(self.outgoing().len());
        self.out_start += count as u16;
        if self.out_start == self.out_end {
            (self.out_start, self.out_end) = (0, 0);
        }
    }

    /// Data received and not consumed yet. It stays in place and what follows is put behind it.
    pub fn plaintext(&self) -> &[u8] {
        let held = match self.state() {
            State::Open | State::Closed(_) => usize::from(self.held),
            State::Idle | State::Handshaking => 0,
        };
        self.buffer.get(..held).unwrap_or(&[])
    }

    /// Drops the first `bytes` of [`Self::plaintext`].
    pub fn consume(&mut self, bytes: usize) {
        let count = bytes.min(self.plaintext().len());
        self.drop_held(count);
    }

    /// Drops the first `count` bytes of what is held and moves the rest down.
    fn drop_held(&mut self, count: usize) {
        let end = usize::from(self.held + self.arrived);
        if count <= usize::from(self.held) && end <= self.buffer.len() {
            self.buffer.copy_within(count..end, 0);
            self.held -= count as u16;
        }
    }

    /// Encrypts the first bytes of `plaintext`, at most [`crate::limits::WRITE_BYTES_MAX`], and returns how many.
    /// None unless the session is open and [`Self::outgoing`] is empty; fewer while a part of a
    /// record has arrived or data waits to be consumed.
    pub fn write(&mut self, plaintext: &[u8]) -> usize {
        let count = plaintext.len().min(self.room().len());
        let (Some(source), Some(target)) = (plaintext.get(..count), self.room().get_mut(..count))
        else {
            return 0;
        };
        target.copy_from_slice(source);
        self.send(count);
        count
    }

    /// Where the plaintext of the next record may be put, for [`Self::send`]: at most
    /// [`crate::limits::WRITE_BYTES_MAX`], less what has arrived, and nothing when nothing can be sent.
    pub fn room(&mut self) -> &mut [u8] {
        let is_free = self.out_start == self.out_end && self.session.update_due.is_none();
        if self.phase != Phase::Open || !is_free {
            return &mut [];
        }
        let start = usize::from(self.held + self.arrived) + HEADER_BYTES;
        self.buffer.get_mut(start..RECORD_BYTES_MAX - SEAL_BYTES).unwrap_or(&mut [])
    }

    /// Encrypts the first `count` bytes of [`Self::room`].
    pub fn send(&mut self, count: usize) {
        if count == 0 || count > self.room().len() {
            return;
        }
        let start = usize::from(self.held + self.arrived);
        // To the end: what arrives goes on behind what has.
        let target = RECORD_BYTES_MAX - HEADER_BYTES - SEAL_BYTES - count;
        let content = start + HEADER_BYTES..start + HEADER_BYTES + count;
        self.buffer.copy_within(content, target + HEADER_BYTES);
        self.seal_at(target, record::APPLICATION_DATA, count);
    }

    /// Asks for new keys in both directions.
    pub fn update_keys(&mut self) {
        if self.phase == Phase::Open {
            self.session.update_due = Some(1);
        }
    }

    /// Ends the session in good order: queues close_notify and wipes the keys.
    pub fn close(&mut self) {
        if self.phase != Phase::Closed {
            self.end(Closed::Local, Some(traffic::CLOSE_NOTIFY));
        }
    }

    /// Where the session is.
    pub const fn state(&self) -> State {
        match self.phase {
            Phase::Idle => State::Idle,
            Phase::Open => State::Open,
            Phase::Closed => State::Closed(self.closed),
            _ => State::Handshaking,
        }
    }

    /// The number of the protocol that the server chose from [`Config::alpn`].
    pub const fn alpn(&self) -> Option<u8> {
        match self.phase {
            Phase::Open => self.session.protocol,
            _ => None,
        }
    }

    /// When the server's certificate is valid, once the session is open: a caller who learns the
    /// time only from the server checks it then, and believes no time past `not_after`.
    pub const fn validity(&self) -> Option<Validity> {
        match self.phase {
            Phase::Open => self.session.validity,
            _ => None,
        }
    }

    /// The secrets of this session.
    #[cfg(feature = "keylog")]
    pub const fn key_log(&self) -> &crate::keylog::KeyLog {
        &self.session.log
    }

    /// Ends the session because of `error`.
    #[cold]
    fn fail(&mut self, error: Error) {
        self.end(Closed::Failed(error), Some(error.alert()));
    }

    /// Ends the session. Data that was received stays to be read; all else is wiped.
    #[inline(never)]
    fn end(&mut self, reason: Closed, alert: Option<u8>) {
        if self.phase != Phase::Open {
            self.held = 0;
        }
        self.arrived = 0;
        if let Some(alert) = alert
            && !matches!(self.phase, Phase::Idle | Phase::SendHello)
        {
            self.queue_alert(alert);
        }
        self.session.wipe();
        self.phase = Phase::Closed;
        self.closed = reason;
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.session.wipe();
        self.buffer.zeroize();
    }
}

impl Session {
    const fn new() -> Self {
        Self {
            client: [0; HASH_BYTES],
            server: [0; HASH_BYTES],
            master: [0; HASH_BYTES],
            leaf_key: [0; 32],
            read: TrafficKeys::new(),
            write: TrafficKeys::new(),
            transcript: None,
            validity: None,
            protocol: None,
            is_retried: false,
            change_cipher_specs: 0,
            pin: 0,
            update_due: None,
            post: traffic::PostHandshake::new(),
            #[cfg(feature = "keylog")]
            log: crate::keylog::KeyLog::new(),
        }
    }

    /// Forgets everything, field by field: a whole new session on the stack would cost 400 bytes.
    fn wipe(&mut self) {
        self.client.zeroize();
        self.server.zeroize();
        self.master.zeroize();
        self.leaf_key = [0; 32];
        self.read.wipe();
        self.write.wipe();
        self.transcript = None;
        self.validity = None;
        self.protocol = None;
        self.is_retried = false;
        self.change_cipher_specs = 0;
        self.pin = 0;
        self.update_due = None;
        self.post = traffic::PostHandshake::new();
    }

    /// Appends a message to the transcript.
    #[inline(never)]
    fn record(&mut self, message: &[u8]) {
        self.transcript.get_or_insert_with(Sha256::new).update(message);
    }

    /// The hash of the messages so far.
    #[inline(never)]
    fn transcript_hash(&self) -> Hash {
        self.transcript.clone().unwrap_or_default().finalize().into()
    }
}
