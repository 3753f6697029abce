//! The platform as four processes: each is killed in turn, and everything goes on.

use wasmbed_tests::cli::Cli;
use wasmbed_tests::counting::{boots_and_restarts, counts_on};
use wasmbed_tests::filling;
use wasmbed_tests::modules;
use wasmbed_tests::platform::{first_board, guest, path, prepared};
use wasmbed_tests::roles::{Role, Roles};

/// Deploys a module and waits until the device says that it runs.
fn deploy(cli: &Cli, module: &[u8]) -> String {
    cli.apply(&modules::application("app", module, &modules::digest(module), "board"));
    cli.wait("application/app", "condition=Ready");
    let revision = cli.get("application/app")["status"]["currentRevision"].clone();
    revision.as_str().unwrap_or_default().to_owned()
}

/// A guest that is not `hello` and fits as well.
fn other(cli: &Cli) -> Vec<u8> {
    filling::part(cli, first_board(), "other", 2).module
}

fn epoch(cli: &Cli, device: &str) -> i64 {
    cli.get(&format!("device/{device}"))["status"]["epoch"].as_i64().unwrap_or_default()
}

#[test]
fn a_guest_counts_on_while_its_gateway_is_killed_and_comes_back() {
    if !prepared() {
        return;
    }
    let mut roles = Roles::start("roles-gateway");
    let device = roles.cli().boot("board");
    deploy(roles.cli(), &guest("hello"));
    let mut count = counts_on(roles.cli(), &device, 2);
    let before = boots_and_restarts(roles.cli(), &device);
    for _ in 0..3 {
        let session = epoch(roles.cli(), &device);
        roles.kill(Role::Gateway);
        roles.restart(Role::Gateway);
        let next = format!("jsonpath={{.status.epoch}}={}", session + 1);
        roles.cli().wait(&format!("device/{device}"), &next);
        let now = counts_on(roles.cli(), &device, count + 2);
        assert!(now > count, "{now} after {count}");
        assert_eq!(boots_and_restarts(roles.cli(), &device), before);
        count = now;
    }
    roles.cli().wasmbed(&["ping", &device]);
    roles.cli().wait("gateway/gateway", "condition=Ready");
    assert_eq!(roles.stop(), Vec::<&str>::new(), "roles that did not end well");
    println!("\ncases: 11");
}

#[test]
fn a_device_whose_gateway_stays_away_is_unknown_and_comes_back_with_it() {
    if !prepared() {
        return;
    }
    let mut roles = Roles::start("roles-lease");
    let device = roles.cli().boot("board");
    let what = format!("device/{device}");
    let session = epoch(roles.cli(), &device);
    roles.kill(Role::Gateway);
    roles.cli().wait(&what, "condition=Connected=Unknown");
    roles.cli().wait("gateway/gateway", "condition=Ready=False");
    let ping = roles.cli().run(&["ping", &device]);
    assert!(!ping.status.success(), "nobody is there to ask");
    roles.restart(Role::Gateway);
    roles.cli().wait(&what, "condition=Connected");
    roles.cli().wait("gateway/gateway", "condition=Ready");
    assert!(epoch(roles.cli(), &device) > session);
    roles.cli().wasmbed(&["ping", &device]);
    println!("\ncases: 7");
}

#[test]
fn an_update_rolls_out_after_the_controllers_were_killed() {
    if !prepared() {
        return;
    }
    let mut roles = Roles::start("roles-controllers");
    let device = roles.cli().boot("board");
    let first = deploy(roles.cli(), &guest("hello"));
    roles.kill(Role::Controllers);
    // Nobody prepares it yet.
    let module = other(roles.cli());
    let update = modules::application("app", &module, &modules::digest(&module), "board");
    roles.cli().apply(&update);
    roles.cli().wasmbed(&["ping", &device]);
    roles.restart(Role::Controllers);
    roles.cli().wait("application/app", "condition=Ready");
    let second = roles.cli().get("application/app")["status"]["currentRevision"].clone();
    assert_ne!(second.as_str(), Some(first.as_str()), "the update is a new revision");
    let held = roles.cli().get(&format!("device/{device}"))["status"]["applications"][0].clone();
    assert_eq!(held["state"], "Running");
    let revision = format!("applicationrevision/{}", second.as_str().unwrap_or_default());
    let image = roles.cli().get(&revision)["spec"]["imageDigest"].clone();
    assert_eq!(image, held["imageDigest"]);
    println!("\ncases: 4");
}

#[test]
fn nothing_acknowledged_is_lost_when_the_api_server_is_killed() {
    if !prepared() {
        return;
    }
    let mut roles = Roles::start("roles-api");
    let device = roles.cli().boot("board");
    deploy(roles.cli(), &guest("hello"));
    let before = boots_and_restarts(roles.cli(), &device);
    let session = epoch(roles.cli(), &device);
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        for number in 0..5 {
            let name = format!("kept-{round}-{number}");
            roles.cli().apply(&serde_json::json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name}, "data": {"round": round.to_string()}}));
            acknowledged.push(format!("configmap/{name}"));
        }
        roles.kill(Role::Apiserver);
        assert!(!roles.cli().run(&["get", "devices"]).status.success(), "it is gone");
        roles.restart(Role::Apiserver);
        let names = roles.cli().wasmbed(&["get", "configmaps", "-o", "name"]);
        for name in &acknowledged {
            assert!(names.contains(name), "{name} is lost: {names}");
        }
    }
    // The session went on by itself, and each role has found the server again.
    assert_eq!(epoch(roles.cli(), &device), session);
    assert_eq!(boots_and_restarts(roles.cli(), &device), before);
    counts_on(roles.cli(), &device, 2);
    let first = roles.cli().get("application/app")["status"]["currentRevision"].clone();
    let second = deploy(roles.cli(), &other(roles.cli()));
    assert_ne!(first.as_str(), Some(second.as_str()));
    roles.cli().patch_spec("virtualdevice/board", |spec| spec["cable"] = "Out".into());
    roles.cli().wait(&format!("device/{device}"), "condition=Connected=False");
    assert_eq!(roles.stop(), Vec::<&str>::new(), "roles that did not end well");
    println!("\ncases: 24");
}

#[test]
fn a_role_is_taken_once_and_a_folder_by_roles_or_by_a_whole_platform() {
    if !prepared() {
        return;
    }
    let roles = Roles::start("roles-taken");
    let all = [["serve", "apiserver"], ["serve", "gateway"], ["serve", "controllers"]];
    let all = all.into_iter().chain([["serve", "qemu"]]).map(|words| words.to_vec());
    let mut cases = 0;
    for words in all.chain([vec!["up"]]) {
        let output = std::process::Command::new(path("WASMBED_BIN"))
            .args(&words)
            .arg("--data-dir")
            .arg(roles.cli().folder())
            .output()
            .unwrap_or_else(|error| panic!("{error}"));
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {text}");
        assert!(text.contains("is in use by process"), "{words:?}: {text}");
        cases += 1;
    }
    println!("\ncases: {cases}");
}
