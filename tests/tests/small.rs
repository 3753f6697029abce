//! The board with 8 KB of RAM at its worst moment: a guest that fills the arena stays alive, in memory,
//! through a whole new handshake.

use std::path::Path;

use serde_json::Value;
use wasmbed_catalog::Board;
use wasmbed_tests::counting::{boots_and_restarts, counts_on};
use wasmbed_tests::platform::{Platform, boards, prepared};
use wasmbed_tests::{filling, fleet, modules};

/// The board.
const BOARD: &str = "stm32vldiscovery";

/// Bytes of image, memory and stack that a guest must be able to have there.
const GUEST_BYTES_MIN: usize = 3_328;

/// What the device adds to each guest at most: two parts rounded up to 8.
const OVERHEAD_BYTES: usize = 16;

/// Bytes of the loop's stack that must never have been used.
const MARGIN_BYTES: i64 = 64;

/// A guest that says how often it has spoken, in six digits, and has `memory_bytes` of memory.
fn counting(memory_bytes: usize) -> Vec<u8> {
    modules::binary(&format!(
        r#"(module
          (import "wasmbed" "log" (func $log (param i32 i32)))
          (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
          (memory (export "memory") {memory_bytes} (pagesize 1))
          (data (i32.const 0) "hello 000000")
          (func (export "_start") (local $at i32)
            (loop $again
              (call $log (i32.const 0) (i32.const 12))
              (call $wait (i32.const 500))
              (local.set $at (i32.const 11))
              (loop $carry
                (i32.store8 (local.get $at)
                  (i32.add (i32.load8_u (local.get $at)) (i32.const 1)))
                (if (i32.gt_u (i32.load8_u (local.get $at)) (i32.const 57))
                  (then
                    (i32.store8 (local.get $at) (i32.const 48))
                    (local.set $at (i32.sub (local.get $at) (i32.const 1)))
                    (br $carry))))
              (br $again))))"#
    ))
}

/// The largest such guest that the board takes, and its bytes.
fn largest(platform: &Platform, board: &Board) -> (Vec<u8>, usize) {
    let arena = board.guests.arena_bytes as usize;
    let least = filling::needed(platform, board, &counting(16));
    let mut memory = (16 + arena - least) & !7;
    loop {
        let module = counting(memory);
        let bytes = filling::needed(platform, board, &module);
        if bytes <= arena - OVERHEAD_BYTES {
            return (module, bytes);
        }
        memory -= 8;
    }
}

/// A number that the board states or counts.
fn number(platform: &Platform, what: &str, key: &str) -> i64 {
    let counters: Value = serde_json::from_str(&platform.wasmbed(&["counters", what]))
        .unwrap_or_else(|error| panic!("{error}"));
    find(&counters, key).unwrap_or_else(|| panic!("no {key} in {counters}"))
}

fn find(value: &Value, key: &str) -> Option<i64> {
    match value {
        Value::Object(fields) => {
            let own = fields.get(key).and_then(Value::as_i64);
            own.or_else(|| fields.values().find_map(|inner| find(inner, key)))
        }
        Value::Array(items) => items.iter().find_map(|inner| find(inner, key)),
        _ => None,
    }
}

/// Bytes of the loop's stack on the board.
fn stack_bytes() -> i64 {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards").join(BOARD);
    let text = std::fs::read_to_string(path.join("budget.toml")).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix("loop_stack_bytes = "));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no stack in {text}"))
}

#[test]
fn a_guest_that_fills_8_kb_of_ram_goes_on_through_a_new_handshake() {
    if !boards().iter().any(|board| board.name == BOARD) {
        println!("\nskipped: this run is not about {BOARD}");
        return;
    }
    if !prepared() {
        return;
    }
    let platform = Platform::start("small");
    let members = fleet::boot(&platform);
    let member = members.iter().find(|member| member.board.name == BOARD);
    let member = member.unwrap_or_else(|| panic!("{BOARD} is among the boards"));
    let (module, bytes) = largest(&platform, member.board);
    assert!(bytes >= GUEST_BYTES_MIN, "{bytes} bytes for a guest, {GUEST_BYTES_MIN} are promised");
    let digest = modules::digest(&module);
    platform.apply(&modules::application(member.name(), &module, &digest, member.name()));
    platform.wait(&member.object(), "jsonpath={.status.applications[0].state}=Running");
    let mut count = counts_on(&platform, &member.device, 2);
    let history = boots_and_restarts(&platform, &member.device);
    for _ in 0..3 {
        let epoch = platform.number(&member.object(), "/status/epoch");
        platform.plug(&member.emulated(), "Out");
        platform.wait(&member.object(), "condition=Connected=False");
        platform.plug(&member.emulated(), "In");
        platform.wait(&member.object(), "condition=Connected");
        assert!(platform.number(&member.object(), "/status/epoch") > epoch, "a new session");
        count = counts_on(&platform, &member.device, count + 5);
        assert_eq!(boots_and_restarts(&platform, &member.device), history, "it never restarted");
    }
    let used = number(&platform, &member.emulated(), "stackHighWaterBytes");
    let unused = stack_bytes() - used;
    assert!(unused >= MARGIN_BYTES, "{unused} bytes of the stack were never used");
    println!(
        "\nfigure: {BOARD}: guest of {bytes} B alive through 3 handshakes, loop stack {used} B, \
         {unused} B never used"
    );
    println!("cases: 6");
}
