//! Sessions between a device and a simulated gateway: enrolment, refusal, loss and return.

use sha2::{Digest, Sha256};
use wasmbed_runtime::{ResetReason, StartError};
use wasmbed_testkit::{Heard, Reply, World};
use wasmbed_wire::{Command, CommandOutcome, CommandResult, GatewayMessage, RefusedReason};

fn hellos(world: &World) -> usize {
    world.gateway.heard.iter().filter(|heard| matches!(heard, Heard::Hello { .. })).count()
}

fn results(world: &World) -> Vec<CommandResult> {
    let result = |heard: &Heard| match heard {
        Heard::Result(result) => Some(*result),
        _ => None,
    };
    world.gateway.heard.iter().filter_map(result).collect()
}

#[test]
fn a_stranger_enrols_with_its_token_and_is_known_afterwards() {
    let seeds = 8;
    for seed in 0..seeds {
        let mut world = World::started(seed);
        world.run_to_session();
        assert!(
            matches!(&world.gateway.heard[1], Heard::Enroll { token: Some(token) } if token == "let-me-in")
        );
        world.disconnect();
        world.run_to_session();
        let enrolments =
            world.gateway.heard.iter().filter(|heard| matches!(heard, Heard::Enroll { .. }));
        assert_eq!(enrolments.count(), 1, "seed {seed}");
        assert_eq!(world.gateway.enrolled.len(), 1);
    }
    println!("\ncases: {seeds}\n");
}

#[test]
fn the_key_made_at_the_first_boot_is_the_key_of_every_later_one() {
    let mut world = World::started(1);
    let key = world.device.public_key();
    assert_ne!(key, [0; 32]);
    for boot in 2..5 {
        world.start().unwrap();
        assert_eq!(world.device.public_key(), key);
        assert!(world.platform.console[0].contains(&format!(", boot {boot}, device d-")));
    }
    assert_ne!(World::started(2).device.public_key(), key);
    println!("\ncases: 4\n");
}

#[test]
fn the_name_is_the_base32_of_the_digest_of_the_key() {
    let world = World::started(1);
    let name = String::from_utf8(world.device.name().to_vec()).unwrap();
    // Read back by the definition: 16 digits of 5 bits are the first 80 bits of the digest.
    let digits = name.strip_prefix("d-").unwrap().bytes().map(|digit| {
        b"abcdefghijklmnopqrstuvwxyz234567".iter().position(|letter| *letter == digit).unwrap()
    });
    let bits = digits.fold(0_u128, |bits, digit| bits << 5 | digit as u128);
    let digest: [u8; 32] = Sha256::digest(world.device.public_key()).into();
    assert_eq!(bits.to_be_bytes()[6..], digest[..10]);
    assert_eq!(name.len(), 18);
}

#[test]
fn without_entropy_no_key_is_made_and_the_device_does_not_start() {
    let mut world = World::new(1);
    world.platform.has_entropy = false;
    assert_eq!(world.start(), Err(StartError::Entropy));
    world.platform.has_entropy = true;
    assert_eq!(world.start(), Ok(()));
}

#[test]
fn a_damaged_journal_is_refused_and_left_alone() {
    let mut world = World::started(1);
    world.platform.flash.bytes_mut()[0..12].fill(0);
    let before = world.platform.flash.bytes().to_vec();
    assert_eq!(world.start(), Err(StartError::JournalDamaged));
    assert!(world.platform.flash.bytes() == before);
}

#[test]
fn a_refusal_is_shown_and_its_wait_is_kept() {
    let cases = [(RefusedReason::Revoked, 20_000), (RefusedReason::Busy, 5_000)];
    for (reason, retry_ms) in cases {
        let mut world = World::new(1);
        world.gateway.reply = Reply::Refuse(reason, retry_ms);
        world.start().unwrap();
        world.run_until("refusal", |world| hellos(world) == 1);
        let refused_at_ms = world.now_ms();
        world.run_until("second attempt", |world| hellos(world) == 2);
        assert!(world.now_ms() >= refused_at_ms + u64::from(retry_ms), "{reason:?}");
        assert!(world.platform.console.contains(&format!("refused: {}", reason.name())));
    }
    println!("\ncases: {}\n", cases.len());
}

#[test]
fn a_wrong_token_enrols_nobody() {
    let mut world = World::new(1);
    world.provision(Some("guessed"));
    world.start().unwrap();
    world.run_for(10_000);
    assert_eq!((world.gateway.sessions, world.gateway.enrolled.len()), (0, 0));
    assert!(world.platform.console.contains(&"refused: TokenUnknown".into()));
}

#[test]
fn attempts_become_rarer_and_go_on() {
    let seeds = 5;
    for seed in 0..seeds {
        let mut world = World::new(seed);
        world.is_gateway_up = false;
        world.start().unwrap();
        world.run_for(600_000);
        let gaps: Vec<u64> = world.attempts_ms.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[0] <= 250, "seed {seed}: {gaps:?}");
        assert!(gaps.iter().all(|gap| *gap <= 60_000), "seed {seed}: {gaps:?}");
        assert!(gaps.iter().rev().take(5).all(|gap| *gap >= 30_000), "seed {seed}: {gaps:?}");
        world.is_gateway_up = true;
        world.run_to_session();
    }
    println!("\ncases: {seeds}\n");
}

