//! A gateway for one device at a time, with the real TLS stack of the product's gateway and the
//! real messages, but no control plane: the test says what is wanted.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, ServerConnection, SignatureScheme,
};
use wasmbed_wire::{
    ALPN_512, AppId, DesiredEntry, DesiredState, DeviceMessage, EnrollRequired, Frames,
    GatewayMessage, Install, InstallChunk, InstallRequest, Refused, RefusedReason, Seq, Welcome,
    encode_frame,
};

use crate::applications::Application;
use crate::heard::Heard;

/// Bytes of a record that carries 512 on the wire, as rustls counts them.
const FRAGMENT_BYTES: usize = 495;

/// Time that Welcome tells at first: 2026-11-22.
const UNIX_MS: u64 = 1_795_305_600_000;

/// What the gateway answers to the first message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// Welcome for known keys, EnrollRequired for others.
    Usual,
    /// Refused.
    Refuse(RefusedReason, u32),
    /// These bytes, whatever they are.
    Bytes(Vec<u8>),
}

/// The gateway.
pub struct Gateway {
    /// What was heard, in order, over all sessions.
    pub heard: Vec<Heard>,
    /// What it answers to Hello.
    pub reply: Reply,
    /// Token that enrols a stranger.
    pub token: String,
    /// What the device shall hold.
    pub desired: Vec<DesiredEntry>,
    /// Whether it says what the device shall hold.
    pub is_synced: bool,
    /// Interval of heartbeats.
    pub heartbeat_ms: u32,
    /// The next request at or behind this offset cuts the connection instead of being answered.
    pub cut_at_offset: Option<u32>,
    /// Whether requests for images are answered.
    pub answers_requests: bool,
    /// Epoch of the last session.
    pub epoch: u64,
    /// Bytes of the pieces, each in a record of its own, that frames are cut into.
    pub piece_bytes: usize,
    /// Wall-clock time that it tells.
    pub unix_ms: u64,
    /// Minor version that it says the session uses.
    pub minor: u8,
    /// Public keys that are enrolled.
    pub enrolled: Vec<Vec<u8>>,
    /// Sessions that came to Welcome.
    pub sessions: u32,
    config: Arc<ServerConfig>,
    applications: BTreeMap<(AppId, u64), Application>,
    revision: u64,
    session: Option<Session>,
}

struct Session {
    tls: ServerConnection,
    frames: Frames<[u8; 482]>,
    piece_bytes: usize,
    is_welcome: bool,
    is_over: bool,
}

impl Gateway {
    /// A gateway that shows `certificate` (DER) with `key` (PKCS #8).
    pub fn new(certificate: Vec<u8>, key: Vec<u8>) -> Self {
        Self {
            heard: Vec::new(),
            reply: Reply::Usual,
            token: "let-me-in".into(),
            desired: Vec::new(),
            is_synced: true,
            heartbeat_ms: 1000,
            cut_at_offset: None,
            answers_requests: true,
            epoch: 0,
            piece_bytes: 482,
            unix_ms: UNIX_MS,
            minor: wasmbed_wire::MINOR,
            enrolled: Vec::new(),
            sessions: 0,
            config: Arc::new(server_config(certificate, key)),
            applications: BTreeMap::new(),
            revision: 0,
            session: None,
        }
    }

    /// Makes an application's image available, whatever its manifest says.
    pub fn publish(&mut self, application: &Application) {
        let key = (application.app, application.generation);
        self.applications.insert(key, application.clone());
    }

    /// Publishes an application and wants it to run.
    pub fn deploy(&mut self, application: &Application) {
        self.publish(application);
        self.desired.retain(|entry| entry.app != application.app);
        self.desired.push(DesiredEntry {
            app: application.app,
            generation: application.generation,
            run: true,
            restart_token: 0,
        });
        self.send_desired();
    }

    /// Tells the device what it shall hold, if there is a session.
    pub fn send_desired(&mut self) {
        self.revision += 1;
        let entries = self.desired.clone();
        let apps = Seq::Items(&entries);
        let revision = self.revision;
        if self.is_synced {
            self.say(&GatewayMessage::DesiredState(DesiredState { revision, apps }));
        }
    }

    /// Sends a message, if there is a session after Welcome.
    pub fn say(&mut self, message: &GatewayMessage<'_>) {
        if let Some(session) = self.session.as_mut().filter(|session| session.is_welcome) {
            session.say(message);
        }
    }

    /// Sends these bytes as they are, in whatever phase the session is.
    pub fn say_bytes(&mut self, bytes: &[u8]) {
        if let Some(session) = self.session.as_mut() {
            session.tls.writer().write_all(bytes).expect("memory takes all");
        }
    }

