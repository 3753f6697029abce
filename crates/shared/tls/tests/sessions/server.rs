//! A TLS 1.3 server that sends what a test tells it to, on its own key schedule.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use ed25519_oracle::{Signer, SigningKey, Verifier};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::leaf::LeafSpec;

pub const ALERT: u8 = 21;
pub const HANDSHAKE: u8 = 22;
pub const DATA: u8 = 23;

/// Seeds of the authority, of the gateway, and of somebody else.
pub const AUTHORITY: [u8; 32] = [0xa1; 32];
pub const GATEWAY: [u8; 32] = [0x9a; 32];
pub const STRANGER: [u8; 32] = [0x57; 32];

/// The random number of a HelloRetryRequest.
pub fn retry_random() -> [u8; 32] {
    Sha256::digest(b"HelloRetryRequest").into()
}

fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn expand_label(secret: &[u8], label: &str, context: &[u8], bytes: u16) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let mut info = bytes.to_be_bytes().to_vec();
    info.push(label.len() as u8);
    info.extend_from_slice(label.as_bytes());
    info.push(context.len() as u8);
    info.extend_from_slice(context);
    info.push(1);
    mac(secret, &info)[..bytes as usize].to_vec()
}

/// Keys of one direction.
pub struct Keys {
    pub secret: Vec<u8>,
    key: Vec<u8>,
    iv: Vec<u8>,
    sequence: u64,
}

impl Keys {
    fn new(secret: Vec<u8>) -> Self {
        let (key, iv) =
            (expand_label(&secret, "key", &[], 32), expand_label(&secret, "iv", &[], 12));
        Self { secret, key, iv, sequence: 0 }
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new_from_slice(&self.key).unwrap()
    }

    fn nonce(&mut self) -> [u8; 12] {
        let mut nonce: [u8; 12] = self.iv[..].try_into().unwrap();
        for (byte, count) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= count;
        }
        self.sequence += 1;
        nonce
    }

    /// A record around `inner`, which already has its type and padding.
    pub fn seal(&mut self, inner: &[u8]) -> Vec<u8> {
        let mut body = inner.to_vec();
        let mut record = vec![DATA, 3, 3];
        record.extend_from_slice(&(inner.len() as u16 + 16).to_be_bytes());
        let tag = self
            .cipher()
            .encrypt_inout_detached(&self.nonce().into(), &record, body[..].as_mut().into())
            .unwrap();
        record.extend_from_slice(&body);
        record.extend_from_slice(&tag);
        record
    }

    /// Type and content of a record of the client.
    pub fn open(&mut self, record: &[u8]) -> Option<(u8, Vec<u8>)> {
        let (head, body) = record.split_at(5);
        let (inner, tag) = body.split_at(body.len().checked_sub(16)?);
        let mut inner = inner.to_vec();
        let tag: [u8; 16] = tag.try_into().unwrap();
        self.cipher()
            .decrypt_inout_detached(
                &self.nonce().into(),
                head,
                inner[..].as_mut().into(),
                &tag.into(),
            )
            .ok()?;
        let kind = inner.pop()?;
        Some((kind, inner))
    }
}

/// A handshake message.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
    message.extend_from_slice(body);
    message
}

/// A vector with a length of one, two or three bytes.
pub fn vector(length_bytes: usize, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    [&length[4 - length_bytes..], body].concat()
}

/// A list of extensions.
pub fn extensions(list: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, content) in list {
        body.extend_from_slice(&kind.to_be_bytes());
        body.extend_from_slice(&vector(2, content));
    }
    vector(2, &body)
}

/// A plaintext record.
pub fn plain_record(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 3, 3];
    record.extend_from_slice(&vector(2, content));
    record
}

/// A ServerHello to be changed.
pub struct Hello {
    pub version: u16,
    pub random: [u8; 32],
    pub session_id: Vec<u8>,
    pub suite: u16,
    pub compression: u8,
    pub extensions: Vec<(u16, Vec<u8>)>,
    pub has_extensions: bool,
    pub trailing: Vec<u8>,
}

impl Hello {
    pub fn message(&self) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        body.extend_from_slice(&self.random);
        body.extend_from_slice(&vector(1, &self.session_id));
        body.extend_from_slice(&self.suite.to_be_bytes());
        body.push(self.compression);
        if self.has_extensions {
            body.extend_from_slice(&extensions(&self.extensions));
        }
        body.extend_from_slice(&self.trailing);
        message(2, &body)
    }

    /// Replaces an extension.
    pub fn put(&mut self, kind: u16, body: &[u8]) {
        self.drop(kind);
        self.extensions.push((kind, body.to_vec()));
    }

    pub fn drop(&mut self, kind: u16) {
        self.extensions.retain(|(found, _)| *found != kind);
    }
}

