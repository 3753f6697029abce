//! A small fleet: its authority, its gateway's certificate, one device; and the wire between two ends.

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ED25519,
};
use wasmbed_curve::ed25519::Key;
use wasmbed_tls::{Client, Config};

/// The name of the gateway in every test.
pub const NAME: &str = "gateway.default";
/// The protocols that the device offers.
pub const PROTOCOLS: &[&[u8]] = &[b"wasmbed/1-512"];
/// A moment at which the certificates are valid: 2026-11-22.
pub const NOW: u64 = 1_795_000_000;

/// An authority and the certificate it gave to a gateway.
pub struct Fleet {
    pub pin: [u8; 32],
    pub leaf: Vec<u8>,
    pub leaf_key: KeyPair,
}

impl Fleet {
    /// A fresh authority and a leaf as the gateway has it, changed by `change`.
    pub fn new(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let authority_key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let pin = authority_key.public_key_raw().try_into().unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let leaf_key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        change(&mut params);
        let leaf = params.signed_by(&leaf_key, &issuer).unwrap().der().to_vec();
        Self { pin, leaf, leaf_key }
    }
}

/// A device's end of a session.
pub struct Device {
    pub client: Client,
    pub key: Key,
    pub pins: Vec<[u8; 32]>,
    pub now_unix: Option<u64>,
    /// What was sent so that there was room to receive.
    sent: Vec<u8>,
}

impl Device {
    /// A device that trusts `pins` and has begun a session.
    pub fn new(pins: &[[u8; 32]]) -> Self {
        let mut client = Client::new();
        client.start(&std::array::from_fn(|i| i as u8 * 3 + 1));
        let key = Key::from_seed(&[0x5e; 32]);
        Self { client, key, pins: pins.to_vec(), now_unix: Some(NOW), sent: Vec::new() }
    }

    /// One step. Whether it did anything.
    pub fn step(&mut self) -> bool {
        let config =
            Config { key: &self.key, pins: &self.pins, server_name: NAME, alpn: PROTOCOLS };
        self.client.step(&config, self.now_unix)
    }

    /// Steps until there is nothing left to do.
    pub fn settle(&mut self) {
        while self.step() {}
    }

    /// Takes `bytes`, in pieces of at most `piece` bytes, until the session wants no more.
    pub fn take(&mut self, mut bytes: &[u8], piece: usize) {
        self.settle();
        while !bytes.is_empty() {
            let taken = self.client.receive(&bytes[..piece.min(bytes.len())]);
            self.settle();
            if taken == 0 && self.client.outgoing().is_empty() {
                return;
            }
            if taken == 0 {
                self.sent = self.drain();
                self.settle();
            }
            bytes = &bytes[taken..];
        }
    }

    /// Everything that waits to be sent.
    pub fn drain(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.sent);
        let count = self.client.outgoing().len();
        bytes.extend_from_slice(self.client.outgoing());
        self.client.sent(count);
        bytes
    }
}

/// Prints how many cases a test tried, in the form that the test runner adds up.
pub fn count(cases: usize) {
    println!("\ncases: {cases}");
}
