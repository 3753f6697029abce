//! Boards on bad lines, and what one does to a board on a desk: power, reset, plug, console, crash.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use wasmbed_tests::cli::Cli;
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, boards, prepared};

/// A board with Ethernet, and one with a serial line.
const BOARDS: [&str; 2] = ["mps2-an385", "stm32vldiscovery"];

/// Time from a partition to the end of the session: an interval of heartbeats until one is missed or
/// a Ping goes out, the gateway's timeout of 30 seconds, and the commands of a busy machine.
const NOTICED_SECONDS_MAX: u64 = 50;

/// Whether this run is to try the boards that these tests choose themselves.
fn prepared_for_both() -> bool {
    let both = |name: &str| boards().iter().any(|board| board.name == name);
    let is_meant = BOARDS.into_iter().all(both);
    if !is_meant {
        println!("\nskipped: this run is not about {}", BOARDS.join(" and "));
    }
    is_meant && prepared()
}

/// A guest that says `word` every second, with so much data besides that it takes a few chunks.
fn talker(word: &str, data_bytes: usize) -> Vec<u8> {
    // Data that nothing could shorten on its way.
    let mut state = 1_u32;
    let data: String = (0..data_bytes)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            format!("\\{:02x}", state >> 24)
        })
        .collect();
    modules::binary(&format!(
        r#"(module
          (import "wasmbed" "log" (func $log (param i32 i32)))
          (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
          (memory (export "memory") {memory_bytes} (pagesize 1))
          (data (i32.const 0) "{word}")
          (data (i32.const 64) "{data}")
          (func (export "_start")
            (loop $again
              (call $log (i32.const 0) (i32.const {length}))
              (call $wait (i32.const 1000))
              (br $again))))"#,
        memory_bytes = 64 + data_bytes,
        length = word.len()
    ))
}

/// Deploys a talker, and checks that the device runs exactly the image that was prepared for it.
#[track_caller]
fn deploy(cli: &Cli, board: &str, device: &str, word: &str, data_bytes: usize) {
    let module = talker(word, data_bytes);
    cli.apply(&modules::application(board, &module, &modules::digest(&module), board));
    let what = format!("application/{board}");
    let state = "--for=jsonpath={.status.counts.running}=1";
    cli.wasmbed(&["wait", &what, state, "--timeout=300s"]);
    cli.wasmbed(&["wait", &what, "--for=condition=Ready", "--timeout=60s"]);
    let status = cli.get(&what)["status"].clone();
    let revision = status["currentRevision"].as_str().unwrap_or_default().to_owned();
    let image = cli.get(&format!("applicationrevision/{revision}"))["spec"]["imageDigest"].clone();
    assert!(image.is_string(), "{revision}");
    let held = cli.get(&format!("device/{device}"))["status"]["applications"][0].clone();
    assert_eq!(held["imageDigest"], image, "{held}");
}

#[test]
fn applications_are_installed_whole_over_bad_lines() {
    if !prepared_for_both() {
        return;
    }
    let platform = Platform::start("cable-bad");
    let devices = BOARDS.map(|board| platform.boot_board(board, board));
    // What TCP mends costs a cable only time. On a serial line each harmed byte ends a session, so
    // its shares are of another size: a handshake has 1,900 bytes, and every second is harmed.
    let options: [&[&str]; 2] = [
        &["--loss=5", "--duplicate=5", "--delay=50ms", "--jitter=10ms", "--seed=1"],
        &["--loss=0.02", "--duplicate=0.01", "--corrupt=0.01", "--delay=50ms", "--seed=1"],
    ];
    for (board, options) in BOARDS.iter().zip(options) {
        let connect = [&["connect", board][..], options].concat();
        let said = platform.wasmbed(&connect);
        assert!(said.contains("over a bad line"), "{said}");
    }
    for ((board, device), data_bytes) in BOARDS.iter().zip(&devices).zip([10_000, 600]) {
        let start = Instant::now();
        deploy(&platform, board, device, "over a bad line", data_bytes);
        println!("figure: {board}: installed over a bad line in {:.1} s", seconds(start));
        platform.log_line(device, |line| line.contains("over a bad line"));
    }
    for (board, device) in BOARDS.iter().zip(&devices) {
        platform.wasmbed(&["connect", board]);
        let object = platform.get(&format!("virtualdevice/{board}"));
        assert_eq!(object["spec"]["line"], Value::Null);
        let passed = object["status"]["line"].clone();
        println!("figure: {board}: over the bad line: {passed}");
        let harms = ["lost", "duplicated", "corrupted"];
        assert!(harms.iter().any(|harm| passed[harm].as_i64() > Some(0)), "{passed}");
        let start = Instant::now();
        deploy(&platform, board, device, "over a good line", 500);
        println!("figure: {board}: updated over a good line in {:.1} s", seconds(start));
        platform.log_line(device, |line| line.contains("over a good line"));
        let boots = platform.get(&format!("device/{device}"))["status"]["bootCount"].clone();
        assert_eq!(boots, 1, "a bad line is no reason to start again");
    }
    println!("\ncases: {}", BOARDS.len() * 6);
}

fn seconds(since: Instant) -> f32 {
    since.elapsed().as_secs_f32()
}

