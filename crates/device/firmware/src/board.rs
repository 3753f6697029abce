//! Constants of the board that this firmware is built for, generated from its board file.

include!(concat!(env!("OUT_DIR"), "/board.rs"));
