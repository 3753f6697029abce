//! The device port: who may begin a handshake, and what happens before a session.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wasmbed_wire::PublicKey;

use crate::address::{Addresses, Refusal};
use crate::alpn::{self, Protocol};
use crate::connection::{self, Service};
use crate::metrics;
use crate::registry::lock;
use crate::tls::ed25519_public_key;

/// Why a connection ended before a session could begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Failure {
    Timeout,
    Tls,
    NoProtocol,
    NoKey,
}

impl Failure {
    const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "HandshakeTimeout",
            Self::Tls => "Tls",
            Self::NoProtocol => "NoProtocol",
            Self::NoKey => "NoKey",
        }
    }
}

/// What bounds the connections.
pub(crate) struct Gate {
    addresses: Mutex<Addresses>,
    handshakes: Arc<Semaphore>,
    connections: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new(service: &Service) -> Self {
        let limits = &service.limits;
        Self {
            addresses: Mutex::new(Addresses::new(limits)),
            handshakes: Arc::new(Semaphore::new(limits.handshakes_max)),
            connections: Arc::new(Semaphore::new(limits.connections_max)),
        }
    }
}

/// The right of one connection to be unwelcomed still. Given back when it is dropped.
pub(crate) struct HandshakeTurn {
    gate: Arc<Gate>,
    service: Arc<Service>,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Drop for HandshakeTurn {
    fn drop(&mut self) {
        self.service.metrics.handshakes.dec();
        lock(&self.gate.addresses).leave(self.address);
    }
}

/// Accepts devices until `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
) {
    let gate = Arc::new(Gate::new(&service));
    loop {
        // Under a mass reconnect the backlog of the socket is the queue: what cannot be served
        // now is not accepted now.
        let permits = async {
            let connection = Arc::clone(&gate.connections).acquire_owned().await;
            let handshake = Arc::clone(&gate.handshakes).acquire_owned().await;
            (connection, handshake)
        };
        let permits = tokio::select! {
            () = shutdown.cancelled() => return,
            permits = permits => permits,
        };
        // The semaphores are never closed.
        let (Ok(connection), Ok(handshake)) = permits else { return };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or the peer is gone already; the next turn may succeed.
                tracing::warn!(%error, "accept");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        service.metrics.connections.inc();
        if let Err(refusal) = lock(&gate.addresses).enter(peer.ip(), Instant::now()) {
            let word = match refusal {
                Refusal::TooFast => "AddressTooFast",
                Refusal::TooManyOpen => "AddressTooManyOpen",
            };
            metrics::count(&service.metrics.handshake_failures, word);
            continue;
        }
        service.metrics.handshakes.inc();
        let turn = HandshakeTurn {
            gate: Arc::clone(&gate),
            service: Arc::clone(&service),
            address: peer.ip(),
            _permit: handshake,
        };
        let (service, shutdown) = (Arc::clone(&service), shutdown.clone());
        tasks.spawn(async move {
            serve_one(service, stream, peer, turn, shutdown).await;
            drop(connection);
        });
    }
}

async fn serve_one(
    service: Arc<Service>,
    stream: TcpStream,
    peer: SocketAddr,
    turn: HandshakeTurn,
    shutdown: CancellationToken,
) {
    // In a box of its own, so that an idle session does not carry the room of a handshake.
    let handshake =
        Box::pin(timeout(service.limits.handshake_timeout, handshake(&service, stream)));
    let handshake = tokio::select! {
        () = shutdown.cancelled() => return,
        handshake = handshake => handshake,
    };
    match handshake.unwrap_or(Err(Failure::Timeout)) {
        Err(failure) => {
            tracing::debug!(%peer, reason = failure.name(), "handshake ended");
            metrics::count(&service.metrics.handshake_failures, failure.name());
        }
        Ok((stream, protocol, _)) if !protocol.is_spoken() => {
            drop(turn);
            connection::refuse_version(&service, stream).await;
        }
        Ok((stream, _, key)) => {
            connection::serve(service, stream, key, peer, turn, shutdown).await;
        }
    }
}

async fn handshake(
    service: &Service,
    stream: TcpStream,
) -> Result<(TlsStream<TcpStream>, Protocol, PublicKey), Failure> {
    // Frames are small and each is waited for.
    stream.set_nodelay(true).map_err(|_| Failure::Tls)?;
    let acceptor = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream);
    let start = acceptor.await.map_err(|_| Failure::Tls)?;
    let protocol = start.client_hello().alpn().and_then(alpn::choose).ok_or(Failure::NoProtocol)?;
    let config = service.tls.config(&protocol);
    let stream = start.into_stream(config).await.map_err(|_| Failure::Tls)?;
    let (_, session) = stream.get_ref();
    let key = match session.peer_certificates() {
        Some([key]) => ed25519_public_key(key).ok_or(Failure::NoKey)?,
        _ => return Err(Failure::NoKey),
    };
    Ok((stream, protocol, key))
}