/// The server's side of one session: what it has sent, and the keys it has.
pub struct Play {
    pub wire: Vec<u8>,
    pub transcript: Vec<u8>,
    pub client_share: [u8; 32],
    secret: StaticSecret,
    pub keys: Option<Keys>,
    pub client_keys: Option<Keys>,
    master: Vec<u8>,
    application: Option<(Vec<u8>, Vec<u8>)>,
    pub client_hello: Vec<u8>,
    /// Where handshake messages go instead of the wire, while there is such a place.
    pub collected: Option<Vec<u8>>,
}

impl Play {
    /// A server that has read this ClientHello record.
    pub fn new(record: &[u8]) -> Self {
        let hello = record[5..].to_vec();
        // The key share is the last extension of our client.
        let client_share = hello[hello.len() - 32..].try_into().unwrap();
        Self {
            wire: Vec::new(),
            transcript: hello.clone(),
            client_share,
            secret: StaticSecret::from([0x33; 32]),
            keys: None,
            client_keys: None,
            master: Vec::new(),
            application: None,
            client_hello: hello,
            collected: None,
        }
    }

    pub fn take_wire(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.wire)
    }

    fn hash(&self) -> Vec<u8> {
        Sha256::digest(&self.transcript).to_vec()
    }

    /// The ServerHello that an honest server sends.
    pub fn honest_hello(&self) -> Hello {
        let share = PublicKey::from(&self.secret);
        let share = [&[0, 0x1d][..], &vector(2, share.as_bytes())].concat();
        Hello {
            version: 0x0303,
            random: [0x44; 32],
            session_id: Vec::new(),
            suite: 0x1303,
            compression: 0,
            extensions: vec![(43, vec![3, 4]), (51, share)],
            has_extensions: true,
            trailing: Vec::new(),
        }
    }

    /// Appends a plaintext record.
    pub fn plain(&mut self, kind: u8, content: &[u8]) {
        self.wire.extend(plain_record(kind, content));
    }

    /// Sends `hello` as it is and changes to the handshake keys.
    pub fn hello(&mut self, hello: &Hello) {
        let bytes = hello.message();
        self.transcript.extend_from_slice(&bytes);
        self.plain(HANDSHAKE, &bytes);
        self.use_handshake_keys();
    }

    /// Sends a HelloRetryRequest made by `change`, and puts the first hello's hash in its place.
    pub fn retry(&mut self, change: impl FnOnce(&mut Hello)) {
        let mut hello = self.honest_hello();
        hello.random = retry_random();
        hello.drop(51);
        change(&mut hello);
        let bytes = hello.message();
        self.transcript = message(254, &self.hash());
        self.transcript.extend_from_slice(&bytes);
        self.plain(HANDSHAKE, &bytes);
    }

    pub fn use_handshake_keys(&mut self) {
        let agreed = self.secret.diffie_hellman(&self.client_share.into());
        let empty = Sha256::digest(b"");
        let early = mac(&[0; 32], &[0; 32]);
        let handshake = mac(&expand_label(&early, "derived", &empty, 32), agreed.as_bytes());
        let hash = self.hash();
        self.keys = Some(Keys::new(expand_label(&handshake, "s hs traffic", &hash, 32)));
        self.client_keys = Some(Keys::new(expand_label(&handshake, "c hs traffic", &hash, 32)));
        self.master = mac(&expand_label(&handshake, "derived", &empty, 32), &[0; 32]).to_vec();
    }

    /// Appends a record of `content`, encrypted as soon as there are keys.
    pub fn record(&mut self, kind: u8, content: &[u8]) {
        match &mut self.keys {
            Some(keys) => {
                let record = keys.seal(&[content, &[kind]].concat());
                self.wire.extend(record);
            }
            None => self.plain(kind, content),
        }
    }

    /// Appends a handshake message to wire and transcript.
    pub fn message(&mut self, bytes: &[u8]) {
        self.transcript.extend_from_slice(bytes);
        match &mut self.collected {
            Some(collected) => collected.extend_from_slice(bytes),
            None => self.record(HANDSHAKE, bytes),
        }
    }

    pub fn honest_extensions() -> Vec<(u16, Vec<u8>)> {
        vec![(16, vector(2, &vector(1, b"wasmbed/1-512"))), (19, vec![2]), (20, vec![0])]
    }

    pub fn extensions(&mut self, list: &[(u16, Vec<u8>)]) {
        self.message(&message(8, &extensions(list)));
    }

    pub fn request(&mut self) {
        let body = [vec![0], extensions(&[(13, vec![0, 2, 8, 7])])].concat();
        self.message(&message(13, &body));
    }

    pub fn certificate(&mut self, leaf: &[u8]) {
        self.message(&certificate_message(&[leaf], &[]));
    }

    /// A CertificateVerify over the transcript so far.
    pub fn verify_message(&self, seed: &[u8; 32], scheme: u16, context: &str) -> Vec<u8> {
        let signed = [&[0x20; 64][..], context.as_bytes(), &[0], &self.hash()].concat();
        let signature = SigningKey::from_bytes(seed).sign(&signed).to_bytes();
        message(15, &[&scheme.to_be_bytes()[..], &vector(2, &signature)].concat())
    }

    pub fn verify(&mut self) {
        let bytes = self.verify_message(&GATEWAY, 0x0807, "TLS 1.3, server CertificateVerify");
        self.message(&bytes);
    }

    /// The Finished that belongs to the transcript so far.
    pub fn finished_message(&self) -> Vec<u8> {
        let key = expand_label(&self.keys.as_ref().unwrap().secret, "finished", &[], 32);
        message(20, &mac(&key, &self.hash()))
    }

    pub fn finished(&mut self) {
        let bytes = self.finished_message();
        self.message(&bytes);
        self.use_application_keys();
    }

    pub fn use_application_keys(&mut self) {
        let hash = self.hash();
        let client = expand_label(&self.master, "c ap traffic", &hash, 32);
        let server = expand_label(&self.master, "s ap traffic", &hash, 32);
        self.application = Some((client, server.clone()));
        self.keys = Some(Keys::new(server));
    }

    /// Changes the server's key as after a KeyUpdate.
    pub fn update_key(&mut self) {
        let keys = self.keys.take().unwrap();
        self.keys = Some(Keys::new(expand_label(&keys.secret, "traffic upd", &[], 32)));
    }

    /// ServerHello as an honest server.
    pub fn honest_start(&mut self) {
        let hello = self.honest_hello();
        self.hello(&hello);
    }

    /// Everything up to Certificate, which is not sent.
    pub fn until_certificate(&mut self) {
        self.honest_start();
        self.extensions(&Self::honest_extensions());
        self.request();
    }

    /// Everything up to CertificateVerify, which is not sent.
    pub fn until_verify(&mut self) {
        self.until_certificate();
        self.certificate(&LeafSpec::honest().signed_by(&AUTHORITY));
    }

    /// Everything up to Finished, which is not sent.
    pub fn until_finished(&mut self) {
        self.until_verify();
        self.verify();
    }

    /// The whole flight of an honest server.
    pub fn honest(&mut self) {
        self.until_finished();
        self.finished();
    }

    /// The whole flight of an honest server, its encrypted messages cut into records by `cut`.
    pub fn honest_cut(&mut self, cut: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
        self.honest_start();
        self.collected = Some(Vec::new());
        self.extensions(&Self::honest_extensions());
        self.request();
        self.certificate(&LeafSpec::honest().signed_by(&AUTHORITY));
        self.verify();
        let finished = self.finished_message();
        self.message(&finished);
        for part in cut(&self.collected.take().unwrap()) {
            self.record(HANDSHAKE, &part);
        }
        self.use_application_keys();
    }

    /// Reads what the client sent after its hello; the alert at its end, if there is one.
    pub fn read_alert(&mut self, mut bytes: &[u8]) -> Option<u8> {
        while let Some((head, rest)) = bytes.split_at_checked(5) {
            let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
            let (record, tail) = bytes.split_at(5 + length);
            let (kind, content) = match head[0] {
                DATA => self.client_keys.as_mut()?.open(record).expect("a record of the client"),
                kind => (kind, rest[..length].to_vec()),
            };
            match kind {
                ALERT => {
                    assert_eq!(content.len(), 2);
                    return Some(content[1]);
                }
                HANDSHAKE if head[0] == DATA => {
                    let (client, _) = self.application.clone().unwrap();
                    self.client_keys = Some(Keys::new(client));
                }
                _ => {}
            }
            bytes = tail;
        }
        None
    }

    /// Checks the client's flight, every byte of it; the keys for its data come after.
    #[track_caller]
    pub fn check_client_flight(&mut self, record: &[u8], device: &[u8; 32]) {
        let keys = self.client_keys.as_mut().unwrap();
        let (kind, content) = keys.open(record).expect("decrypts");
        assert_eq!((kind, content.len()), (HANDSHAKE, 57 + 72 + 36));
        let (certificate, rest) = content.split_at(57);
        let info = [&[0x30, 42, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 33, 0][..], device].concat();
        assert_eq!(certificate, certificate_message(&[&info], &[]));
        self.transcript.extend_from_slice(certificate);
        let (verify, finished) = rest.split_at(72);
        let context = b"TLS 1.3, client CertificateVerify\0";
        let signed = [&[0x20; 64][..], context, &self.hash()].concat();
        let signature = ed25519_oracle::Signature::from_slice(&verify[8..]).unwrap();
        let device = ed25519_oracle::VerifyingKey::from_bytes(device).unwrap();
        device.verify(&signed, &signature).expect("the device's signature");
        self.transcript.extend_from_slice(verify);
        let key = expand_label(&self.client_keys.as_ref().unwrap().secret, "finished", &[], 32);
        assert_eq!(finished, message(20, &mac(&key, &self.hash())));
        let (client, _) = self.application.clone().unwrap();
        self.client_keys = Some(Keys::new(client));
    }
}

/// A Certificate message with these certificates, each with these extensions.
pub fn certificate_message(leaves: &[&[u8]], entry: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut list = Vec::new();
    for leaf in leaves {
        list.extend(vector(3, leaf));
        list.extend(extensions(entry));
    }
    message(11, &[vec![0], vector(3, &list)].concat())
}
