//! Faults in the middle of things: a board that is reset, a cable that is out, a folder that is
//! damaged, a port that is taken.

use std::path::Path;
use std::process::Output;

use wasmbed_tests::cli::Cli;
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, is_prepared, path};

/// Bytes of data in a module that takes a while to arrive: it fits a slot, and is over a hundred chunks.
const LARGE_DATA_BYTES: usize = 50_000;

/// Whether the binaries are there; `cargo test` by itself has none of them.
fn prepared() -> bool {
    let prepared = is_prepared();
    if !prepared {
        println!("\nskipped: run by `cargo xtask test e2e`");
    }
    prepared
}

/// A guest that says `word`, waits for ever, and carries a lot of data.
fn large(word: &str) -> Vec<u8> {
    // Data that nothing could shorten on its way.
    let mut state =
        word.bytes().fold(1_u32, |state, byte| state << 4 ^ state >> 28 ^ u32::from(byte));
    let data: String = (0..LARGE_DATA_BYTES)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            format!("\\{:02x}", state >> 24)
        })
        .collect();
    modules::binary(&format!(
        r#"(module
          (import "wasmbed" "log" (func $log (param i32 i32)))
          (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "{word}")
          (data (i32.const 256) "{data}")
          (func (export "_start")
            (call $log (i32.const 0) (i32.const {length}))
            (loop $again (call $wait (i32.const 1000)) (br $again))))"#,
        length = word.len()
    ))
}

/// Path of the only board's console log.
fn console(cli: &Cli) -> std::path::PathBuf {
    let status = cli.get("virtualdevice/board")["status"].clone();
    status["consoleLog"].as_str().unwrap_or_default().into()
}

/// The image that an application's current revision names.
fn image_of(cli: &Cli, application: &str) -> serde_json::Value {
    let status = cli.get(&format!("application/{application}"))["status"].clone();
    let revision = status["currentRevision"].as_str().unwrap_or_default().to_owned();
    cli.get(&format!("applicationrevision/{revision}"))["spec"]["imageDigest"].clone()
}

/// Checks that the only guest of a device runs, from this application's image.
#[track_caller]
fn runs_current_image(cli: &Cli, device: &str) {
    let held = cli.get(&format!("device/{device}"))["status"]["applications"][0].clone();
    assert_eq!(held["state"], "Running", "{held}");
    assert_eq!(held["imageDigest"], image_of(cli, "app"), "{held}");
}

#[test]
fn a_board_that_is_reset_while_it_installs_ends_with_the_whole_image() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("faults-reset");
    let device = platform.boot("board");
    let what = format!("device/{device}");
    let boots = || platform.get(&what)["status"]["bootCount"].as_i64().unwrap_or_default();
    let mut cases = 0;
    for (round, fault) in ["reboot", "kill"].iter().enumerate() {
        let module = large(&format!("large {round}"));
        let before = boots();
        platform.apply(&modules::application("app", &module, &modules::digest(&module), "board"));
        platform.wait(&what, "jsonpath={.status.applications[0].state}=Installing");
        match *fault {
            "reboot" => {
                platform.wasmbed(&["reboot", &device]);
            }
            _ => kill_emulator(&platform),
        }
        platform.wait(&what, &format!("jsonpath={{.status.bootCount}}={}", before + 1));
        platform.wait("application/app", "condition=Ready");
        runs_current_image(&platform, &device);
        let word = format!("large {round}");
        platform.log_line(&device, |line| line.ends_with(&word));
        let text = std::fs::read_to_string(console(&platform)).unwrap_or_default();
        let installed = text.lines().filter(|line| line.contains("] installed ")).count();
        assert_eq!(installed, round + 1, "each image was installed once, after the reset: {text}");
        cases += 5;
    }
    println!("\ncases: {cases}");
}

/// Ends the board's emulator as the kernel would.
fn kill_emulator(cli: &Cli) {
    let pid = cli.get("virtualdevice/board")["status"]["pid"].as_i64().unwrap_or_default();
    let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()), "no emulator to kill");
}

