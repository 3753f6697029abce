//! The last known time over power cuts: kept rarely, never moved back, believed as a lower bound
//! only, and no substitute for a clock.

use wasmbed_journal::{Journal, Key};
use wasmbed_testkit::desk::{Desk, Guest};
use wasmbed_testkit::{Gateway, World};

const DAY_S: u64 = 86_400;

/// Key of the last known time, fixed by the layout of the journal.
const TIME: Key = Key::new(4);

/// What the journal knows: seconds since 1970, if anything.
fn kept_s(world: &mut World) -> Option<u64> {
    let flash = &mut world.platform.flash;
    let mut bytes = [0; 8];
    let mut journal = Journal::mount(flash).unwrap();
    journal.fetch(flash, TIME, &mut bytes).unwrap().map(|_| u64::from_le_bytes(bytes))
}

#[test]
fn the_last_known_time_is_kept_over_power_cuts_and_written_once_a_day() {
    let mut world = World::started(1);
    assert_eq!(kept_s(&mut world), None);
    let told_ms = world.gateway.unix_ms;
    let told_s = told_ms / 1000;
    // What is told after a power cut, and what is kept then.
    let steps = [
        (0, 0),
        (DAY_S - 1, 0),
        (DAY_S, DAY_S),
        (DAY_S / 2, DAY_S),
        (2 * DAY_S - 1, DAY_S),
        (9 * DAY_S, 9 * DAY_S),
    ];
    for (passed_s, expected_s) in steps {
        world.start().unwrap();
        world.gateway.unix_ms = told_ms + passed_s * 1000;
        world.run_to_session();
        world.next_beat();
        world.start().unwrap();
        assert_eq!(kept_s(&mut world), Some(told_s + expected_s), "told after {passed_s} s");
    }
    println!("\ncases: {}\n", steps.len());
}

#[test]
fn a_certificate_that_ended_before_the_kept_time_is_refused_whatever_time_is_told() {
    for is_fresh in [true, false] {
        let mut world = World::started(1);
        let told_ms = world.gateway.unix_ms;
        if !is_fresh {
            world.run_to_session();
            world.next_beat();
        }
        // Somebody has the key of a leaf that ended an hour ago, and tells a time before that.
        let ended_s = i64::try_from(told_ms / 1000).unwrap() - 3_600;
        let (certificate, key) = world.vendor.gateway_identity_until(ended_s);
        let known = std::mem::take(&mut world.gateway.enrolled);
        world.gateway = Gateway::new(certificate, key);
        world.gateway.enrolled = known;
        world.gateway.token = "let-me-in".into();
        world.gateway.unix_ms = told_ms - 7_200_000;
        world.start().unwrap();
        let complaint = "gateway certificate is not valid at the time it told";
        if is_fresh {
            // A device that knows no time has nothing to hold against it.
            world.run_to_session();
        } else {
            let complains = |world: &World| world.platform.console.iter().any(|l| l == complaint);
            world.run_until("complaint", complains);
            assert_eq!(kept_s(&mut world), Some(told_ms / 1000), "the kept time never moves back");
        }
    }
    println!("\ncases: 2\n");
}

#[test]
fn a_wall_clock_is_an_error_until_the_time_was_told_and_again_after_a_power_cut() {
    let module = r#"(module
      (import "wasmbed" "telemetry" (func $telemetry (param i32 i32 i64) (result i32)))
      (import "wasi_snapshot_preview1" "clock_time_get"
        (func $clock_time_get (param i32 i64 i32) (result i32)))
      (memory 256 256 (pagesize 1))
      (data (i32.const 100) "r")
      (func (export "run")
        (drop (call $telemetry (i32.const 100) (i32.const 1)
          (i64.extend_i32_u (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 8)))))
        (drop (call $telemetry (i32.const 100) (i32.const 1) (i64.load (i32.const 8))))))"#;
    let grants = ["telemetry:r", "clock"];
    // WASI's EAGAIN, and nothing written; the time in nanoseconds once it was told.
    let told_ms = 1_800_000_000_000;
    let mut desk = Desk::new();
    for (generation, is_told) in [(1, false), (2, true), (3, false)] {
        if generation != 1 {
            desk.start();
        }
        if is_told {
            let now_ms = desk.now_ms();
            desk.device.tell_time_local(told_ms, now_ms);
        }
        desk.install(Guest { generation, ..Guest::new("clock", &grants) }, module);
        desk.run_for(50);
        let values = desk.values("r");
        let [.., status, time_ns] = values[..] else { panic!("{values:?}") };
        assert_eq!(status, if is_told { 0 } else { 6 }, "generation {generation}");
        let since_told_ns = time_ns - if is_told { told_ms as i64 * 1_000_000 } else { 0 };
        assert!((0..1_000_000_000 * i64::from(is_told) + 1).contains(&since_told_ns), "{time_ns}");
    }
    println!("\ncases: 3\n");
}
