//! Faults in the middle of things: a board that is reset, a cable that is out, a folder that is
//! damaged, a port that is taken.

use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use wasmbed_catalog::Board;
use wasmbed_tests::chance::{self, Chance};
use wasmbed_tests::cli::Cli;
use wasmbed_tests::filling;
use wasmbed_tests::fleet::{self, Member};
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, board_with, guest, path, prepared};
use wasmbed_tests::roles::{Role, Roles};

/// Boards that are cut off while they install: each of them so many times.
const ROUNDS: usize = 4;

/// The first board of this run whose arena holds an image that takes a while to arrive.
fn roomy_board() -> Option<&'static Board> {
    board_with("room for an image of many chunks", |board| board.guests.arena_bytes >= 65_536)
}

/// A guest that says `word` every second, and carries a lot of data.
fn large(cli: &Cli, board: &Board, word: &str) -> Vec<u8> {
    filling::part(cli, board, word, 2).module
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
    let Some(board) = roomy_board() else { return };
    let platform = Platform::start("faults-reset");
    let device = platform.boot_board("board", board.name);
    let what = format!("device/{device}");
    let boots = || platform.get(&what)["status"]["bootCount"].as_i64().unwrap_or_default();
    let mut cases = 0;
    for (round, fault) in ["reboot", "kill"].iter().enumerate() {
        let module = large(&platform, board, &format!("large {round}"));
        let before = boots();
        platform.apply(&modules::application("app", &module, &modules::digest(&module), "board"));
        platform.wait(&what, "jsonpath={.status.applications[0].state}=Installing");
        match *fault {
            "reboot" => {
                platform.wasmbed(&["reboot", &device]);
            }
            _ => platform.kill_emulator("virtualdevice/board"),
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

#[test]
fn a_cable_that_is_out_while_a_board_installs_or_is_updated_delays_and_no_more() {
    if !prepared() {
        return;
    }
    let Some(board) = roomy_board() else { return };
    let platform = Platform::start("faults-cable");
    let device = platform.boot_board("board", board.name);
    let what = format!("device/{device}");
    let plug = |state: &str| platform.plug("virtualdevice/board", state);
    let module = large(&platform, board, "first");
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
    let module = large(&platform, board, "second");
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

/// Applies a module to one board, under the board's name.
#[track_caller]
fn apply(cli: &Cli, member: &Member, word: &str) {
    let module = filling::part(cli, member.board, word, 3).module;
    let digest = modules::digest(&module);
    cli.apply(&modules::application(member.name(), &module, &digest, member.name()));
}

/// Checks that a board runs what was applied last, the whole of it, and nothing else.
#[track_caller]
fn converges(cli: &Cli, member: &Member, word: &str) {
    cli.wait(&member.application(), "condition=Ready");
    cli.wait(&member.object(), "jsonpath={.status.applications[*].state}=Running");
    cli.log_line(&member.device, |line| line.ends_with(&format!(" {word}")));
    let held = cli.get(&member.object())["status"]["applications"][0].clone();
    assert_eq!(held["imageDigest"], image_of(cli, member.name()), "{held}");
}

/// How long the slowest board takes from the object to the guest's first line.
fn undisturbed(cli: &Cli, members: &[Member]) -> Duration {
    let start = Instant::now();
    fleet::each(members, |member| {
        apply(cli, member, "undisturbed");
        converges(cli, member, "undisturbed");
    });
    start.elapsed()
}

#[test]
fn a_board_without_power_at_any_moment_of_an_installation_ends_with_the_whole_image() {
    if !prepared() {
        return;
    }
    let seed = chance::seed();
    let platform = Platform::start("faults-power");
    let members = fleet::boot(&platform);
    let span = undisturbed(&platform, &members);
    fleet::each(&members, |member| {
        let mut chance = Chance::new(seed, member.name());
        for round in 0..ROUNDS {
            let boots = platform.number(&member.object(), "/status/bootCount");
            let word = format!("round {round}");
            apply(&platform, member, &word);
            // The moment is drawn, so there is nothing to wait for.
            let moment = chance.within(span);
            std::thread::sleep(moment);
            platform.kill_emulator(&member.emulated());
            println!("{}: off after {moment:?} of {span:?}", member.name());
            let again = format!("jsonpath={{.status.bootCount}}={}", boots + 1);
            platform.wait(&member.object(), &again);
            converges(&platform, member, &word);
        }
    });
    let count = platform.wasmbed(&["get", "devices", "-o", "name"]).lines().count();
    assert_eq!(count, members.len(), "the keys survived: no further device enrolled");
    println!("\ncases: {}", members.len() * ROUNDS * 4 + 1);
}

#[test]
fn a_gateway_killed_at_any_moment_of_an_installation_delays_and_no_more() {
    if !prepared() {
        return;
    }
    let seed = chance::seed();
    let mut roles = Roles::start("faults-gateway");
    let members = fleet::boot(roles.cli());
    let span = undisturbed(roles.cli(), &members);
    let mut chance = Chance::new(seed, "gateway");
    for round in 0..ROUNDS {
        let word = format!("round {round}");
        let cli = roles.cli();
        fleet::each(&members, |member| apply(cli, member, &word));
        // The moment is drawn, so there is nothing to wait for.
        let moment = chance.within(span);
        std::thread::sleep(moment);
        roles.kill(Role::Gateway);
        println!("gateway: killed after {moment:?} of {span:?}");
        roles.restart(Role::Gateway);
        let cli = roles.cli();
        fleet::each(&members, |member| {
            cli.wait(&member.object(), "condition=Connected");
            converges(cli, member, &word);
            let boots = cli.number(&member.object(), "/status/bootCount");
            assert_eq!(boots, 1, "the board noticed no more than a lost session");
        });
    }
    println!("\ncases: {}", members.len() * ROUNDS * 5);
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
        let start = Instant::now();
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
    let module = guest("hello");
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
