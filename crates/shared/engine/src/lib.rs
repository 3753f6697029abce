//! Executes prepared images.
