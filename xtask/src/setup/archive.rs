//! Packages of the Debian archive, unpacked into a folder instead of installed: no root, and no change
//! to the system's own lists.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::packages;
use crate::process;

/// Releases that are looked through.
const SUITES: [&str; 6] =
    ["bookworm", "trixie", "trixie-backports", "forky", "sid", "bookworm-backports"];

/// Lists of packages that are this folder's own.
pub struct Archive {
    folder: PathBuf,
    options: Vec<String>,
}

impl Archive {
    /// Reads the lists of the mirror that apt uses already.
    pub fn open(folder: &Path) -> Result<Archive> {
        let mirror = packages::mirror()?;
        let state = folder.join("apt");
        std::fs::create_dir_all(state.join("lists/partial"))?;
        std::fs::create_dir_all(state.join("archives/partial"))?;
        let list = state.join("sources.list");
        let key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
        let lines: String =
            SUITES.iter().map(|suite| format!("deb {key} {mirror} {suite} main\n")).collect();
        std::fs::write(&list, lines)?;
        let options = vec![
            format!("Dir::Etc::sourcelist={}", list.display()),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::lists={}", state.join("lists").display()),
            format!("Dir::Cache={}", state.display()),
            "APT::Sandbox::User=".to_owned(),
        ];
        let archive = Archive { folder: folder.to_owned(), options };
        archive.apt("apt-get", &["-qq", "update"])?;
        Ok(archive)
    }

    /// Downloads and unpacks the first version that is wanted, and forgets the lists.
    pub fn unpack(self, name: &str, is_wanted: impl Fn(&str) -> bool) -> Result<()> {
        let versions = self.apt("apt-cache", &["madison", name])?;
        let version = versions
            .lines()
            .filter_map(|line| line.split('|').nth(1))
            .map(str::trim)
            .find(|version| is_wanted(version))
            .with_context(|| {
                format!("no fitting package {name} in the Debian archive; offered:\n{versions}")
            })?;
        self.apt("apt-get", &["-qq", "download", &format!("{name}={version}")])?;
        let package = std::fs::read_dir(&self.folder)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .context("apt downloaded no package")?;
        process::capture(Command::new("dpkg").arg("-x").arg(&package).arg(&self.folder))?;
        std::fs::remove_file(package)?;
        std::fs::remove_dir_all(self.folder.join("apt"))?;
        Ok(())
    }

    fn apt(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(program);
        command.current_dir(&self.folder);
        for option in &self.options {
            command.args(["-o", option]);
        }
        command.args(arguments);
        process::capture(&mut command)
    }
}
