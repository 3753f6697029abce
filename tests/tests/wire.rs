//! What stands on the cable: a capture of it, first as anyone sees it, then decrypted with the key
//! log of a gateway that was built for this test.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use wasmbed_tests::authentication::{self, CERTIFICATE, CERTIFICATE_VERIFY};
use wasmbed_tests::conversation::{self, Message, Said};
use wasmbed_tests::fleet::{self, Member};
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, guest, prepared};
use wasmbed_tests::recording::Recording;
use wasmbed_tests::tls_records::{FINISHED, Handshake, Session};
use wasmbed_wire::limits::CHUNK_BYTES_MAX;
use wasmbed_wire::{DeviceMessage, GatewayMessage, GuestReason, ResetReason};

/// Handshake types.
///
/// # Source
/// RFC 8446, section 4.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const ENCRYPTED_EXTENSIONS: u8 = 8;
const CERTIFICATE_REQUEST: u8 = 13;
/// Cipher suite TLS_CHACHA20_POLY1305_SHA256.
///
/// # Source
/// RFC 8446, appendix B.4.
const CHACHA20_POLY1305_SHA256: [u8; 2] = [0x13, 0x03];
/// Alert "close_notify" at level "warning".
///
/// # Source
/// RFC 8446, section 6.
const CLOSE_NOTIFY: [u8; 2] = [1, 0];
/// Bytes of a record of the small class, header included.
const RECORD_BYTES_MAX: usize = 512;

/// Assertions that held.
#[derive(Default)]
struct Cases(u32);

impl Cases {
    #[track_caller]
    fn holds(&mut self, condition: bool, what: &str) {
        assert!(condition, "{what}");
        self.0 += 1;
    }

    #[track_caller]
    fn equal<T: std::fmt::Debug + PartialEq>(&mut self, found: T, expected: T, what: &str) {
        assert_eq!(found, expected, "{what}");
        self.0 += 1;
    }
}

/// What the API server says about the run, to compare with what stands on the cable.
struct Known {
    public_key: Vec<u8>,
    token_digest: String,
    application: String,
    image_digest: String,
    uid: String,
    member: Member,
    log_line: String,
}

/// Boots the boards, deploys the guest `hello` on each, reads a line of it, and ends the platform.
fn record() -> (Recording, Vec<Known>) {
    let platform = Platform::start_recorded("wire", "WASMBED_BIN_KEYLOG", None);
    let members = fleet::boot(&platform);
    let module = guest("hello");
    fleet::each(&members, |member| {
        let name = member.name();
        platform.apply(&modules::application(name, &module, &modules::digest(&module), name));
        platform.wait(&member.application(), "condition=Ready");
    });
    let known = members.into_iter().map(|member| known(&platform, member)).collect();
    (platform.stop_and_take_recording(), known)
}

fn known(platform: &Platform, member: Member) -> Known {
    let log_line = platform.log_line(&member.device, |line| line.contains(" hello "));
    let text = |what: &str, pointer: &str| {
        let object = platform.get(what);
        let found = object.pointer(pointer).and_then(serde_json::Value::as_str);
        found.unwrap_or_else(|| panic!("{what} has no {pointer}: {object}")).to_owned()
    };
    let public_key = text(&member.object(), "/spec/publicKey");
    let enrollment = format!("enrollment/vd-{}", member.name());
    Known {
        public_key: STANDARD.decode(public_key).unwrap_or_else(|error| panic!("{error}")),
        token_digest: text(&enrollment, "/spec/tokenSha256"),
        application: text(&member.application(), "/metadata/uid").replace('-', ""),
        image_digest: text(&member.object(), "/status/applications/0/imageDigest"),
        uid: text(&member.emulated(), "/metadata/uid"),
        log_line,
        member,
    }
}

#[test]
fn a_capture_shows_encrypted_records_that_hold_exactly_the_expected_messages() {
    if std::env::var_os("WASMBED_BIN_KEYLOG").is_none() {
        println!("\nskipped: run by `cargo xtask test e2e`");
        return;
    }
    let (recording, known) = record();
    let mut cases = Cases::default();
    for known in &known {
        println!("{}:", known.member.name());
        board(&mut cases, &recording, known);
    }
    println!("\ncases: {}", cases.0);
}

