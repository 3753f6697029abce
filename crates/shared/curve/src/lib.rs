//! X25519, Ed25519 and SHA-512 in 1 KB of stack.
