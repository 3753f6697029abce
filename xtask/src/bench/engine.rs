//! The engine on a Cortex-M: executed instructions beside native code and wasmi, flash, RAM.

mod board;
mod footprint;
mod programs;

use anyhow::{Context, Result, bail};

use self::board::{Build, Core, Figures, M3, M4F};
use self::programs::{COREMARK, FLOATS, HOLDERS, PROGRAMS, Program};
use super::{Options, Row};
use crate::{paths, setup};

/// What issue 4 asks for.
const COREMARK_GOAL: f64 = 7.0;
const GEOMEAN_GOAL: f64 = 6.0;
const PORTABLE_GOAL: f64 = 9.5;
const FLASH_GOAL: f64 = 28.0 * 1024.0;
const RAM_GOAL: f64 = 512.0;
const FUEL_PERCENT_GOAL: f64 = 5.0;
const CODE_GOAL: f64 = 1.0;
const HOLD_GOAL: f64 = 240_000.0;
/// Clock of the board in MHz: at most as many instructions in a microsecond.
const CLOCK_MHZ: f64 = 25.0;

/// Measures the chosen programs, or everything.
pub fn run(options: &Options) -> Result<Vec<Row>> {
    let chosen = |program: &&Program| options.only.as_ref().is_none_or(|n| *n == program.name);
    let chosen: Vec<&Program> = PROGRAMS.iter().filter(chosen).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = PROGRAMS.iter().map(|program| program.name).collect();
        bail!("no such program; there are: {}", names.join(", "));
    }
    if options.only.is_none() {
        setup::run(&setup::Options::default())?;
    }
    let compilers = setup::compilers()?;
    let versions = format!("{}, opt -O2 both", compilers.versions()?.join(", "));
    eprintln!("bench: {versions}");
    programs::to_wasm(&compilers)?;
    let mut rows = Vec::new();
    let on_m3 = Measured::take(&M3, &compilers, &chosen, options)?;
    rows.extend(on_m3.rows(&chosen, &versions)?);
    if chosen.iter().any(|program| program.name == FLOATS) {
        setup::ensure_target(M4F.target)?;
        let floats: Vec<&Program> =
            PROGRAMS.iter().filter(|program| program.name == FLOATS).collect();
        let on_m4f = Measured::take(&M4F, &compilers, &floats, options)?;
        rows.extend(on_m4f.rows(&floats, &versions)?);
    }
    if options.only.is_none() {
        let held = run_holders()?;
        let all = [(&on_m3.engine, chosen), (&held, HOLDERS.iter().collect())];
        rows.extend(sizes(&on_m3, &all)?);
        rows.extend(hold(&all)?);
    }
    Ok(rows)
}

/// What was printed on one core.
struct Measured {
    core: &'static Core,
    native: Figures,
    engine: Figures,
    /// The executor in Rust; nothing where it was left out.
    portable: Figures,
    /// Nothing if the peers were left out.
    peer: Figures,
    /// Bytes of code, from the tool that prepares the images.
    code: Figures,
}

impl Measured {
    fn take(
        core: &'static Core,
        compilers: &setup::Compilers,
        chosen: &[&Program],
        options: &Options,
    ) -> Result<Measured> {
        let file = paths::target().join(format!("benches/engine/payload-{}.bin", core.name));
        let text = board::payload(chosen, &file)?;
        eprint!("{}", refused(&text));
        let object = programs::to_native(compilers, core.name, core.gcc)?;
        let measure = |features, native, is_as_firmware| {
            let binary = board::build(core, &Build { features, is_as_firmware, native })?;
            board::run(core, &binary, &file)
        };
        let native = measure("native", Some(object.as_path()), true)?;
        let engine = measure("engine", None, true)?;
        let mut measured = Measured {
            core,
            native,
            engine,
            portable: Figures::default(),
            peer: Figures::default(),
            code: board::figures(&swap(&text)),
        };
        if options.only.is_none() {
            measured.portable = measure("portable", None, true)?;
        }
        if options.with_peers {
            measured.peer = measure("wasmi", None, false)?;
        }
        measured.compare(chosen)?;
        Ok(measured)
    }

    /// Every way of running a program gives the same result.
    fn compare(&self, chosen: &[&Program]) -> Result<()> {
        for program in chosen {
            let expected = result(&self.native, program, "native").context("native did not run")?;
            let runs = [
                (&self.engine, "engine"),
                (&self.engine, "metered"),
                (&self.engine, "hold"),
                (&self.engine, "hold-metered"),
                (&self.portable, "engine"),
                (&self.peer, "wasmi"),
            ];
            if figures(&self.code, program, "code").is_some()
                && result(&self.engine, program, "engine").is_none()
            {
                bail!("{}: the engine did not run it to its end", program.name);
            }
            for (figures, what) in runs {
                if let Some(result) = result(figures, program, what)
                    && result != expected
                {
                    bail!("{}: {what} gives {result}, native {expected}", program.name);
                }
            }
        }
        Ok(())
    }

