//! The whole system with the embedded API server: every step as a user takes it.

use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, is_prepared, path};

fn hello() -> Vec<u8> {
    std::fs::read(path("WASMBED_GUESTS").join("hello.wasm")).unwrap_or_else(|e| panic!("{e}"))
}

fn sampler() -> Vec<u8> {
    std::fs::read(path("WASMBED_GUESTS").join("sampler.wasm")).unwrap_or_else(|e| panic!("{e}"))
}

/// Whether the binaries are there; `cargo test` by itself has none of them.
fn prepared() -> bool {
    let prepared = is_prepared();
    if !prepared {
        println!("\nskipped: run by `cargo xtask test e2e`");
    }
    prepared
}

#[test]
fn an_application_is_deployed_logs_updates_stops_and_is_removed() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("life");
    let device = platform.boot("board");
    let module = hello();
    platform.apply(&modules::application("app", &module, &modules::digest(&module), "board"));
    platform.wait("application/app", "condition=Ready");
    platform.wait("application/app", "jsonpath={.status.counts.running}=1");
    let line = platform.log_line(&device, |line| line.contains("hello"));
    assert!(line.contains("app"), "a line names its application: {line}");

    let before = platform.get("application/app")["status"]["currentRevision"].clone();
    let module = sampler();
    let mut update = modules::application("app", &module, &modules::digest(&module), "board");
    platform.apply(&update);
    platform.wait("application/app", "condition=Ready");
    let after = platform.get("application/app")["status"]["currentRevision"].clone();
    assert_ne!(before, after, "an update is a new revision");

    update["items"][1]["spec"]["suspend"] = true.into();
    platform.apply(&update);
    let stopped = "jsonpath={.status.applications[0].state}=Stopped";
    platform.wait(&format!("device/{device}"), stopped);

    platform.wasmbed(&["delete", "application/app"]);
    let gone = "jsonpath={.status.applications[*].name}{\"none\"}=none";
    platform.wait(&format!("device/{device}"), gone);
    platform.wasmbed(&["delete", "virtualdevice/board"]);
    assert!(platform.stop(), "a platform ends well when it is asked to");
    println!("\ncases: 8");
}

#[test]
fn what_cannot_run_ends_in_a_condition_that_says_why() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("refused");
    let device = platform.boot("board");
    let check = |name: &str, module: &[u8], digest: &str, reason: &str, word: &str| {
        platform.apply(&modules::application(name, module, digest, "board"));
        let what = format!("application/{name}");
        let message = platform.ready_reason(&what, reason);
        assert!(message.contains(word), "{name}: {message:?} does not say {word:?}");
        platform.wasmbed(&["delete", &what]);
    };
    let wrong = modules::digest(b"something else");
    check("digest", &hello(), &wrong, "DigestMismatch", &wrong[7..20]);
    let text = b"this is not WebAssembly";
    check("text", text, &modules::digest(text), "NotWebAssembly", "");
    let simd = modules::binary(modules::USES_SIMD);
    check("simd", &simd, &modules::digest(&simd), "FeatureUnsupported", "SIMD");
    let large = modules::binary(modules::TOO_LARGE);
    check("large", &large, &modules::digest(&large), "DoesNotFit", "bytes");
    let trap = modules::binary(modules::DIVIDES_BY_ZERO);
    check("trap", &trap, &modules::digest(&trap), "GuestFailed", "TrapDivideByZero");
    platform.wasmbed(&["ping", &device]);
    println!("\ncases: 6");
}

#[test]
fn a_guest_that_loops_forever_is_preempted_and_with_a_limit_traps() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("loop");
    let device = platform.boot("board");
    let module = modules::binary(modules::LOOPS_FOREVER);
    let mut objects = modules::application("loop", &module, &modules::digest(&module), "board");
    platform.apply(&objects);
    platform.wait("application/loop", "condition=Ready");
    platform.wasmbed(&["ping", &device]);
    platform.wait(&format!("device/{device}"), "condition=Connected");

    objects["items"][1]["spec"]["limits"] = serde_json::json!({"fuel": 1_000_000});
    objects["items"][1]["spec"]["restartPolicy"] = "Never".into();
    platform.apply(&objects);
    let message = platform.ready_reason("application/loop", "GuestFailed");
    assert!(message.contains("TrapFuelExhausted"), "{message}");
    platform.wasmbed(&["ping", &device]);
    println!("\ncases: 4");
}

#[test]
fn a_killed_platform_comes_back_with_everything_it_acknowledged() {
    if !prepared() {
        return;
    }
    let mut platform = Platform::start("killed");
    let device = platform.boot("board");
    let module = hello();
    platform.apply(&modules::application("app", &module, &modules::digest(&module), "board"));
    platform.wait("application/app", "condition=Ready");
    platform.kill_and_restart();
    let again = platform.boot("board");
    assert_eq!(again, device, "the key survived in the journal");
    platform.wait("application/app", "condition=Ready");
    platform.log_line(&device, |line| line.contains("hello"));
    println!("\ncases: 3");
}

