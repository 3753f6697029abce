//! How the device looks after its guests: back-off, grace, turns, and several at once.

use wasmbed_image::RestartPolicy;
use wasmbed_testkit::desk::{Desk, Guest};
use wasmbed_testkit::modules;
use wasmbed_wire::{GuestReason, GuestState};

/// Says "hello", waits, and traps.
fn trap_after(delay_ms: u32) -> String {
    format!(
        r#"(module
  (import "wasmbed" "log" (func $log (param i32 i32)))
  (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
  (memory 64 64 (pagesize 1))
  (data (i32.const 0) "hello")
  (func (export "run")
    (call $log (i32.const 0) (i32.const 5))
    (call $wait (i32.const {delay_ms}))
    unreachable))"#
    )
}

/// Times at which the guest said "hello", to the millisecond.
fn starts(desk: &mut Desk, duration_ms: u64) -> Vec<u64> {
    let end_ms = desk.now_ms() + duration_ms;
    let mut times = Vec::new();
    while desk.now_ms() < end_ms {
        let now_ms = desk.now_ms();
        let before = desk.lines().len();
        desk.step();
        if desk.lines().len() > before {
            times.push(now_ms);
        }
    }
    times
}

fn waits(times: &[u64]) -> Vec<u64> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

const GRANTS: [&str; 3] = ["log", "timer", "telemetry"];

#[test]
fn the_wait_before_a_restart_doubles_up_to_five_minutes() {
    let mut desk = Desk::new();
    let guest = Guest { policy: RestartPolicy::Always, ..Guest::new("app", &GRANTS) };
    let app = desk.install(guest, &trap_after(100));
    let times = starts(&mut desk, 2_000_000);
    let waits: Vec<u64> = waits(&times).iter().map(|wait| (wait - 100) / 1000).collect();
    assert_eq!(waits[..11], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    let report = desk.report(app);
    assert_eq!(report.restarts as usize, times.len() - 1);
    assert_eq!((report.state, report.reason), (GuestState::Failed, GuestReason::TrapUnreachable));
    assert!(report.backoff_ms.is_some_and(|wait| wait <= 300_000), "{report:?}");
    assert!(report.function.is_some() && report.offset.is_some());
}

#[test]
fn ten_seconds_without_failing_begin_the_back_off_anew() {
    let mut desk = Desk::new();
    let guest = Guest { policy: RestartPolicy::OnFailure, ..Guest::new("app", &GRANTS) };
    desk.install(guest, &trap_after(10_000));
    let times = starts(&mut desk, 60_000);
    assert!(waits(&times).iter().all(|wait| (11_000..11_100).contains(wait)), "{times:?}");
    assert!(times.len() >= 5);
}

#[test]
fn the_policy_says_what_happens_after_an_end() {
    let cases = [
        (RestartPolicy::Always, "greeting", true),
        (RestartPolicy::OnFailure, "greeting", false),
        (RestartPolicy::Never, "greeting", false),
        (RestartPolicy::Always, "trap", true),
        (RestartPolicy::OnFailure, "trap", true),
        (RestartPolicy::Never, "trap", false),
    ];
    for (policy, kind, is_restarted) in cases {
        let mut desk = Desk::new();
        let module = if kind == "trap" { trap_after(0) } else { modules::greeting("hello") };
        desk.install(Guest { policy, ..Guest::new("app", &GRANTS) }, &module);
        desk.run_for(5_000);
        assert_eq!(desk.lines().len() > 1, is_restarted, "{policy:?} {kind}");
    }
    println!("\ncases: {}\n", cases.len());
}

/// Waits long, again and again, and ends when it shall, after `delay_ms`.
fn graceful(delay_ms: u32) -> String {
    format!(
        r#"(module
  (import "wasmbed" "log" (func $log (param i32 i32)))
  (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
  (import "wasmbed" "stop_requested" (func $stop (result i32)))
  (memory 64 64 (pagesize 1))
  (data (i32.const 0) "hellobye")
  (func $pause (local $left i32)
    (local.set $left (i32.const {delay_ms}))
    (block $over (loop $again
      (br_if $over (i32.eqz (local.get $left)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $again))))
  (func (export "run")
    (call $log (i32.const 0) (i32.const 5))
    (loop $again
      (call $wait (i32.const 60000))
      (br_if $again (i32.eqz (call $stop))))
    (call $pause)
    (call $log (i32.const 5) (i32.const 3))))"#
    )
}

#[test]
fn a_guest_that_can_learn_it_ends_by_itself_and_else_it_is_killed() {
    let cases = [
        (graceful(0), vec!["hello", "bye"], GuestReason::None),
        (graceful(100_000_000), vec!["hello"], GuestReason::KilledAfterGrace),
        (trap_after(3_600_000), vec!["hello"], GuestReason::None),
    ];
    for (index, (module, lines, reason)) in cases.iter().enumerate() {
        let mut desk = Desk::new();
        let guest = Guest { policy: RestartPolicy::Always, ..Guest::new("app", &GRANTS) };
        let app = desk.install(guest, module);
        desk.run_for(500);
        let asked_ms = desk.now_ms();
        assert!(desk.device.stop_local(app, &mut desk.platform));
        while desk.report(app).state != GuestState::Stopped {
            desk.run_for(10);
            assert!(desk.now_ms() < asked_ms + 2_100, "{index}");
        }
        let took_ms = desk.now_ms() - asked_ms;
        let is_killed = *reason == GuestReason::KilledAfterGrace;
        assert_eq!(took_ms >= 2_000, is_killed, "{index}: {took_ms} ms");
        assert_eq!((desk.lines(), desk.report(app).reason), (lines.clone(), *reason), "{index}");
        desk.run_for(5_000);
        assert_eq!(desk.report(app).state, GuestState::Stopped);
    }
    println!("\ncases: {}\n", cases.len());
}

#[test]
fn a_stopped_guest_stays_stopped_over_a_power_cut_in_its_grace() {
    let mut desk = Desk::new();
    let guest = Guest { policy: RestartPolicy::Always, ..Guest::new("app", &GRANTS) };
    let app = desk.install(guest, &graceful(100_000_000));
    desk.run_for(500);
    desk.device.stop_local(app, &mut desk.platform);
    desk.run_for(500);
    desk.start();
    desk.run_for(1_000);
    assert_eq!(desk.report(app).state, GuestState::Stopped);
}

/// Publishes a sample for each of its turns, forever.
fn busy(topic: char) -> String {
    format!(
        r#"(module
  (import "wasmbed" "telemetry" (func $say (param i32 i32 i64) (result i32)))
  (memory 64 64 (pagesize 1))
  (data (i32.const 0) "{topic}")
  (func (export "run") (local $left i32)
    (loop $turn
      (drop (call $say (i32.const 0) (i32.const 1) (i64.const 1)))
      (local.set $left (i32.const 1000))
      (loop $spin
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $spin (local.get $left)))
      (br $turn))))"#
    )
}

