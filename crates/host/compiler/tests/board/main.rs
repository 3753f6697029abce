//! The assembly core against the portable executor: the same images on an emulated board, in slices of
//! any length and with fuel that runs out anywhere. Results, memory, fuel and places must be equal.
//!
//! Needs QEMU and the binaries of `tests/engine/slices`, whose target folder is in
//! `WASMBED_ENGINE_SLICES`; without it the test says that it was skipped.
#[path = "../execution/programs.rs"]
mod programs;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use wasmbed_compiler::{Options, prepare};
use wasmbed_engine::{Args, Host, HostOutcome, Instance, Outcome};
use wasmbed_image::Header;

const RECORD_WORDS: usize = 10;
const CUTS: u64 = 40;

/// Longest slices of each series, in instructions, the first ones shorter than most handlers.
const SLICES: [u32; 4] = [2_000, 3_000, 5_000, 20_000];

struct Program {
    name: String,
    image: Vec<u8>,
    function: u16,
    arguments: [u32; 2],
    arena_bytes: usize,
    slices: Vec<u32>,
}

struct NoHost;

impl Host for NoHost {
    fn call(&mut self, _: u16, _: Args<'_>, _: &mut [u8]) -> HostOutcome {
        HostOutcome::Trap
    }
}

fn options() -> Options {
    Options { recursion_depth: 300, needs_entry: false, ..Options::default() }
}

fn program(name: &str, wasm: &[u8], export: &str, arguments: [u32; 2]) -> Option<Program> {
    let prepared = prepare(wasm, &options()).ok()?;
    let function = prepared.exports.iter().find(|entry| entry.name == export)?.function as u16;
    let arena_bytes = prepared.needs.arena_bytes as usize;
    let name = name.replace([' ', ','], "-");
    Some(Program {
        name,
        image: prepared.image,
        function,
        arguments,
        arena_bytes,
        slices: Vec::new(),
    })
}

/// The small programs, and those that are measured, if they were built on this machine.
fn all_programs() -> Vec<Program> {
    let mut all = Vec::new();
    for (name, text) in programs::PROGRAMS {
        let wasm = wat::parse_str(text).unwrap();
        let mut program = program(name, &wasm, "main", [0, 0]).unwrap();
        program.slices = SLICES.to_vec();
        all.push(program);
    }
    let cache = std::env::var_os("WASMBED_BENCH_PROGRAMS");
    let Some(cache) = cache else { return all };
    for (name, arguments) in [
        ("fib", [20, 0]),
        ("sieve", [4, 8192]),
        ("crc32", [8, 4096]),
        ("matmul", [8, 24]),
        ("sha256", [2, 4096]),
        ("i64mix", [20_000, 1]),
        ("coremark", [1, 1]),
        ("f32mandel", [16, 32]),
    ] {
        let path = Path::new(&cache).join(format!("{name}.wasm"));
        let Ok(wasm) = std::fs::read(path) else { continue };
        let Some(mut program) = program(name, &wasm, "program", arguments) else { continue };
        program.slices = vec![3_000, 20_000];
        all.push(program);
    }
    all
}

/// As the board tells it, with the portable executor.
fn expected(program: &Program) -> Vec<String> {
    let stop = AtomicBool::new(false);
    let mut lines = Vec::new();
    let mut run = |what: &[&str], limits: &[Option<u64>]| {
        let mut arena = vec![0; program.arena_bytes];
        let mut instance = Instance::load(&program.image, &mut arena).unwrap();
        instance.invoke(&program.image, &mut arena, program.function, &program.arguments);
        for (what, limit) in what.iter().zip(limits) {
            instance.set_fuel_limit(*limit);
            let outcome = instance.run(&program.image, &mut arena, &mut NoHost, &mut &stop);
            lines.push(line(program, what, &instance, outcome, &arena, limit.is_some()));
        }
        instance.fuel_used()
    };
    run(&["whole"], &[None]);
    let fuel = run(&["metered"], &[Some(u64::MAX)]);
    for _ in &program.slices {
        run(&["sliced"], &[None]);
        run(&["sliced"], &[Some(u64::MAX)]);
    }
    for index in 0..CUTS {
        run(&["cut", "finished"], &[Some(fuel * index / CUTS), Some(u64::MAX)]);
    }
    lines
}

