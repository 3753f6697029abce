//! Whole sessions of the client: with rustls, with OpenSSL, and with servers that misbehave.

mod fleet;
mod hostile;
mod leaf;
mod rustls_peer;
mod server;
