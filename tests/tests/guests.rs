//! What guests may do, from the deployment to the device: messages, WASI, storage, traps; and that a
//! guest that never rests takes nothing from the others.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wasmbed_catalog::Board;
use wasmbed_tests::cli::Cli;
use wasmbed_tests::fleet::{self, Member};
use wasmbed_tests::modules::{self, granted};
use wasmbed_tests::platform::{Platform, board_with, guest, prepared};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn two_guests_and_the_cloud_talk_while_a_third_never_rests() {
    if !prepared() {
        return;
    }
    let has_room = |board: &Board| board.guests.count_max >= 3;
    let Some(board) = board_with("room for three guests", has_room) else { return };
    let platform = Platform::start("chat");
    let device = platform.boot_board("board", board.name);
    let asks = ["log", "clock", "timer", "send:chat/b", "receive:chat/a"];
    let answers = ["log", "send:chat/a", "receive:chat/b"];
    platform.apply(&granted("chat-b", &guest("chat_b"), "board", &answers));
    platform.log_line(&device, |line| line.contains("chat-b listens"));

    let without_send = ["log", "clock", "timer", "receive:chat/a"];
    platform.apply(&granted("chat-a", &guest("chat_a"), "board", &without_send));
    let message = platform.ready_reason("application/chat-a", "CapabilityMissing");
    assert!(message.contains("message_send") && message.contains("send:PREFIX"), "{message}");
    platform.apply(&granted("chat-a", &guest("chat_a"), "board", &asks));
    platform.log_line(&device, |line| line.contains("answer to question"));

    let spin = modules::binary(modules::LOOPS_FOREVER);
    platform.apply(&granted("spin", &spin, "board", &[]));
    platform.wait("application/spin", "condition=Ready");
    let said = platform.wasmbed(&["send", "virtualdevice/board", "chat/b", "from the cloud"]);
    assert!(said.starts_with("delivered to 1 guest of device/"), "{said}");
    platform.log_line(&device, |line| line.contains("answer to question"));
    let sent = platform.wasmbed(&["messages", "virtualdevice/board"]);
    for wanted in ["chat-a chat/b question 1", "chat-b chat/a answer to from the cloud"] {
        assert!(sent.contains(wanted), "{wanted:?} is missing: {sent}");
    }
    let refused = platform.run(&["send", &device, "nobody", "is here"]);
    let said = text(&refused.stderr);
    assert!(!refused.status.success() && said.contains("receive:nobody"), "{said}");

    // Three heartbeats: the first may have been under way when the guest began to spin.
    let beats = heartbeats(&platform, &device, 3);
    let gaps: Vec<u64> = beats.windows(2).map(|pair| pair[1].abs_diff(pair[0])).collect();
    println!("figure: ms between heartbeats under a spinning guest: {gaps:?}");
    assert!(gaps.iter().all(|gap| (9_500..=10_500).contains(gap)), "every 10 s: {gaps:?}");
    println!("\ncases: 7");
}

/// Milliseconds since boot of the next heartbeats, by the device's clock.
fn heartbeats(platform: &Platform, device: &str, count: usize) -> Vec<u64> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut beats: Vec<u64> = Vec::new();
    while beats.len() < count && Instant::now() < deadline {
        let counters: Value = serde_json::from_str(&platform.wasmbed(&["counters", device]))
            .unwrap_or_else(|error| panic!("{error}"));
        let uptime = counters["uptimeMs"].as_u64().unwrap_or_default();
        if beats.last() != Some(&uptime) {
            beats.push(uptime);
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    assert_eq!(beats.len(), count, "a device says every 10 s that it lives: {beats:?}");
    beats
}

#[test]
fn a_program_for_wasi_gets_its_arguments_and_values_survive_a_power_cut() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("wasi");
    let members = fleet::boot(&platform);
    fleet::each(&members, |member| {
        arguments(&platform, member);
        kept_values(&platform, member);
    });
    println!("\ncases: {}", members.len() * 4);
}

