//! `wasmbed new`: the files of a new project, and what to do with them.

use std::process::ExitCode;

use anyhow::{Context, Result};
use wasmbed_workshop as workshop;

use crate::arguments::{New, Template};
use crate::output::outln;

/// Makes the project.
pub fn run(new: &New) -> Result<ExitCode> {
    let name = new.path.file_name().context("a project needs a name")?.to_string_lossy();
    let template = match new.template {
        Template::Rust => workshop::Template::Rust,
        Template::RustStd => workshop::Template::RustStd,
        Template::C => workshop::Template::C,
    };
    let files = workshop::create(&new.path, &name, template)?;
    for file in files.iter().filter(|file| !file.starts_with("sdk/")) {
        outln!("{}", new.path.join(file).display());
    }
    if files.iter().any(|file| file.starts_with("sdk/")) {
        outln!("{}  (the SDK)", new.path.join("sdk").display());
    }
    outln!("");
    outln!("next: cd {}", new.path.display());
    outln!("      wasmbed build");
    outln!("      wasmbed run --local");
    outln!("      wasmbed apply -f app.yaml");
    Ok(ExitCode::SUCCESS)
}
