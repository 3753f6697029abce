//! Domain types and pure planning.
