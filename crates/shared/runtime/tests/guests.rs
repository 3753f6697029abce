//! Guests on a simulated device: installing, updating, stopping, failing, and what survives what.

use wasmbed_image::{Grants, RestartPolicy};
use wasmbed_testkit::{Application, GUESTS, Heard, World, grants_of, image_of, modules};
use wasmbed_wire::{
    AppCommand, CommandOutcome, GatewayMessage, GuestReason, GuestState, StateReport,
};

fn reports(world: &World, application: &Application) -> Vec<StateReport> {
    let report = |heard: &Heard| match heard {
        Heard::Report(report) if report.app == application.app => Some(*report),
        _ => None,
    };
    world.gateway.heard.iter().filter_map(report).collect()
}

/// A world with a session.
fn world(seed: u64) -> World {
    let mut world = World::started(seed);
    world.run_to_session();
    world
}

fn counter(world: &World, name: &str, generation: u64) -> Application {
    world.vendor.application(name, generation, &image_of(&modules::counter(200)))
}

/// The numbers that a counter logged.
fn counts(world: &World, application: &Application) -> Vec<u32> {
    world.logs(application).iter().map(|line| line.parse().unwrap()).collect()
}

#[track_caller]
fn assert_counts_on(counts: &[u32]) {
    assert!(counts.windows(2).all(|pair| pair[1] == pair[0] + 1), "{counts:?}");
}

#[test]
fn an_application_is_installed_started_and_heard() {
    let seeds = 6;
    for seed in 0..seeds {
        let mut world = world(seed);
        let app = counter(&world, "hello", 1);
        let report = world.deploy_until(&app, GuestState::Running);
        assert_eq!((report.reason, report.restarts), (GuestReason::None, 0));
        assert_eq!(report.image.unwrap().0.len(), 32);
        world.run_until("five lines", |world| world.logs(&app).len() >= 5);
        assert_eq!(counts(&world, &app)[..3], [0, 1, 2]);
        let states: Vec<_> = reports(&world, &app).iter().map(|report| report.state).collect();
        assert_eq!(states, [GuestState::Installing, GuestState::Installed, GuestState::Running]);
    }
    println!("\ncases: {seeds}\n");
}

#[test]
fn an_installation_goes_on_at_the_byte_where_the_session_was_lost() {
    let cuts = [1, 384, 1000, 2500];
    for (seed, cut) in cuts.into_iter().enumerate() {
        let mut world = world(seed as u64);
        let image = image_of(&modules::padded_counter(200, 3000));
        let app = world.vendor.application("large", 1, &image);
        world.gateway.cut_at_offset = Some(cut);
        world.deploy_until(&app, GuestState::Running);
        assert_eq!(world.gateway.sessions, 2);
        let offsets: Vec<_> = world
            .gateway
            .heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Request(request) => Some(request.offset),
                _ => None,
            })
            .collect();
        let manifests = offsets.iter().filter(|offset| offset.is_none()).count();
        assert_eq!(manifests, 1, "the manifest is asked for once: {offsets:?}");
        let mut distinct = offsets.clone();
        distinct.dedup();
        assert_eq!(distinct.len(), offsets.len() - 1, "one request is repeated: {offsets:?}");
    }
    println!("\ncases: {}\n", cuts.len());
}

#[test]
fn a_power_cut_in_an_installation_begins_it_anew_and_it_ends_well() {
    let seeds = 10;
    for seed in 0..seeds {
        let mut world = world(seed);
        let image = image_of(&modules::padded_counter(200, 3000));
        let app = world.vendor.application("large", 1, &image);
        world.gateway.deploy(&app);
        let tear = wasmbed_journal::ram::Tear::Ordered;
        world.platform.flash.cut_after(37 + seed * 661, tear, seed);
        world.run_until("power cut", |world| world.platform.flash.is_dead());
        world.start().unwrap();
        world.run_to_state(&app, GuestState::Running);
        world.run_until("lines", |world| world.logs(&app).len() >= 2);
    }
    println!("\ncases: {seeds}\n");
}

