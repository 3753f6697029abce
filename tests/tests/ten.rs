//! Ten VirtualDevices applied at once: every one becomes Ready with a key of its own, none digs
//! deeper into its stack than the call graph allows.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, boards, prepared};

const COUNT: usize = 10;

#[test]
fn ten_boards_applied_at_once_become_ready_with_ten_keys() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("ten");
    let mix: Vec<(String, &str)> = (0..COUNT)
        .zip(boards().iter().cycle())
        .map(|(index, board)| (format!("ten-{index}"), board.name))
        .collect();
    let items: Vec<Value> =
        mix.iter().map(|(name, board)| modules::virtual_device(name, board)).collect();
    let start = Instant::now();
    platform.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}));
    for (name, _) in &mix {
        platform.wait(&format!("virtualdevice/{name}"), "condition=Ready");
    }
    let ready_ms = start.elapsed().as_millis();
    let (mut devices, mut keys) = (BTreeSet::new(), BTreeSet::new());
    let (mut emulators, mut resident) = (BTreeSet::new(), 0);
    for (name, board) in &mix {
        let status = platform.get(&format!("virtualdevice/{name}"))["status"].clone();
        let device = status["device"].as_str().unwrap_or_default().to_owned();
        platform.wait(&format!("device/{device}"), "condition=Connected");
        let object = platform.get(&format!("device/{device}"));
        assert_eq!(object["spec"]["board"], *board, "{device}");
        keys.insert(object["spec"]["publicKey"].as_str().unwrap_or_default().to_owned());
        devices.insert(device);
        let pid = status["pid"].as_u64().unwrap_or(0);
        resident += resident_kb(pid);
        emulators.insert(pid);
        let what = format!("virtualdevice/{name}");
        let counters: Value = serde_json::from_str(&platform.wasmbed(&["counters", &what]))
            .unwrap_or_else(|error| panic!("{error}"));
        let painted = find(&counters, "stackHighWaterBytes").and_then(Value::as_i64);
        let painted = painted.unwrap_or_else(|| panic!("no stack in {counters}"));
        let bound = budget(board, "loop_stack_worst_bytes");
        assert!(painted > 0 && painted <= bound, "{board}: {painted} B used, bound {bound}");
    }
    for (what, found) in [("device", devices.len()), ("key", keys.len())] {
        assert_eq!(found, COUNT, "each board has a {what} of its own");
    }
    assert_eq!(emulators.len(), COUNT, "each board has an emulator of its own");
    println!(
        "\nfigure: ten boards at once: Ready after {ready_ms} ms, QEMU {resident} kB resident"
    );
    println!("cases: {}", COUNT * 3);
}

/// The first value under a key, however deep.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => {
            fields.get(key).or_else(|| fields.values().find_map(|inner| find(inner, key)))
        }
        Value::Array(items) => items.iter().find_map(|inner| find(inner, key)),
        _ => None,
    }
}

/// A limit of a board's budget.
fn budget(board: &str, key: &str) -> i64 {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards").join(board);
    let text = std::fs::read_to_string(path.join("budget.toml")).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_prefix('='));
    let value = value.and_then(|value| value.trim().parse().ok());
    value.unwrap_or_else(|| panic!("boards/{board}/budget.toml has no {key}"))
}

fn resident_kb(pid: u64) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    kilobytes.unwrap_or(0)
}
