//! `cargo xtask soak`: what is too long for a test, in portions that can be continued.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use crate::{engine, paths, process, provenance, setup};

/// What can be run for long.
#[derive(Subcommand)]
pub enum What {
    /// Generated modules against wasmi and wasmtime on the host, and through the assembly core on
    /// emulated boards; then damaged images. Continues where the last run ended.
    Differential {
        /// Modules to compare on the host.
        #[arg(long, default_value_t = 200_000)]
        modules: u64,
        /// Modules to execute on the boards.
        #[arg(long, default_value_t = 20_000)]
        board_modules: u64,
        /// Damaged images to load and execute, on the host and on the boards.
        #[arg(long, default_value_t = 100_000)]
        images: u64,
        /// Seed of the first module.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Forget what earlier runs have done.
        #[arg(long)]
        anew: bool,
    },
}

/// Runs it, and writes `docs/soak.md`.
pub fn run(what: &What) -> Result<()> {
    let What::Differential { modules, board_modules, images, seed, anew } = what;
    setup::run(&setup::Options::default())?;
    engine::build_runner()?;
    let state = paths::target().join("soak-differential.txt");
    if *anew && state.exists() {
        std::fs::remove_file(&state).context("forget earlier runs")?;
    }
    let mut build = Command::new("cargo");
    build.current_dir(paths::root());
    // The second reference takes minutes to build: here it is worth it.
    build.args(["build", "--profile", "soak", "--package", engine::PACKAGE]);
    build.args(["--features", "wasmtime", "--bin", "engine-soak"]);
    process::show(&mut build)?;
    let start = Instant::now();
    let mut program = Command::new(paths::target().join("soak/engine-soak"));
    for (name, value) in engine::environment() {
        program.env(name, value);
    }
    let numbers = [("seed", seed), ("modules", modules), ("board-modules", board_modules)];
    for (name, number) in numbers.into_iter().chain([("images", images)]) {
        program.arg(format!("--{name}")).arg(number.to_string());
    }
    program.arg("--state").arg(&state).stdout(Stdio::piped());
    let mut child = program.spawn().context("start engine-soak")?;
    let mut summary = Vec::new();
    let output = child.stdout.take().context("the program has no output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        match line.strip_prefix("summary: ") {
            Some(fact) => summary.push(fact.to_owned()),
            None => println!("{line}"),
        }
    }
    let is_good = child.wait()?.success();
    let page = write(&summary, *seed, start.elapsed().as_secs())?;
    println!("{}", page.display());
    if !is_good {
        bail!("something differs; it is kept in tests/engine/corpus");
    }
    Ok(())
}

/// Writes down the last result, with the commit it ran on.
fn write(summary: &[String], seed: u64, seconds: u64) -> Result<PathBuf> {
    let mut text = String::from(
        "# The last long run\n\n\
         Written by `cargo xtask soak differential`; what it does is in CONTRIBUTING.md, \"How it is tested\".\n\n",
    );
    writeln!(text, "- {}, seed {seed}.", provenance::words()?)?;
    writeln!(text, "- The last portion took {seconds} s.")?;
    for fact in summary {
        writeln!(text, "- {fact}")?;
    }
    let path = paths::root().join("docs/soak.md");
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}
