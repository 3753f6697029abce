//! What a board keeps over power cuts: its guests start from the journal although no gateway is there,
//! and what a guest was told is kept is there afterwards.

use std::cell::Cell;

use wasmbed_tests::cli::Cli;
use wasmbed_tests::console::Console;
use wasmbed_tests::counting::{boots_and_restarts, counts_on};
use wasmbed_tests::fleet::{self, Member};
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, guest, prepared};
use wasmbed_tests::roles::{Role, Roles};

/// Power cuts of one board while its guest stores values.
const CUTS: usize = 6;

/// What a console line of the guest `hello` counts.
fn hello(line: &str) -> Option<u32> {
    line.split_once("hello ")?.1.parse().ok()
}

#[test]
fn guests_start_from_the_journal_while_no_gateway_is_there() {
    if !prepared() {
        return;
    }
    let mut roles = Roles::start("storage-alone");
    let members = fleet::boot(roles.cli());
    let module = guest("hello");
    for member in &members {
        let digest = modules::digest(&module);
        roles.cli().apply(&modules::application(member.name(), &module, &digest, member.name()));
    }
    for member in &members {
        roles.cli().wait(&member.application(), "condition=Ready");
    }
    roles.kill(Role::Gateway);
    let cli = roles.cli();
    fleet::each(&members, |member| starts_alone(cli, member));
    roles.restart(Role::Gateway);
    let cli = roles.cli();
    fleet::each(&members, |member| {
        // The same run of the guest, now with somebody to tell.
        assert!(counts_on(cli, &member.device, 3) >= 3);
        let boots = format!("jsonpath={{.status.bootCount}}={}", 2);
        cli.wait(&member.object(), &boots);
        assert_eq!(boots_and_restarts(cli, &member.device), (2, 0));
        let running = "jsonpath={.status.applications[0].state}=Running";
        cli.wait(&member.object(), running);
    });
    println!("\ncases: {}", members.len() * 5);
}

/// Cuts the power of a board that reaches nobody, and watches its guest count from the beginning.
#[track_caller]
fn starts_alone(cli: &Cli, member: &Member) {
    let console = Console::follow(cli, &member.emulated());
    cli.cut_power(&member.emulated());
    console.wait("second boot", |line| line.contains(", boot 2, ").then_some(()));
    let next = Cell::new(0);
    console.wait("third count", |line| {
        assert!(!line.contains("session open"), "{}: nobody is there: {line}", member.name());
        let count = hello(line)?;
        assert_eq!(count, next.get(), "{}", member.name());
        next.set(count + 1);
        (count == 2).then_some(())
    });
}

/// Says what is kept, and then keeps one number after the other, saying each once it is kept. Two
/// values of different lengths, so that records lie differently in the journal.
const KEEPS_NUMBERS: &str = r#"(module
  (import "wasmbed" "kv_get" (func $get (param i32 i32 i32 i32) (result i32)))
  (import "wasmbed" "kv_set" (func $set (param i32 i32 i32 i32) (result i32)))
  (import "wasmbed" "log" (func $log (param i32 i32)))
  (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
  (memory (export "memory") 256 (pagesize 1))
  (data (i32.const 0) "n")
  (data (i32.const 1) "copy")
  (data (i32.const 16) "found 00000000 00000000")
  (data (i32.const 48) "kept 00000000")
  (func $digits (param $number i32) (param $target i32) (local $index i32) (local $digit i32)
    (local.set $index (i32.const 8))
    (loop $next
      (local.set $index (i32.sub (local.get $index) (i32.const 1)))
      (local.set $digit (i32.and (local.get $number) (i32.const 15)))
      (i32.store8 (i32.add (local.get $target) (local.get $index))
        (i32.add (local.get $digit)
          (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get $digit) (i32.const 9)))))
      (local.set $number (i32.shr_u (local.get $number) (i32.const 4)))
      (br_if $next (local.get $index))))
  (func (export "_start") (local $number i32)
    (drop (call $get (i32.const 0) (i32.const 1) (i32.const 80) (i32.const 4)))
    (drop (call $get (i32.const 1) (i32.const 4) (i32.const 96) (i32.const 100)))
    (local.set $number (i32.load (i32.const 80)))
    (call $digits (local.get $number) (i32.const 22))
    (call $digits (i32.load (i32.const 192)) (i32.const 31))
    (call $log (i32.const 16) (i32.const 23))
    (loop $again
      (local.set $number (i32.add (local.get $number) (i32.const 1)))
      (i32.store (i32.const 80) (local.get $number))
      (if (call $set (i32.const 0) (i32.const 1) (i32.const 80) (i32.const 4)) (then unreachable))
      (i32.store (i32.const 192) (local.get $number))
      (if (call $set (i32.const 1) (i32.const 4) (i32.const 96) (i32.const 100))
        (then unreachable))
      (call $digits (local.get $number) (i32.const 53))
      (call $log (i32.const 48) (i32.const 13))
      (call $wait (i32.const 5))
      (br $again))))"#;

/// The hexadecimal numbers behind a word of a console line.
fn numbers(line: &str, word: &str) -> Option<Vec<u32>> {
    let (_, rest) = line.split_once(word)?;
    rest.split_whitespace().map(|digits| u32::from_str_radix(digits, 16).ok()).collect()
}

#[test]
fn what_a_guest_was_told_is_kept_is_there_after_power_cuts_at_any_time() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("storage-values");
    let members = fleet::boot(&platform);
    let module = modules::binary(KEEPS_NUMBERS);
    let keeps = |member: &Member| {
        let offered = platform.get(&member.object())["status"]["hostInterface"].clone();
        offered.as_array().is_some_and(|offered| offered.contains(&"storage".into()))
    };
    let members: Vec<Member> = members.into_iter().filter(keeps).collect();
    if members.is_empty() {
        println!("\nskipped: the firmware of no board of this run keeps values");
        return;
    }
    fleet::each(&members, |member| {
        let grants = ["log", "timer", "storage:200"];
        platform.apply(&modules::granted(member.name(), &module, member.name(), &grants));
        platform.wait(&member.application(), "condition=Ready");
        let console = Console::follow(&platform, &member.emulated());
        console.wait("empty storage", |line| (numbers(line, "found ")? == [0, 0]).then_some(()));
        let mut kept = 0;
        let mut seed =
            member.name().bytes().fold(1_u32, |seed, byte| seed.rotate_left(5) ^ u32::from(byte));
        for cut in 1..=CUTS {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let target = kept + 2 + (seed >> 16) % 29;
            kept = console.wait("stored values", |line| {
                let now = numbers(line, "kept ")?[0];
                (now >= target).then_some(now)
            });
            // Switched off between two instructions; or killed, in the middle of a request too.
            if cut % 2 == 0 {
                platform.cut_power(&member.emulated());
            } else {
                platform.kill_emulator(&member.emulated());
            }
            let found = console.wait("start after the cut", |line| {
                if let Some(numbers) = numbers(line, "kept ") {
                    kept = numbers[0];
                }
                numbers(line, "found ")
            });
            let [first, copy] = found[..] else { panic!("{found:?}") };
            let place = format!("{}, cut {cut}: kept {kept:#x}, found {found:#x?}", member.name());
            // The one that was under way is the old one or the new one.
            assert!(first == kept || first == kept + 1, "{place}");
            assert!(copy == kept || copy == kept + 1 && copy <= first, "{place}");
            kept = kept.max(copy);
        }
    });
    println!("\ncases: {}", members.len() * CUTS * 2);
}
