//! A device and a server over a line that loses, garbles, doubles and stops at every byte.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use super::*;

const FLASH_BYTES: usize = 3 * 4096;

/// A flash in memory behind a parser, as the host has one.
struct Server {
    parser: RequestParser,
    flash: Vec<u8>,
    applied: usize,
}

impl Server {
    fn new() -> Self {
        Self { parser: RequestParser::new(), flash: vec![0xFF; FLASH_BYTES], applied: 0 }
    }

    fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut answers = Vec::new();
        for byte in bytes {
            let Some((id, command)) = self.parser.push(*byte) else { continue };
            let mut target = [0; ANSWER_BYTES_MAX];
            let data = match command {
                Command::Read { address, length } => {
                    self.flash[address as usize..][..usize::from(length)].to_vec()
                }
                Command::Program { address, data } => {
                    self.applied += 1;
                    self.flash[address as usize..][..data.len()].copy_from_slice(data);
                    Vec::new()
                }
                Command::Erase { address } => {
                    self.applied += 1;
                    self.flash[address as usize..][..4096].fill(0xFF);
                    Vec::new()
                }
                Command::Sync { nonce } => {
                    [nonce.to_be_bytes(), (FLASH_BYTES as u32).to_be_bytes()].concat()
                }
            };
            answers.extend_from_slice(answer(&mut target, id, Status::Done, &data));
        }
        answers
    }
}

/// What happens to one byte on its way.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Lose,
    Double,
    Flip(u8),
    /// The byte and all that were under way are gone, as when the server is killed.
    Restart,
}

const FAULTS: [Fault; 6] = [
    Fault::Lose,
    Fault::Double,
    Fault::Flip(0x01),
    Fault::Flip(0x80),
    Fault::Flip(0xFF),
    Fault::Restart,
];

/// A port with a fault at one byte of one direction.
struct Line {
    server: Server,
    to_device: Vec<u8>,
    sent: usize,
    received: usize,
    fault_up: Option<(usize, Fault)>,
    fault_down: Option<(usize, Fault)>,
    nonces: u32,
}

impl Line {
    fn new(server: Server) -> Self {
        let (fault_up, fault_down) = (None, None);
        Self { server, to_device: vec![], sent: 0, received: 0, fault_up, fault_down, nonces: 7 }
    }
}

impl Port for &mut Line {
    fn send(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let fault = self.fault_up.filter(|(at, _)| *at == self.sent).map(|(_, fault)| fault);
            self.sent += 1;
            let passed = match fault {
                None => vec![*byte],
                Some(Fault::Lose) => vec![],
                Some(Fault::Double) => vec![*byte, *byte],
                Some(Fault::Flip(mask)) => vec![*byte ^ mask],
                Some(Fault::Restart) => {
                    self.server.parser = RequestParser::new();
                    vec![]
                }
            };
            let answers = self.server.push(&passed);
            self.to_device.extend(answers);
        }
    }

    fn receive(&mut self) -> Option<u8> {
        let byte = *self.to_device.first()?;
        let fault = self.fault_down.filter(|(at, _)| *at == self.received).map(|(_, fault)| fault);
        self.received += 1;
        match fault {
            Some(Fault::Double) => return Some(byte),
            Some(Fault::Restart) => {
                self.server.parser = RequestParser::new();
                self.to_device.clear();
                return None;
            }
            Some(Fault::Lose) => {
                self.to_device.remove(0);
                return self.receive();
            }
            Some(Fault::Flip(mask)) => {
                self.to_device.remove(0);
                return Some(byte ^ mask);
            }
            None => {}
        }
        self.to_device.remove(0);
        Some(byte)
    }

    fn nonce(&mut self) -> u32 {
        self.nonces = self.nonces.wrapping_mul(0x9E37_79B9).wrapping_add(1);
        self.nonces
    }
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 7 + 1) as u8).collect()
}

/// Opens, erases, programs across a segment, reads back; whatever fails is tried again.
fn exercise(line: &mut Line) {
    let data = pattern(700);
    let mut flash = Nor::new(&mut *line);
    assert_eq!(flash.open(), Ok(FLASH_BYTES as u32));
    flash.erase(4096, 8192).unwrap();
    flash.write(3800, &data).unwrap();
    let mut read = vec![0; data.len()];
    flash.read(3800, &mut read).unwrap();
    assert_eq!(read, data);
}

#[test]
fn a_device_writes_and_reads_across_segments() {
    let mut line = Line::new(Server::new());
    exercise(&mut line);
    assert_eq!(line.server.applied, 3);
}

#[test]
fn every_fault_at_every_byte_in_both_directions_is_overcome() {
    let mut plain = Line::new(Server::new());
    exercise(&mut plain);
    let mut cases = 0;
    for fault in FAULTS {
        for at in 0..plain.sent {
            let mut line = Line::new(Server::new());
            line.fault_up = Some((at, fault));
            exercise(&mut line);
            cases += 1;
        }
        for at in 0..plain.received {
            let mut line = Line::new(Server::new());
            line.fault_down = Some((at, fault));
            exercise(&mut line);
            cases += 1;
        }
    }
    println!("\ncases: {cases}\n");
}