#[test]
fn a_cable_that_is_out_while_a_board_installs_or_is_updated_delays_and_no_more() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("faults-cable");
    let device = platform.boot("board");
    let what = format!("device/{device}");
    let plug = |state: &str| {
        platform.patch_spec("virtualdevice/board", |spec| spec["cable"] = state.into());
    };
    let module = large("first");
    platform.apply(&modules::application("app", &module, &modules::digest(&module), "board"));
    platform.wait(&what, "jsonpath={.status.applications[0].state}=Installing");
    plug("Out");
    platform.wait(&what, "condition=Connected=False");
    plug("In");
    platform.wait("application/app", "condition=Ready");
    runs_current_image(&platform, &device);
    let first = image_of(&platform, "app");

    plug("Out");
    platform.wait(&what, "condition=Connected=False");
    let module = large("second");
    platform.apply(&modules::application("app", &module, &modules::digest(&module), "board"));
    platform.wait("application/app", "condition=Prepared");
    let held = platform.get(&what)["status"]["applications"][0]["imageDigest"].clone();
    assert_eq!(held, first, "nothing has reached the device yet");
    plug("In");
    platform.wait("application/app", "condition=Ready");
    runs_current_image(&platform, &device);
    assert_ne!(image_of(&platform, "app"), first, "the update has another image");
    platform.log_line(&device, |line| line.ends_with("second"));
    let status = platform.get(&what)["status"].clone();
    assert_eq!(status["bootCount"], 1, "the board never noticed more than a lost session");
    println!("\ncases: 9");
}

#[test]
fn a_disabled_device_loses_its_session_at_once_and_an_enabled_one_comes_back() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("faults-disabled");
    let device = platform.boot("board");
    let what = format!("device/{device}");
    let enable =
        |enabled: bool| platform.patch_spec(&what, |spec| spec["enabled"] = enabled.into());
    for _ in 0..2 {
        let start = std::time::Instant::now();
        enable(false);
        platform.wait(&what, "condition=Connected=False");
        let elapsed = start.elapsed();
        // Three commands of the CLI on a busy machine, and the session's end within a second.
        assert!(elapsed.as_secs() < 5, "{elapsed:?}");
        let ping = platform.run(&["ping", &device]);
        assert!(!ping.status.success(), "a disabled device has no session");
        enable(true);
        platform.wait(&what, "condition=Connected");
        platform.wasmbed(&["ping", &device]);
    }
    println!("\ncases: 8");
}

/// Runs `wasmbed up` on a folder it cannot serve.
fn up(folder: &Path, arguments: &[&str]) -> Output {
    std::process::Command::new(path("WASMBED_BIN"))
        .args(["up", "--data-dir"])
        .arg(folder)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("wasmbed up: {error}"))
}

#[track_caller]
fn check_refused(output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let last = text.lines().rfind(|line| line.starts_with("error: ")).unwrap_or_default();
    for word in words {
        assert!(last.contains(word), "{last:?} does not say {word:?}: {text}");
    }
}

#[test]
fn an_address_that_is_taken_is_named() {
    if !prepared() {
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap_or_else(|e| panic!("{e}"));
    let address = taken.local_addr().unwrap_or_else(|e| panic!("{e}")).to_string();
    let cli = Cli::in_new_folder("faults-taken");
    for option in ["--api-address", "--gateway-address", "--live-address", "--health-address"] {
        let output = up(cli.folder(), &[option, &address]);
        check_refused(&output, &[&format!("listen on {address}"), "in use"]);
    }
    println!("\ncases: 4");
}

#[test]
fn a_damaged_folder_is_refused_with_the_file_that_is_wrong() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("faults-damaged");
    let module = large("kept");
    platform.apply(&modules::application("app", &module, &modules::digest(&module), "board"));
    let mut platform = platform;
    let damage = |folder: &Path, name: &str, keep: &dyn Fn(&[u8]) -> Vec<u8>, words: &[&str]| {
        let file = folder.join(name);
        let good = std::fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        std::fs::write(&file, keep(&good)).unwrap_or_else(|e| panic!("{e}"));
        check_refused(&up(folder, &[]), words);
        std::fs::write(&file, good).unwrap_or_else(|e| panic!("{e}"));
    };
    platform.restart_after(|folder| {
        let half = |good: &[u8]| good[..good.len() / 2].to_vec();
        damage(folder, "api/objects.redb", &half, &["open the database", "api"]);
        damage(folder, "api/objects.redb", &|_| vec![0xA5; 100_000], &["open the database", "api"]);
        let holed = |good: &[u8]| {
            let mut bytes = good.to_vec();
            bytes.iter_mut().skip(4_096).for_each(|byte| *byte = 0xA5);
            bytes
        };
        damage(folder, "api/objects.redb", &holed, &["open the database", "api"]);
        damage(folder, "pki/fleet-ca.pem", &half, &["fleet-ca"]);
        damage(folder, "pki/image-signer.pem", &half, &["image-signer"]);
        damage(folder, "api/apiserver-ca.key", &half, &["certificate"]);
    });
    // And with everything back in place nothing is lost.
    let kept = platform.wasmbed(&["get", "applications", "-o", "name"]);
    assert!(kept.contains("app"), "{kept}");
    println!("\ncases: 7");
}