#[test]
fn a_guest_starts_from_the_journal_before_any_gateway_is_reached() {
    let mut world = world(1);
    let app = counter(&world, "hello", 1);
    world.deploy_until(&app, GuestState::Running);
    world.is_gateway_up = false;
    world.start().unwrap();
    world.run_for(2_000);
    let lines = world.platform.console.iter().filter(|line| line.parse::<u32>().is_ok()).count();
    assert!(lines >= 5, "{:?}", world.platform.console);
    world.is_gateway_up = true;
    world.run_to_session();
    world.run_until("inventory", |world| {
        reports(world, &app).last().is_some_and(|report| report.state == GuestState::Running)
    });
}

#[test]
fn a_guest_goes_on_counting_while_the_gateway_is_gone_and_through_the_new_handshake() {
    let seeds = 5;
    for seed in 0..seeds {
        let mut world = world(seed);
        let app = counter(&world, "hello", 1);
        world.deploy_until(&app, GuestState::Running);
        world.run_until("lines", |world| world.logs(&app).len() >= 3);
        world.is_gateway_up = false;
        world.run_for(1_500);
        world.is_gateway_up = true;
        world.run_to_session();
        let before = world.logs(&app).len();
        world.run_until("more lines", |world| world.logs(&app).len() >= before + 5);
        let counts = counts(&world, &app);
        // What was in flight when the cable was cut may be lost; the count itself never restarts.
        assert!(counts.windows(2).all(|pair| pair[1] > pair[0]), "seed {seed}: {counts:?}");
        assert!(*counts.last().unwrap() as usize + 3 >= counts.len());
    }
    println!("\ncases: {seeds}\n");
}

#[test]
fn an_update_replaces_the_guest_and_the_old_image_goes_once_the_new_one_is_healthy() {
    let mut world = world(2);
    let first = counter(&world, "hello", 1);
    world.deploy_until(&first, GuestState::Running);
    let free_before = world.next_beat().counters.slots_free;
    let second = world.vendor.application("hello", 2, &image_of(&modules::counter(100)));
    world.deploy_until(&second, GuestState::Running);
    assert_eq!(world.next_beat().counters.slots_free, free_before - 1);
    world.run_for(15_000);
    assert_eq!(world.next_beat().counters.slots_free, free_before);
    assert_eq!(reports(&world, &first).last().unwrap().generation, 2);
}

#[test]
fn a_guest_that_only_waits_proves_healthy_too() {
    let mut world = world(2);
    let first = counter(&world, "hello", 1);
    world.deploy_until(&first, GuestState::Running);
    let free_before = world.next_beat().counters.slots_free;
    let image = image_of(&modules::late_trap(3_600_000));
    let second = world.vendor.application("hello", 2, &image);
    world.deploy_until(&second, GuestState::Running);
    world.run_for(15_000);
    assert_eq!(world.next_beat().counters.slots_free, free_before);
}

#[test]
fn an_update_that_fails_at_once_says_why_and_the_old_one_runs_again() {
    let modules = [
        (modules::TRAP.to_string(), GuestState::Failed, GuestReason::TrapUnreachable),
        (modules::late_trap(3_000), GuestState::Failed, GuestReason::TrapUnreachable),
    ];
    for (module, state, reason) in &modules {
        let mut world = world(2);
        let first = counter(&world, "hello", 1);
        world.deploy_until(&first, GuestState::Running);
        let second = world.vendor.application("hello", 2, &image_of(module));
        let before = reports(&world, &first).len();
        let report = world.deploy_until(&second, *state);
        assert_eq!(report.reason, *reason);
        // The two reports are about two generations: which one comes first does not matter.
        world.run_until("report of the old one", |world| {
            let is_old = |r: &StateReport| r.generation == 1 && r.state == GuestState::Running;
            reports(world, &first)[before..].iter().any(is_old)
        });
        let lines = world.logs(&first).len();
        world.run_until("lines of the old one", |world| world.logs(&first).len() > lines + 3);
        // The failed one is not asked for again, in this session or the next.
        let requests = |world: &World| {
            world.gateway.heard.iter().filter(|heard| matches!(heard, Heard::Request(_))).count()
        };
        let asked = requests(&world);
        world.disconnect();
        world.run_to_session();
        world.run_for(5_000);
        assert_eq!(requests(&world), asked);
    }
    println!("\ncases: {}\n", modules.len());
}

