//! Runs more modules than a test can: `cargo xtask soak differential` starts it.
//!
//! What was done is kept in a file after each portion, so that the next start goes on there.

use anyhow::{Context, Result, bail};
use clap::Parser;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use wasmbed_engine_tests::board::Board;
use wasmbed_engine_tests::campaign::{self, Tally};
use wasmbed_engine_tests::mutation;

/// Generated modules against other engines, and against a board; then damaged images.
#[derive(Parser)]
struct Arguments {
    /// Seed of the first module; the others follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Modules to compare on the host.
    #[arg(long, default_value_t = 0)]
    modules: u64,
    /// Modules to execute on the boards.
    #[arg(long, default_value_t = 0)]
    board_modules: u64,
    /// Damaged images to execute, on the host and on the boards.
    #[arg(long, default_value_t = 0)]
    images: u64,
    /// Seeds between two lines of progress.
    #[arg(long, default_value_t = 1000)]
    portion: u64,
    /// Where to keep what was done.
    #[arg(long)]
    state: Option<PathBuf>,
}

/// One kind of work, and what came of it so far.
struct Stage {
    name: &'static str,
    /// Pieces of work to do.
    wanted: u64,
    /// Seeds tried.
    seeds: u64,
    /// Pieces of work done.
    done: u64,
    /// Calls in them.
    calls: u64,
    /// Pieces that were compared with both references.
    twice: u64,
    /// Pieces that were refused.
    refused: u64,
    /// Time slices.
    slices: u64,
    /// Milliseconds it took.
    elapsed_ms: u64,
}

impl Stage {
    fn new(name: &'static str, wanted: u64, text: &str) -> Stage {
        let mut stage = Stage {
            name,
            wanted,
            seeds: 0,
            done: 0,
            calls: 0,
            twice: 0,
            refused: 0,
            slices: 0,
            elapsed_ms: 0,
        };
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let numbers: Vec<u64> =
            line.unwrap_or_default().split(' ').filter_map(|word| word.parse().ok()).collect();
        for (field, number) in stage.fields().into_iter().zip(numbers) {
            *field = number;
        }
        stage
    }

    fn fields(&mut self) -> [&mut u64; 7] {
        [
            &mut self.seeds,
            &mut self.done,
            &mut self.calls,
            &mut self.twice,
            &mut self.refused,
            &mut self.slices,
            &mut self.elapsed_ms,
        ]
    }

    fn add(&mut self, seeds: u64, tally: &Tally, slices: u64) {
        self.seeds += seeds;
        self.done += tally.modules;
        self.calls += tally.calls;
        self.twice += tally.twice;
        self.refused += tally.refused.values().sum::<u64>();
        self.slices += slices;
    }

    fn summary(&self) -> String {
        let mut text = format!(
            "{}: {} done of {} seeds, {} calls, {} refused, 0 differences, {} s",
            self.name,
            self.done,
            self.seeds,
            self.calls,
            self.refused,
            self.elapsed_ms / 1000
        );
        if self.twice > 0 {
            let _ = write!(text, "; {} compared with wasmtime and wasmi both", self.twice);
        }
        if self.slices > 0 {
            let _ = write!(text, "; {} time slices", self.slices);
        }
        text
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let kept = arguments.state.as_deref().map(std::fs::read_to_string);
    let kept = kept.and_then(Result::ok).unwrap_or_default();
    let seed_line = format!("seed {}", arguments.seed);
    let kept = if kept.lines().any(|line| line == seed_line) { kept } else { String::new() };
    let mut stages = [
        Stage::new("modules-host", arguments.modules, &kept),
        Stage::new("modules-boards", arguments.board_modules, &kept),
        Stage::new("damaged-host", arguments.images, &kept),
        Stage::new("damaged-boards", arguments.images / 10, &kept),
    ];
    let mut differences = Vec::new();
    for index in 0..stages.len() {
        while stages[index].done < stages[index].wanted && differences.is_empty() {
            let start = Instant::now();
            let stage = &mut stages[index];
            let first = arguments.seed + stage.seeds;
            let (tally, slices) = portion(index, first, arguments.portion)?;
            stage.add(arguments.portion, &tally, slices);
            stage.elapsed_ms += start.elapsed().as_millis() as u64;
            println!("{}", stage.summary());
            differences = tally.differences;
            if let (Some(state), true) = (&arguments.state, differences.is_empty()) {
                keep(state, &seed_line, &mut stages)?;
            }
        }
    }
    for stage in &stages {
        println!("summary: {}", stage.summary());
    }
    for (seed, difference) in &differences {
        println!("summary: DIFFERS, seed {seed}: {difference}");
    }
    match differences.len() {
        0 => Ok(()),
        count => bail!("{count} differences"),
    }
}

/// Does some seeds of a stage.
fn portion(stage: usize, first: u64, count: u64) -> Result<(Tally, u64)> {
    let seeds = first..first + count;
    let board = Board::ALL[(first / count % 2) as usize];
    match stage {
        0 => Ok((campaign::on_host(seeds), 0)),
        1 => campaign::on_board(board, seeds).map(|(tally, figures)| (tally, figures.slices)),
        2 => Ok((mutation::on_host(seeds), 0)),
        _ => mutation::on_board(board, seeds).map(|(tally, figures)| (tally, figures.slices)),
    }
}

fn keep(path: &Path, seed_line: &str, stages: &mut [Stage]) -> Result<()> {
    let mut text = format!("{seed_line}\n");
    for stage in stages {
        let numbers = stage.fields().map(|number| number.to_string());
        writeln!(text, "{} {}", stage.name, numbers.join(" "))?;
    }
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
