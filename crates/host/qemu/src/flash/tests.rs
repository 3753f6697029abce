//! The server under the driver that devices use, cut off at every byte, stopped and restarted.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use wasmbed_link::flash::{DriverError, Nor, Port, RESYNC_ZEROS};

use super::*;
use crate::scratch::Scratch;

const FLASH_BYTES: u32 = 4 * 4096;

/// The serial port of a board, that QEMU connects anew whenever it is cut off.
struct Line {
    socket: PathBuf,
    stream: Option<UnixStream>,
    nonces: u32,
    patience: Duration,
}

impl Line {
    fn new(socket: &Path) -> Self {
        Self { socket: socket.into(), stream: None, nonces: 1, patience: Duration::from_secs(5) }
    }

    fn stream(&mut self) -> Option<&mut UnixStream> {
        if self.stream.is_none() {
            let stream = UnixStream::connect(&self.socket).ok()?;
            stream.set_read_timeout(Some(self.patience)).unwrap();
            self.stream = Some(stream);
        }
        self.stream.as_mut()
    }
}

impl Port for &mut Line {
    fn send(&mut self, bytes: &[u8]) {
        let sent = self.stream().map(|stream| stream.write_all(bytes));
        if !matches!(sent, Some(Ok(()))) {
            self.stream = None;
        }
    }

    fn receive(&mut self) -> Option<u8> {
        let mut byte = [0];
        match self.stream()?.read(&mut byte) {
            Ok(1) => Some(byte[0]),
            _ => {
                self.stream = None;
                None
            }
        }
    }

    fn nonce(&mut self) -> u32 {
        self.nonces = self.nonces.wrapping_mul(0x9E37_79B9).wrapping_add(7);
        self.nonces
    }
}

fn paths(scratch: &Scratch) -> (PathBuf, PathBuf) {
    (scratch.path().join("flash.bin"), scratch.path().join("flash.sock"))
}

fn serve(scratch: &Scratch) -> (FlashServer, PathBuf) {
    let (file, socket) = paths(scratch);
    let file = FlashFile::create(&file, FLASH_BYTES).unwrap();
    (FlashServer::start(&socket, file).unwrap(), socket)
}

/// Opens, erases, programs across a segment and reads back.
fn exercise(line: &mut Line) {
    let mut flash = Nor::new(line);
    assert_eq!(flash.open(), Ok(FLASH_BYTES));
    flash.erase(4096, 8192).unwrap();
    let data: Vec<u8> = (0..40).collect();
    flash.write(4080, &data).unwrap();
    let mut read = [0; 40];
    flash.read(4080, &mut read).unwrap();
    assert_eq!(read, *data);
}

#[test]
fn what_was_programmed_survives_the_server() {
    let scratch = Scratch::new();
    let (server, socket) = serve(&scratch);
    exercise(&mut Line::new(&socket));
    assert_eq!(server.counters().changes, 3);
    server.stop().unwrap();
    let bytes = std::fs::read(paths(&scratch).0).unwrap();
    assert_eq!(bytes[4080..4120], (0..40).collect::<Vec<u8>>());
    assert!(bytes[..4080].iter().chain(&bytes[4120..]).all(|byte| *byte == 0xFF));
}

#[test]
fn a_server_cut_off_at_any_byte_loses_and_tears_nothing() {
    let scratch = Scratch::new();
    let (server, socket) = serve(&scratch);
    exercise(&mut Line::new(&socket));
    let bytes = server.counters().bytes;
    drop(server);
    let mut cases = 0;
    // One zero of the resynchronisation is like another, and each costs a time-out.
    for at in (0..bytes).filter(|at| *at >= RESYNC_ZEROS as u64 - 2 || at % 16 == 0) {
        let scratch = Scratch::new();
        let (server, socket) = serve(&scratch);
        server.sever_after(at);
        let mut line = Line::new(&socket);
        line.patience = Duration::from_millis(50);
        exercise(&mut line);
        cases += 1;
        assert!(server.counters().connections >= 2, "cut at {at}");
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn a_device_goes_on_with_a_server_that_was_restarted() {
    let scratch = Scratch::new();
    let (server, socket) = serve(&scratch);
    let mut line = Line::new(&socket);
    let mut flash = Nor::new(&mut line);
    flash.open().unwrap();
    flash.write(0, b"before").unwrap();
    let file = server.stop().unwrap();
    let _server = FlashServer::start(&socket, file).unwrap();
    flash.write(6, b" after").unwrap();
    let mut read = [0; 12];
    flash.read(0, &mut read).unwrap();
    assert_eq!(&read, b"before after");
}

#[test]
fn a_reset_board_takes_over_from_its_former_life() {
    let scratch = Scratch::new();
    let (_server, socket) = serve(&scratch);
    let mut former = Line::new(&socket);
    Nor::new(&mut former).open().unwrap();
    // It died in the middle of a request, and its line stays as it is.
    (&mut former).send(&[0xF5, 0x02, 0x00]);
    exercise(&mut former);
    exercise(&mut Line::new(&socket));
    println!("\ncases: 2\n");
}

#[test]
fn requests_against_the_rules_of_flash_are_refused() {
    let scratch = Scratch::new();
    let (server, socket) = serve(&scratch);
    let mut line = Line::new(&socket);
    let mut flash = Nor::new(&mut line);
    flash.open().unwrap();
    flash.write(10, b"once").unwrap();
    let mut cases = 0;
    let mut check = |result: Result<(), DriverError>, expected| {
        assert_eq!(result, expected);
        cases += 1;
    };
    check(flash.write(10, b"once"), Ok(()));
    check(flash.write(12, b"other"), Err(DriverError::NotErased));
    check(flash.write(FLASH_BYTES - 1, b"xy"), Err(DriverError::OutOfRange));
    check(flash.write(FLASH_BYTES, b"x"), Err(DriverError::OutOfRange));
    check(flash.read(u32::MAX, &mut [0; 2]), Err(DriverError::OutOfRange));
    check(flash.erase(FLASH_BYTES, FLASH_BYTES + 4096), Err(DriverError::OutOfRange));
    check(flash.erase(1, 4097), Err(DriverError::OutOfRange));
    let file = server.stop().unwrap();
    assert!(matches!(file.erase(1), Err(FlashError::OutOfRange { .. })));
    assert!(matches!(file.program(4095, b"ab"), Err(FlashError::OutOfRange { .. })));
    println!("\ncases: {}\n", cases + 2);
}

#[test]
fn files_and_sockets_are_private_and_used_by_one() {
    let scratch = Scratch::new();
    let (_server, socket) = serve(&scratch);
    let (file, _) = paths(&scratch);
    for path in [&file, &socket] {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    assert!(matches!(FlashFile::open(&file, FLASH_BYTES), Err(FlashError::InUse)));
    println!("\ncases: 3\n");
}

#[test]
fn a_file_of_another_size_is_refused() {
    let scratch = Scratch::new();
    let (path, _) = paths(&scratch);
    drop(FlashFile::create(&path, FLASH_BYTES).unwrap());
    assert!(matches!(FlashFile::open(&path, 4096), Err(FlashError::WrongSize { .. })));
}
