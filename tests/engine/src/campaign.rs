//! Many modules, one after the other: on the host, and through a board.

use crate::board::{self, Board, Figures};
use crate::differential::{Case, Finding, compare, generate};
use crate::host;
use crate::report::{Report, Trouble};
use crate::work::Work;
use anyhow::Result;
use std::collections::BTreeMap;
use std::ops::Range;

/// What became of some modules.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Modules that were executed and compared.
    pub modules: u64,
    /// Calls in them.
    pub calls: u64,
    /// Of these, calls that returned.
    pub returned: u64,
    /// Fuel that they used, in operators.
    pub fuel: u64,
    /// Modules that were compared with both references.
    pub twice: u64,
    /// Modules that were refused, by reason.
    pub refused: BTreeMap<String, u64>,
    /// What differed, with the seed.
    pub differences: Vec<(u64, String)>,
}

impl Tally {
    /// Adds another's.
    pub fn add(&mut self, other: Tally) {
        self.modules += other.modules;
        self.calls += other.calls;
        self.returned += other.returned;
        self.fuel += other.fuel;
        self.twice += other.twice;
        for (reason, count) in other.refused {
            *self.refused.entry(reason).or_default() += count;
        }
        self.differences.extend(other.differences);
    }

    fn refuse(&mut self, reason: &str) {
        // Reasons that name a number of the module are one.
        let reason = reason.split(" (").next().unwrap_or(reason);
        let reason: String = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
        *self.refused.entry(reason).or_default() += 1;
    }
}

/// Compares the modules of some seeds with the references, on the host.
pub fn on_host(seeds: Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        match generate(seed) {
            None => tally.refuse("no module"),
            Some(Err(reason)) => tally.refuse(&reason),
            Some(Ok(case)) => match compare(&case) {
                Finding::Agree { calls, returned, fuel, references } => {
                    tally.returned += u64::from(returned);
                    tally.fuel += fuel;
                    tally.modules += 1;
                    tally.calls += u64::from(calls);
                    tally.twice += u64::from(references > 1);
                }
                Finding::Differ(difference) => tally.differences.push((seed, difference)),
            },
        }
    }
    tally
}

/// How the board is disturbed while it does the work of a seed: slices of all lengths, limits of
/// fuel that are reached again and again, neither, or both.
pub fn disturbed(seed: u64, work: Work) -> Work {
    let slices =
        (seed % 4 < 2).then_some((seed as u32 | 1, [8, 60, 300, 3000][seed as usize / 4 % 4]));
    let cuts = seed.is_multiple_of(3).then_some((1 + seed / 3 % 97, 100_000));
    let fuel_limit = if cuts.is_some() { Some(seed % 1000) } else { work.fuel_limit };
    Work { slices, cuts, fuel_limit, alignment: (seed % 4 * 4) as u32, ..work }
}

/// Does the modules of some seeds on a board, and compares each with the host word by word.
///
/// # Errors
/// Only what keeps the board from starting.
pub fn on_board(board: Board, seeds: Range<u64>) -> Result<(Tally, Figures)> {
    let mut tally = Tally::default();
    let mut cases: Vec<(u64, Work)> = Vec::new();
    for seed in seeds {
        match generate(seed) {
            None => tally.refuse("no module"),
            Some(Err(reason)) => tally.refuse(&reason),
            Some(Ok(case)) => cases.push((seed, disturbed(seed, case.work()))),
        }
    }
    let works: Vec<Work> = cases.iter().map(|(_, work)| work.clone()).collect();
    let (reports, figures) = board::run(board, &works)?;
    for ((seed, work), there) in cases.iter().zip(&reports) {
        match same(work, there) {
            Ok(calls) => {
                tally.modules += 1;
                tally.calls += calls;
            }
            Err(Some(difference)) => tally.differences.push((*seed, difference)),
            Err(None) => tally.refuse("larger than the board"),
        }
    }
    Ok((tally, figures))
}

/// Compares a board's report with the host's: how many calls, or what differs.
pub fn same(work: &Work, there: &Report) -> Result<u64, Option<String>> {
    if matches!(there.trouble, Some(Trouble::TooLarge { .. })) {
        return Err(None);
    }
    let here = host::run(work);
    if *there == here {
        return Ok(here.calls.len() as u64);
    }
    let pairs = there.calls.iter().zip(&here.calls).enumerate();
    for (index, (there, here)) in pairs {
        if there != here {
            return Err(Some(format!("call {index}: {there:x?}, host {here:x?}")));
        }
    }
    let there = (there.refused, there.calls.len(), there.end, &there.trouble);
    let here = (here.refused, here.calls.len(), here.end, &here.trouble);
    Err(Some(format!("{there:x?}, host {here:x?}")))
}

/// The smallest case of a seed that still differs, by taking less and less of its entropy.
pub fn smaller(seed: u64, differs: impl Fn(&Case) -> bool) -> Option<(usize, Vec<u8>)> {
    (1..64).map(|step| step * 64).find_map(|entropy_bytes| {
        let wasm = crate::differential::module(seed, entropy_bytes)?;
        let case = crate::differential::read(wasm).ok()?;
        differs(&case).then_some((entropy_bytes, case.wasm))
    })
}