#[test]
fn a_partition_is_noticed_on_each_way_and_healed() {
    if !prepared_for_both() {
        return;
    }
    let platform = Platform::start("cable-partition");
    let devices = BOARDS.map(|board| platform.boot_board(board, board));
    for way in ["up", "down", "both"] {
        let start = Instant::now();
        for board in BOARDS {
            platform.wasmbed(&["connect", board, "--partition", way]);
        }
        for (board, device) in BOARDS.iter().zip(&devices) {
            platform.wait(&format!("device/{device}"), "condition=Connected=False");
            println!("figure: {board}: partition {way} noticed in {:.1} s", seconds(start));
        }
        assert!(start.elapsed() < Duration::from_secs(NOTICED_SECONDS_MAX), "partition {way}");
        let start = Instant::now();
        for board in BOARDS {
            platform.wasmbed(&["connect", board]);
        }
        for (board, device) in BOARDS.iter().zip(&devices) {
            platform.wait(&format!("device/{device}"), "condition=Connected");
            platform.wasmbed(&["ping", device]);
            println!("figure: {board}: back after {:.1} s", seconds(start));
        }
    }
    println!("\ncases: {}", 3 * 2 * BOARDS.len());
}

#[test]
fn a_board_obeys_as_one_on_a_desk_does() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("cable-desk");
    let device = platform.boot("board");
    let (board, what) = ("virtualdevice/board", format!("device/{device}"));
    let boots = |count: i64| {
        platform.wait(&what, &format!("jsonpath={{.status.bootCount}}={count}"));
        platform.wait(&what, "condition=Connected");
    };
    boots(1);
    let pid = || platform.get(board)["status"]["pid"].as_i64();
    let first = pid();
    platform.wasmbed(&["reset", "board"]);
    boots(2);
    platform.wasmbed(&["reset", "board"]);
    boots(3);
    assert_eq!(pid(), first, "a reset leaves the emulator alone");

    platform.wasmbed(&["power", "off", "board"]);
    assert_eq!(pid(), None);
    platform.wait(&what, "condition=Connected=False");
    let refused = platform.run(&["reset", "board"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no power"), "{refused:?}");
    platform.wasmbed(&["power", "on", board]);
    boots(4);
    platform.wasmbed(&["power", "cycle", "board"]);
    boots(5);

    platform.wasmbed(&["disconnect", "board"]);
    platform.wait(&what, "condition=Connected=False");
    platform.wasmbed(&["connect", "board"]);
    platform.wait(&what, "condition=Connected");

    let console = platform.wasmbed(&["console", "board"]);
    for boot in 1..=5 {
        let said = format!("boot {boot}, device {device}");
        assert_eq!(console.matches(&said).count(), 1, "{said}: {console}");
    }
    let last = platform.wasmbed(&["console", "board", "--tail", "1"]);
    assert_eq!(last.lines().count(), 1, "{last}");
    assert!(console.contains(last.trim_end()), "{last}");

    let followed = follow_console(&platform, "boot 6", || {
        let pid = pid().map(|pid| pid.to_string()).unwrap_or_default();
        let killed = std::process::Command::new("kill").args(["-9", &pid]).status();
        assert!(killed.is_ok_and(|status| status.success()), "no emulator to kill");
    });
    assert!(followed.contains(&device), "{followed}");
    boots(6);
    let status = platform.get(board)["status"].clone();
    assert_eq!((&status["crash"]["reason"], &status["restarts"]), (&"Killed".into(), &1.into()));
    println!("\ncases: 14");
}

/// Follows the board's console, does something, and waits for a line with `word`.
#[track_caller]
fn follow_console(cli: &Cli, word: &str, act: impl FnOnce()) -> String {
    let command = cli.command(&["console", "-f", "board"]).stdout(Stdio::piped()).spawn();
    let mut child = command.unwrap_or_else(|error| panic!("{error}"));
    let (sender, receiver) = std::sync::mpsc::channel();
    let output = child.stdout.take();
    std::thread::spawn(move || {
        for line in output.map(BufReader::new).into_iter().flat_map(BufRead::lines).flatten() {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    let mut act = Some(act);
    let deadline = Instant::now() + Duration::from_secs(60);
    let found = loop {
        match receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) if line.contains(word) => break Some(line),
            // It follows from its first line on.
            Ok(_) => {
                if let Some(act) = act.take() {
                    act();
                }
            }
            Err(_) => break None,
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    found.unwrap_or_else(|| panic!("the console never said {word:?}{}", cli.state()))
}

#[test]
fn a_serial_line_that_is_out_ends_the_session_and_one_that_is_in_begins_another() {
    if !prepared_for_both() {
        return;
    }
    let platform = Platform::start("cable-out");
    let device = platform.boot_board("other", BOARDS[1]);
    let what = format!("device/{device}");
    for _ in 0..2 {
        platform.wasmbed(&["disconnect", "other"]);
        platform.wait(&what, "condition=Connected=False");
        platform.wasmbed(&["connect", "other"]);
        platform.wait(&what, "condition=Connected");
        platform.wasmbed(&["ping", &device]);
    }
    println!("\ncases: 6");
}
