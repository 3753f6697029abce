//! A debugger on an emulated board: stops it, changes what its processor does next, lets it go on.
//!
//! # Source
//! GDB manual, appendix E "GDB Remote Serial Protocol".

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Longest time until the debugger's other end answers, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of memory in one packet.
const CHUNK_BYTES: usize = 512;

/// A register, by the number that QEMU gives it.
#[derive(Clone, Copy, Debug)]
pub struct Register(u8);

impl Register {
    /// Stack pointer in use.
    pub const SP: Self = Self(13);
    /// Program counter.
    pub const PC: Self = Self(15);
    /// Program status.
    pub const XPSR: Self = Self(25);

    /// One of the general ones.
    pub const fn general(number: u8) -> Self {
        Self(number)
    }
}

/// A board that stands still while this exists.
pub struct Gdb {
    stream: UnixStream,
}

impl Gdb {
    /// Stops the board whose debugger socket is at `path`.
    ///
    /// # Panics
    /// If there is none, as all other functions do if the board does not answer.
    #[track_caller]
    pub fn stop(path: &Path) -> Self {
        let stream = UnixStream::connect(path);
        let stream = stream.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        stream.set_read_timeout(Some(PATIENCE)).unwrap_or_else(|error| panic!("{error}"));
        let mut gdb = Self { stream };
        let state = gdb.ask("?");
        assert!(state.starts_with('T') || state.starts_with('S'), "no stopped board: {state}");
        gdb
    }

    /// Reads a register.
    #[track_caller]
    pub fn register(&mut self, register: Register) -> u32 {
        let answer = self.ask(&format!("p{:x}", register.0));
        let bytes = bytes(&answer);
        let word = bytes.get(..4).and_then(|bytes| bytes.try_into().ok());
        u32::from_le_bytes(word.unwrap_or_else(|| panic!("register {}: {answer}", register.0)))
    }

    /// Writes a register.
    #[track_caller]
    pub fn set(&mut self, register: Register, value: u32) {
        let order = format!("P{:x}={}", register.0, hex(&value.to_le_bytes()));
        assert_eq!(self.ask(&order), "OK", "{order}");
    }

    /// Reads memory.
    #[track_caller]
    pub fn memory(&mut self, address: u32, count: usize) -> Vec<u8> {
        let mut memory = Vec::with_capacity(count);
        while memory.len() < count {
            let from = address + memory.len() as u32;
            let chunk = CHUNK_BYTES.min(count - memory.len());
            let answer = self.ask(&format!("m{from:x},{chunk:x}"));
            let read = bytes(&answer);
            assert_eq!(read.len(), chunk, "memory at {from:#x}: {answer}");
            memory.extend(read);
        }
        memory
    }

    /// Writes memory.
    #[track_caller]
    pub fn set_memory(&mut self, address: u32, content: &[u8]) {
        let order = format!("M{address:x},{:x}:{}", content.len(), hex(content));
        assert_eq!(self.ask(&order), "OK", "{order}");
    }

    /// Lets the board run until it is about to execute what is at `address`.
    #[track_caller]
    pub fn run_to(&mut self, address: u32) {
        assert_eq!(self.ask(&format!("Z1,{address:x},2")), "OK", "breakpoint at {address:#x}");
        let state = self.ask("c");
        assert!(state.starts_with('T') || state.starts_with('S'), "stopped: {state}");
        assert_eq!(self.register(Register::PC), address);
        assert_eq!(self.ask(&format!("z1,{address:x},2")), "OK", "breakpoint at {address:#x}");
    }

    /// Lets the board run, without a debugger.
    #[track_caller]
    pub fn leave(mut self) {
        assert_eq!(self.ask("D"), "OK");
    }

    /// Sends a packet and returns the content of the answer.
    #[track_caller]
    fn ask(&mut self, content: &str) -> String {
        let sum = checksum(content.as_bytes());
        let packet = format!("${content}#{sum:02x}");
        self.stream.write_all(packet.as_bytes()).unwrap_or_else(|e| panic!("{content}: {e}"));
        loop {
            // Acknowledgements of ours come first.
            while self.byte(content) != b'$' {}
            let mut answer = Vec::new();
            loop {
                match self.byte(content) {
                    b'#' => break,
                    byte => answer.push(byte),
                }
            }
            let told = [self.byte(content), self.byte(content)];
            assert_eq!(bytes(&String::from_utf8_lossy(&told)), [checksum(&answer)], "{content}");
            self.stream.write_all(b"+").unwrap_or_else(|e| panic!("{content}: {e}"));
            let answer = String::from_utf8_lossy(&answer).into_owned();
            // Console output is no answer.
            if !answer.starts_with('O') || answer == "OK" {
                return answer;
            }
        }
    }

    #[track_caller]
    fn byte(&mut self, content: &str) -> u8 {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).unwrap_or_else(|error| panic!("{content}: {error}"));
        byte[0]
    }
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().map_while(|digit| digit.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}
