//! Every phase of a session against every kind of input, on a clock of the test's own.

use std::time::{Duration, Instant};

use wasmbed_wire::{
    AppId, Budget, CommandOutcome, CommandResult, Counters, DesiredEntry, DeviceMessage, Digest,
    Enroll, GuestReason, GuestState, Heartbeat, Hello, InstallRequest, Log, Message, RefusedReason,
    ResetReason, Seq, StateReport, Telemetry,
};

use super::{CommandKind, Effect, EndReason, Input, Session, Verdict, Waits, retry_ms};

const WAITS: Waits = Waits {
    hello: Duration::from_millis(100),
    heartbeat: Duration::from_millis(300),
    inventory: Duration::from_millis(50),
};

const HELLO: Hello<'static> = Hello {
    board: "mps2-an385",
    firmware: "0.1.0",
    dtb_digest: Digest([7; 32]),
    minor_min: 0,
    minor_max: 0,
    budget: Budget { arena_bytes: 1000, slot_bytes: 2000, slots: 3, guests: 2 },
    boot_count: 4,
    reset_reason: ResetReason::PowerOn,
    fault: None,
    namespace: "fleet",
    image_format: 1,
    last_epoch: 0,
    host_calls: None,
};

fn app(word: &str) -> AppId {
    AppId([word.parse().expect("a number"); 16])
}

fn entries(words: &[&str]) -> Vec<DesiredEntry> {
    let entry = |word: &&str| {
        let (name, generation) = word.split_once(':').expect("app:generation");
        let generation = generation.parse().expect("a number");
        DesiredEntry { app: app(name), generation, run: true, restart_token: 0 }
    };
    words.iter().map(entry).collect()
}

fn hello(words: &[&str]) -> Hello<'static> {
    match words {
        [] => HELLO,
        ["namespace", _] => Hello { namespace: "other", ..HELLO },
        ["minor", "0..9"] => Hello { minor_max: 9, ..HELLO },
        ["minor", "9..9"] => Hello { minor_min: 9, minor_max: 9, ..HELLO },
        ["minor", "3..1"] => Hello { minor_min: 3, minor_max: 1, ..HELLO },
        ["board", "-x"] => Hello { board: "-x", ..HELLO },
        ["board", "UP"] => Hello { board: "UP", ..HELLO },
        ["board", "empty"] => Hello { board: "", ..HELLO },
        ["firmware", _] => Hello { firmware: "a\nb", ..HELLO },
        words => panic!("bad hello {words:?}"),
    }
}