/// What a guest needs and the firmware of this device does not offer, as the device itself said.
fn missing(cli: &Cli, member: &Member, needs: &[&'static str]) -> Vec<&'static str> {
    let offered = cli.get(&member.object())["status"]["hostInterface"].clone();
    let offered = offered.as_array().cloned().unwrap_or_default();
    needs.iter().copied().filter(|need| !offered.contains(&json!(need))).collect()
}

/// Checks that an application is not sent, because its imports need what is missing.
#[track_caller]
fn is_not_sent(cli: &Cli, name: &str, missing: &[&str]) {
    let message = cli.ready_reason(&format!("application/{name}"), "DoesNotFit");
    let why = format!("ImportRefused: its imports need {}", missing.join(", "));
    assert!(message.contains(&why), "{message:?} does not say {why:?}");
    cli.wasmbed(&["delete", &format!("application/{name}")]);
}

#[track_caller]
fn arguments(cli: &Cli, member: &Member) {
    let name = format!("args-{}", member.name());
    let program = modules::binary(modules::PRINTS_ARGUMENTS);
    let mut objects = granted(&name, &program, member.name(), &["log", "args"]);
    objects["items"][1]["spec"]["config"] = json!({ "args": ["-v", "two words"] });
    objects["items"][1]["spec"]["restartPolicy"] = "Never".into();
    cli.apply(&objects);
    let missing = missing(cli, member, &["args", "wasi"]);
    if !missing.is_empty() {
        return is_not_sent(cli, &name, &missing);
    }
    let wanted = format!("{name} {name}|-v|two words|");
    cli.log_line(&member.device, |line| line.ends_with(&wanted));
    let reason = "{.status.conditions[?(@.type==\"Ready\")].reason}";
    cli.wait(&format!("application/{name}"), &format!("jsonpath={reason}=Finished"));
    cli.wasmbed(&["delete", &format!("application/{name}")]);
}

#[track_caller]
fn kept_values(cli: &Cli, member: &Member) {
    let name = format!("starts-{}", member.name());
    let counter = modules::binary(modules::COUNTS_STARTS);
    cli.apply(&granted(&name, &counter, member.name(), &["log", "timer", "storage:64"]));
    let missing = missing(cli, member, &["storage"]);
    if !missing.is_empty() {
        return is_not_sent(cli, &name, &missing);
    }
    cli.log_line(&member.device, |line| line.ends_with("start 1"));
    cli.cut_power(&member.emulated());
    cli.wait(&member.object(), "jsonpath={.status.bootCount}=2");
    cli.log_line(&member.device, |line| line.ends_with("start 2"));
}

#[test]
fn a_trap_is_placed_in_the_module_and_told_wherever_people_look() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("trap");
    let members = fleet::boot(&platform);
    let module = modules::binary(modules::TRAPS_IN_A_CALL);
    // The division is the only byte of its kind: i32.const 1, i32.div_s.
    let offset = module.windows(3).position(|bytes| bytes == [0x20, 0x00, 0x6d]);
    let offset = offset.unwrap_or_default() + 2;
    fleet::each(&members, |member| {
        platform.apply(&granted(member.name(), &module, member.name(), &["log"]));
        let message = platform.ready_reason(&member.application(), "GuestFailed");
        let place = format!("TrapDivideByZero: in function 2 at byte {offset:#x} of the module");
        assert!(message.contains(&place), "{message:?} does not say {place:?}");

        // It says when it starts again, and after that what the trap was, whatever it does now.
        platform.wait(&member.object(), "jsonpath={.status.applications[0].nextStartTime}");
        let status = platform.get(&member.object())["status"]["applications"][0].clone();
        let trap = &status["lastTrap"];
        assert_eq!(trap["reason"], "TrapDivideByZero", "{status:#}");
        assert_eq!((&trap["function"], &trap["moduleOffset"]), (&json!(2), &json!(offset)));
        let events = platform.wasmbed(&["get", "events"]);
        let is_told = events.lines().any(|line| {
            line.contains(&place)
                && [member.name(), &member.device].iter().any(|name| line.contains(name))
        });
        assert!(is_told, "no event says so: {events}");
    });
    println!("\ncases: {}", members.len() * 4);
}
