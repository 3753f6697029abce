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
    update["items"][1]["spec"]["capabilities"] = serde_json::json!(["log", "timer", "telemetry"]);
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
    let check = |name: &str, module: &[u8], digest: &str, words: &[&str]| {
        platform.apply(&modules::application(name, module, digest, "board"));
        let what = format!("application/{name}");
        let (reason, message) = platform.condition(&what, "Ready", "False");
        let text = format!("{reason}: {message}");
        for word in words {
            assert!(text.contains(word), "{name}: {text:?} does not say {word:?}");
        }
        platform.wasmbed(&["delete", &what]);
    };
    let wrong = modules::digest(b"something else");
    check("digest", &hello(), &wrong, &["igest"]);
    let text = b"this is not WebAssembly";
    check("text", text, &modules::digest(text), &["WebAssembly"]);
    let floats = modules::binary(modules::USES_FLOATS);
    check("floats", &floats, &modules::digest(&floats), &["f32"]);
    let large = modules::binary(modules::TOO_LARGE);
    check("large", &large, &modules::digest(&large), &["bytes"]);
    let trap = modules::binary(modules::DIVIDES_BY_ZERO);
    check("trap", &trap, &modules::digest(&trap), &["TrapDivideByZero"]);
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
    let (reason, message) = platform.condition("application/loop", "Ready", "False");
    let text = format!("{reason}: {message}");
    assert!(text.contains("TrapFuelExhausted"), "{text}");
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
