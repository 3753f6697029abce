//! Whole sessions of the client: with rustls, with OpenSSL, and with servers that misbehave.

mod accepted;
mod fleet;
mod fragments;
mod hostile;
mod leaf;
mod mutations;
mod openssl_peer;
mod orders;
mod rustls_peer;
mod server;
