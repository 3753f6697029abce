//! When a result came to be, and from what.

use std::process::Command;

use anyhow::Result;

use crate::{paths, process};

/// Date and commit of now, as results are dated in the documentation.
pub fn words() -> Result<String> {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(paths::root()).args(arguments);
        process::capture(&mut git).map(|text| text.trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let is_changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    let date = process::capture(Command::new("date").args(["--utc", "+%Y-%m-%d"]))?;
    let changes = if is_changed { ", with changes that were not committed" } else { "" };
    Ok(format!("Date {}, commit {commit}{changes}", date.trim()))
}
