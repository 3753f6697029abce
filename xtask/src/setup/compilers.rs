//! C compilers for what the engine is measured against: native code of a Cortex-M, and WebAssembly.

use std::process::Command;

use anyhow::{Context, Result};

use super::packages;
use crate::process;

/// Names of clang, best first: the version that the figures were taken with, then any.
const CLANG: [&str; 5] = ["clang-19", "clang-20", "clang-21", "clang-18", "clang"];
const GCC: &str = "arm-none-eabi-gcc";

/// The compilers that were found.
pub struct Compilers {
    /// clang that makes WebAssembly, its linker included.
    pub clang: &'static str,
    /// gcc for Cortex-M.
    pub gcc: &'static str,
}

impl Compilers {
    /// The first line each says about its version.
    pub fn versions(&self) -> Result<[String; 2]> {
        let version = |program: &str| -> Result<String> {
            let text = process::capture(Command::new(program).arg("--version"))?;
            let line = text.lines().next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = words.iter().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
            Ok(format!("{program} {}", number.unwrap_or(&line)))
        };
        Ok([version(self.clang)?, version(self.gcc)?])
    }
}

/// Finds the compilers, or installs them.
pub fn compilers() -> Result<Compilers> {
    if !is_present(GCC) {
        packages::add(&["gcc-arm-none-eabi"])?;
    }
    Ok(Compilers { clang: clang()?, gcc: GCC })
}

/// Finds a clang that makes WebAssembly, or installs one.
pub fn clang() -> Result<&'static str> {
    if let Some(clang) = find_clang() {
        return Ok(clang);
    }
    match packages::has("clang-19") {
        true => packages::add(&["clang-19", "lld-19"])?,
        false => packages::add(&["clang", "lld"])?,
    }
    find_clang().context("no clang that makes WebAssembly")
}

fn is_present(program: &str) -> bool {
    process::succeeds(Command::new(program).arg("--version"))
}

/// The first clang that can make WebAssembly and finds its linker.
fn find_clang() -> Option<&'static str> {
    CLANG.into_iter().find(|program| {
        let mut command = Command::new(program);
        command.arg("--print-prog-name=wasm-ld");
        let linker = process::capture(&mut command).unwrap_or_default();
        !linker.trim().is_empty() && is_present(linker.trim())
    })
}
