//! Serves a router over connections that are bounded in number, with or without TLS.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a client may take for its TLS handshake, or for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes of an accepted connection one that is served, or refuses it.
pub(crate) trait Accept: Send + Sync + 'static {
    /// What is served.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Completes the handshake; `None` refuses the peer.
    fn accept(&self, stream: TcpStream) -> impl Future<Output = Option<Self::Stream>> + Send;
}

/// Takes every connection as it is.
pub(crate) struct Plain;

impl Accept for Plain {
    type Stream = TcpStream;

    async fn accept(&self, stream: TcpStream) -> Option<TcpStream> {
        Some(stream)
    }
}

/// Serves until `shutdown`, at most `connections_max` connections at once.
pub(crate) async fn serve<A: Accept>(
    listener: TcpListener,
    accept: A,
    router: Router,
    connections_max: usize,
    tasks: TaskTracker,
    shutdown: CancellationToken,
) {
    let accept = Arc::new(accept);
    let permits = Arc::new(Semaphore::new(connections_max));
    loop {
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await.ok()?;
            Some((listener.accept().await, permit))
        };
        let next = tokio::select! {
            () = shutdown.cancelled() => return,
            next = next => next,
        };
        // The semaphore is never closed.
        let Some((accepted, permit)) = next else { return };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, or the peer is gone already; the next turn may succeed.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (accept, router) = (Arc::clone(&accept), router.clone());
        let serving = async move {
            let accepting = tokio::time::timeout(HEAD_TIMEOUT, accept.accept(stream));
            if let Ok(Some(stream)) = accepting.await {
                serve_connection(stream, router).await;
            }
            drop(permit);
        };
        tasks.spawn(shutdown.clone().run_until_cancelled_owned(serving));
    }
}

async fn serve_connection<S>(stream: S, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    let service = TowerToHyperService::new(router);
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "http connection ended");
    }
}
