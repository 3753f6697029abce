//! What guests may do, from the deployment to the device: messages, WASI, storage, traps; and that a
//! guest that never rests takes nothing from the others.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wasmbed_tests::modules::{self, granted};
use wasmbed_tests::platform::{Platform, is_prepared, path};

/// Whether the binaries are there; `cargo test` by itself has none of them.
fn prepared() -> bool {
    let prepared = is_prepared();
    if !prepared {
        println!("\nskipped: run by `cargo xtask test e2e`");
    }
    prepared
}

fn guest(name: &str) -> Vec<u8> {
    let path = path("WASMBED_GUESTS").join(format!("{name}.wasm"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn two_guests_and_the_cloud_talk_while_a_third_never_rests() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("chat");
    let device = platform.boot("board");
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
    let device = platform.boot("board");
    let program = modules::binary(modules::PRINTS_ARGUMENTS);
    let mut objects = granted("args", &program, "board", &["log", "args"]);
    objects["items"][1]["spec"]["config"] = json!({ "args": ["-v", "two words"] });
    objects["items"][1]["spec"]["restartPolicy"] = "Never".into();
    platform.apply(&objects);
    platform.log_line(&device, |line| line.ends_with("args args|-v|two words|"));
    let reason = "{.status.conditions[?(@.type==\"Ready\")].reason}";
    platform.wait("application/args", &format!("jsonpath={reason}=Finished"));

    let counter = modules::binary(modules::COUNTS_STARTS);
    platform.apply(&granted("starts", &counter, "board", &["log", "timer", "storage:64"]));
    platform.log_line(&device, |line| line.ends_with("starts start 1"));
    for power in ["Off", "On"] {
        platform.patch_spec("virtualdevice/board", |spec| spec["power"] = power.into());
        let connected = if power == "On" { "True" } else { "False" };
        platform.wait(&format!("device/{device}"), &format!("condition=Connected={connected}"));
    }
    platform.log_line(&device, |line| line.ends_with("starts start 2"));
    println!("\ncases: 4");
}

#[test]
fn a_trap_is_placed_in_the_module_and_told_wherever_people_look() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("trap");
    let device = platform.boot("board");
    let module = modules::binary(modules::TRAPS_IN_A_CALL);
    // The division is the only byte of its kind: i32.const 1, i32.div_s.
    let offset = module.windows(3).position(|bytes| bytes == [0x20, 0x00, 0x6d]);
    let offset = offset.unwrap_or_default() + 2;
    platform.apply(&granted("trap", &module, "board", &["log"]));
    let message = platform.ready_reason("application/trap", "GuestFailed");
    let place = format!("TrapDivideByZero: in function 2 at byte {offset:#x} of the module");
    assert!(message.contains(&place), "{message:?} does not say {place:?}");

    let what = format!("device/{device}");
    // It says when it starts again, and after that what the trap was, whatever it does now.
    platform.wait(&what, "jsonpath={.status.applications[0].nextStartTime}");
    let status = platform.get(&what)["status"]["applications"][0].clone();
    let trap = &status["lastTrap"];
    assert_eq!(trap["reason"], "TrapDivideByZero", "{status:#}");
    assert_eq!((&trap["function"], &trap["moduleOffset"]), (&json!(2), &json!(offset)));
    let events = platform.wasmbed(&["get", "events"]);
    assert!(events.contains(&place), "no event says so: {events}");
    println!("\ncases: 4");
}

#[test]
fn a_board_whose_firmware_lacks_something_is_not_sent_what_needs_it() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("lacks");
    platform.apply(&modules::virtual_device("small", "stm32vldiscovery"));
    platform.wait("virtualdevice/small", "jsonpath={.status.device}");
    let program = modules::binary(modules::PRINTS_ARGUMENTS);
    platform.apply(&granted("args", &program, "small", &["log", "args"]));
    let message = platform.ready_reason("application/args", "DoesNotFit");
    assert!(message.contains("ImportRefused: its imports need args, wasi"), "{message}");
    println!("\ncases: 1");
}
