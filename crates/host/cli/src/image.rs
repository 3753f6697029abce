//! `wasmbed image inspect`: what a module or an image is made of, needs, and does.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::json;
use wasmbed_workshop::{Explanation, GuestLimits, explain, read};

use crate::arguments::{Image, ImageCommand};
use crate::output::{out, outln};

/// Runs one of the commands about images.
pub fn run(image: &Image) -> Result<ExitCode> {
    let ImageCommand::Inspect { file, disassemble, recursion_depth, output } = &image.command;
    inspect(file, *disassemble, *recursion_depth, output.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

fn inspect(
    file: &Path,
    disassemble: bool,
    recursion_depth: u32,
    output: Option<&str>,
) -> Result<()> {
    let limits = GuestLimits { recursion_depth, ..GuestLimits::default() };
    let explained = explain(file, &read(file)?, &limits)?;
    match output {
        None => {
            out!("{}", explained.text());
            if disassemble {
                out!("{}", explained.disassembly()?);
            }
        }
        Some("json") => outln!("{}", serde_json::to_string_pretty(&as_json(&explained))?),
        Some(other) => bail!("unknown output format {other:?}; there is: json"),
    }
    Ok(())
}

fn as_json(explained: &Explanation) -> serde_json::Value {
    let boards: Vec<_> = explained
        .fits()
        .iter()
        .map(|fit| {
            json!({
                "board": fit.board, "fits": fit.fits(),
                "ramBytes": fit.ram_bytes, "ramBytesMax": fit.ram_bytes_max,
                "imageBytes": fit.image_bytes, "imageBytesMax": fit.image_bytes_max,
                "lacks": fit.lacks, "refused": fit.refused,
            })
        })
        .collect();
    json!({
        "imageBytes": explained.image.len(),
        "capabilities": explained.capabilities,
        "boards": boards,
    })
}
