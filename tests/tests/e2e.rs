//! The whole system with the embedded API server: every step as a user takes it, on each board of
//! the run at once.

use std::time::{Duration, Instant};

use wasmbed_tests::cli::Cli;
use wasmbed_tests::counting::{boots_and_restarts, counts_on, keeps_up};
use wasmbed_tests::filling;
use wasmbed_tests::fleet::{self, Member};
use wasmbed_tests::modules;
use wasmbed_tests::platform::{Platform, guest, path, prepared};
use wasmbed_tests::roles::{Role, Roles};

/// How long the gateway stays away.
const ABSENCE: Duration = Duration::from_secs(60);

/// Deploys a module on one board, under the board's name, and waits until the device runs it.
#[track_caller]
fn deploy(cli: &Cli, member: &Member, module: &[u8]) {
    let digest = modules::digest(module);
    cli.apply(&modules::application(member.name(), module, &digest, member.name()));
    cli.wait(&member.application(), "condition=Ready");
    cli.wait(&member.object(), "jsonpath={.status.applications[0].state}=Running");
}

/// Removes an application and waits until the device has none.
#[track_caller]
fn remove(cli: &Cli, member: &Member) {
    cli.wasmbed(&["delete", &member.application()]);
    let gone = "jsonpath={.status.applications[*].name}{\"none\"}=none";
    cli.wait(&member.object(), gone);
}

#[test]
fn an_application_is_deployed_logs_updates_stops_and_is_removed() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("life");
    let members = fleet::boot(&platform);
    fleet::each(&members, |member| {
        deploy(&platform, member, &guest("hello"));
        let line = platform.log_line(&member.device, |line| line.contains(" hello "));
        assert!(line.contains(member.name()), "a line names its application: {line}");

        let revision =
            || platform.get(&member.application())["status"]["currentRevision"].to_string();
        let before = revision();
        let module = filling::part(&platform, member.board, "updated", 3).module;
        deploy(&platform, member, &module);
        platform.log_line(&member.device, |line| line.ends_with(" updated"));
        assert_ne!(before, revision(), "an update is a new revision");

        platform.patch_spec(&member.application(), |spec| spec["suspend"] = true.into());
        let stopped = "jsonpath={.status.applications[0].state}=Stopped";
        platform.wait(&member.object(), stopped);
        remove(&platform, member);
        platform.wasmbed(&["delete", &member.emulated()]);
    });
    assert!(platform.stop(), "a platform ends well when it is asked to");
    println!("\ncases: {}", members.len() * 7 + 1);
}

#[test]
fn two_guests_with_a_third_of_the_arena_each_run_one_after_the_other() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("thirds");
    let members = fleet::boot(&platform);
    fleet::each(&members, |member| {
        let words = ["first", "second"].map(|word| format!("{word}-{}", member.name()));
        for word in &words {
            let filling = filling::part(&platform, member.board, word, 3);
            println!("{}: {word} takes {} bytes", member.name(), filling.arena_bytes);
            let digest = modules::digest(&filling.module);
            let objects = modules::application(word, &filling.module, &digest, member.name());
            platform.apply(&objects);
            platform.wait(&format!("application/{word}"), "condition=Ready");
            platform.log_line(&member.device, |line| line.ends_with(word));
            // Where only one guest may be installed, the second takes the place of the first.
            if member.board.guests.count_max == 1 {
                platform.wasmbed(&["delete", &format!("application/{word}")]);
                let gone = "jsonpath={.status.applications[*].name}{\"none\"}=none";
                platform.wait(&member.object(), gone);
            }
        }
    });
    println!("\ncases: {}", members.len() * 4);
}