/// A request inside the data of another, as a guest's image could hold one.
fn smuggled() -> Vec<u8> {
    let erase = frame(&Request::erase(1, 0));
    let mut data = vec![0xAA; 64];
    data.extend_from_slice(&erase);
    data.resize(512, 0xAA);
    data
}

fn frame(request: &Request<'_>) -> Vec<u8> {
    [request.head().as_slice(), request.data(), request.tail()].concat()
}

#[test]
fn a_reset_at_any_byte_never_applies_half_a_request_nor_one_within() {
    let data = smuggled();
    let program = frame(&Request::program(9, 4096, &data));
    for cut in 0..program.len() {
        let mut server = Server::new();
        server.push(&vec![0; RESYNC_ZEROS]);
        server.flash[..16].fill(0x11);
        assert!(server.push(&program[..cut]).is_empty());
        let mut line = Line::new(server);
        exercise_after_reset(&mut line);
    }
    println!("\ncases: {}\n", program.len());
}

#[test]
fn a_server_that_starts_at_any_byte_never_applies_what_is_within_a_request() {
    let data = smuggled();
    let program = frame(&Request::program(9, 4096, &data));
    for cut in 1..program.len() {
        let mut server = Server::new();
        server.flash[..16].fill(0x11);
        assert!(server.push(&program[cut..]).is_empty());
        let mut line = Line::new(server);
        exercise_after_reset(&mut line);
    }
    println!("\ncases: {}\n", program.len() - 1);
}

#[track_caller]
fn exercise_after_reset(line: &mut Line) {
    let mut flash = Nor::new(&mut *line);
    flash.open().unwrap();
    let mut head = [0; 16];
    flash.read(0, &mut head).unwrap();
    assert_eq!(head, [0x11; 16], "a torn request was obeyed");
    assert_eq!(line.server.applied, 0);
}

#[test]
fn answers_to_a_former_life_are_not_taken_for_answers() {
    let mut cases = 0;
    let mut stale = Vec::new();
    let mut target = [0; ANSWER_BYTES_MAX];
    // Same ids as the new life uses, and a nonce that is not its own.
    for id in 0..4 {
        let sync = [0xDEAD_BEEF_u32.to_be_bytes(), 1_u32.to_be_bytes()].concat();
        stale.extend_from_slice(answer(&mut target, id, Status::Done, &sync));
        stale.extend_from_slice(answer(&mut target, id, Status::Done, &[0x55; 16]));
    }
    for cut in 0..stale.len() {
        let mut line = Line::new(Server::new());
        line.server.flash.fill(0x11);
        line.to_device = stale[cut..].to_vec();
        exercise_after_reset(&mut line);
        cases += 1;
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn a_request_changed_in_any_byte_is_refused_and_followed_by_silence() {
    let program = frame(&Request::program(3, 4096, &pattern(40)));
    let mut cases = 0;
    for at in 0..program.len() {
        for mask in 1..=255_u8 {
            let mut bad = program.clone();
            bad[at] ^= mask;
            let mut server = Server::new();
            server.push(&vec![0; RESYNC_ZEROS]);
            assert!(server.push(&bad).is_empty());
            assert!(server.push(&program).is_empty(), "byte {at} mask {mask:02x}");
            server.push(&vec![0; RESYNC_ZEROS]);
            assert!(!server.push(&program).is_empty());
            assert_eq!(server.applied, 1);
            cases += 1;
        }
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn an_answer_changed_in_any_byte_is_not_believed() {
    let mut target = [0; ANSWER_BYTES_MAX];
    let good = answer(&mut target, 5, Status::Done, &pattern(24)).to_vec();
    let mut cases = 0;
    for at in 0..good.len() {
        for mask in 1..=255_u8 {
            let mut bad = good.clone();
            bad[at] ^= mask;
            let mut parser = AnswerParser::new(5);
            let mut data = [0; 24];
            assert_eq!(bad.iter().find_map(|byte| parser.push(*byte, &mut data)), None);
            cases += 1;
        }
    }
    println!("\ncases: {cases}\n");
}

/// Written with zlib's CRC-32, not with ours.
#[test]
fn frames_have_the_documented_bytes() {
    let request = [&[0xF5, 2, 1, 2, 0, 0, 0x10, 3, 0, 2, 0x9E, 0x70][..], b"ab~6\xD7k"].concat();
    assert_eq!(frame(&Request::program(0x0102, 0x0000_1003, b"ab")), request);
    let mut target = [0; ANSWER_BYTES_MAX];
    let expected = [&[0xFA, 2, 1, 2, 0, 2, 0x1A, 0x9B][..], b"ab\xFA\x5F\xA4\x0F"].concat();
    assert_eq!(answer(&mut target, 0x0102, Status::NotErased, b"ab"), expected);
}