/// Everything that one board and the gateway said to each other.
fn board(cases: &mut Cases, recording: &Recording, known: &Known) {
    let capture = recording.capture(&known.uid).unwrap_or_else(|why| panic!("{why}"));
    cases.equal(capture.others, 0, "frames that are neither ARP nor TCP, bytes that are no frame");
    cases.equal(capture.connections.len(), 1, "connections of the board");
    let connection = &capture.connections[0];
    let has_gap = connection.sent.has_gap() || connection.received.has_gap();
    cases.holds(!has_gap, "the capture holds every byte");

    let sessions = recording.sessions(&capture).unwrap_or_else(|why| panic!("{why}"));
    let session = &sessions[0];
    records(cases, session);
    handshake(cases, session, known, &recording.authority());
    let said = conversation::read(session).unwrap_or_else(|why| panic!("{why}"));
    let lines: Vec<String> = said.iter().map(Said::line).collect();
    println!("{}", lines.join("\n"));
    let image = image(&said);
    order(cases, &lines, image.len());
    content(cases, &said, &image, known);
    logs(cases, &said, known);
    // The console of a serial line is in the clear on purpose: the session is what must not be.
    let line = [&connection.sent.bytes[..], &connection.received.bytes].concat();
    secrecy(cases, &line, &said, known);
}

#[test]
fn the_binary_that_users_have_writes_no_key_log_even_when_asked() {
    if !prepared() {
        return;
    }
    let platform = Platform::start_recorded("no-key-log", "WASMBED_BIN", None);
    // Connected: the handshake is over, and its secrets would be in the file.
    platform.boot("board");
    let key_log = platform.key_log().map(std::path::Path::to_owned).unwrap_or_default();
    assert!(platform.folder().is_dir() && !key_log.exists(), "{} exists", key_log.display());
    println!("\ncases: 1");
}

/// The form of the records on the wire. That all but the hellos are encrypted is a condition of
/// `decrypt`.
fn records(cases: &mut Cases, session: &Session) {
    for (name, side) in [("device", &session.client), ("gateway", &session.server)] {
        let largest = side.record_bytes.iter().copied().max().unwrap_or_default();
        cases.holds(largest <= RECORD_BYTES_MAX, &format!("{name}: a record of {largest} bytes"));
        // The platform ended in the middle of whatever the gateway was saying last.
        let rest = if name == "gateway" { RECORD_BYTES_MAX } else { 1 };
        let is_whole = side.rest_bytes < rest;
        cases.holds(is_whole, &format!("{name}: {} bytes are no record", side.rest_bytes));
        let alerts_are_closing = side.alerts.iter().all(|alert| *alert == CLOSE_NOTIFY);
        cases.holds(alerts_are_closing, &format!("{name}: alerts {:?}", side.alerts));
    }
    // Version, random and session id come before the cipher suite.
    let hello = &session.server.hello.1;
    let suite = hello.get(34).and_then(|length| hello.get(35 + usize::from(*length)..)?.get(..2));
    cases.equal(suite, Some(&CHACHA20_POLY1305_SHA256[..]), "the cipher suite");
    let extensions = &session.server.handshake[0].1;
    let protocol = wasmbed_wire::ALPN_512.as_bytes();
    let is_chosen = extensions.windows(protocol.len()).any(|part| part == protocol);
    cases.holds(is_chosen, "the gateway chose the protocol");
    cases.equal(session.client.hello.0, CLIENT_HELLO, "the first message of the device");
    cases.equal(session.server.hello.0, SERVER_HELLO, "the first message of the gateway");
}

