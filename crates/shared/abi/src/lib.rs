//! Functions a guest may import.