    /// Ratio to native.
    fn ratio(&self, figures: &Figures, program: &Program, what: &str) -> Option<f64> {
        Some(instructions(figures, program, what)? / instructions(&self.native, program, "native")?)
    }

    /// Geometric mean over the seven programs without floats, if all of them ran.
    fn geomean(&self, figures: &Figures, what: &str) -> Option<f64> {
        let seven = PROGRAMS.iter().filter(|program| program.name != FLOATS);
        let logarithms: Option<Vec<f64>> =
            seven.map(|program| Some(self.ratio(figures, program, what)?.ln())).collect();
        let logarithms = logarithms?;
        Some((logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp())
    }

    fn rows(&self, chosen: &[&Program], versions: &str) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        for program in chosen {
            rows.extend(self.program_rows(program));
        }
        let coremark = chosen.iter().find(|program| program.name == COREMARK);
        let ratio = |all, what| coremark.and_then(|program| self.ratio(all, program, what));
        if let Some(engine) = ratio(&self.engine, "engine") {
            let versus = format!("{}{versions}", beside(ratio(&self.peer, "wasmi")));
            rows.push(row("coremark-class", engine, "x native", Some(COREMARK_GOAL), versus));
        }
        if let Some(portable) = ratio(&self.portable, "engine") {
            let mean = self.geomean(&self.portable, "engine").unwrap_or(f64::NAN);
            let versus = format!("coremark by the executor in Rust; its geomean {mean:.2}");
            rows.push(row("engine/portable", portable, "x native", Some(PORTABLE_GOAL), versus));
        }
        if let Some(mean) = self.geomean(&self.engine, "engine") {
            let peer = beside(self.geomean(&self.peer, "wasmi"));
            rows.push(row("geomean", mean, "x native", Some(GEOMEAN_GOAL), peer));
        }
        if let (Some(metered), Some(free)) =
            (self.geomean(&self.engine, "metered"), self.geomean(&self.engine, "engine"))
        {
            let percent = (metered / free - 1.0) * 100.0;
            let versus = "geomean with a fuel limit against without".to_owned();
            rows.push(row("engine/fuel", percent, "%", Some(FUEL_PERCENT_GOAL), versus));
        }
        Ok(rows)
    }

    fn program_rows(&self, program: &Program) -> Vec<Row> {
        let name = format!("engine/{}/{}", self.core.name, program.name);
        let native = instructions(&self.native, program, "native").unwrap_or_default();
        let mut rows = vec![row(&format!("{name}/native"), native, "instr", None, String::new())];
        let peer = beside(self.ratio(&self.peer, program, "wasmi"));
        let Some(ratio) = self.ratio(&self.engine, program, "engine") else {
            rows.push(row(&name, f64::NAN, "x native", None, format!("does not run yet; {peer}")));
            return rows;
        };
        rows.push(row(&name, ratio, "x native", None, peer));
        let count = instructions(&self.engine, program, "engine").unwrap_or_default();
        rows.push(row(&format!("{name}/instructions"), count, "instr", None, String::new()));
        if let Some(metered) = instructions(&self.engine, program, "metered") {
            let percent = (metered / count - 1.0) * 100.0;
            rows.push(row(&format!("{name}/fuel"), percent, "%", None, String::new()));
        }
        if self.core.name == M3.name
            && let Some([image, wasm, ..]) = figures(&self.code, program, "code")
        {
            let versus = format!("{image} B of code, wasm code section {wasm} B");
            let ratio = *image as f64 / *wasm as f64;
            rows.push(row(&format!("{name}/code"), ratio, "x wasm", Some(CODE_GOAL), versus));
        }
        rows
    }
}