#[test]
fn stop_start_and_restart_follow_what_is_wanted_and_survive_a_reboot() {
    let mut world = world(3);
    let app = counter(&world, "hello", 1);
    world.deploy_until(&app, GuestState::Running);
    world.gateway.desired[0].run = false;
    world.gateway.send_desired();
    world.run_to_state(&app, GuestState::Stopped);
    world.is_gateway_up = false;
    world.start().unwrap();
    world.run_for(2_000);
    assert!(!world.platform.console.iter().any(|line| line == "0"), "it stays stopped");
    world.is_gateway_up = true;
    world.run_to_session();
    world.gateway.desired[0].run = true;
    world.gateway.send_desired();
    world.run_to_state(&app, GuestState::Running);
    world.run_until("lines", |world| world.logs(&app).last().is_some_and(|line| line == "4"));
    world.gateway.desired[0].restart_token = 7;
    world.gateway.send_desired();
    world.run_until("restart", |world| world.logs(&app).last().is_some_and(|line| line == "0"));
    world.run_until("lines", |world| world.logs(&app).last().is_some_and(|line| line == "4"));
    world.gateway.send_desired();
    let lines = world.logs(&app).len();
    world.run_until("more", |world| world.logs(&app).len() > lines + 5);
    assert_counts_on(&counts(&world, &app)[lines..]);
}

#[test]
fn commands_act_once_and_say_what_became_of_them() {
    type Make = fn(AppCommand) -> GatewayMessage<'static>;
    let mut world = world(3);
    let app = counter(&world, "hello", 1);
    let stranger = counter(&world, "stranger", 1);
    world.deploy_until(&app, GuestState::Running);
    let steps: [(Make, &Application, CommandOutcome, Option<GuestState>); 7] = [
        (GatewayMessage::Start, &app, CommandOutcome::NotAllowed, None),
        (GatewayMessage::Stop, &app, CommandOutcome::Done, Some(GuestState::Stopped)),
        (GatewayMessage::Start, &app, CommandOutcome::Done, Some(GuestState::Running)),
        (GatewayMessage::Restart, &app, CommandOutcome::Done, Some(GuestState::Running)),
        (GatewayMessage::Stop, &stranger, CommandOutcome::NoSuchApp, None),
        (GatewayMessage::Restart, &stranger, CommandOutcome::NoSuchApp, None),
        (GatewayMessage::Remove, &app, CommandOutcome::Done, Some(GuestState::Removed)),
    ];
    world.gateway.is_synced = false;
    for (number, (make, target, outcome, state)) in steps.into_iter().enumerate() {
        let id = number as u64 + 1;
        let from = world.gateway.heard.len();
        world.gateway.say(&make(AppCommand { id, app: target.app }));
        let is_done = |heard: &Heard| matches!(heard, Heard::Result(result) if result.id == id && result.outcome == outcome);
        let is_in_state = |heard: &Heard| {
            state.is_none_or(|state| {
                matches!(heard, Heard::Report(report)
                    if report.app == target.app && report.state == state)
            })
        };
        world.run_until(&format!("result {id}"), |world| {
            let heard = &world.gateway.heard[from..];
            heard.iter().any(is_done) && (state.is_none() || heard.iter().any(is_in_state))
        });
    }
    println!("\ncases: {}\n", steps.len());
}

#[test]
fn what_is_no_longer_wanted_is_removed_and_its_place_is_free_again() {
    let mut world = world(4);
    let free = world.next_beat().counters;
    let app = counter(&world, "hello", 1);
    world.deploy_until(&app, GuestState::Running);
    let used = world.next_beat().counters;
    assert!(used.arena_used_bytes > 0 && used.slots_free == free.slots_free - 1);
    world.gateway.desired.clear();
    world.gateway.send_desired();
    world.run_to_state(&app, GuestState::Removed);
    let beat = world.next_beat();
    assert_eq!((beat.counters.arena_used_bytes, beat.counters.slots_free), (0, free.slots_free));
    assert!(beat.guests.is_empty());
}

