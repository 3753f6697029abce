//! Each number of a heartbeat, and what makes it change.

use wasmbed_image::RestartPolicy;
use wasmbed_testkit::{Beat, World, image_of, modules};
use wasmbed_wire::{Command, Counters, GatewayMessage, GuestState};

/// Runs `act` between two heartbeats, and checks how `field` changed.
#[track_caller]
fn check(
    name: &str,
    prepare: impl FnOnce(&mut World),
    act: impl FnOnce(&mut World),
    field: impl Fn(&Beat) -> u64,
    is_expected: impl Fn(u64, u64) -> bool,
) {
    let mut world = World::started(1);
    world.gateway.heartbeat_ms = 500;
    world.run_to_session();
    world.next_beat();
    prepare(&mut world);
    let before = field(&world.next_beat());
    act(&mut world);
    let after = field(&world.next_beat());
    assert!(is_expected(before, after), "{name}: {before} then {after}");
}

fn deploy(world: &mut World, module: &str, state: GuestState) {
    let image = image_of(module);
    let app = world.vendor.application_with("app", 1, &image, |manifest| {
        manifest.restart_policy = RestartPolicy::OnFailure;
    });
    world.deploy_until(&app, state);
}

fn ping(world: &mut World) {
    world.gateway.say(&GatewayMessage::Ping(Command { id: 77 }));
    world.run_for(100);
}

/// Logs faster than the session carries it away.
const FLOOD: &str = r#"(module
  (import "wasmbed" "log" (func $log (param i32 i32)))
  (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
  (memory 200 200 (pagesize 1))
  (func (export "run")
    (local $left i32)
    (loop $again
      (local.set $left (i32.const 50))
      (loop $line
        (call $log (i32.const 0) (i32.const 200))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $line (local.get $left)))
      (call $wait (i32.const 50))
      (br $again))))"#;

#[test]
fn each_counter_of_the_session_changes_with_what_it_counts() {
    let none = |_: &mut World| {};
    let grows = |before: u64, after: u64| after > before;
    let counter = |pick: fn(&Counters) -> u64| move |beat: &Beat| pick(&beat.counters);
    check("uptime_ms", none, none, |beat| beat.uptime_ms, |a, b| (400..700).contains(&(b - a)));
    check("rx_bytes", none, ping, counter(|c| c.rx_bytes), grows);
    check("tx_bytes", none, ping, counter(|c| c.tx_bytes), grows);
    check(
        "handshakes",
        none,
        |world| {
            world.disconnect();
            world.run_to_session();
        },
        counter(|c| c.handshakes.into()),
        |before, after| (before, after) == (1, 2),
    );
    check("messages", none, ping, counter(|c| c.messages.into()), |a, b| b == a + 1);
    check(
        "journal_stores",
        none,
        |world| deploy(world, &modules::counter(100), GuestState::Running),
        counter(|c| c.journal_stores.into()),
        // The generation and the image.
        |before, after| after == before + 2,
    );
    println!("\ncases: 6\n");
}

#[test]
fn each_counter_of_what_runs_changes_with_what_it_counts() {
    let none = |_: &mut World| {};
    let counter = |pick: fn(&Counters) -> u64| move |beat: &Beat| pick(&beat.counters);
    check(
        "logs_dropped",
        none,
        |world| {
            deploy(world, FLOOD, GuestState::Running);
            world.run_for(500);
        },
        counter(|c| c.logs_dropped.into()),
        |before, after| before == 0 && after > 0,
    );
    check(
        "telemetry_dropped",
        none,
        |world| {
            let flood = modules::sampler("t", 5);
            deploy(world, &flood, GuestState::Running);
            world.is_gateway_up = false;
            world.run_for(3_000);
            world.is_gateway_up = true;
            world.run_to_session();
        },
        counter(|c| c.telemetry_dropped.into()),
        |before, after| before == 0 && after > 0,
    );
    check(
        "slices",
        none,
        |world| deploy(world, modules::SPIN, GuestState::Running),
        counter(|c| c.slices.into()),
        |before, after| before == 0 && after > 10,
    );
    check(
        "traps",
        none,
        |world| deploy(world, modules::TRAP, GuestState::Failed),
        counter(|c| c.traps.into()),
        |before, after| before == 0 && after >= 1,
    );
    check(
        "arena_used_bytes",
        none,
        |world| deploy(world, &modules::counter(100), GuestState::Running),
        counter(|c| c.arena_used_bytes.into()),
        |before, after| before == 0 && after > 100,
    );
    check(
        "slots_free",
        none,
        |world| deploy(world, &modules::counter(100), GuestState::Running),
        counter(|c| c.slots_free.into()),
        |before, after| after == before - 1,
    );
    check(
        "stack_high_water_bytes",
        none,
        |world| world.platform.stack_high_water_bytes = Some(1234),
        |beat| beat.counters.stack_high_water_bytes.map_or(0, u64::from),
        |before, after| (before, after) == (0, 1234),
    );
    println!("\ncases: 7\n");
}

#[test]
fn each_counter_of_a_guest_changes_with_what_it_counts() {
    let none = |_: &mut World| {};
    let grows = |before: u64, after: u64| after > before && before > 0;
    let spin = |world: &mut World| deploy(world, modules::SPIN, GuestState::Running);
    let count = |world: &mut World| deploy(world, &modules::counter(50), GuestState::Running);
    let trap = |world: &mut World| deploy(world, &modules::late_trap(1_500), GuestState::Failed);
    check("fuel", spin, none, |beat| beat.guests[0].fuel.unwrap_or(0), grows);
    check("slices", spin, none, |beat| beat.guests[0].slices.into(), grows);
    check("host_calls", count, none, |beat| beat.guests[0].host_calls.into(), grows);
    check(
        "restarts",
        trap,
        |world| world.run_for(1_500),
        |beat| beat.guests[0].restarts.into(),
        |before, after| (before, after) == (0, 1),
    );
    println!("\ncases: 4\n");
}