#[test]
fn what_cannot_run_ends_in_a_condition_that_says_why() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("refused");
    let members = fleet::boot(&platform);
    fleet::each(&members, |member| {
        let check = |name: &str, module: &[u8], digest: &str, reason: &str, word: &str| {
            let name = format!("{name}-{}", member.name());
            platform.apply(&modules::application(&name, module, digest, member.name()));
            let what = format!("application/{name}");
            let message = platform.ready_reason(&what, reason);
            assert!(message.contains(word), "{name}: {message:?} does not say {word:?}");
            platform.wasmbed(&["delete", &what]);
        };
        let wrong = modules::digest(b"something else");
        check("digest", &guest("hello"), &wrong, "DigestMismatch", &wrong[7..20]);
        let text = b"this is not WebAssembly";
        check("text", text, &modules::digest(text), "NotWebAssembly", "");
        let simd = modules::binary(modules::USES_SIMD);
        check("simd", &simd, &modules::digest(&simd), "FeatureUnsupported", "SIMD");
        let large = modules::binary(modules::TOO_LARGE);
        check("large", &large, &modules::digest(&large), "DoesNotFit", "bytes");
        let trap = modules::binary(modules::DIVIDES_BY_ZERO);
        check("trap", &trap, &modules::digest(&trap), "GuestFailed", "TrapDivideByZero");
        platform.wasmbed(&["ping", &member.device]);
    });
    println!("\ncases: {}", members.len() * 6);
}

#[test]
fn a_guest_that_loops_forever_is_preempted_and_with_a_limit_traps() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("loop");
    let members = fleet::boot(&platform);
    fleet::each(&members, |member| {
        let module = modules::binary(modules::LOOPS_FOREVER);
        deploy(&platform, member, &module);
        platform.wasmbed(&["ping", &member.device]);
        platform.wait(&member.object(), "condition=Connected");

        let digest = modules::digest(&module);
        let mut limited = modules::application(member.name(), &module, &digest, member.name());
        limited["items"][1]["spec"]["limits"] = serde_json::json!({"fuel": 1_000_000});
        limited["items"][1]["spec"]["restartPolicy"] = "Never".into();
        platform.apply(&limited);
        let message = platform.ready_reason(&member.application(), "GuestFailed");
        assert!(message.contains("TrapFuelExhausted"), "{message}");
        platform.wasmbed(&["ping", &member.device]);
    });
    println!("\ncases: {}", members.len() * 4);
}

#[test]
fn key_and_application_survive_a_power_cut() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("power");
    let members = fleet::boot(&platform);
    fleet::each(&members, |member| {
        deploy(&platform, member, &guest("hello"));
        let object = platform.get(&member.object());
        assert_eq!(object["spec"]["board"], member.name());
        assert_eq!(object["status"]["bootCount"], 1, "{object:#}");
        platform.cut_power(&member.emulated());
        platform.wait(&member.object(), "jsonpath={.status.bootCount}=2");
        platform.wait(&member.object(), "condition=Connected");
        let running = "jsonpath={.status.applications[0].state}=Running";
        platform.wait(&member.object(), running);
        platform.log_line(&member.device, |line| line.contains(" hello "));
    });
    only_these(&platform, &members);
    println!("\ncases: {}", members.len() * 5 + 1);
}

/// Checks that no board enrolled a second time, as it would with another key.
#[track_caller]
fn only_these(cli: &Cli, members: &[Member]) {
    let count = cli.wasmbed(&["get", "devices", "-o", "name"]).lines().count();
    assert_eq!(count, members.len(), "the keys survived: no further device enrolled");
}

#[test]
fn a_killed_platform_comes_back_with_everything_it_acknowledged() {
    if !prepared() {
        return;
    }
    let mut platform = Platform::start("killed");
    let members = fleet::boot(&platform);
    fleet::each(&members, |member| deploy(&platform, member, &guest("hello")));
    platform.kill_and_restart();
    fleet::each(&members, |member| {
        platform.wait(&member.object(), "jsonpath={.status.bootCount}=2");
        platform.wait(&member.object(), "condition=Connected");
        platform.wait(&member.application(), "condition=Ready");
        platform.log_line(&member.device, |line| line.contains(" hello "));
    });
    only_these(&platform, &members);
    println!("\ncases: {}", members.len() * 4 + 1);
}

