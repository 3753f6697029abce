//! A bound of each stack of a firmware: from its linked code, without running it.
//!
//! Each function is walked through instruction by instruction; what it calls is added at the depth
//! of the call. What cannot be followed is a finding, never zero. Left out: how large the stacks are
//! and whether that is enough, which is `size`.

mod graph;
mod pointers;
mod program;
#[cfg(test)]
mod tests;
mod thumb;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use wasmbed_devicetree::{Board, WatchdogDriver};

use graph::{Chain, Graph, Part};
use program::Program;

/// Where the loop begins, on its own stack.
const LOOP: &str = "wasmbed_firmware::run";
/// The handler of all faults, which moves to the top of the interrupts' stack and copies there what
/// the processor saved.
const FAULT: &str = "HardFault";
const FAULT_FRAME_BYTES: i32 = 32;
/// Number of the exception that starts the firmware, of the interrupt that cannot be masked, of what
/// other handlers put off, and of the timer.
const RESET: u32 = 1;
const NMI: u32 = 2;
const PENDSV: u32 = 14;
const SYSTICK: u32 = 15;
/// Exceptions from this number on are interrupt lines.
const FIRST_LINE: u32 = 16;
/// Part of the name of the handler of lines that nobody uses.
const UNEXPECTED: &str = "vectors::unexpected";
/// What the processor stacks when an exception begins, with the word that aligns it; and with the
/// registers of its floating-point unit.
///
/// # Source
/// Arm DDI 0403E, ARMv7-M Architecture Reference Manual, section B1.5.6 "Exception entry behavior".
const EXCEPTION_BYTES: [u32; 2] = [32 + 4, 104 + 4];

/// Bounds of the stacks of one firmware, in bytes.
#[derive(Clone, Debug, Default)]
pub struct Stacks {
    /// The loop, and the exception that interrupts it where it is deepest.
    pub loop_bytes: u32,
    /// The same, if a panic is told from where that is deepest.
    pub panic_bytes: u32,
    /// What start-up left there and one handler of each priority, each interrupted by the next.
    pub interrupt_bytes: u32,
    /// The same, if a fault is told on top of it.
    pub fault_bytes: u32,
    /// What could not be followed. The bounds hold only without any.
    pub findings: BTreeSet<String>,
}

/// What the bounds are made of.
struct Parts {
    stacks: Stacks,
    /// The loop's deepest chain, and the one that tells a panic.
    chains: [Chain; 2],
    /// By priority, the handler that needs most.
    handlers: BTreeMap<i32, (String, u32)>,
    /// Where the loop's bytes are.
    heavy: Vec<Part>,
}

/// Bounds of the stacks of a board's firmware.
pub fn bound(board: &Board, elf: &Path) -> Result<Stacks> {
    Ok(parts(board, elf)?.stacks)
}

/// Address of the function whose name ends so.
pub fn function(elf: &Path, name: &str) -> Result<u32> {
    let program = Program::read(elf)?;
    let found = program.functions(|known| known.ends_with(name));
    found.first().copied().with_context(|| format!("no function {name} in {}", elf.display()))
}

/// `cargo xtask size --stack BOARD`: the deepest chains, frame by frame.
pub fn show(board: &Board, elf: &Path) -> Result<()> {
    let Parts { stacks, chains, handlers, heavy } = parts(board, elf)?;
    for (title, chain) in ["loop", "loop, telling a panic"].iter().zip(&chains) {
        println!("{title}: {} bytes", chain.bytes);
        for frame in &chain.frames {
            println!("{:>8}  {}", frame.bytes, frame.name);
        }
    }
    println!("large frames of the loop, and the deepest chain through each:");
    for part in heavy {
        println!("{:>8}  {:>6}  {}", part.own_bytes, part.through_bytes, part.name);
    }
    println!("handlers, by priority:");
    for (priority, (name, bytes)) in &handlers {
        println!("{bytes:>8}  {priority:>6}  {name}");
    }
    println!(
        "loop with an exception {}, telling a panic {}; interrupts {}, telling a fault {}",
        stacks.loop_bytes, stacks.panic_bytes, stacks.interrupt_bytes, stacks.fault_bytes
    );
    for finding in &stacks.findings {
        println!("finding: {finding}");
    }
    Ok(())
}

fn parts(board: &Board, elf: &Path) -> Result<Parts> {
    let program = Program::read(elf)?;
    let mut graph = Graph::new(&program);
    let start = program.functions(|name| name == LOOP);
    let start = *start.first().with_context(|| format!("no function {LOOP}"))?;
    let calm = graph.deepest(start, graph::is_panic);
    let told = graph.deepest(start, |_| false);
    let heavy = graph.parts(start, graph::is_panic);
    let exception = EXCEPTION_BYTES[usize::from(board.target.ends_with("hf"))];

    let priorities = priorities(board);
    let (mut handlers, mut fault) = (BTreeMap::<i32, (String, u32)>::new(), 0);
    let mut moved = 0;
    for (number, handler) in program.vectors() {
        let name = program.name(handler);
        if number == RESET {
            continue;
        }
        let is_told = graph.deepest(handler, |_| false).bytes;
        match priorities.get(&number).filter(|_| !name.contains(UNEXPECTED)) {
            Some(priority) => {
                let bytes = graph.deepest(handler, graph::is_panic).bytes;
                let deepest = handlers.entry(*priority).or_insert((name.clone(), 0));
                if bytes >= deepest.1 {
                    *deepest = (name, bytes);
                }
                fault = fault.max(is_told.saturating_sub(bytes));
            }
            None if name == FAULT => moved = is_told,
            None => fault = fault.max(exception + is_told),
        }
    }
    // The loop never returns to where start-up left the other stack.
    let reset = program.vectors().into_iter().find(|(number, _)| *number == RESET);
    let reset = reset.context("no reset vector")?.1;
    let left = graph.deepest(reset, |name| name == LOOP).bytes;
    // The first exception saves the loop's registers on the loop's stack.
    let nested = handlers.len().saturating_sub(1) as u32 * exception;
    let interrupt_bytes = left + nested + handlers.values().map(|(_, bytes)| bytes).sum::<u32>();
    let stacks = Stacks {
        loop_bytes: calm.bytes + exception,
        panic_bytes: told.bytes.max(calm.bytes) + exception,
        interrupt_bytes,
        fault_bytes: moved.max(interrupt_bytes + fault),
        findings: graph.findings(),
    };
    Ok(Parts { stacks, chains: [calm, told], handlers, heavy })
}

/// Priority of each exception that interrupts a sound firmware, by its number.
fn priorities(board: &Board) -> BTreeMap<u32, i32> {
    let lines = wasmbed_devicetree::interrupts(board);
    let mut priorities: BTreeMap<u32, i32> = lines
        .iter()
        .map(|(line, _)| (FIRST_LINE + u32::from(line.number), i32::from(line.priority)))
        .collect();
    // As the firmware's `ports::start` sets it: the clock never before another one, what watches
    // over the loop before all.
    let last = priorities.values().copied().max().unwrap_or(0);
    priorities.extend([(PENDSV, last), (SYSTICK, 0)]);
    if board.watchdog.is_some_and(|watchdog| watchdog.driver == WatchdogDriver::Cmsdk) {
        priorities.insert(NMI, -2);
    }
    priorities
}