#[test]
fn a_trap_says_where_and_the_guest_is_started_again_later_and_later() {
    let mut world = world(5);
    let app = world.vendor.application("trap", 1, &image_of(modules::TRAP));
    let report = world.deploy_until(&app, GuestState::Failed);
    assert_eq!((report.reason, report.function), (GuestReason::TrapUnreachable, Some(0)));
    assert!(report.offset.is_some());
    world.run_for(20_000);
    let restarts = reports(&world, &app).last().unwrap().restarts;
    let beat = world.next_beat();
    assert!((3..=6).contains(&beat.guests[0].restarts), "{restarts}");
    assert_eq!(beat.counters.traps, beat.guests[0].restarts + 1);
    world.next_beat();
}

#[test]
fn the_restart_policy_decides_what_follows_an_end() {
    let greeting = image_of(&modules::greeting("done"));
    let trap = image_of(modules::TRAP);
    let cases = [
        (&greeting, RestartPolicy::Always, true),
        (&greeting, RestartPolicy::OnFailure, false),
        (&greeting, RestartPolicy::Never, false),
        (&trap, RestartPolicy::Always, true),
        (&trap, RestartPolicy::OnFailure, true),
        (&trap, RestartPolicy::Never, false),
    ];
    for (image, policy, is_restarted) in cases {
        let mut world = world(6);
        let app = world.vendor.application_with("end", 1, image, |m| m.restart_policy = policy);
        let end = if image == &trap { GuestState::Failed } else { GuestState::Finished };
        world.deploy_until(&app, end);
        world.run_for(5_000);
        let restarts = world.next_beat().guests[0].restarts;
        assert_eq!(restarts > 0, is_restarted, "{policy:?} {end:?}");
    }
    println!("\ncases: {}\n", cases.len());
}

#[test]
fn a_guest_that_never_ends_stays_running_beside_heartbeats_and_another_guest() {
    let mut world = world(7);
    let spin = world.vendor.application("spin", 1, &image_of(modules::SPIN));
    let other = counter(&world, "other", 1);
    world.deploy_until(&spin, GuestState::Running);
    world.deploy_until(&other, GuestState::Running);
    let first = world.next_beat();
    let second = world.next_beat();
    let fuel = |beat: &wasmbed_testkit::Beat| {
        beat.guests.iter().find(|guest| guest.app == spin.app).unwrap().fuel.unwrap_or(0)
    };
    assert!(fuel(&second) > fuel(&first) && fuel(&first) > 0);
    assert!(second.uptime_ms - first.uptime_ms < 1_500);
    let lines = world.logs(&other).len();
    world.run_until("lines of the other", |world| world.logs(&other).len() > lines + 5);
    assert_counts_on(&counts(&world, &other));
    assert!(reports(&world, &spin).iter().all(|report| report.state != GuestState::Failed));
}

#[test]
fn a_guest_over_its_fuel_limit_traps_with_that_reason() {
    let mut world = world(8);
    let image = image_of(modules::SPIN);
    let app = world.vendor.application_with("spin", 1, &image, |manifest| {
        manifest.limits.fuel = Some(100_000);
        manifest.restart_policy = RestartPolicy::Never;
    });
    let report = world.deploy_until(&app, GuestState::Failed);
    assert_eq!(report.reason, GuestReason::TrapFuelExhausted);
    let fuel = world.next_beat().guests[0].fuel.unwrap_or(0);
    assert!(fuel > 90_000 && fuel <= 100_000, "{fuel}");
}

#[test]
fn telemetry_arrives_in_order_under_granted_topics_only() {
    let mut world = world(9);
    let image = image_of(&modules::sampler("sensors/a", 100));
    let prefixes = [("sensors/", true), ("other/", false)];
    for (prefix, is_granted) in prefixes {
        let name = format!("sampler of {prefix}");
        let app = world.vendor.application_with(&name, 1, &image, |manifest| {
            manifest.grants = grants_of(&["timer", &format!("telemetry:{prefix}")]);
        });
        world.deploy_until(&app, GuestState::Running);
        world.run_for(2_000);
        let values: Vec<i64> = world
            .gateway
            .heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::Telemetry { app: of, topic, value, .. } if *of == app.app => {
                    assert_eq!(topic, "sensors/a");
                    Some(*value)
                }
                _ => None,
            })
            .collect();
        assert_eq!(values.len() > 10, is_granted, "{values:?}");
        assert!(values.iter().enumerate().all(|(index, value)| *value == index as i64));
    }
    println!("\ncases: {}\n", prefixes.len());
}