fn line(
    program: &Program,
    what: &str,
    instance: &Instance,
    outcome: Outcome,
    arena: &[u8],
    has_fuel: bool,
) -> String {
    let (ending, number) = match outcome {
        Outcome::Finished => (1, 0),
        Outcome::OutOfFuel(place) => (2, place.offset),
        Outcome::Trapped(trap, place) => (0x100 + trap as u64, place.offset),
        _ => (3, 0),
    };
    let stack_bytes = Header::decode(&program.image).unwrap().stack_bytes as usize;
    let hash = arena[stack_bytes..]
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let fuel = if has_fuel { instance.fuel_used() } else { 0 };
    let is_finished = matches!(outcome, Outcome::Finished);
    let result = if is_finished { instance.result() & 0xffff_ffff } else { 0 };
    format!("{} {what} {ending:x} {number:x} {result:x} {fuel:x} {hash:x}", program.name)
}

/// The file that QEMU puts into the board's memory.
fn payload(programs: &[Program]) -> Vec<u8> {
    let head = 4 + programs.len() * RECORD_WORDS * 4;
    let mut records: Vec<u32> = vec![programs.len() as u32];
    let mut tail = Vec::new();
    let mut place = |bytes: &[u8]| {
        let at = (head + tail.len()) as u32;
        tail.extend(bytes);
        tail.resize(tail.len().next_multiple_of(4), 0);
        [at, bytes.len() as u32]
    };
    for program in programs {
        let slices: Vec<u8> = program.slices.iter().flat_map(|slice| slice.to_le_bytes()).collect();
        let [slices_at, slices_bytes] = place(&slices);
        records.extend(place(program.name.as_bytes()));
        records.extend(place(&program.image));
        records.push(program.function.into());
        records.extend(program.arguments);
        records.push(program.arena_bytes as u32);
        records.extend([slices_at, slices_bytes / 4]);
    }
    let mut bytes: Vec<u8> = records.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend(tail);
    bytes
}

/// Runs the programs on a board; what it said, without the figures, which are shown.
fn told(machine: &str, binary: &Path, programs: &[Program]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("programs");
    std::fs::write(&file, payload(programs)).unwrap();
    let output = Command::new("qemu-system-arm")
        .args(["-M", machine, "-nographic", "-semihosting"])
        .args(["-icount", "shift=6", "-monitor", "none", "-device"])
        .arg(format!("loader,file={},addr=0x21000000,force-raw=on", file.display()))
        .arg("-kernel")
        .arg(binary)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    for figure in text.lines().filter(|line| line.starts_with('#')) {
        let words: Vec<&str> = figure.split_whitespace().collect();
        let [_, name, what, number] = words[..] else { continue };
        if what.starts_with("instructions") {
            let number = u64::from_str_radix(number, 16).unwrap();
            println!("figure: {machine} {name} {what} {number}");
        }
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn boards_do_what_the_host_does() {
    let Some(folder) = std::env::var_os("WASMBED_ENGINE_SLICES") else {
        println!(
            "skipped: WASMBED_ENGINE_SLICES does not say where the binaries of the boards are"
        );
        return;
    };
    let programs = all_programs();
    let expected: Vec<String> = programs.iter().flat_map(expected).collect();
    let mut cases = 0;
    for (machine, target) in
        [("mps2-an385", "thumbv7m-none-eabi"), ("mps2-an386", "thumbv7em-none-eabihf")]
    {
        let binary = Path::new(&folder).join(target).join("release/wasmbed-engine-slices");
        let told = told(machine, &binary, &programs);
        for (told, expected) in told.iter().zip(&expected) {
            assert_eq!(told, expected, "{machine}, after {cases} equal lines");
            cases += 1;
        }
        assert_eq!(told.len(), expected.len(), "{machine} ended early or said too much");
    }
    println!("\ncases: {cases}\n");
}
