//! Interoperation with OpenSSL 3.2 or later, if `WASMBED_OPENSSL` names a program that runs one
//! (`tests/openssl/fetch.sh` makes one available).

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use wasmbed_tls::{Closed, Error, State};

use crate::fleet::{Device, Fleet, count};

/// `openssl s_server`, killed when dropped.
struct Server {
    child: Child,
    input: ChildStdin,
    address: SocketAddr,
    folder: PathBuf,
}

impl Server {
    fn start(program: &OsString, fleet: &Fleet, name: &str, arguments: &[&str]) -> Self {
        let folder =
            std::env::temp_dir().join(format!("wasmbed-tls-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("leaf.der"), &fleet.leaf).unwrap();
        std::fs::write(folder.join("key.pem"), fleet.leaf_key.serialize_pem()).unwrap();
        let mut child = Command::new(program)
            .current_dir(&folder)
            .args(["s_server", "-accept", "127.0.0.1:0", "-enable_client_rpk"])
            .args(["-cert", "leaf.der", "-certform", "DER", "-key", "key.pem", "-Verify", "1"])
            .args(["-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "s_server ended");
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                break address.trim().parse().unwrap();
            }
        };
        // What it prints later is read away, so that it never waits for us.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        let input = child.stdin.take().unwrap();
        Self { child, input, address, folder }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Moves bytes until `done`, or until the server closes the connection.
fn pump(device: &mut Device, wire: &mut TcpStream, mut done: impl FnMut(&mut Device) -> bool) {
    let mut bytes = [0; 4096];
    loop {
        device.settle();
        wire.write_all(&device.drain()).unwrap();
        device.settle();
        if device.client.outgoing().is_empty() && done(device) {
            return;
        }
        let count = wire.read(&mut bytes).expect("the server answers in time");
        if count == 0 {
            return;
        }
        device.take(&bytes[..count], 4096);
    }
}

fn connect(server: &Server) -> TcpStream {
    let wire = TcpStream::connect(server.address).unwrap();
    wire.set_nodelay(true).unwrap();
    wire.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    wire
}

/// Where the program is; without it the tests say so and do nothing.
fn program() -> Option<OsString> {
    let program = std::env::var_os("WASMBED_OPENSSL");
    if program.is_none() {
        println!("skipped: openssl ≥ 3.2 not found (WASMBED_OPENSSL is not set)");
    }
    program
}

/// Opens a session and has a line sent back reversed.
fn check_echo(program: &OsString, name: &str, arguments: &[&str]) {
    let fleet = Fleet::new(|_| {});
    let arguments = [&["-rev", "-alpn", "wasmbed/1-512"], arguments].concat();
    let server = Server::start(program, &fleet, name, &arguments);
    let (mut device, mut wire) = (Device::new(&[fleet.pin]), connect(&server));
    pump(&mut device, &mut wire, |device| device.client.state() == State::Open);
    assert_eq!(device.client.state(), State::Open, "{name}");
    for round in 0..20 {
        let line = format!("line {round} {}\n", "x".repeat(round * 9));
        pump(&mut device, &mut wire, |_| true);
        assert_eq!(device.client.write(line.as_bytes()), line.len());
        pump(&mut device, &mut wire, |device| device.client.plaintext().ends_with(b"\n"));
        let reversed: String = line.trim_end_matches('\n').chars().rev().chain(['\n']).collect();
        assert_eq!(device.client.plaintext(), reversed.as_bytes(), "{name}");
        device.client.consume(reversed.len());
        // Once only: s_server -rev waits a second after each KeyUpdate.
        if round == 9 {
            device.client.update_keys();
        }
    }
    device.client.close();
    pump(&mut device, &mut wire, |_| false);
    assert_eq!(device.client.state(), State::Closed(Closed::Local));
}

#[test]
fn openssl_echoes_with_and_without_tickets_cookies_and_compatibility_mode() {
    let Some(program) = program() else { return };
    let cases: [(&str, &[&str]); 5] = [
        ("plain", &["-num_tickets", "0", "-no_middlebox"]),
        ("tickets", &["-num_tickets", "4"]),
        ("cookie", &["-stateless"]),
        ("early", &["-num_tickets", "2", "-max_early_data", "1000"]),
        ("compatible", &["-num_tickets", "1"]),
    ];
    for (name, arguments) in cases {
        check_echo(&program, name, arguments);
    }
    count(cases.len());
}

#[test]
fn openssl_updates_its_keys_and_asks_for_ours() {
    let Some(program) = program() else { return };
    let fleet = Fleet::new(|_| {});
    let arguments = ["-alpn", "wasmbed/1-512", "-num_tickets", "0"];
    let mut server = Server::start(&program, &fleet, "update", &arguments);
    let (mut device, mut wire) = (Device::new(&[fleet.pin]), connect(&server));
    pump(&mut device, &mut wire, |device| device.client.state() == State::Open);
    // Lines of one letter are commands of s_server: k and K update keys, without and with a request.
    for round in 0..6 {
        let command: &[u8] = if round % 2 == 0 { b"k\n" } else { b"K\n" };
        server.input.write_all(command).unwrap();
        // It reads commands and lines in one go, so the line waits until the KeyUpdate is here.
        let mut rounds = 0;
        pump(&mut device, &mut wire, |_| {
            rounds += 1;
            rounds > 1
        });
        server.input.write_all(b"after\n").unwrap();
        pump(&mut device, &mut wire, |device| device.client.plaintext() == b"after\n");
        assert_eq!(device.client.plaintext(), b"after\n", "{round}");
        device.client.consume(6);
        assert_eq!(device.client.write(b"heard\n"), 6);
    }
    count(6);
}

#[test]
fn openssl_is_refused_where_it_is_not_the_gateway() {
    let Some(program) = program() else { return };
    let fleet = Fleet::new(|_| {});
    let check = |name: &str, pin: [u8; 32], arguments: &[&str], expected: Closed| {
        let server = Server::start(&program, &fleet, name, arguments);
        let (mut device, mut wire) = (Device::new(&[pin]), connect(&server));
        pump(&mut device, &mut wire, |device| matches!(device.client.state(), State::Closed(_)));
        assert_eq!(device.client.state(), State::Closed(expected), "{name}");
    };
    let alpn = ["-alpn", "wasmbed/1-512"];
    check("authority", [9; 32], &alpn, Closed::Failed(Error::UnknownAuthority));
    check("protocol", fleet.pin, &[], Closed::Failed(Error::NoApplicationProtocol));
    check("other", fleet.pin, &["-alpn", "h2"], Closed::PeerAlert(120));
    check("group", fleet.pin, &["-groups", "P-256"], Closed::PeerAlert(40));
    check("tls12", fleet.pin, &["-no_tls1_3"], Closed::PeerAlert(70));
    count(5);
}