#[test]
fn what_cannot_be_believed_or_held_is_refused_by_name_and_the_device_stays_up() {
    let mut cases = 0;
    let mut check = |change: &dyn Fn(&World) -> Application, reason| {
        let mut world = world(10);
        let app = change(&world);
        let report = world.deploy_refused(&app, reason);
        assert_eq!(report.generation, app.generation);
        let healthy = counter(&world, "healthy", 1);
        world.deploy_until(&healthy, GuestState::Running);
        cases += 1;
        report
    };
    let image = image_of(&modules::counter(200));
    let app = |world: &World| world.vendor.application("bad", 1, &image);
    check(
        &|world| {
            let mut app = app(world);
            let last = app.image.len() - 1;
            app.image[last] ^= 1;
            app
        },
        GuestReason::DigestMismatch,
    );
    check(&|_| app(&World::new(99)), GuestReason::SignatureInvalid);
    check(
        &|world| {
            let mut app = app(world);
            app.signature[3] ^= 1;
            app
        },
        GuestReason::SignatureInvalid,
    );
    check(
        &|world| world.vendor.application_with("bad", 1, &image, |m| m.namespace = "elsewhere"),
        GuestReason::ManifestMismatch,
    );
    check(
        &|world| world.vendor.application_with("bad", 1, &image, |m| m.app_uid = [1; 16]),
        GuestReason::ManifestMismatch,
    );
    check(
        &|world| {
            let mut app = world.vendor.application_with("bad", 2, &image, |m| m.generation = 1);
            app.generation = 2;
            app
        },
        GuestReason::ManifestMismatch,
    );
    check(
        &|world| {
            let none = Grants::none();
            world.vendor.application_with("bad", 1, &image, |m| m.grants = none)
        },
        GuestReason::ImportRefused,
    );
    check(&|world| world.vendor.application("bad", 1, &[0x5a; 500]), GuestReason::ImageMalformed);
    check(
        &|world| world.vendor.application_with("bad", 1, &image, |m| m.image_bytes = 65_500),
        GuestReason::NoImageSlot,
    );
    let large = image_of(r#"(module (memory 30000 30000 (pagesize 1)) (func (export "run")))"#);
    let report =
        check(&|world| world.vendor.application("bad", 1, &large), GuestReason::ArenaTooSmall);
    assert!(report.needed_bytes.unwrap() > 30_000);
    assert_eq!(report.available_bytes, Some(24 * 1024));
    println!("\ncases: {cases}\n");
}

#[test]
fn a_generation_below_one_that_was_installed_is_refused_even_after_removal_and_reboot() {
    let mut world = world(11);
    let newer = counter(&world, "hello", 5);
    let older = counter(&world, "hello", 4);
    world.deploy_until(&newer, GuestState::Running);
    world.deploy_refused(&older, GuestReason::GenerationTooLow);
    world.gateway.desired.clear();
    world.gateway.send_desired();
    world.run_to_state(&newer, GuestState::Removed);
    world.start().unwrap();
    world.run_to_session();
    world.deploy_refused(&older, GuestReason::GenerationTooLow);
    world.deploy_until(&newer, GuestState::Running);
}

#[test]
fn a_full_table_of_generations_refuses_strangers_by_name_and_serves_those_it_knows() {
    let mut world = world(15);
    let image = image_of(modules::SPIN);
    let capacity = 64;
    for number in 0..capacity {
        let app = world.vendor.application(&format!("app {number}"), 1, &image);
        world.gateway.desired.clear();
        world.deploy_until(&app, GuestState::Running);
    }
    world.gateway.desired.clear();
    world.start().unwrap();
    world.run_to_session();
    let stranger = world.vendor.application("one too many", 1, &image);
    world.deploy_refused(&stranger, GuestReason::GenerationTableFull);
    let known = world.vendor.application("app 17", 2, &image);
    world.deploy_until(&known, GuestState::Running);
    let older = world.vendor.application("app 17", 1, &image);
    world.deploy_refused(&older, GuestReason::GenerationTooLow);
    println!("\ncases: {}\n", capacity + 3);
}

#[test]
fn more_guests_than_places_are_refused_until_one_is_free() {
    let mut world = world(12);
    let apps: Vec<_> =
        (0..=GUESTS).map(|number| counter(&world, &format!("app {number}"), 1)).collect();
    for app in &apps[..GUESTS] {
        world.deploy_until(app, GuestState::Running);
    }
    world.deploy_refused(&apps[GUESTS], GuestReason::TooManyGuests);
    world.gateway.desired.remove(0);
    world.gateway.send_desired();
    world.run_to_state(&apps[GUESTS], GuestState::Running);
}

#[test]
fn an_update_runs_where_the_arena_holds_only_one_of_the_two() {
    let mut roomy = world(13);
    let first = counter(&roomy, "hello", 1);
    roomy.deploy_until(&first, GuestState::Running);
    let needed = roomy.next_beat().counters.arena_used_bytes as usize;

    let mut world = World::new(13);
    world.arena_bytes = needed * 3 / 2;
    world.start().unwrap();
    world.run_to_session();
    let first = counter(&world, "hello", 1);
    world.deploy_until(&first, GuestState::Running);
    let second = world.vendor.application("hello", 2, &image_of(&modules::counter(150)));
    world.deploy_until(&second, GuestState::Running);
    world.run_until("lines", |world| world.logs(&second).last().is_some_and(|line| line == "3"));
}

#[test]
fn an_image_damaged_at_rest_is_refused_by_name_and_not_executed() {
    let mut world = world(14);
    let app = counter(&world, "hello", 1);
    world.deploy_until(&app, GuestState::Running);
    let flash = world.platform.flash.bytes_mut();
    let code = &app.image[app.image.len() - 24..];
    let at = flash.windows(code.len()).position(|window| window == code).unwrap();
    flash[at] ^= 1;
    world.start().unwrap();
    let report = world.run_to_state(&app, GuestState::Refused);
    assert_eq!(report.reason, GuestReason::StorageFailed);
}

#[test]
fn connections_lost_at_any_moment_change_nothing_in_the_end() {
    let seeds = 15;
    for seed in 0..seeds {
        let mut world = World::started(seed);
        let mut choices = wasmbed_testkit::Choices::new(seed);
        for generation in 1..=3 {
            let image = image_of(&modules::padded_counter(100 + generation as u32, 1_500));
            let app = world.vendor.application("hello", generation, &image);
            world.gateway.deploy(&app);
            for _ in 0..6 {
                for _ in 0..choices.below(200) {
                    world.step();
                }
                world.disconnect();
            }
            world.run_until("this generation", |world| {
                reports(world, &app).iter().any(|report| {
                    report.generation == generation && report.state == GuestState::Running
                })
            });
            // Long enough to prove healthy, so that the next generation has a slot.
            world.run_for(12_000);
        }
        assert_eq!(world.next_beat().counters.slots_free, 3, "seed {seed}");
    }
    println!("\ncases: {seeds}\n");
}

#[test]
fn power_cuts_at_any_moment_leave_a_device_that_converges() {
    // `WASMBED_SIMULATION_SEEDS` asks for a longer run; the seeds continue, so it repeats these.
    let seeds = std::env::var("WASMBED_SIMULATION_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(25);
    for seed in 0..seeds {
        let mut world = World::started(seed);
        let mut choices = wasmbed_testkit::Choices::new(seed);
        let apps: Vec<_> = (1..=4)
            .map(|generation| {
                let interval = 100 + generation as u32;
                let image = image_of(&modules::padded_counter(interval, 600));
                world.vendor.application("hello", generation, &image)
            })
            .collect();
        for app in &apps {
            world.gateway.deploy(app);
            for _ in 0..3 {
                let tear = wasmbed_journal::ram::Tear::ScatteredProgram;
                world.platform.flash.cut_after(choices.below(6_000), tear, seed);
                let until_ms = world.now_ms() + choices.below(8_000);
                while world.now_ms() < until_ms && !world.platform.flash.is_dead() {
                    world.step();
                }
                world.start().unwrap();
            }
        }
        let last = &apps[3];
        world.run_until("the last generation", |world| {
            reports(world, last)
                .last()
                .is_some_and(|r| r.generation == 4 && r.state == GuestState::Running)
        });
        assert_eq!(world.gateway.enrolled.len(), 1, "seed {seed}: the key is the same");
    }
    println!("\ncases: {seeds}\n");
}