#[test]
fn a_guest_goes_on_counting_while_its_board_is_cut_off() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("cable");
    let device = platform.boot("board");
    let module = hello();
    platform.apply(&modules::application("app", &module, &modules::digest(&module), "board"));
    platform.wait("application/app", "condition=Ready");
    let counter = |line: &str| -> Option<u32> { line.rsplit(' ').next()?.parse().ok() };
    let first = platform.log_line(&device, |line| counter(line) >= Some(2));
    platform.patch_spec("virtualdevice/board", |spec| spec["cable"] = "Out".into());
    platform.wait(&format!("device/{device}"), "condition=Connected=False");
    let epoch = platform.get(&format!("device/{device}"))["status"]["epoch"].as_i64();
    platform.patch_spec("virtualdevice/board", |spec| spec["cable"] = "In".into());
    platform.wait(&format!("device/{device}"), "condition=Connected");
    let again = platform.get(&format!("device/{device}"))["status"]["epoch"].as_i64();
    assert!(again > epoch, "a new session has a higher epoch: {epoch:?}, then {again:?}");
    let before = counter(&first);
    let restarts = "{.status.applications[0].restarts}";
    let text = platform.wasmbed(&["get", "device", &device, "-o", &format!("jsonpath={restarts}")]);
    assert!(text == "0" || text.is_empty(), "the guest was not restarted: {text}");
    platform.log_line(&device, |line| counter(line) > before.map(|count| count + 5));
    println!("\ncases: 3");
}

#[test]
fn a_killed_emulator_comes_back_with_its_key_and_its_guest() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("sigkill");
    let device = platform.boot("board");
    let module = hello();
    platform.apply(&modules::application("app", &module, &modules::digest(&module), "board"));
    platform.wait("application/app", "condition=Ready");
    let epoch = || platform.get(&format!("device/{device}"))["status"]["epoch"].as_i64();
    for round in 1..=3 {
        let before = epoch();
        let pid = platform.get("virtualdevice/board")["status"]["pid"].as_i64();
        let killed = std::process::Command::new("kill")
            .args(["-9", &pid.unwrap_or_default().to_string()])
            .status();
        assert!(killed.is_ok_and(|status| status.success()), "no emulator to kill");
        let restarts = format!("jsonpath={{.status.restarts}}={round}");
        platform.wait("virtualdevice/board", &restarts);
        let crash = platform.get("virtualdevice/board")["status"]["crash"]["message"].to_string();
        assert!(crash.contains("9") || crash.contains("KILL"), "the crash says why: {crash}");
        let next = format!("jsonpath={{.status.epoch}}={}", before.unwrap_or_default() + 1);
        platform.wait(&format!("device/{device}"), &next);
        let state = "jsonpath={.status.applications[0].state}=Running";
        platform.wait(&format!("device/{device}"), state);
    }
    let count = platform.wasmbed(&["get", "devices", "-o", "name"]).lines().count();
    assert_eq!(count, 1, "the key survived: no second device enrolled");
    println!("\ncases: 10");
}

#[test]
fn an_image_signed_by_another_key_is_refused_by_the_device() {
    if !prepared() {
        return;
    }
    let mut platform = Platform::start("signer");
    let device = platform.boot("board");
    // The device has pinned the first key; the controllers go on with another.
    platform.restart_after(|folder| {
        std::fs::remove_file(folder.join("pki/image-signer.pem")).unwrap_or_else(|e| panic!("{e}"));
    });
    platform.wait(&format!("device/{device}"), "condition=Connected");
    let module = hello();
    platform.apply(&modules::application("app", &module, &modules::digest(&module), "board"));
    let message = platform.ready_reason("application/app", "Refused");
    assert!(message.contains("SignatureInvalid"), "{message}");
    platform.wasmbed(&["ping", &device]);
    println!("\ncases: 2");
}

#[test]
fn the_board_with_8_kb_of_ram_completes_its_handshake_over_a_serial_line() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("small");
    platform.apply(&modules::virtual_device("small", "stm32vldiscovery"));
    platform.wait("virtualdevice/small", "jsonpath={.status.device}");
    let device = platform.get("virtualdevice/small")["status"]["device"].clone();
    let device = device.as_str().unwrap_or_default().to_owned();
    platform.wait(&format!("device/{device}"), "condition=Connected");
    platform.wasmbed(&["ping", &device]);
    println!("\ncases: 2");
}

#[test]
fn every_example_manifest_is_accepted_and_a_second_platform_is_not() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("examples");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/manifests");
    platform.wasmbed(&["apply", "--force-conflicts", "-f", folder]);
    let second = std::process::Command::new(path("WASMBED_BIN"))
        .args(["up", "--data-dir"])
        .arg(platform.folder())
        .output()
        .unwrap_or_else(|error| panic!("{error}"));
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && text.contains("is in use by process"), "{text}");
    println!("\ncases: 2");
}
