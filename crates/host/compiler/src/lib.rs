//! WebAssembly in, bounded device image out.
