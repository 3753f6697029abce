//! Starts, wires, watches and stops emulated boards.
