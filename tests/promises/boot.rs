//! Promise 1: real firmware boots.

use wasmbed_tests::cli::Cli;
use wasmbed_tests::fleet::Member;
use wasmbed_tests::platform::path;

/// Checks that QEMU runs this board's machine with the very firmware that was built for it, that the
/// firmware says which board it runs on, and which device tree it was built from.
#[track_caller]
pub fn check(cli: &Cli, member: &Member) {
    let device = cli.boot_known(member.name());
    let status = cli.get(&member.emulated())["status"].clone();
    let pid = status["pid"].as_i64().unwrap_or_default();
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline"));
    let arguments = arguments.unwrap_or_else(|error| panic!("no emulator {pid}: {error}"));
    let arguments: Vec<&str> =
        arguments.split(|byte| *byte == 0).flat_map(std::str::from_utf8).collect();
    let value = |option: &str| {
        let place = arguments.iter().position(|argument| *argument == option);
        place.and_then(|place| arguments.get(place + 1)).copied().unwrap_or_default()
    };
    assert_eq!(value("-M"), member.board.qemu.machine, "{arguments:?}");
    let running = std::fs::read(value("-kernel")).unwrap_or_else(|error| panic!("{error}"));
    let built = std::fs::read(path("WASMBED_BOARDS").join(member.name()).join("firmware.elf"));
    assert!(running == built.unwrap_or_default(), "another firmware: {}", value("-kernel"));

    let console = status["consoleLog"].as_str().unwrap_or_default();
    let console = std::fs::read(console).unwrap_or_else(|error| panic!("{console}: {error}"));
    let console = String::from_utf8_lossy(&console).into_owned();
    let said = format!(" on {}, boot 1, device {device}", member.name());
    assert!(console.contains(&said), "the console does not say {said:?}: {console}");

    let reported = cli.get(&format!("device/{device}"));
    assert_eq!(reported["spec"]["board"], member.name());
    let tree = member.board.dtb_digest.iter().map(|byte| format!("{byte:02x}"));
    assert_eq!(reported["status"]["dtbDigest"], tree.collect::<String>());
}
