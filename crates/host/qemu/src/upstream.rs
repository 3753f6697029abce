//! The connection to the gateway that belongs to one session of a board.

use std::future::{self, Future};
use std::io;
use std::pin::Pin;

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::limits::GATEWAY_CONNECT_TIMEOUT;

pub(crate) type Dialing = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// Where that connection is.
pub(crate) enum Upstream {
    /// There is none.
    None,
    /// It is being made.
    Dialing(Dialing),
    /// It is there.
    Open {
        stream: TcpStream,
        /// The gateway has said all it had to say.
        has_ended: bool,
        /// It was told that the board has.
        is_shut: bool,
    },
    /// The gateway cannot be reached; the board is to be told.
    Failed,
}

impl Upstream {
    /// Begins to connect to `gateway`, a `host:port`.
    pub(crate) fn dial(gateway: &str) -> Self {
        Self::Dialing(Box::pin(connect(gateway.to_owned())))
    }

    /// Waits until it can do what is wanted; finishes dialing on the way. Never returns while there
    /// is nothing to wait for.
    pub(crate) async fn ready(&mut self, wants_read: bool, wants_write: bool) {
        match self {
            Self::None | Self::Failed => future::pending().await,
            Self::Dialing(dialing) => {
                *self = match dialing.await {
                    Ok(stream) => Self::Open { stream, has_ended: false, is_shut: false },
                    Err(error) => {
                        tracing::warn!(%error, "gateway unreachable");
                        Self::Failed
                    }
                };
            }
            Self::Open { stream, .. } => {
                let interest = match (wants_read, wants_write) {
                    (false, false) => return future::pending().await,
                    (true, false) => Interest::READABLE,
                    (false, true) => Interest::WRITABLE,
                    (true, true) => Interest::READABLE | Interest::WRITABLE,
                };
                // An error shows at the next read or write.
                let _ = stream.ready(interest).await;
            }
        }
    }
}

/// Names another gateway, if it is another one: told the same again, no session must end.
pub(crate) fn redirect(gateway: &watch::Sender<String>, next: &str) {
    gateway.send_if_modified(|before| {
        let is_other = before != next;
        if is_other {
            next.clone_into(before);
        }
        is_other
    });
}

async fn connect(gateway: String) -> io::Result<TcpStream> {
    let connected = timeout(GATEWAY_CONNECT_TIMEOUT, TcpStream::connect(&gateway));
    let stream = connected.await.map_err(|_| io::ErrorKind::TimedOut)??;
    stream.set_nodelay(true)?;
    Ok(stream)
}