fn input(words: &[&'static str]) -> Input<'static> {
    let message = match words {
        ["hello", rest @ ..] => DeviceMessage::Hello(hello(rest)),
        ["enroll"] => DeviceMessage::Enroll(Enroll { token: None }),
        ["enroll", token] => DeviceMessage::Enroll(Enroll { token: Some(token) }),
        ["heartbeat"] => DeviceMessage::Heartbeat(Heartbeat {
            uptime_ms: 1,
            counters: Counters::default(),
            guests: Seq::Items(&[]),
        }),
        ["report", name] => DeviceMessage::StateReport(StateReport {
            app: app(name),
            generation: 1,
            image: None,
            state: GuestState::Running,
            reason: GuestReason::None,
            restarts: 0,
            function: None,
            offset: None,
            needed_bytes: None,
            available_bytes: None,
            exit_code: None,
            memory_bytes: None,
            fuel: None,
            backoff_ms: None,
        }),
        ["log"] => {
            DeviceMessage::Log(Log { app: app("1"), sequence: 1, uptime_ms: 1, text: b"hi \xff" })
        }
        ["telemetry"] => DeviceMessage::Telemetry(Telemetry {
            app: app("1"),
            sequence: 1,
            uptime_ms: 1,
            topic: "t",
            value: -5,
        }),
        ["message", topic] => DeviceMessage::Message(Message {
            app: app("1"),
            sequence: 3,
            uptime_ms: 1,
            topic,
            payload: &[0xff, 0],
        }),
        ["result", id] => DeviceMessage::CommandResult(CommandResult {
            id: id.parse().expect("a number"),
            outcome: CommandOutcome::Done,
            uptime_ms: 9,
            receivers: None,
        }),
        ["request", wanted, offset] => {
            let (name, generation) = wanted.split_once(':').expect("app:generation");
            DeviceMessage::InstallRequest(InstallRequest {
                app: app(name),
                generation: generation.parse().expect("a number"),
                offset: offset.parse().ok(),
            })
        }
        ["garbage"] => return Input::Garbage,
        ["unknown"] => return Input::UnknownMessage,
        ["admitted", epoch] => {
            let epoch = epoch.parse().expect("a number");
            return Input::Verdict(Verdict::Admitted { device: "d-x".to_owned(), epoch });
        }
        ["stranger"] => return Input::Verdict(Verdict::Stranger),
        ["refused"] => return Input::Verdict(Verdict::Refused(RefusedReason::TokenUsedUp)),
        ["desired", rest @ ..] => return Input::Desired(entries(rest)),
        ["ping"] => return Input::Command(CommandKind::Ping),
        ["revoke"] => return Input::End(EndReason::Revoked),
        ["delete"] => return Input::End(EndReason::Deleted),
        ["supersede"] => return Input::End(EndReason::Superseded),
        ["stop"] => return Input::End(EndReason::ShuttingDown),
        ["tick"] => return Input::Tick,
        words => panic!("bad input {words:?}"),
    };
    Input::Message(message)
}

fn show(effect: &Effect) -> String {
    match effect {
        Effect::Lookup(hello) => format!("lookup {}", hello.board),
        Effect::Enroll { token, .. } => format!("enroll {}", token.as_deref().unwrap_or("-")),
        Effect::SendWelcome { device, epoch, minor } => format!("welcome {device} {epoch} {minor}"),
        Effect::SendEnrollRequired => "enroll-required".to_owned(),
        Effect::SendRefused(reason) => format!("refuse {}", reason.name()),
        Effect::SendDesired { revision, apps } => {
            let apps: Vec<String> =
                apps.iter().map(|e| format!("{}:{}", e.app.0[0], e.generation)).collect();
            format!("desired {revision} [{}]", apps.join(" "))
        }
        Effect::SendCommand { id, .. } => format!("command {id}"),
        Effect::SendContent(request) => format!("content {:?}", request.offset),
        Effect::RecordReport(report) => format!("report {}", report.app.0[0]),
        Effect::RecordHeartbeat(_) => "heartbeat".to_owned(),
        Effect::RecordLog(line) => format!("log {}", line.text),
        Effect::RecordMessage(message) => format!("message {}", message.topic),
        Effect::RecordTelemetry(sample) => format!("sample {} {}", sample.topic, sample.value),
        Effect::InventoryComplete => "inventory".to_owned(),
        Effect::Resolve { id, .. } => format!("resolve {id}"),
        Effect::Close(reason) => format!("close {reason:?}"),
    }
}

/// Runs lines `MS INPUT -> EFFECT; EFFECT` in one session. Returns how many there were.
#[track_caller]
fn check(script: &'static str) -> usize {
    let start = Instant::now();
    let mut session = Session::new("fleet".to_owned(), WAITS, start);
    let lines = script.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut count = 0;
    for line in lines {
        let (left, expected) = line.split_once("->").expect("an arrow");
        let words: Vec<&'static str> = left.split_whitespace().collect();
        let (at, words) = words.split_first().expect("a time");
        let now = start + Duration::from_millis(at.parse().expect("a number"));
        let effects: Vec<String> = session.step(input(words), now).iter().map(show).collect();
        assert_eq!(effects.join("; "), expected.trim(), "at {line}");
        count += 1;
    }
    count
}

const WELCOMED: &str = "0 hello -> lookup mps2-an385
    0 admitted 7 -> welcome d-x 7 0\n";

#[track_caller]
fn check_live(script: &str) -> usize {
    check(Box::leak(format!("{WELCOMED}{script}").into_boxed_str()))
}

#[test]
fn a_known_device_is_welcomed_and_told_what_to_hold() {
    let count = check_live(
        "1 desired -> desired 1 []
         2 desired -> 
         3 report 1 -> report 1
         4 heartbeat -> heartbeat; inventory
         5 heartbeat -> heartbeat; command 30064771073
         6 desired 1:1 2:1 -> desired 2 [1:1 2:1]
         7 desired 1:1 2:1 -> 
         8 request 1:1 - -> content None
         8 request 1:1 384 -> content Some(384)
         8 request 1:2 0 -> 
         8 request 3:1 0 -> 
         9 desired 2:1 -> desired 3 [2:1]
         9 request 1:1 384 -> 
         9 log -> log hi \u{fffd}
         9 telemetry -> sample t -5
         9 message chat -> message chat
         9 unknown -> ",
    );
    println!("\ncases: {count}\n");
}

#[test]
fn a_stranger_gets_no_further_than_enroll() {
    let mut count = check(
        "0 hello -> lookup mps2-an385
         0 stranger -> enroll-required
         50 enroll secret -> enroll secret
         50 admitted 1 -> welcome d-x 1 0",
    );
    count += check(
        "0 hello -> lookup mps2-an385
         0 stranger -> enroll-required
         1 enroll -> enroll -
         1 refused -> refuse TokenUsedUp; close Refused(TokenUsedUp)
         2 hello -> ",
    );
    count += check(
        "0 hello -> lookup mps2-an385
         0 stranger -> enroll-required
         1 enroll -> enroll -
         1 stranger -> refuse Busy; close Refused(Busy)",
    );
    let others = [
        "hello",
        "heartbeat",
        "report 1",
        "log",
        "telemetry",
        "message chat",
        "result 1",
        "request 1:1 0",
        "unknown",
    ];
    for other in others {
        let close = "refuse UnexpectedMessage; close UnexpectedMessage";
        let script = format!(
            "0 hello -> lookup mps2-an385
             0 stranger -> enroll-required
             1 desired 1:1 -> 
             1 ping -> 
             1 {other} -> {close}
             2 enroll secret -> "
        );
        count += check(Box::leak(script.into_boxed_str()));
        if other != "hello" {
            let script = format!("1 {other} -> {close}\n 2 hello -> ");
            count += check(Box::leak(script.into_boxed_str()));
        }
    }
    println!("\ncases: {count}\n");
}

#[test]
fn a_hello_that_cannot_be_served_is_refused_by_name() {
    let cases = [
        ("hello namespace other", "WrongNamespace"),
        ("hello minor 9..9", "VersionUnsupported"),
        ("hello minor 3..1", "VersionUnsupported"),
    ];
    let mut count = 0;
    for (hello, reason) in cases {
        let script = format!("0 {hello} -> refuse {reason}; close Refused({reason})");
        count += check(Box::leak(script.into_boxed_str()));
    }
    for hello in ["hello board -x", "hello board UP", "hello board empty", "hello firmware x"] {
        let script = format!("0 {hello} -> refuse Malformed; close Malformed");
        count += check(Box::leak(script.into_boxed_str()));
    }
    println!("\ncases: {count}\n");
}

#[test]
fn silence_ends_a_session_in_every_phase() {
    let mut count = check(
        "99 tick -> 
         100 tick -> close HelloTimeout
         101 tick -> ",
    );
    count += check(
        "50 hello -> lookup mps2-an385
         200 tick -> 
         200 stranger -> enroll-required
         299 tick -> 
         300 tick -> close HelloTimeout",
    );
    count += check_live(
        "49 tick -> 
         50 tick -> inventory
         51 tick -> 
         299 tick -> 
         300 tick -> close HeartbeatTimeout",
    );
    count += check_live(
        "40 heartbeat -> heartbeat; inventory
         339 tick -> 
         339 unknown -> 
         638 tick -> 
         639 tick -> close HeartbeatTimeout",
    );
    println!("\ncases: {count}\n");
}

#[test]
fn a_session_can_be_ended_in_every_phase() {
    let ends = [
        ("revoke", "refuse Revoked; close Ended(Revoked)"),
        ("supersede", "refuse Superseded; close Ended(Superseded)"),
        ("stop", "refuse ShuttingDown; close Ended(ShuttingDown)"),
        ("delete", "close Ended(Deleted)"),
        ("garbage", "refuse Malformed; close Malformed"),
    ];
    let phases = ["", "0 hello -> lookup mps2-an385\n 0 stranger -> enroll-required\n", WELCOMED];
    let mut count = 0;
    for (end, effects) in ends {
        for phase in phases {
            let script = format!("{phase} 1 {end} -> {effects}\n 2 {end} -> \n 3 tick -> ");
            count += check(Box::leak(script.into_boxed_str()));
        }
    }
    println!("\ncases: {count}\n");
}

#[test]
fn a_live_device_may_not_begin_again() {
    for again in ["hello", "enroll", "enroll secret"] {
        let close = "refuse UnexpectedMessage; close UnexpectedMessage";
        check_live(Box::leak(format!("1 {again} -> {close}").into_boxed_str()));
    }
}

#[test]
fn commands_are_numbered_across_sessions_and_only_known_ones_are_resolved() {
    let first = (7_u64 << 32) | 1;
    let script = format!(
        "1 result {first} -> 
         1 ping -> command {first}
         2 ping -> command {}
         3 result {first} -> resolve {first}
         4 result {} -> ",
        first + 1,
        first + 2,
    );
    println!("\ncases: {}\n", check_live(Box::leak(script.into_boxed_str())));
}

#[test]
fn a_device_that_speaks_but_hears_nothing_loses_its_session() {
    let first = (7_u64 << 32) | 1;
    let script = format!(
        "40 heartbeat -> heartbeat; inventory
         100 heartbeat -> heartbeat; command {first}
         150 heartbeat -> heartbeat
         160 result {first} -> resolve {first}
         200 heartbeat -> heartbeat; command {second}
         250 result {first} -> resolve {first}
         300 heartbeat -> heartbeat
         490 heartbeat -> heartbeat
         499 tick -> 
         500 tick -> close HeartbeatTimeout",
        second = first + 1,
    );
    println!("\ncases: {}\n", check_live(Box::leak(script.into_boxed_str())));
}

#[test]
fn every_refusal_tells_when_to_come_back() {
    for reason in RefusedReason::ALL {
        assert!((1_000..=300_000).contains(&retry_ms(*reason)), "{reason:?}");
    }
    println!("\ncases: {}\n", RefusedReason::ALL.len());
}

#[test]
fn a_session_uses_the_newest_minor_version_that_both_speak() {
    let count = check(
        "0 hello minor 0..9 -> lookup mps2-an385
         0 admitted 7 -> welcome d-x 7 1",
    );
    println!("\ncases: {count}\n");
}
