//! Constants of the board that this firmware is built for, generated from its board file.
#![expect(dead_code, reason = "a board file says more than one firmware uses")]

include!(concat!(env!("OUT_DIR"), "/board.rs"));