/// Flash and RAM.
fn sizes(measured: &Measured, all: &[(&Figures, Vec<&Program>)]) -> Result<Vec<Row>> {
    let footprint = footprint::measure(&M3)?;
    let parts: Vec<String> =
        footprint.parts.iter().map(|(part, bytes)| format!("{part:?} {bytes} B")).collect();
    let (flash, versus) = (footprint.flash_bytes as f64, parts.join(", "));
    let mut rows = vec![row("engine-flash-bytes", flash, "bytes", Some(FLASH_GOAL), versus)];
    let runs =
        all.iter().flat_map(|(figures, programs)| programs.iter().map(move |p| (figures, p)));
    let ram = |(all, program): (&&Figures, &&Program)| {
        let [stack_bytes, instance_bytes, ..] = figures(all, program, "ram")? else { return None };
        Some((*stack_bytes, *instance_bytes, program.name))
    };
    let deepest = runs.filter_map(ram).max().context("no program ran")?;
    let (stack_bytes, instance_bytes, name) = deepest;
    let ordinary = PROGRAMS.iter().filter_map(|program| ram((&&measured.engine, &program))).max();
    let versus = format!(
        "stack {stack_bytes} B in {name} ({} B without bulk operations), instance {instance_bytes} B, \
         statics {} B",
        ordinary.map_or(0, |(stack_bytes, ..)| stack_bytes),
        footprint.static_bytes
    );
    let coremark = PROGRAMS.iter().find(|program| program.name == COREMARK);
    let load = coremark.and_then(|program| figures(&measured.engine, program, "load"));
    let code = coremark.and_then(|program| figures(&measured.code, program, "code"));
    if let (Some([load, ..]), Some([code, ..])) = (load, code) {
        let versus = format!("coremark, {code} B of code, 64 KiB of memory");
        rows.push(row("engine/load", *load as f64, "instr", Some(HOLD_GOAL), versus));
    }
    let bytes = (stack_bytes + instance_bytes + footprint.static_bytes) as f64;
    rows.push(row("engine-ram-bytes", bytes, "bytes", Some(RAM_GOAL), versus));
    Ok(rows)
}

/// Runs the programs that try to hold the device.
fn run_holders() -> Result<Figures> {
    let holders: Vec<&Program> = HOLDERS.iter().collect();
    let file = paths::target().join("benches/engine/payload-hold.bin");
    eprint!("{}", refused(&board::payload(&holders, &file)?));
    let build = Build { features: "engine", is_as_firmware: true, native: None };
    board::run(&M3, &board::build(&M3, &build)?, &file)
}

/// The longest that a guest keeps the device: a slice, and what passes from its end to the return.
fn hold(all: &[(&Figures, Vec<&Program>)]) -> Result<Vec<Row>> {
    let mut longest: Option<(u64, &str)> = None;
    for (all, programs) in all {
        for program in programs {
            let results = ["engine", "metered", "hold", "hold-metered"]
                .map(|what| result(all, program, what));
            if results.iter().any(|result| *result != results[0]) {
                bail!("{}: slices change its result", program.name);
            }
            for what in ["hold", "hold-metered"] {
                let count = figures(all, program, what).and_then(|figures| figures.get(1));
                longest = longest.max(count.map(|count| (*count, program.name)));
            }
        }
    }
    let (instructions, name) = longest.context("no slice ended")?;
    let slice = slice_us()? * CLOCK_MHZ;
    let versus = format!(
        "a slice of {slice} and {instructions} until {name} returned, the longest of {}",
        PROGRAMS.len() + HOLDERS.len()
    );
    let total = slice + instructions as f64;
    Ok(vec![row("engine/hold", total, "instr", Some(HOLD_GOAL), versus)])
}

/// The firmware's time slice.
fn slice_us() -> Result<f64> {
    let path = paths::root().join("crates/shared/runtime/src/limits.rs");
    let text = std::fs::read_to_string(&path)?;
    let line = text.lines().find_map(|line| line.strip_prefix("pub const SLICE_US: u32 = "));
    let digits = line.context("no SLICE_US")?.trim_end_matches(';').replace('_', "");
    digits.parse().context("SLICE_US")
}

/// What the tool said could not be prepared.
fn refused(text: &str) -> String {
    let lines = text.lines().filter(|line| line.starts_with("refused"));
    lines.map(|line| format!("bench: {line}\n")).collect()
}

fn figures<'a>(figures: &'a Figures, program: &Program, what: &str) -> Option<&'a [u64]> {
    figures.get(&(program.name.to_owned(), what.to_owned())).map(Vec::as_slice)
}

fn result(all: &Figures, program: &Program, what: &str) -> Option<u64> {
    figures(all, program, what)?.first().copied()
}

fn instructions(all: &Figures, program: &Program, what: &str) -> Option<f64> {
    figures(all, program, what)?.get(1).map(|count| *count as f64)
}

fn beside(peer: Option<f64>) -> String {
    peer.map_or_else(String::new, |ratio| format!("wasmi 2.0.0 {ratio:.2}; "))
}

/// The tool's lines name the program second.
fn swap(text: &str) -> String {
    let swapped = |line: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if words.len() > 1 {
            words.swap(0, 1);
        }
        words.join(" ")
    };
    text.lines().map(swapped).collect::<Vec<_>>().join("\n")
}

fn row(name: &str, value: f64, unit: &'static str, goal: Option<f64>, versus: String) -> Row {
    Row { name: name.to_owned(), value, unit, goal, versus }
}
