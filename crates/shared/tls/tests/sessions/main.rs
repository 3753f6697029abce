//! Whole sessions of the client: with rustls, with OpenSSL, and with servers that misbehave.

mod fleet;
mod rustls_peer;
