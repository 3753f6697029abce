//! What a session costs on a Cortex-M3, and that operations on secrets take the same way for every
//! key: `benches/tls-footprint` under QEMU. Skipped where QEMU or the target's core library is missing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes of RAM, static and stack together, that a session may take below the caller of `step`.
const RAM_BYTES_MAX: u64 = 2_400;
/// Bytes of flash, the bench's own printing and the recorded flight included.
const FLASH_BYTES_MAX: u64 = 40 * 1024;
/// Instructions of one handshake.
const HANDSHAKE_INSTRUCTIONS_MAX: u64 = 8_000_000;
/// Instructions of the longest step, which is how long a guest may have to wait.
const STEP_INSTRUCTIONS_MAX: u64 = 2_000_000;

const TARGET: &str = "thumbv7m-none-eabi";

/// Whether QEMU and the target are here.
fn is_possible() -> bool {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output();
    let has_target = sysroot.is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Path::new(&sysroot).join("lib/rustlib").join(TARGET).exists()
    });
    let has_qemu = Command::new("qemu-system-arm").arg("--version").output().is_ok();
    if !(has_target && has_qemu) {
        println!("skipped: qemu-system-arm or the target {TARGET} not found");
    }
    has_target && has_qemu
}

/// Builds the bench and returns where its ELF file is.
fn build(name: &str, arguments: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../benches/tls-footprint");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let output = Command::new(env!("CARGO"))
        .current_dir(folder)
        .args(["build", "--release", "--locked"])
        .args(arguments)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join(TARGET).join("release/tls-footprint")
}

/// Runs the bench and returns what it wrote.
fn run(elf: &Path, semihosting: &str, more: &[&str]) -> String {
    let output = Command::new("qemu-system-arm")
        .args(["-M", "stm32vldiscovery", "-display", "none", "-monitor", "none"])
        .args(["-serial", "none", "-icount", "shift=0,sleep=off", "-semihosting-config"])
        .arg(format!("enable=on,target=native{semihosting}"))
        .arg("-kernel")
        .arg(elf)
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat()
}

/// Bytes of an ELF file that are loaded into flash.
fn flash_bytes(elf: &Path) -> u64 {
    let file = std::fs::read(elf).unwrap();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let half = |at: usize| usize::from(u16::from_le_bytes(file[at..at + 2].try_into().unwrap()));
    let (table, entry_bytes, count) = (word(28) as usize, half(42), half(44));
    let headers = (0..count).map(|index| table + index * entry_bytes);
    headers.filter(|at| word(*at) == 1).map(|at| u64::from(word(at + 16))).sum()
}

#[test]
fn a_session_stays_within_its_ram_its_flash_and_its_instructions() {
    if !is_possible() {
        return;
    }
    let elf = build("footprint", &[]);
    let empty = build("footprint-empty", &["--no-default-features"]);
    let flash = flash_bytes(&elf) - flash_bytes(&empty);
    let output = run(&elf, "", &[]);
    println!("{output}flash {flash}");
    let rows: HashMap<&str, Vec<u64>> = output
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, rest)| (name, rest.split(' ').map(|number| number.parse().unwrap()).collect()))
        .collect();
    let steps = [
        "client_hello",
        "open_server_hello",
        "server_hello",
        "open_extensions",
        "extensions",
        "open_request",
        "request",
        "open_certificate",
        "certificate",
        "open_verify",
        "verify",
        "open_finished",
        "finished",
        "client_flight",
        "write_200",
    ];
    let stack = steps.iter().map(|step| rows[step][1]).max().unwrap();
    let ram = rows["client_bytes"][0] + stack;
    let handshake: u64 = steps[..14].iter().map(|step| rows[step][2]).sum();
    let longest = steps.iter().map(|step| rows[step][2]).max().unwrap();
    println!("stack {stack}, RAM {ram}, handshake {handshake}, longest step {longest}");
    assert!(ram <= RAM_BYTES_MAX, "{ram} bytes of RAM");
    assert!(flash <= FLASH_BYTES_MAX, "{flash} bytes of flash");
    assert!(handshake <= HANDSHAKE_INSTRUCTIONS_MAX, "{handshake} instructions");
    assert!(longest <= STEP_INSTRUCTIONS_MAX, "{longest} instructions");
}

/// The program counters at which blocks of code were entered, in order.
fn trace(elf: &Path, key: usize) -> Vec<u32> {
    let log = elf.with_file_name(format!("trace-{key}.log"));
    let arguments = format!(",arg=bench,arg=trace,arg={key}");
    run(elf, &arguments, &["-d", "exec,nochain", "-D", log.to_str().unwrap()]);
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    // Lines are "Trace 0: 0x… [base/pc/flags/…] name".
    let counters = text.lines().filter_map(|line| line.split('/').nth(1));
    counters
        .filter_map(|counter| u64::from_str_radix(counter, 16).ok())
        .map(|pc| pc as u32)
        .collect()
}

#[test]
fn operations_on_secrets_execute_the_same_code_for_every_key() {
    if !is_possible() {
        return;
    }
    let elf = build("footprint", &[]);
    let first = trace(&elf, 0);
    assert!(first.len() > 100_000, "{} blocks", first.len());
    for key in 1..5 {
        assert!(trace(&elf, key) == first, "key {key} took another way");
    }
    // The control: verification may take its time from what it is given, and does.
    assert!(trace(&elf, 5) != trace(&elf, 6), "the trace sees no difference at all");
    println!("blocks {}\n\ncases: 5", first.len());
}
