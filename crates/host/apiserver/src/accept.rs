//! The HTTPS listener: TLS, then HTTP/1.1 or HTTP/2 on each connection, within bounds.

use std::sync::Arc;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use crate::limits;
use crate::route::handle;
use crate::server::Core;

/// Accepts connections until shutdown.
pub(crate) async fn run(core: Arc<Core>, listener: TcpListener, tls: Arc<ServerConfig>) {
    let acceptor = TlsAcceptor::from(tls);
    let slots = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    loop {
        // The slot first: with none left, strangers wait in the backlog of the system.
        let slot = tokio::select! {
            slot = slots.clone().acquire_owned() => slot,
            () = core.shutdown.cancelled() => break,
        };
        let Ok(slot) = slot else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = core.shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(serve(core.clone(), acceptor.clone(), stream, slot));
            }
            Err(error) => {
                tracing::warn!(%error, "listener: accept");
                // Out of file descriptors, most likely: give others time to close theirs.
                tokio::time::sleep(limits::ACCEPT_RETRY).await;
            }
        }
    }
    connections.close();
    let _ = tokio::time::timeout(limits::DRAIN_TIMEOUT, connections.wait()).await;
}

async fn serve(
    core: Arc<Core>,
    acceptor: TlsAcceptor,
    stream: TcpStream,
    slot: OwnedSemaphorePermit,
) {
    // Watch events are small and must not wait for each other.
    let _ = stream.set_nodelay(true);
    let handshake = tokio::time::timeout(limits::HANDSHAKE_TIMEOUT, acceptor.accept(stream));
    let stream = match handshake.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, "listener: handshake");
            return;
        }
        Err(_) => return,
    };
    let for_requests = core.clone();
    let service = service_fn(move |request| {
        let core = for_requests.clone();
        async move {
            let user = core.tokens.user(request.headers().get(http::header::AUTHORIZATION));
            Ok::<_, std::convert::Infallible>(handle(core, user, request).await)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HANDSHAKE_TIMEOUT)
        .max_buf_size(limits::HEADER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::STREAMS_PER_CONNECTION_MAX)
        .max_header_list_size(u32::try_from(limits::HEADER_BYTES_MAX).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(limits::PING_INTERVAL));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => {
            if let Err(error) = result {
                tracing::debug!(error, "listener: connection");
            }
        }
        () = core.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(limits::DRAIN_TIMEOUT, connection).await;
        }
    }
    drop(slot);
}
