//! A device in software: rustls with an Ed25519 raw public key, and the messages of `wire`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{KeyPair, PKCS_ED25519};
use rustls::ClientConfig;
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wasmbed_model::ids::device_name;
use wasmbed_wire::{
    AppId, Budget, Counters, DeviceMessage, Digest, Enroll, Frames, GatewayMessage, GuestReason,
    GuestState, Heartbeat, Hello, InstallRequest, PublicKey, ResetReason, Seq, StateReport,
    encode_frame,
};

/// Longer than anything here takes, so that only what never happens runs into it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The name that the gateway's leaf carries in these tests.
pub const SERVER_NAME: &str = "edge.default";

/// A device's key.
pub struct DeviceKey {
    pair: KeyPair,
}

impl DeviceKey {
    pub fn generate() -> Self {
        Self { pair: KeyPair::generate_for(&PKCS_ED25519).expect("entropy") }
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.pair.public_key_raw().try_into().expect("32 bytes"))
    }

    pub fn device_name(&self) -> String {
        device_name(&self.public())
    }

    /// A client configuration that shows this key and trusts `authority`.
    pub fn config(&self, authority: &CertificateDer<'static>, alpn: &[&str]) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.clone()).expect("a CA");
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.pair.serialize_der()));
        let signer = provider.key_provider.load_private_key(private).expect("an Ed25519 key");
        let spki = signer.public_key().expect("known to the signer");
        let key = CertifiedKey::new(vec![CertificateDer::from(spki.to_vec())], signer);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::new(
                key,
            ))));
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

/// What a device of these tests says of itself.
pub const HELLO: Hello<'static> = Hello {
    board: "host",
    firmware: "0.1.0",
    dtb_digest: Digest([7; 32]),
    minor_min: 0,
    minor_max: wasmbed_wire::MINOR,
    budget: Budget { arena_bytes: 16_384, slot_bytes: 65_536, slots: 4, guests: 3 },
    boot_count: 1,
    reset_reason: ResetReason::PowerOn,
    fault: None,
    namespace: "default",
    image_format: 1,
    last_epoch: 0,
    host_calls: None,
};

/// One connection of a device to the gateway.
pub struct Peer {
    stream: TlsStream<TcpStream>,
    frames: Frames<[u8; 482]>,
    rest: Vec<u8>,
}

impl Peer {
    /// Connects and completes the TLS handshake.
    pub async fn connect(
        address: SocketAddr,
        key: &DeviceKey,
        authority: &CertificateDer<'static>,
    ) -> std::io::Result<Self> {
        Self::connect_with(address, key.config(authority, &["wasmbed/1-512"])).await
    }

    /// Connects with a configuration of the test's own.
    pub async fn connect_with(address: SocketAddr, config: ClientConfig) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(SERVER_NAME).expect("a DNS name");
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let stream = timeout(PATIENCE, connecting).await.expect("a handshake in time")?;
        Ok(Self { stream, frames: Frames::new([0; 482]), rest: Vec::new() })
    }

    pub fn leaf(&self) -> CertificateDer<'static> {
        let (_, session) = self.stream.get_ref();
        let [leaf] = session.peer_certificates().expect("shown in the handshake") else {
            panic!("the gateway shows one certificate");
        };
        leaf.clone().into_owned()
    }

    pub async fn send(&mut self, message: &DeviceMessage<'_>) {
        let mut frame = [0; 482];
        let bytes = message.encode(&mut frame[2..]).expect("fits a frame").len();
        let frame = encode_frame(&mut frame, bytes).expect("fits a frame");
        // A gateway that closed meanwhile is found out by the next receive.
        let _ = self.stream.write_all(frame).await;
        let _ = self.stream.flush().await;
    }

    pub async fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// The body of the next frame; `None` once the gateway has closed.
    pub async fn receive(&mut self) -> Option<Vec<u8>> {
        timeout(PATIENCE, self.receive_patiently()).await.expect("a message or a close in time")
    }

    async fn receive_patiently(&mut self) -> Option<Vec<u8>> {
        loop {
            let taken = self.frames.push(&self.rest).expect("a frame of the gateway");
            self.rest.drain(..taken);
            if let Some(body) = self.frames.body() {
                let body = body.to_vec();
                self.frames.take();
                return Some(body);
            }
            let mut chunk = [0; 600];
            match self.stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.rest.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// The next message in one line, or `closed`.
    pub async fn next(&mut self) -> String {
        match self.receive().await {
            None => "closed".to_owned(),
            Some(body) => show(&GatewayMessage::decode(&body).expect("a message")),
        }
    }

    #[track_caller]
    pub fn expect<'a>(&'a mut self, line: &'a str) -> impl Future<Output = ()> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let found = self.next().await;
            assert_eq!(found, line, "at {place}");
        }
    }

    pub async fn hello(&mut self) {
        self.send(&DeviceMessage::Hello(HELLO)).await;
    }

    /// Says hello as a firmware does that speaks no minor version above `minor_max`.
    pub async fn hello_of_minor(&mut self, minor_max: u8) {
        self.send(&DeviceMessage::Hello(Hello { minor_max, ..HELLO })).await;
    }

    pub async fn enroll(&mut self, token: Option<&str>) {
        self.send(&DeviceMessage::Enroll(Enroll { token })).await;
    }

    pub async fn heartbeat(&mut self, uptime_ms: u64) {
        let counters = Counters { rx_bytes: uptime_ms, ..Counters::default() };
        let guests = Seq::Items(&[]);
        self.send(&DeviceMessage::Heartbeat(Heartbeat { uptime_ms, counters, guests })).await;
    }

    pub async fn report(&mut self, app: AppId, generation: u64, state: GuestState) {
        self.send(&DeviceMessage::StateReport(StateReport {
            app,
            generation,
            image: Some(Digest([9; 32])),
            state,
            reason: GuestReason::None,
            restarts: 0,
            function: None,
            offset: None,
            needed_bytes: None,
            available_bytes: None,
            exit_code: None,
            memory_bytes: None,
            fuel: None,
            backoff_ms: None,
        }))
        .await;
    }

    pub async fn request(&mut self, app: AppId, generation: u64, offset: Option<u32>) {
        let request = InstallRequest { app, generation, offset };
        self.send(&DeviceMessage::InstallRequest(request)).await;
    }

    /// Closes as a device does that stops in order.
    pub async fn close(mut self) {
        let _ = self.stream.shutdown().await;
    }
}

fn show(message: &GatewayMessage<'_>) -> String {
    match message {
        GatewayMessage::Welcome(welcome) => format!("Welcome {}", welcome.epoch),
        GatewayMessage::Refused(refused) => format!("Refused {}", refused.reason.name()),
        GatewayMessage::EnrollRequired(_) => "EnrollRequired".to_owned(),
        GatewayMessage::DesiredState(state) => {
            let show = |entry: wasmbed_wire::DesiredEntry| {
                let run = if entry.run { "run" } else { "hold" };
                format!(" {}:{run}", entry.generation)
            };
            let entries: String = state.apps.iter().map(show).collect();
            format!("DesiredState {}{entries}", state.revision)
        }
        GatewayMessage::Install(install) => format!("Install {}", install.manifest.len()),
        GatewayMessage::InstallChunk(chunk) => {
            format!("InstallChunk {}+{}", chunk.offset, chunk.bytes.len())
        }
        other => other.name().to_owned(),
    }
}
