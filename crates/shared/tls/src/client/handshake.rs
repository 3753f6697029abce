//! The handshake: what is done with each message of the server, and the client's own two flights.

use subtle::ConstantTimeEq;
use wasmbed_curve::{ed25519::Challenge, x25519};
use zeroize::Zeroize;

use super::{Client, Config, Phase, Session};
use crate::certificate::Leaf;
use crate::error::Error;
use crate::flight::{self, CERTIFICATE_HEAD, FINISHED_HEAD, PUBLIC_KEY_INFO, VERIFY_HEAD};
use crate::hello::{self, ServerHello};
use crate::limits::{HEADER_BYTES, PINS_MAX, RECORD_BYTES_MAX, SEAL_BYTES};
use crate::schedule::{self, HASH_BYTES};
use crate::{bytes::Writer, record};

/// Bytes of a handshake message's type and length.
const MESSAGE_HEAD_BYTES: usize = 4;

/// Bytes of the one record with Certificate, CertificateVerify and Finished.
const FLIGHT_RECORD_BYTES: usize = HEADER_BYTES
    + (CERTIFICATE_HEAD.len() + PUBLIC_KEY_INFO.len() + 32 + 2)
    + (VERIFY_HEAD.len() + 64)
    + (FINISHED_HEAD.len() + HASH_BYTES)
    + SEAL_BYTES;

/// What to do after a message was looked at.
enum Next {
    /// It is done with; wait for the next one.
    Await(Phase),
    /// As `Await`, but the keys change, so nothing may follow it in its record.
    ChangeKeys(Phase),
    /// It is a HelloRetryRequest: answer it.
    Retry,
    /// Look at it again in the next step.
    Again,
}

impl Client {
    /// Sends a ClientHello: the first, or after a HelloRetryRequest of `retry_bytes` bytes, which the
    /// buffer begins with. One curve operation.
    #[inline(never)]
    pub(super) fn send_hello(
        &mut self,
        config: &Config<'_>,
        retry_bytes: usize,
    ) -> Result<(), Error> {
        let public = x25519::public_key(&self.session.client);
        // Behind the retry, which holds the cookie.
        let start = retry_bytes;
        let mut cookie = [0; 0].as_slice();
        let (head, room) = self.buffer.split_at_mut_checked(start).ok_or(Error::HelloTooLarge)?;
        if let Some(body) = head.get(MESSAGE_HEAD_BYTES..retry_bytes)
            && let ServerHello::Retry(found) = hello::parse_server_hello(body)?
        {
            cookie = found;
        }
        let room_bytes = room.len().min(RECORD_BYTES_MAX);
        let target = room.get_mut(HEADER_BYTES..room_bytes).ok_or(Error::HelloTooLarge)?;
        let random = &self.session.server;
        let count = hello::write_client_hello(target, config, random, &public, cookie)
            .ok_or(Error::HelloTooLarge)?;
        self.session.record(target.get(..count).unwrap_or(&[]));
        // To the end, so that an early answer finds room.
        let end = (start + room_bytes).min(RECORD_BYTES_MAX).max(start + HEADER_BYTES + count);
        self.buffer.copy_within(start + HEADER_BYTES..start + HEADER_BYTES + count, end - count);
        self.seal_at(end - count - HEADER_BYTES, record::HANDSHAKE, count);
        self.phase = Phase::AwaitHello;
        Ok(())
    }