/// The handshake messages: which, in which order, and who the two say they are.
fn handshake(cases: &mut Cases, session: &Session, known: &Known, authority: &[u8]) {
    let kinds = |messages: &[Handshake]| messages.iter().map(|(kind, _)| *kind).collect::<Vec<_>>();
    let server = &session.server.handshake;
    let expected =
        [ENCRYPTED_EXTENSIONS, CERTIFICATE_REQUEST, CERTIFICATE, CERTIFICATE_VERIFY, FINISHED];
    cases.equal(kinds(server), expected.to_vec(), "handshake messages of the gateway");
    let client = &session.client.handshake;
    let expected = [CERTIFICATE, CERTIFICATE_VERIFY, FINISHED];
    cases.equal(kinds(client), expected.to_vec(), "handshake messages of the device");

    // Who they are, each by a signature over this handshake that is verified here once more.
    let device = authentication::device_key(session).unwrap_or_else(|why| panic!("{why}"));
    cases.equal(&device[..], &known.public_key, "the device's certificate is spec.publicKey");
    let names = authentication::gateway_names(session, authority);
    let names = names.unwrap_or_else(|why| panic!("{why}"));
    cases.holds(names.contains("gateway"), &format!("the gateway's certificate is for {names}"));
    // SHA-256 of the transcript under a key of 32 bytes.
    for (name, messages) in [("device", &client[..]), ("gateway", &server[2..])] {
        cases.equal(messages[1].1.len(), 68, &format!("{name}: one signature"));
        cases.equal(messages[2].1.len(), 32, &format!("{name}: Finished by SHA-256"));
    }
}

/// The image, from the chunks as they passed.
fn image(said: &[Said]) -> Vec<u8> {
    let chunk = |said: &Said| match said.message() {
        Message::Gateway(GatewayMessage::InstallChunk(chunk)) => chunk.bytes.to_vec(),
        _ => Vec::new(),
    };
    said.iter().flat_map(chunk).collect()
}

/// Which messages pass, and in which order.
///
/// Heartbeats, the gateway's question whether the device hears it, and log lines are bound to a clock,
/// and how often the whole state is sent depends on when the application comes to be: for these, only
/// what they may follow is fixed.
fn order(cases: &mut Cases, lines: &[String], image_bytes: usize) {
    let is_fixed = |line: &str| {
        let head = [
            "device Heartbeat",
            "gateway Ping",
            "device CommandResult",
            "device Log",
            "gateway DesiredState",
        ];
        !head.iter().any(|head| line.starts_with(head))
    };
    let mut expected: Vec<String> = [
        "device Hello",
        "gateway EnrollRequired",
        "device Enroll",
        "gateway Welcome",
        "device InstallRequest manifest",
        "gateway Install",
        "device StateReport Installing",
    ]
    .map(str::to_owned)
    .into();
    for offset in (0..image_bytes).step_by(CHUNK_BYTES_MAX) {
        let bytes = CHUNK_BYTES_MAX.min(image_bytes - offset);
        expected.push(format!("device InstallRequest {offset}"));
        expected.push(format!("gateway InstallChunk {offset} + {bytes}"));
    }
    expected.extend(["device StateReport Installed", "device StateReport Running"].map(Into::into));
    let mut found: Vec<String> = lines.iter().filter(|line| is_fixed(line)).cloned().collect();
    // The emulator is ended at the same time as the gateway, which may not get to say so.
    if found.last().is_some_and(|line| line == "gateway Refused ShuttingDown") {
        found.pop();
    }
    cases.equal(found, expected, "messages of the session");

    let place = |wanted: &str| lines.iter().position(|line| line.starts_with(wanted));
    for (later, earlier) in [
        ("device Heartbeat", "gateway Welcome"),
        ("gateway DesiredState", "gateway Welcome"),
        ("device InstallRequest", "gateway DesiredState 1"),
        ("device Log", "device StateReport Installed"),
    ] {
        let is_in_order = place(later).is_some() && place(earlier) < place(later);
        cases.holds(is_in_order, &format!("{later} comes after {earlier}"));
    }
}