#[test]
fn guests_that_never_wait_share_the_processor_alike_whatever_their_priority() {
    let mut desk = Desk::new();
    for (name, priority) in [("a", 0), ("b", 100), ("c", -100)] {
        let guest = Guest { priority, ..Guest::new(name, &GRANTS) };
        desk.install(guest, &busy(name.chars().next().unwrap()));
    }
    desk.run_for(3_000);
    let counts = ["a", "b", "c"].map(|topic| desk.values(topic).len());
    let [least, most] = [*counts.iter().min().unwrap(), *counts.iter().max().unwrap()];
    assert!(least > 100 && most - least <= most / 50 + 3, "{counts:?}");
    let slices: Vec<u32> = desk.device.local_counters().map(|guest| guest.slices).collect();
    assert!(slices.iter().max().unwrap() - slices.iter().min().unwrap() <= 1, "{slices:?}");
}

#[test]
fn of_several_that_are_ready_the_one_of_higher_priority_goes_first() {
    let mut desk = Desk::new();
    for (name, priority) in [("a", 0), ("b", 5), ("c", 9)] {
        let guest = Guest { priority, ..Guest::new(name, &GRANTS) };
        desk.install(guest, &trap_after(1_000).replace("hello", &name.repeat(5)));
    }
    // All are loaded before any runs: a load goes before a slice.
    desk.run_for(100);
    assert_eq!(desk.lines(), ["ccccc", "bbbbb", "aaaaa"]);
}

#[test]
fn fuel_and_memory_are_reported_and_a_limit_ends_the_guest() {
    let mut desk = Desk::new();
    let guest = Guest { fuel: Some(50_000), ..Guest::new("app", &GRANTS) };
    let app = desk.install(guest, &busy('a'));
    desk.run_for(5);
    let running = desk.report(app);
    assert_eq!(running.state, GuestState::Running);
    assert!(running.memory_bytes.is_some_and(|bytes| bytes > 64), "{running:?}");
    assert!(running.fuel.is_some_and(|fuel| fuel > 0));
    desk.run_for(1_000);
    let report = desk.report(app);
    assert_eq!((report.state, report.reason), (GuestState::Failed, GuestReason::TrapFuelExhausted));
    assert_eq!(report.memory_bytes, None);
    assert!(report.fuel.is_some_and(|fuel| (40_000..=50_000).contains(&fuel)), "{report:?}");
}
