//! Promise 2: devices talk to the gateway over real TLS 1.3, both sides authenticated.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wasmbed_tests::authentication;
use wasmbed_tests::cli::Cli;
use wasmbed_tests::conversation::{self, Message};
use wasmbed_tests::fleet::Member;
use wasmbed_tests::recording::Recording;
use wasmbed_wire::{DeviceMessage, GatewayMessage};

/// What the API server says about a board.
pub struct Known {
    /// Which board.
    pub board: &'static str,
    device: String,
    uid: String,
    public_key: String,
}

/// Asks the API server; what it does not know stays empty.
pub fn known(cli: &Cli, member: &Member) -> Known {
    let text = |what: &str, pointer: &str| {
        let object = cli.get(what);
        object.pointer(pointer).and_then(|found| found.as_str()).unwrap_or_default().to_owned()
    };
    let public_key = match member.device.is_empty() {
        true => String::new(),
        false => text(&member.object(), "/spec/publicKey"),
    };
    Known {
        board: member.name(),
        device: member.device.clone(),
        uid: text(&member.emulated(), "/metadata/uid"),
        public_key,
    }
}

/// Checks that everything that passed the line was TLS 1.3, that in each session the device proved to
/// hold the key of its Device and the gateway a key that the fleet's authority signed, and that what
/// is in it are messages: the board's Hello and the gateway's Welcome for this Device.
#[track_caller]
pub fn check(recording: &Recording, known: &Known) {
    let capture = recording.capture(&known.uid).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(capture.others, 0, "something else than the session is on the line");
    // Decrypts only what follows the key schedule of TLS 1.3, with nothing but the hellos in clear.
    let sessions = recording.sessions(&capture).unwrap_or_else(|why| panic!("{why}"));
    assert!(!sessions.is_empty(), "no session in the capture");
    let public_key = STANDARD.decode(&known.public_key).unwrap_or_else(|why| panic!("{why}"));
    let authority = recording.authority();
    for session in &sessions {
        let device = authentication::device_key(session).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(&device[..], &public_key, "another key than the Device's");
        let names = authentication::gateway_names(session, &authority);
        let names = names.unwrap_or_else(|why| panic!("{why}"));
        assert!(names.contains("gateway"), "the gateway's certificate is for {names}");
        let said = conversation::read(session).unwrap_or_else(|why| panic!("{why}"));
        let messages: Vec<Message<'_>> = said.iter().map(conversation::Said::message).collect();
        let is_hello = |message: &&Message<'_>| matches!(message, Message::Device(DeviceMessage::Hello(hello)) if hello.board == known.board);
        assert!(messages.first().filter(is_hello).is_some(), "no Hello: {:?}", messages.first());
        let is_welcome = |message: &Message<'_>| matches!(message, Message::Gateway(GatewayMessage::Welcome(welcome)) if welcome.device == known.device);
        assert!(messages.iter().any(is_welcome), "no Welcome for {}", known.device);
    }
}
