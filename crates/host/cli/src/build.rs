//! `wasmbed build`: a project's module, what it needs, and its manifest brought up to date.

use std::process::ExitCode;

use anyhow::Result;
use wasmbed_workshop::{
    ApplicationFile, BuildOptions, Explanation, GuestLimits, Project, explain, stamp,
};

use crate::arguments::Build;
use crate::output::{out, outln};

/// Builds, explains, and writes the module into `app.yaml` where that asks for it.
pub fn run(build: &Build) -> Result<ExitCode> {
    let project = Project::open(&build.folder)?;
    let options = BuildOptions {
        stack_bytes: build.stack,
        output: build.output.clone(),
        ..BuildOptions::default()
    };
    let built = wasmbed_workshop::build(&project, &options)?;
    outln!("{}", shown(&built.path));
    let manifest = project.application_path();
    if !manifest.is_file() {
        let explained = explain(&built.path, &built.module, &GuestLimits::default())?;
        out!("{}", explained.summary());
        return Ok(ExitCode::SUCCESS);
    }
    let application = ApplicationFile::read(&manifest)?;
    let mut explained = explain(&built.path, &built.module, &application.limits)?;
    explained.grant(&application.capabilities)?;
    out!("{}", explained.summary());
    if stamp(&manifest, &built.module)? {
        outln!("{:<16}module and digest written", "app.yaml");
    }
    warn_of_missing_grants(&application, &explained);
    Ok(ExitCode::SUCCESS)
}

/// A path as seen from where the user stands.
fn shown(path: &std::path::Path) -> String {
    let here = std::env::current_dir().ok();
    let relative = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    relative.unwrap_or(path).display().to_string()
}

fn warn_of_missing_grants(application: &ApplicationFile, explained: &Explanation) {
    let is_granted = |name: &&str| {
        let mut granted = application.capabilities.iter();
        granted.any(|text| text.split([':', '@']).next() == Some(name))
    };
    let missing: Vec<&str> =
        explained.capabilities.iter().copied().filter(|name| !is_granted(name)).collect();
    if !missing.is_empty() {
        eprintln!(
            "warning: app.yaml does not grant {}: the application would be refused; \
             add to its capabilities",
            missing.join(", ")
        );
    }
}
