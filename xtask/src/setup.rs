//! Finds or installs what the project needs. Says what it does, and can be repeated.

mod archive;
mod compilers;
mod kubernetes;
mod packages;
mod targets;

use anyhow::Result;

pub use compilers::{Compilers, clang, compilers};
pub use kubernetes::{
    Programs as KubernetesPrograms, obstacle as kubernetes_obstacle,
    programs as kubernetes_programs,
};
pub use targets::{cargo, ensure_target};

/// What to set up beyond the ordinary.
#[derive(Default)]
pub struct Options {
    /// Build a real control plane too.
    pub kubernetes: bool,
    /// Take the way by sources even where rustup would do.
    pub from_source: bool,
}

/// Sets everything up, or names what cannot be had.
pub fn run(options: &Options) -> Result<()> {
    packages::ensure()?;
    targets::ensure(options.from_source)?;
    if options.kubernetes {
        kubernetes::ensure()?;
    }
    Ok(())
}

/// One line of progress.
fn say(line: &str) {
    eprintln!("setup: {line}");
}
