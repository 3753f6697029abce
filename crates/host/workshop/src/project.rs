//! What a folder holds: a package of Cargo's, or C files. There is no file of our own to keep in
//! step with them.

use std::path::{Path, PathBuf};

use crate::error::WorkshopError;

#[cfg(test)]
mod tests;

/// Target of guests without the standard library.
const TARGET_CORE: &str = "wasm32v1-none";

/// How a project is built.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Language {
    /// By Cargo, for this target.
    Rust {
        /// From the project's `.cargo/config.toml`.
        target: String,
    },
    /// By clang.
    C {
        /// The C files, in order.
        sources: Vec<PathBuf>,
    },
}

/// A folder from which a guest is built.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Project {
    /// The folder.
    pub folder: PathBuf,
    /// Name of the package, or of the folder.
    pub name: String,
    /// How it is built.
    pub language: Language,
}

impl Project {
    /// Reads what `folder` holds.
    ///
    /// # Errors
    /// [`WorkshopError`] if that is nothing that can be built.
    pub fn open(folder: &Path) -> Result<Project, WorkshopError> {
        let folder = folder.canonicalize().map_err(WorkshopError::io("read", folder))?;
        let cargo = folder.join("Cargo.toml");
        if cargo.is_file() {
            let name = package_name(&cargo)?;
            let target = configured_target(&folder)?.unwrap_or_else(|| TARGET_CORE.to_owned());
            return Ok(Project { folder, name, language: Language::Rust { target } });
        }
        let sources = c_sources(&folder)?;
        if sources.is_empty() {
            return Err(WorkshopError::NoProject { folder });
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Project { folder, name, language: Language::C { sources } })
    }

    /// Where `build` puts the module.
    pub fn module_path(&self) -> PathBuf {
        self.folder.join(format!("{}.wasm", self.name))
    }

    /// The manifest that goes with the project, whether or not it is there.
    pub fn application_path(&self) -> PathBuf {
        self.folder.join("app.yaml")
    }
}

fn read_toml(path: &Path) -> Result<toml::Table, WorkshopError> {
    let text = std::fs::read_to_string(path).map_err(WorkshopError::io("read", path))?;
    text.parse().map_err(|error: toml::de::Error| WorkshopError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn package_name(path: &Path) -> Result<String, WorkshopError> {
    let manifest = read_toml(path)?;
    let name = manifest.get("package").and_then(|package| package.get("name"));
    match name.and_then(toml::Value::as_str) {
        Some(name) => Ok(name.to_owned()),
        None => Err(WorkshopError::NoPackage { path: path.to_owned() }),
    }
}

/// `build.target` of the nearest configuration that says one, as Cargo reads it.
fn configured_target(folder: &Path) -> Result<Option<String>, WorkshopError> {
    for ancestor in folder.ancestors() {
        let path = ancestor.join(".cargo/config.toml");
        if !path.is_file() {
            continue;
        }
        let config = read_toml(&path)?;
        let target = config.get("build").and_then(|build| build.get("target"));
        if let Some(target) = target.and_then(toml::Value::as_str) {
            return Ok(Some(target.to_owned()));
        }
    }
    Ok(None)
}

fn c_sources(folder: &Path) -> Result<Vec<PathBuf>, WorkshopError> {
    let mut sources = Vec::new();
    for place in [folder.to_owned(), folder.join("src")] {
        let Ok(entries) = std::fs::read_dir(&place) else { continue };
        let paths = entries.flatten().map(|entry| entry.path());
        sources.extend(paths.filter(|path| path.extension().is_some_and(|ext| ext == "c")));
    }
    sources.sort();
    Ok(sources)
}
