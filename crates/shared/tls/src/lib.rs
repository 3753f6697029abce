//! TLS 1.3 client: bytes in, bytes out.
