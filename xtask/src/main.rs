//! The project's own commands. Left out on purpose: everything the product itself does.

mod bench;
mod boards;
mod demo;
mod engine;
mod paths;
mod process;
mod provenance;
mod setup;
mod size;
mod soak;
mod stack;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Set-up, build, check, demo and test of Wasmbed.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install or find every tool the project needs; says what it does and can be repeated.
    Setup {
        /// Also build etcd, kube-apiserver, kube-controller-manager and kubectl (10 minutes, once).
        #[arg(long)]
        kubernetes: bool,
        /// Build the Cortex-M and wasm libraries from sources even if rustup could deliver them.
        #[arg(long)]
        from_source: bool,
    },
    /// Show the whole way: platform, board, enrolment, application, logs.
    Demo {
        /// Check each step, tear everything down, and exit 0 only if all of it was seen.
        #[arg(long)]
        once: bool,
        /// Board to emulate.
        #[arg(long, default_value = "mps2-an385")]
        board: String,
    },
    /// Run the tests, all groups or those named.
    Test {
        /// Groups to run; all of them in order if none is named.
        groups: Vec<String>,
        /// List the groups and stop.
        #[arg(long)]
        list: bool,
        /// Board that the groups with emulated boards run on; all at once by default.
        #[arg(long, default_value = "all")]
        board: String,
        /// Seed of the generated modules of `differential`, and of the moments at which faults happen
        /// in `e2e`; a fresh one if not given.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Run what is too long for a test, in portions, and write down what came of it.
    Soak {
        /// What to run.
        #[command(subcommand)]
        what: soak::What,
    },
    /// Build the firmware of one board, or of all.
    Firmware {
        /// Board as in `boards/`.
        board: Option<String>,
    },
    /// Print flash, RAM and stacks of each board beside its budget and the last commit's figures.
    Size {
        /// Commit to compare with: by default the last one, or the one before if nothing changed.
        #[arg(long, value_name = "COMMIT")]
        against: Option<String>,
        /// Print the deepest chains of calls of one board, frame by frame.
        #[arg(long, value_name = "BOARD")]
        stack: Option<String>,
        /// Print JSON only.
        #[arg(long)]
        json: bool,
    },
    /// Run the measurements of `benches/`.
    Bench {
        /// Names to run; all if none is named.
        names: Vec<String>,
        /// Print JSON only.
        #[arg(long)]
        json: bool,
        /// Measure one program only, and leave out sizes (engine), or one board (boards).
        #[arg(long, value_name = "PROGRAM|BOARD")]
        only: Option<String>,
        /// Write the tables of docs/measurements.md (boards).
        #[arg(long)]
        write: bool,
        /// Leave out the other engines (engine).
        #[arg(long)]
        no_peers: bool,
    },
    /// Check the rules of the house that a machine can check.
    Tidy,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Setup { kubernetes, from_source } => {
            setup::run(&setup::Options { kubernetes, from_source })
        }
        Command::Demo { once, board } => demo::run(once, &board),
        Command::Test { groups, list, board, seed } => {
            engine::set_seed(seed);
            test::run(&groups, list, &board)
        }
        Command::Soak { what } => soak::run(&what),
        Command::Firmware { board } => boards::build_command(board.as_deref()),
        Command::Size { stack: Some(board), .. } => size::show_stack(&board),
        Command::Size { json, against, stack: None } => size::run(json, against.as_deref()),
        Command::Bench { names, json, only, write, no_peers } => {
            bench::run(&names, json, &bench::Options { only, with_peers: !no_peers, writes: write })
        }
        Command::Tidy => tidy::run(),
    }
}
