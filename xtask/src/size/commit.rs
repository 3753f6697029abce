//! The figures of a commit: kept beside the cache, and built in a worktree of its own if missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::figures::{self, Figures};
use crate::{boards, paths, process};

/// Version of what is kept: figures that were made otherwise are made again.
const FORMAT: u64 = 1;

/// Figures of every board, and whose they are.
#[derive(Default)]
pub struct Sizes {
    /// Commit and subject.
    pub title: String,
    /// By name of the board.
    pub boards: BTreeMap<String, Figures>,
}

fn git(arguments: &[&str]) -> Result<String> {
    let mut git = Command::new("git");
    git.current_dir(paths::root()).args(arguments);
    Ok(process::capture(&mut git)?.trim().to_owned())
}

/// The commit that is checked out, if nothing in the checkout differs from it.
fn clean() -> Result<Option<String>> {
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    if changes.is_empty() { git(&["rev-parse", "HEAD"]).map(Some) } else { Ok(None) }
}

/// Short name of the commit that is checked out, marked if the checkout differs from it.
pub fn here() -> Result<String> {
    let short = git(&["rev-parse", "--short", "HEAD"])?;
    Ok(if clean()?.is_some() { short } else { format!("{short} and changes") })
}

/// Figures of the commit to compare with: the one named; otherwise the last one, or the one before
/// it where nothing has changed since.
pub fn base(against: Option<&str>) -> Result<Sizes> {
    let name = match (against, clean()?) {
        (Some(name), _) => name,
        (None, Some(_)) => "HEAD~1",
        (None, None) => "HEAD",
    };
    let commit = git(&["rev-parse", "--verify", &format!("{name}^{{commit}}")])?;
    let title = git(&["log", "-1", "--format=%h %s", &commit])?;
    let boards = match kept(&commit) {
        Some(boards) => boards,
        None => {
            eprintln!("size: builds the firmware of {title}");
            let boards = build(&commit)?;
            write_kept(&commit, &boards)?;
            boards
        }
    };
    Ok(Sizes { title, boards })
}

/// Keeps the figures of the checkout, if it is a commit.
pub fn keep(sizes: &Sizes) -> Result<()> {
    match clean() {
        Ok(Some(commit)) => write_kept(&commit, &sizes.boards),
        _ => Ok(()),
    }
}

fn file(commit: &str) -> PathBuf {
    paths::cache().join("size").join(format!("{commit}.json"))
}

fn kept(commit: &str) -> Option<BTreeMap<String, Figures>> {
    let text = std::fs::read_to_string(file(commit)).ok()?;
    let kept: Value = serde_json::from_str(&text).ok()?;
    if kept["format"].as_u64() != Some(FORMAT) {
        return None;
    }
    let boards = kept["boards"].as_object()?.iter();
    Some(boards.map(|(name, figures)| (name.clone(), Figures::from_json(figures))).collect())
}

fn write_kept(commit: &str, boards: &BTreeMap<String, Figures>) -> Result<()> {
    let boards: serde_json::Map<String, Value> =
        boards.iter().map(|(name, figures)| (name.clone(), figures.json())).collect();
    write(&file(commit), &json!({"format": FORMAT, "boards": boards}).to_string())
}

/// Writes a file in one step, with its folder.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    std::fs::create_dir_all(folder)?;
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    std::fs::write(&partial, text)?;
    std::fs::rename(&partial, path).with_context(|| format!("write {}", path.display()))
}

/// Builds the firmware of every board of a commit, and measures it.
fn build(commit: &str) -> Result<BTreeMap<String, Figures>> {
    let folder = paths::cache().join("size");
    std::fs::create_dir_all(&folder)?;
    let tree = Tree::at(&folder.join("tree"), commit)?;
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(tree.0.join("boards"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let board = figures::description(&tree.0, &name)?;
        let elf = boards::build_elf(&tree.0, &name, board.target, &folder.join("target"))?;
        found.insert(name.clone(), figures::measure(&tree.0, &name, &elf)?);
    }
    if found.is_empty() {
        bail!("the commit has no boards");
    }
    Ok(found)
}

/// A worktree that goes when it is no longer needed.
struct Tree(PathBuf);

impl Tree {
    fn at(folder: &Path, commit: &str) -> Result<Self> {
        let tree = Self(folder.to_owned());
        tree.remove();
        let path = folder.to_str().context("the cache folder is no text")?;
        git(&["worktree", "add", "--quiet", "--force", "--detach", path, commit])?;
        Ok(tree)
    }

    fn remove(&self) {
        let Some(path) = self.0.to_str().filter(|_| self.0.exists()) else { return };
        if let Err(error) = git(&["worktree", "remove", "--force", path]) {
            eprintln!("size: {error:#}");
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.remove();
    }
}