    /// Acts on the handshake message of `message_bytes` bytes that the buffer begins with.
    #[inline(never)]
    pub(super) fn handle_message(
        &mut self,
        message_bytes: usize,
        config: &Config<'_>,
        now_unix: Option<u64>,
    ) -> Result<(), Error> {
        let message = self.buffer.get(..message_bytes).unwrap_or(&[]);
        let body = message.get(MESSAGE_HEAD_BYTES..).unwrap_or(&[]);
        let kind = message.first().copied().unwrap_or(0);
        let session = &mut self.session;
        let next = match (self.phase, kind) {
            (Phase::AwaitHello, hello::SERVER_HELLO) => session.take_hello(message, body)?,
            (Phase::AwaitExtensions, hello::ENCRYPTED_EXTENSIONS) => {
                session.protocol = flight::parse_encrypted_extensions(body, config.alpn)?;
                session.record(message);
                Next::Await(Phase::AwaitRequest)
            }
            (Phase::AwaitRequest, hello::CERTIFICATE_REQUEST) => {
                flight::parse_certificate_request(body)?;
                session.record(message);
                Next::Await(Phase::AwaitCertificate)
            }
            // A certificate that nobody asked for in return: the server would not know the device.
            (Phase::AwaitRequest, hello::CERTIFICATE) => return Err(Error::NoClientAuthentication),
            (Phase::AwaitCertificate, hello::CERTIFICATE) => {
                session.take_certificate(message, body, config, now_unix)?
            }
            (Phase::AwaitVerify, hello::CERTIFICATE_VERIFY) => {
                session.check_verify(body)?;
                session.record(message);
                Next::Await(Phase::AwaitFinished)
            }
            (Phase::AwaitFinished, hello::FINISHED) => session.take_finished(message, body)?,
            _ => return Err(Error::UnexpectedMessage),
        };
        let is_last = message_bytes == usize::from(self.held);
        match next {
            Next::Again => return Ok(()),
            Next::ChangeKeys(_) | Next::Retry if !is_last => return Err(Error::UnexpectedMessage),
            Next::Await(phase) | Next::ChangeKeys(phase) => self.phase = phase,
            Next::Retry => self.send_hello(config, message_bytes)?,
        }
        self.drop_held(message_bytes);
        Ok(())
    }

    /// Sends Certificate, CertificateVerify and Finished as one record; the session is open then.
    /// Whether it did: not while the hello is still on its way. One curve operation.
    #[inline(never)]
    pub(super) fn send_flight(&mut self, config: &Config<'_>) -> bool {
        if self.out_start != self.out_end {
            return false;
        }
        let start = RECORD_BYTES_MAX - FLIGHT_RECORD_BYTES;
        let Some(room) = self.buffer.get_mut(start..) else { return false };
        let mut out = Writer::new(room);
        out.put(&[0; HEADER_BYTES]);
        self.session.put_certificate(config, &mut out);
        self.session.put_verify(config, &mut out);
        self.session.put_finished(&mut out);
        let content_bytes = out.finish().unwrap_or(0).saturating_sub(HEADER_BYTES);
        self.seal_at(start, record::HANDSHAKE, content_bytes);
        self.session.use_application_keys();
        self.phase = Phase::Open;
        true
    }
}

impl Session {
    #[inline(never)]
    fn take_hello(&mut self, message: &[u8], body: &[u8]) -> Result<Next, Error> {
        match hello::parse_server_hello(body)? {
            ServerHello::Retry(_) if self.is_retried => Err(Error::UnexpectedMessage),
            ServerHello::Retry(_) => {
                self.is_retried = true;
                // The first hello is remembered by its hash alone.
                let first = self.transcript_hash();
                self.transcript = None;
                self.record(&[hello::MESSAGE_HASH, 0, 0, HASH_BYTES as u8]);
                self.record(&first);
                self.record(message);
                Ok(Next::Retry)
            }
            ServerHello::Accept(share) => {
                self.record(message);
                self.agree(share)?;
                self.use_handshake_keys();
                Ok(Next::ChangeKeys(Phase::AwaitExtensions))
            }
        }
    }

    /// Leaves the handshake secret in the master secret's place. One curve operation.
    #[inline(never)]
    fn agree(&mut self, share: &[u8; 32]) -> Result<(), Error> {
        let mut agreed = x25519::shared(&self.client, share).ok_or(Error::IllegalParameter)?;
        self.master = schedule::handshake_secret(&agreed);
        agreed.zeroize();
        Ok(())
    }

    #[inline(never)]
    fn use_handshake_keys(&mut self) {
        let transcript = self.transcript_hash();
        self.client = schedule::derive(&self.master, b"c hs traffic", &transcript);
        self.server = schedule::derive(&self.master, b"s hs traffic", &transcript);
        self.master = schedule::master_secret(&self.master);
        self.read.set(&self.server);
        self.write.set(&self.client);
        #[cfg(feature = "keylog")]
        self.log_secrets(0, self.client, self.server);
    }

