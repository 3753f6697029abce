//! The session that is measured, and the primitives alone.

use core::hint::black_box;

use wasmbed_curve::{ed25519, sha512, x25519};
use wasmbed_tls::{Client, Config, State};

use semihosting_of_qemu::{End, exit, print, print_number};

use crate::harness::measure;

/// The flight of an honest server to a client with the entropy below, made by the client's tests.
static FLIGHT: &[u8] = include_bytes!("../flight.bin");
/// The key of the authority that signed the leaf in it.
static PIN: [u8; 32] = *include_bytes!("../pin.bin");

static mut CLIENT: Client = Client::new();

/// Measures everything once.
pub fn run() {
    primitives();
    // SAFETY: taken once, and nothing here is interrupted.
    let client = unsafe { &mut *core::ptr::addr_of_mut!(CLIENT) };
    let key = measure("key_from_seed", || ed25519::Key::from_seed(&[0x5e; 32]));
    let config = Config {
        key: &key,
        pins: &[PIN],
        server_name: "gateway.default",
        alpn: &[b"wasmbed/1-512"],
    };
    let mut entropy = [0; 64];
    for (index, byte) in entropy.iter_mut().enumerate() {
        *byte = index as u8 * 3 + 1;
    }
    measure("start", || client.start(&entropy));
    let names = [
        "client_hello",
        "open_server_hello",
        "server_hello",
        "open_extensions",
        "extensions",
        "open_request",
        "request",
        "open_certificate",
        "certificate",
        "open_verify",
        "verify",
        "open_finished",
        "finished",
        "client_flight",
    ];
    let mut rest = FLIGHT;
    for name in names {
        let taken = client.receive(rest);
        rest = rest.get(taken..).unwrap_or(&[]);
        let count = client.outgoing().len();
        client.sent(count);
        measure(name, || client.step(&config, Some(1_795_000_000)));
    }
    if client.state() != State::Open {
        print("the session did not open\n");
        exit(End::RunTimeError);
    }
    let count = client.outgoing().len();
    client.sent(count);
    measure("write_200", || client.write(&[7; 200]));
    print("client_bytes ");
    print_number(size_of::<Client>() as u32);
    print("\n");
}

fn primitives() {
    let secret = black_box([0x77; 32]);
    let public = measure("x25519_public", || x25519::public_key(&secret));
    measure("x25519_shared", || x25519::shared(&secret, &public));
    let key = ed25519::Key::from_seed(&secret);
    let message = black_box([0x20; 130]);
    let signature = measure("ed25519_sign", || key.sign(&[&message]));
    let valid = measure("ed25519_verify", || {
        ed25519::verify(key.public(), &[&message], &signature).is_ok()
    });
    let mut digest = [0; 64];
    measure("sha512_160", || {
        let mut hash = sha512::Sha512::new();
        hash.update(&[3; 160]);
        hash.finish(&mut digest);
    });
    if !valid {
        exit(End::RunTimeError);
    }
}