#[test]
fn a_guest_goes_on_counting_while_its_board_is_cut_off() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("cable");
    let members = fleet::boot(&platform);
    fleet::each(&members, |member| {
        deploy(&platform, member, &guest("hello"));
        let before = counts_on(&platform, &member.device, 2);
        let history = boots_and_restarts(&platform, &member.device);
        platform.plug(&member.emulated(), "Out");
        platform.wait(&member.object(), "condition=Connected=False");
        let epoch = platform.number(&member.object(), "/status/epoch");
        platform.plug(&member.emulated(), "In");
        platform.wait(&member.object(), "condition=Connected");
        let again = platform.number(&member.object(), "/status/epoch");
        assert!(again > epoch, "a new session has a higher epoch: {epoch}, then {again}");
        assert_eq!(boots_and_restarts(&platform, &member.device), history);
        counts_on(&platform, &member.device, before + 5);
    });
    println!("\ncases: {}", members.len() * 4);
}

#[test]
fn a_guest_goes_on_counting_while_the_gateway_is_away_for_a_minute() {
    if !prepared() {
        return;
    }
    let mut roles = Roles::start("minute");
    let cli = roles.cli();
    let members = fleet::boot(cli);
    fleet::each(&members, |member| deploy(cli, member, &guest("hello")));
    let told = |member: &Member| {
        let history = boots_and_restarts(cli, &member.device);
        (counts_on(cli, &member.device, 2), Instant::now(), history)
    };
    let before: Vec<_> = members.iter().map(told).collect();
    roles.kill(Role::Gateway);
    let gone = Instant::now();
    let cli = roles.cli();
    fleet::each(&members, |member| cli.wait(&member.object(), "condition=Connected=Unknown"));
    // The rest of the minute is what is tried, and nothing that anyone could say has come.
    std::thread::sleep(ABSENCE.saturating_sub(gone.elapsed()));
    roles.restart(Role::Gateway);
    let cli = roles.cli();
    fleet::each(&members, |member| {
        let place = members.iter().position(|other| other.device == member.device);
        let (count, then, history) = before[place.unwrap_or_default()];
        cli.wait(&member.object(), "condition=Connected");
        let counted = keeps_up(cli, &member.device, count, then) - count;
        println!("{}: counted {counted} in {:?}", member.name(), then.elapsed());
        assert_eq!(boots_and_restarts(cli, &member.device), history);
    });
    assert_eq!(roles.stop(), Vec::<&str>::new(), "roles that did not end well");
    println!("\ncases: {}", members.len() * 4 + 1);
}

#[test]
fn a_killed_emulator_comes_back_with_its_key_and_its_guest() {
    if !prepared() {
        return;
    }
    let platform = Platform::start("sigkill");
    let members = fleet::boot(&platform);
    fleet::each(&members, |member| {
        deploy(&platform, member, &guest("hello"));
        for round in 1..=3 {
            let before = platform.number(&member.object(), "/status/epoch");
            platform.kill_emulator(&member.emulated());
            let restarts = format!("jsonpath={{.status.restarts}}={round}");
            platform.wait(&member.emulated(), &restarts);
            let status = platform.get(&member.emulated())["status"].clone();
            let crash = status["crash"]["message"].to_string();
            assert!(crash.contains("9") || crash.contains("KILL"), "the crash says why: {crash}");
            let next = format!("jsonpath={{.status.epoch}}={}", before + 1);
            platform.wait(&member.object(), &next);
            let state = "jsonpath={.status.applications[0].state}=Running";
            platform.wait(&member.object(), state);
        }
    });
    only_these(&platform, &members);
    println!("\ncases: {}", members.len() * 9 + 1);
}

#[test]
fn an_image_signed_by_another_key_is_refused_by_the_device() {
    if !prepared() {
        return;
    }
    let mut platform = Platform::start("signer");
    let members = fleet::boot(&platform);
    // The devices have pinned the first key; the controllers go on with another.
    platform.restart_after(|folder| {
        std::fs::remove_file(folder.join("pki/image-signer.pem")).unwrap_or_else(|e| panic!("{e}"));
    });
    fleet::each(&members, |member| {
        platform.wait(&member.object(), "jsonpath={.status.bootCount}=2");
        platform.wait(&member.object(), "condition=Connected");
        let module = guest("hello");
        let digest = modules::digest(&module);
        let objects = modules::application(member.name(), &module, &digest, member.name());
        platform.apply(&objects);
        let message = platform.ready_reason(&member.application(), "Refused");
        assert!(message.contains("SignatureInvalid"), "{message}");
        platform.wasmbed(&["ping", &member.device]);
    });
    println!("\ncases: {}", members.len() * 2);
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