/// What the messages say, compared with what the API server says.
fn content(cases: &mut Cases, said: &[Said], image: &[u8], known: &Known) {
    let digest = Sha256::digest(image);
    cases.equal(hex(&digest), known.image_digest.clone(), "digest of the chunks");
    let mut revision = None;
    let mut desired = Vec::new();
    for message in said.iter().map(Said::message) {
        match message {
            Message::Device(DeviceMessage::Hello(hello)) => {
                cases.equal(hello.board, known.member.name(), "board in Hello");
                cases.equal(hello.namespace, "default", "namespace in Hello");
                cases.equal(hello.reset_reason, ResetReason::PowerOn, "reset reason in Hello");
                cases.equal((hello.boot_count, hello.last_epoch), (1, 0), "a new device");
            }
            Message::Device(DeviceMessage::Enroll(enroll)) => {
                let token = enroll.token.unwrap_or_default();
                let found = hex(&Sha256::digest(token));
                cases.equal(found, known.token_digest.clone(), "digest of the token");
            }
            Message::Gateway(GatewayMessage::Welcome(welcome)) => {
                cases.equal(welcome.device, known.member.device.as_str(), "device in Welcome");
                cases.equal(welcome.epoch, 1, "epoch in Welcome");
            }
            Message::Gateway(GatewayMessage::DesiredState(state)) => {
                cases.holds(revision < Some(state.revision), "the revision grows");
                revision = Some(state.revision);
                desired = state.apps.iter().collect();
            }
            Message::Gateway(GatewayMessage::Install(install)) => {
                let has_digest = install.manifest.windows(32).any(|part| part == &digest[..]);
                cases.holds(has_digest, "the manifest has the digest of the image");
                cases.equal(install.app.to_string(), known.application.clone(), "app in Install");
            }
            Message::Device(DeviceMessage::StateReport(report)) => {
                cases.equal(report.app.to_string(), known.application.clone(), "app in a report");
                cases.equal(report.reason, GuestReason::None, "reason in a report");
                cases.equal(report.restarts, 0, "restarts in a report");
                if report.state.name() != "Installing" {
                    let found = report.image.map(|image| image.to_string());
                    cases.equal(found, Some(known.image_digest.clone()), "image in a report");
                }
            }
            _ => {}
        }
    }
    let found: Vec<_> = desired.iter().map(|entry| (entry.app.to_string(), entry.run)).collect();
    cases.equal(found, vec![(known.application.clone(), true)], "the last desired state");
}

/// The guest's lines, all of them, and the one the user saw.
fn logs(cases: &mut Cases, said: &[Said], known: &Known) {
    let texts = log_texts(said);
    for (number, text) in texts.iter().enumerate() {
        cases.equal(text.as_str(), format!("hello {number}").as_str(), "a line of the guest");
    }
    let is_seen = texts.iter().any(|text| known.log_line.contains(text.as_str()));
    cases.holds(is_seen, &format!("the line the user saw passed: {}", known.log_line));
}

fn log_texts(said: &[Said]) -> Vec<String> {
    let text = |said: &Said| match said.message() {
        Message::Device(DeviceMessage::Log(log)) => {
            Some(String::from_utf8_lossy(log.text).into_owned())
        }
        _ => None,
    };
    said.iter().filter_map(text).collect()
}

/// Nothing of what was said can be read in the capture.
fn secrecy(cases: &mut Cases, line: &[u8], said: &[Said], known: &Known) {
    let is_there = |part: &[u8]| line.windows(part.len()).any(|window| window == part);
    // The search finds what is in the clear: the ClientHello offers this protocol.
    cases.holds(is_there(wasmbed_wire::ALPN_512.as_bytes()), "the search finds what is there");
    cases.holds(!is_there(&known.public_key), "the device's key is in the capture");
    for text in log_texts(said) {
        cases.holds(!is_there(text.as_bytes()), &format!("{text:?} is in the capture"));
    }
    for said in said {
        if let Message::Device(DeviceMessage::Enroll(enroll)) = said.message() {
            let token = enroll.token.unwrap_or_default();
            cases.holds(token.len() >= 16 && !is_there(token.as_bytes()), "the token");
        }
    }
    // Any eight bytes of any message, apart from runs that headers have as well, such as zeros.
    let windows: HashSet<&[u8]> = line.windows(8).collect();
    for said in said {
        let is_telling = |part: &&[u8]| part.iter().collect::<HashSet<_>>().len() >= 6;
        let found = said.body.windows(8).filter(is_telling).find(|part| windows.contains(part));
        cases.equal(found, None, &format!("a part of {} is in the capture", said.line()));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