    /// Checks the leaf, against one pin per call. One curve operation.
    #[inline(never)]
    fn take_certificate(
        &mut self,
        message: &[u8],
        body: &[u8],
        config: &Config<'_>,
        now_unix: Option<u64>,
    ) -> Result<Next, Error> {
        let leaf = Leaf::parse(flight::parse_certificate(body)?, config.server_name.as_bytes())?;
        if let Some(now_unix) = now_unix {
            leaf.validity.check(now_unix)?;
        }
        let mut pins = config.pins.iter().take(PINS_MAX).skip(usize::from(self.pin));
        let pin = pins.next().ok_or(Error::UnknownAuthority)?;
        if leaf.challenge(pin).verify(pin, leaf.signature).is_err() {
            self.pin += 1;
            return if pins.next().is_some() {
                Ok(Next::Again)
            } else {
                Err(Error::UnknownAuthority)
            };
        }
        self.leaf_key = *leaf.key;
        self.validity = Some(leaf.validity);
        self.record(message);
        Ok(Next::Await(Phase::AwaitVerify))
    }

    /// One curve operation.
    #[inline(never)]
    fn check_verify(&self, body: &[u8]) -> Result<(), Error> {
        let signature = flight::parse_certificate_verify(body)?;
        self.server_challenge(signature)
            .verify(&self.leaf_key, signature)
            .map_err(|_| Error::BadSignature)
    }

    /// What the server's signature over the transcript answers.
    #[inline(never)]
    fn server_challenge(&self, signature: &[u8; 64]) -> Challenge {
        let parts = [flight::SERVER_CONTEXT.as_slice(), &self.transcript_hash()];
        Challenge::new(&self.leaf_key, &parts, signature)
    }

    #[inline(never)]
    fn take_finished(&mut self, message: &[u8], body: &[u8]) -> Result<Next, Error> {
        let expected = schedule::finished(&self.server, &self.transcript_hash());
        if !bool::from(expected.ct_eq(flight::parse_finished(body)?)) {
            return Err(Error::BadFinished);
        }
        self.record(message);
        let transcript = self.transcript_hash();
        self.server = schedule::derive(&self.master, b"s ap traffic", &transcript);
        self.master = schedule::derive(&self.master, b"c ap traffic", &transcript);
        self.read.set(&self.server);
        #[cfg(feature = "keylog")]
        self.log_secrets(2, self.master, self.server);
        Ok(Next::ChangeKeys(Phase::SendFlight))
    }

    /// Appends to what is sent and to the transcript.
    fn put(&mut self, out: &mut Writer<'_>, bytes: &[u8]) {
        out.put(bytes);
        self.record(bytes);
    }

    fn put_certificate(&mut self, config: &Config<'_>, out: &mut Writer<'_>) {
        self.put(out, &CERTIFICATE_HEAD);
        self.put(out, &PUBLIC_KEY_INFO);
        self.put(out, config.key.public());
        // The empty extensions of the one entry.
        self.put(out, &[0, 0]);
    }

    /// One curve operation.
    #[inline(never)]
    fn put_verify(&mut self, config: &Config<'_>, out: &mut Writer<'_>) {
        let transcript = self.transcript_hash();
        let signature = config.key.sign(&[flight::CLIENT_CONTEXT, &transcript]);
        self.put(out, &VERIFY_HEAD);
        self.put(out, &signature);
    }

    #[inline(never)]
    fn put_finished(&mut self, out: &mut Writer<'_>) {
        let mac = schedule::finished(&self.client, &self.transcript_hash());
        out.put(&FINISHED_HEAD);
        out.put(&mac);
    }

    fn use_application_keys(&mut self) {
        self.client = self.master;
        self.master.zeroize();
        self.transcript = None;
        self.write.set(&self.client);
    }

    #[cfg(feature = "keylog")]
    fn log_secrets(&mut self, first: usize, client: [u8; 32], server: [u8; 32]) {
        for (slot, secret) in self.log.secrets.iter_mut().skip(first).zip([client, server]) {
            *slot = Some(secret);
        }
    }
}