#[test]
fn a_gateway_that_comes_back_is_found_within_seconds() {
    let seeds = 5;
    for seed in 0..seeds {
        let mut world = World::started(seed);
        world.run_to_session();
        world.run_for(20_000);
        world.is_gateway_up = false;
        world.run_for(2_000);
        world.is_gateway_up = true;
        let back_at_ms = world.now_ms();
        world.run_to_session();
        assert!(world.now_ms() < back_at_ms + 5_000, "seed {seed}");
    }
    println!("\ncases: {seeds}\n");
}

#[test]
fn hello_tells_boots_the_last_epoch_and_why_it_started() {
    let mut world = World::started(1);
    world.run_to_session();
    world.run_for(100);
    world.start().unwrap();
    world.run_to_session();
    let hellos: Vec<_> = world
        .gateway
        .heard
        .iter()
        .filter_map(|heard| match heard {
            Heard::Hello { boot_count, last_epoch, reset_reason, .. } => {
                Some((*boot_count, *last_epoch, *reset_reason))
            }
            _ => None,
        })
        .collect();
    assert_eq!(hellos, [(1, 0, ResetReason::PowerOn), (2, 1, ResetReason::PowerOn)]);
}

#[test]
fn a_gateway_is_left_when_its_certificate_is_not_valid_at_the_time_it_tells() {
    let year_ms = 366 * 86_400_000;
    let mut world = World::started(1);
    let now_ms = world.gateway.unix_ms;
    let times_ms = [now_ms + 3 * year_ms, now_ms - year_ms, 0];
    for unix_ms in times_ms {
        world.gateway.unix_ms = unix_ms;
        world.platform.console.clear();
        world.disconnect();
        let complaint = "gateway certificate is not valid at the time it told";
        world.run_until("complaint", |world| world.platform.console.iter().any(|l| l == complaint));
    }
    world.gateway.unix_ms = now_ms;
    world.run_to_session();
    world.next_beat();
    println!("\ncases: {}\n", times_ms.len());
}

#[test]
fn a_ping_is_answered_once_for_each_id_and_again_when_it_is_repeated() {
    let mut world = World::started(1);
    world.run_to_session();
    for id in [5, 6, 6, 5] {
        world.gateway.say(&GatewayMessage::Ping(Command { id }));
        world.run_for(500);
    }
    let ids: Vec<u64> = results(&world).iter().map(|result| result.id).collect();
    assert_eq!(ids, [5, 6, 6, 5]);
    assert!(results(&world).iter().all(|result| result.outcome == CommandOutcome::Done));
    assert_eq!(results(&world)[1].uptime_ms, results(&world)[2].uptime_ms);
}

#[test]
fn a_reboot_is_answered_before_it_happens_and_happens_once() {
    let mut world = World::started(1);
    world.run_to_session();
    world.gateway.say(&GatewayMessage::Reboot(Command { id: 9 }));
    world.run_until("reboot", |world| world.has_asked_for_reboot);
    world.run_for(50);
    assert_eq!(results(&world)[0].outcome, CommandOutcome::Done);
    world.start().unwrap();
    world.run_to_session();
    let reason = world.gateway.heard.iter().rev().find_map(|heard| match heard {
        Heard::Hello { reset_reason, .. } => Some(*reset_reason),
        _ => None,
    });
    assert_eq!(reason, Some(ResetReason::Commanded));
    world.gateway.say(&GatewayMessage::Reboot(Command { id: 9 }));
    world.run_for(2_000);
    assert!(!world.has_asked_for_reboot, "the same command restarts the device once");
    assert_eq!(results(&world).last().unwrap().outcome, CommandOutcome::NotAllowed);
}

#[test]
fn the_first_heartbeat_ends_the_inventory_and_others_follow_at_the_interval() {
    let mut world = World::started(1);
    world.gateway.heartbeat_ms = 2_000;
    world.run_to_session();
    let first = world.next_beat();
    let second = world.next_beat();
    let third = world.next_beat();
    for (earlier, later) in [(&first, &second), (&second, &third)] {
        let gap_ms = later.uptime_ms - earlier.uptime_ms;
        assert!((2_000..2_100).contains(&gap_ms), "{gap_ms}");
    }
}

#[test]
fn a_session_works_over_any_cable() {
    let delays_ms = [0, 1, 20, 200];
    for (seed, delay_ms) in delays_ms.into_iter().enumerate() {
        let mut world = World::started(seed as u64);
        world.cable.delay_ms_max = delay_ms;
        world.run_to_session();
        world.next_beat();
    }
    println!("\ncases: {}\n", delays_ms.len());
}
