//! Images that were changed after they were made: refused, or executed within their arena.
//!
//! Leaves out signatures: whoever signs a damaged image gets it as far as the engine, and that is
//! where these begin.

use crate::board::{self, Board, Figures};
use crate::campaign::Tally;
use crate::differential::{Random, generate};
use crate::host;
use crate::report::{Report, Trouble};
use crate::work::Work;
use anyhow::Result;
use std::ops::Range;
use wasmbed_image::Header;

/// Fuel of a changed image: enough to get through most programs.
const FUEL: u64 = 5_000;
/// Changed images of one module.
const IMAGES_OF_A_MODULE: u64 = 64;
/// Larger arenas are not tried: no board would take the image.
const ARENA_BYTES_MAX: u64 = 2 << 20;

/// The changed images of some seeds, as work. Each module gives many.
fn works(seeds: Range<u64>) -> Vec<(u64, Work)> {
    let mut module = None;
    let mut works = Vec::new();
    for seed in seeds {
        let source = seed / IMAGES_OF_A_MODULE;
        let (of, case) = module.take().filter(|(of, _)| *of == source).unwrap_or_else(|| {
            let case = generate(source).and_then(Result::ok);
            (source, case.map(|case| case.work()))
        });
        if let Some(work) = case.as_ref().and_then(|work| changed(seed, work)) {
            works.push((seed, work));
        }
        module = Some((of, case));
    }
    works
}

fn changed(seed: u64, work: &Work) -> Option<Work> {
    let mut random = Random::new(seed ^ 0x6d75_7461_7465);
    let mut work = work.clone();
    work.calls.retain(|call| !call.arguments.is_empty() || call.result_words > 0);
    work.calls.truncate(12);
    work.fuel_limit = Some(FUEL);
    work.alignment = (seed % 4 * 4) as u32;
    change(&mut work.image, &mut random);
    let is_tried =
        Header::decode(&work.image).is_ok_and(|header| header.arena_bytes() <= ARENA_BYTES_MAX);
    is_tried.then_some(work)
}

/// Changes an image in one of several ways.
pub fn change(image: &mut [u8], random: &mut Random) {
    let code_bytes = Header::decode(image).map_or(0, |header| header.code_bytes as usize);
    let code = image.len().saturating_sub(code_bytes);
    let anywhere = |random: &mut Random| random.below(image_length(code + code_bytes));
    let in_code = |random: &mut Random| code + random.below(image_length(code_bytes));
    match random.below(8) {
        0 => {
            let at = anywhere(random);
            set(image, at, |byte| byte ^ 1 << random.below(8));
        }
        1 => {
            for _ in 0..1 + random.below(4) {
                let (at, value) = (anywhere(random), random.draw() as u8);
                set(image, at, |_| value);
            }
        }
        // Opcodes and operands are small numbers, and limits are at powers of two.
        2 | 3 => {
            let (at, value) = (in_code(random), edge(random));
            set(image, at, |_| value);
        }
        4 => {
            for _ in 0..1 + random.below(3) {
                let (at, other) = (in_code(random), in_code(random));
                let value = image.get(other).copied().unwrap_or(0);
                set(image, at, |_| value);
            }
        }
        // The header and the sections before the code.
        5 => {
            let (at, value) = (random.below(image_length(code)), edge(random));
            set(image, at, |_| value);
        }
        6 => {
            let (from, to) = (in_code(random), in_code(random));
            let length = random.below(12).min(image.len() - from.max(to).min(image.len()));
            if from.max(to) + length <= image.len() {
                image.copy_within(from..from + length, to);
            }
        }
        _ => {
            // A word of distances or offsets.
            let (at, value) = (in_code(random), [0, 1, 2, 0xff, 0x7f, 0x80][random.below(6)]);
            set(image, at, |_| value);
            set(image, at + 1, |_| [0, 0xff, 0x7f, 0x80][random.below(4)]);
        }
    }
}

fn image_length(bytes: usize) -> usize {
    bytes.max(1)
}

fn set(image: &mut [u8], at: usize, value: impl FnOnce(u8) -> u8) {
    if let Some(byte) = image.get_mut(at) {
        *byte = value(*byte);
    }
}

fn edge(random: &mut Random) -> u8 {
    let base = [0, 1, 4, 0x10, 0x3f, 0x40, 0x7f, 0x80, 0xfe, 0xff][random.below(10)];
    if random.below(2) == 0 { base } else { random.draw() as u8 }
}

/// What must never come of a changed image.
fn harm(report: &Report) -> Option<String> {
    match &report.trouble {
        None | Some(Trouble::TooLarge { .. }) => None,
        Some(trouble) => Some(format!("{trouble:?}")),
    }
}

/// Loads and executes the changed images of some seeds on the host; a panic ends the process.
pub fn on_host(seeds: Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for (seed, work) in works(seeds) {
        count(&mut tally, seed, &host::run(&work));
    }
    tally
}

/// The same on a board.
///
/// # Errors
/// Only what keeps the board from starting.
pub fn on_board(board: Board, seeds: Range<u64>) -> Result<(Tally, Figures)> {
    let (seeds, works): (Vec<u64>, Vec<Work>) = works(seeds).into_iter().unzip();
    let (reports, figures) = board::run(board, &works)?;
    let mut tally = Tally::default();
    for ((seed, work), there) in seeds.iter().zip(&works).zip(&reports) {
        count(&mut tally, *seed, there);
        // What the host executes without harm, the board executes alike.
        let here = host::run(work);
        if harm(there).is_none() && here != *there {
            let there = (there.refused, there.calls.last(), there.end);
            let here = (here.refused, here.calls.last(), here.end);
            tally.differences.push((*seed, format!("changed: {there:x?}, host {here:x?}")));
        }
    }
    Ok((tally, figures))
}

fn count(tally: &mut Tally, seed: u64, report: &Report) {
    if let Some(harm) = harm(report) {
        tally.differences.push((seed, harm));
    } else if report.refused.is_some() {
        *tally.refused.entry("by the loader".to_owned()).or_default() += 1;
    } else {
        tally.modules += 1;
        tally.calls += report.calls.len() as u64;
    }
}