    /// Whether a session stands.
    pub fn has_session(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_welcome && !session.is_over)
    }

    /// A connection came.
    pub fn accept(&mut self) {
        let tls = ServerConnection::new(Arc::clone(&self.config)).expect("server connection");
        let frames = Frames::new([0; 482]);
        let piece_bytes = self.piece_bytes;
        self.session =
            Some(Session { tls, frames, piece_bytes, is_welcome: false, is_over: false });
    }

    /// The connection is gone.
    pub fn lose(&mut self) {
        self.session = None;
    }

    /// Bytes came. Answers false if the connection has to be closed.
    pub fn receive(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let Some(session) = self.session.as_mut() else { return false };
            if session.tls.read_tls(&mut bytes).is_err()
                || session.tls.process_new_packets().is_err()
            {
                session.is_over = true;
                return false;
            }
            let mut data = Vec::new();
            // Ends with WouldBlock, or with an error after close_notify; the data counts.
            let _ = session.tls.reader().read_to_end(&mut data);
            let mut rest = &data[..];
            while !rest.is_empty() {
                let Some(session) = self.session.as_mut() else { return false };
                let taken = session.frames.push(rest).expect("a frame of a device");
                rest = &rest[taken..];
                if let Some(body) = session.frames.body().map(<[u8]>::to_vec) {
                    session.frames.take();
                    let message = DeviceMessage::decode(&body).expect("a message of a device");
                    self.heard.push(Heard::from_message(&message));
                    if !self.answer(&message) {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Bytes to send.
    pub fn outgoing(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(session) = self.session.as_mut() {
            while session.tls.wants_write() {
                session.tls.write_tls(&mut bytes).expect("memory takes all");
            }
        }
        bytes
    }

    /// Whether the gateway wants to close, once all was sent.
    pub fn is_closing(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.is_over)
    }

    fn answer(&mut self, message: &DeviceMessage<'_>) -> bool {
        match message {
            DeviceMessage::Hello(_) => self.answer_hello(),
            DeviceMessage::Enroll(enroll) => {
                if enroll.token == Some(&self.token) {
                    self.enrolled.push(self.peer_key());
                    self.welcome();
                } else {
                    self.refuse(RefusedReason::TokenUnknown, 1000);
                }
            }
            DeviceMessage::InstallRequest(request) => return self.answer_request(request),
            _ => {}
        }
        true
    }

    fn answer_hello(&mut self) {
        match self.reply.clone() {
            Reply::Bytes(bytes) => self.say_bytes(&bytes),
            Reply::Refuse(reason, retry_ms) => self.refuse(reason, retry_ms),
            Reply::Usual if self.enrolled.contains(&self.peer_key()) => self.welcome(),
            Reply::Usual => {
                if let Some(session) = self.session.as_mut() {
                    session.say(&GatewayMessage::EnrollRequired(EnrollRequired {}));
                }
            }
        }
    }

    fn refuse(&mut self, reason: RefusedReason, retry_ms: u32) {
        if let Some(session) = self.session.as_mut() {
            let refused = Refused { reason, retry_ms, major_min: 1, major_max: 1 };
            session.say(&GatewayMessage::Refused(refused));
            session.tls.send_close_notify();
            session.is_over = true;
        }
    }

    fn peer_key(&self) -> Vec<u8> {
        let session = self.session.as_ref().expect("a session");
        session.tls.peer_certificates().expect("a client key")[0].as_ref().to_vec()
    }

    fn welcome(&mut self) {
        self.epoch += 1;
        self.sessions += 1;
        let (epoch, heartbeat_ms, unix_ms) = (self.epoch, self.heartbeat_ms, self.unix_ms);
        let minor = self.minor;
        if let Some(session) = self.session.as_mut() {
            session.is_welcome = true;
            let welcome = Welcome { epoch, unix_ms, device: "d-test", heartbeat_ms, minor };
            session.say(&GatewayMessage::Welcome(welcome));
        }
        self.send_desired();
    }

    fn answer_request(&mut self, request: &InstallRequest) -> bool {
        if self.cut_at_offset.is_some_and(|cut| request.offset.is_some_and(|at| at >= cut)) {
            self.cut_at_offset = None;
            return false;
        }
        let (app, generation) = (request.app, request.generation);
        let Some(application) = self.applications.get(&(app, generation)).cloned() else {
            return true;
        };
        if !self.answers_requests {
            return true;
        }
        let message = match request.offset {
            None => GatewayMessage::Install(Install {
                app,
                generation,
                manifest: &application.manifest,
                signature: &application.signature,
            }),
            Some(offset) => {
                let rest = application.image.get(offset as usize..).unwrap_or_default();
                let bytes = &rest[..rest.len().min(384)];
                GatewayMessage::InstallChunk(InstallChunk { app, generation, offset, bytes })
            }
        };
        self.say(&message);
        true
    }
}

impl Session {
    /// One frame, one record, unless the test wants it otherwise: a device of the small record class
    /// never waits for a second one.
    fn say(&mut self, message: &GatewayMessage<'_>) {
        let mut frame = [0; 482];
        let bytes = message.encode(&mut frame[2..]).expect("a message that fits").len();
        let frame = encode_frame(&mut frame, bytes).expect("a frame");
        for piece in frame.chunks(self.piece_bytes) {
            self.tls.writer().write_all(piece).expect("memory takes all");
        }
    }
}

fn server_config(certificate: Vec<u8>, key: Vec<u8>) -> ServerConfig {
    let provider = CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    };
    let algorithms = provider.signature_verification_algorithms;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_client_cert_verifier(Arc::new(RawKeyVerifier { algorithms }))
        .with_single_cert(
            vec![CertificateDer::from(certificate)],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)),
        )
        .expect("a leaf with its key");
    config.alpn_protocols = vec![ALPN_512.as_bytes().to_vec()];
    config.max_fragment_size = Some(FRAGMENT_BYTES);
    config.send_tls13_tickets = 0;
    config
}

/// Takes any Ed25519 key whose owner proves to have it; who may do what is decided after Hello.
#[derive(Debug)]
struct RawKeyVerifier {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for RawKeyVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let key = SubjectPublicKeyInfoDer::from(certificate.as_ref());
        let algorithms = &self.algorithms;
        rustls::crypto::verify_tls13_signature_with_raw_key(message, &key, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
