//! Runs more modules than a test can: `cargo xtask soak differential` starts it.

use anyhow::{Result, bail};
use clap::Parser;
use std::time::Instant;
use wasmbed_engine_tests::board::Board;
use wasmbed_engine_tests::campaign::{self, Tally};

/// Generated modules against other engines, and against a board.
#[derive(Parser)]
struct Arguments {
    /// Seed of the first module; the others follow.
    #[arg(long)]
    seed: u64,
    /// Modules to compare on the host.
    #[arg(long, default_value_t = 0)]
    modules: u64,
    /// Modules to execute on the board.
    #[arg(long, default_value_t = 0)]
    board_modules: u64,
    /// Modules between two lines of progress.
    #[arg(long, default_value_t = 1000)]
    portion: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut total = Tally::default();
    let start = Instant::now();
    let mut done = 0;
    while done < arguments.modules {
        let count = arguments.portion.min(arguments.modules - done);
        let first = arguments.seed + done;
        total.add(campaign::on_host(first..first + count));
        done += count;
        progress("host", done, &total, start);
    }
    report(&total)?;
    let mut total = Tally::default();
    let mut done = 0;
    while done < arguments.board_modules {
        let count = arguments.portion.min(arguments.board_modules - done);
        let first = arguments.seed + done;
        let board = Board::ALL[(done / arguments.portion) as usize % 2];
        let (tally, figures) = campaign::on_board(board, first..first + count)?;
        total.add(tally);
        done += count;
        println!("{} {figures:?}", board.name());
        progress("board", done, &total, start);
    }
    report(&total)
}

fn progress(place: &str, done: u64, total: &Tally, start: Instant) {
    println!(
        "{place}: {done} seeds, {} modules, {} calls ({} returned, {} operators), {} with both references, {} differences, {:.0} s",
        total.modules,
        total.calls,
        total.returned,
        total.fuel,
        total.twice,
        total.differences.len(),
        start.elapsed().as_secs_f32()
    );
}

fn report(total: &Tally) -> Result<()> {
    for (reason, count) in &total.refused {
        println!("refused {count}: {reason}");
    }
    for (seed, difference) in &total.differences {
        println!("DIFFERS seed {seed}: {difference}");
    }
    match total.differences.len() {
        0 => Ok(()),
        count => bail!("{count} differences"),
    }
}
