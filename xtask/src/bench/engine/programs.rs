//! The measured programs, compiled from one source natively and to WebAssembly.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::setup::Compilers;
use crate::{paths, process};

/// A program and what its function is called with.
pub struct Program {
    pub name: &'static str,
    pub arguments: [u32; 2],
}

/// Programs that only try to hold the device; they are in a folder of their own.
pub const HOLDERS: [Program; 3] = [
    Program { name: "bulk", arguments: [20, 7] },
    Program { name: "straight", arguments: [100, 3] },
    Program { name: "calls", arguments: [20_000, 5] },
];

/// The seven whose mean is taken, in the order of the tables, and the one with floats.
pub const PROGRAMS: [Program; 8] = [
    Program { name: "fib", arguments: [20, 0] },
    Program { name: "sieve", arguments: [4, 8192] },
    Program { name: "crc32", arguments: [8, 4096] },
    Program { name: "matmul", arguments: [8, 24] },
    Program { name: "sha256", arguments: [2, 4096] },
    Program { name: "i64mix", arguments: [20_000, 1] },
    Program { name: COREMARK, arguments: [1, 1] },
    Program { name: FLOATS, arguments: [16, 32] },
];

/// The program of the CoreMark class.
pub const COREMARK: &str = "coremark";
/// The program that computes with floats; it is apart from the mean.
pub const FLOATS: &str = "f32mandel";

/// Both compilers get the source without any library, and may not recognise library functions in it.
const FLAGS: [&str; 4] = ["-O2", "-ffreestanding", "-Wall", "-Wextra"];

/// Where compiled programs are.
pub fn folder() -> PathBuf {
    paths::target().join("benches/engine/programs")
}

fn source(program: &Program) -> PathBuf {
    let folder = paths::root().join("benches/engine/programs");
    let is_holder = HOLDERS.iter().any(|holder| holder.name == program.name);
    let folder = if is_holder { folder.join("hold") } else { folder };
    folder.join(program.name).with_extension("c")
}

/// Compiles every program to WebAssembly.
pub fn to_wasm(compilers: &Compilers) -> Result<()> {
    std::fs::create_dir_all(folder())?;
    for program in PROGRAMS.iter().chain(&HOLDERS) {
        let file = folder().join(program.name).with_extension("wasm");
        if is_newer(&file, &source(program))? {
            continue;
        }
        let mut clang = Command::new(compilers.clang);
        clang.args(["--target=wasm32", "-nostdlib", "-fno-builtin"]).args(FLAGS);
        clang.args(["-Wl,--no-entry", "-Wl,-z,stack-size=4096", "-Wl,--stack-first"]);
        if HOLDERS.iter().any(|holder| holder.name == program.name) {
            clang.arg("-mbulk-memory");
        }
        clang.arg("-Wl,--strip-all").arg("-o").arg(&file).arg(source(program));
        process::capture(&mut clang)?;
    }
    Ok(())
}

/// Compiles every program for a core, into one object that shows nothing but the programs.
pub fn to_native(compilers: &Compilers, core: &str, flags: &[&str]) -> Result<PathBuf> {
    let folder = folder().join(core);
    std::fs::create_dir_all(&folder)?;
    let object = folder.join("native.o");
    let mut is_current = true;
    for program in &PROGRAMS {
        is_current &= is_newer(&object, &source(program))?;
    }
    if is_current {
        return Ok(object);
    }
    let mut parts = Vec::new();
    for program in &PROGRAMS {
        let part = folder.join(program.name).with_extension("o");
        let mut gcc = Command::new(compilers.gcc);
        gcc.args(flags).args(FLAGS).arg("-c").arg("-o").arg(&part).arg(source(program));
        process::capture(&mut gcc)?;
        parts.push(part);
    }
    // gcc's own arithmetic, floats above all, belongs to its side of the comparison.
    let mut link = Command::new(compilers.gcc);
    link.args(flags).args(["-r", "-nostdlib", "-o"]).arg(&object).args(&parts).arg("-lgcc");
    process::capture(&mut link)?;
    let mut hide = Command::new(compilers.gcc.replace("gcc", "objcopy"));
    hide.args(["--wildcard", "--keep-global-symbol=program_*"]).arg(&object);
    process::capture(&mut hide)?;
    Ok(object)
}

/// Whether `file` exists and is newer than `source` and the header all sources include.
fn is_newer(file: &Path, source: &Path) -> Result<bool> {
    let changed = |path: &Path| -> Result<std::time::SystemTime> {
        let data = std::fs::metadata(path).with_context(|| format!("read {}", path.display()))?;
        Ok(data.modified()?)
    };
    let header = paths::root().join("benches/engine/programs/program.h");
    let Ok(made) = changed(file) else { return Ok(false) };
    Ok(made > changed(source)? && made > changed(&header)?)
}
