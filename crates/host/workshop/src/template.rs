//! Files of a new project. They stand in `sdk/templates/`; the SDK itself is copied beside them, so
//! that a project builds with the SDK that fits the `wasmbed` that made it.

use std::path::Path;

use crate::error::WorkshopError;
use crate::limits::NAME_BYTES_MAX;

#[cfg(test)]
mod tests;

/// What a project begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Template {
    /// Rust without the standard library: the smallest guests, for every board.
    Rust,
    /// An ordinary Rust program with `fn main` and `println!`, for boards with 128 KB of RAM for guests.
    RustStd,
    /// C without a library, for every board.
    C,
}

/// Path in the project, and content with `{{name}}` in it.
type File = (&'static str, &'static str);

macro_rules! files {
    ($($path:literal <- $source:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../sdk/", $source)))),*]
    };
}

const RUST: &[File] = files![
    ".cargo/config.toml" <- "templates/rust/cargo-config.toml",
    ".gitignore" <- "templates/rust/gitignore",
    "Cargo.toml" <- "templates/rust/Cargo.toml.template",
    "app.yaml" <- "templates/rust/app.yaml",
    "src/lib.rs" <- "templates/rust/lib.rs",
];

const RUST_STD: &[File] = files![
    ".cargo/config.toml" <- "templates/rust-std/cargo-config.toml",
    ".gitignore" <- "templates/rust-std/gitignore",
    "Cargo.toml" <- "templates/rust-std/Cargo.toml.template",
    "app.yaml" <- "templates/rust-std/app.yaml",
    "src/main.rs" <- "templates/rust-std/main.rs",
];

const C: &[File] = files![
    ".gitignore" <- "templates/c/gitignore",
    "app.yaml" <- "templates/c/app.yaml",
    "main.c" <- "templates/c/main.c",
    "wasmbed.h" <- "c/wasmbed.h",
];

/// The SDK for Rust, whole.
const SDK: &[File] = files![
    "sdk/Cargo.toml" <- "rust/Cargo.toml",
    "sdk/LICENSE-APACHE" <- "LICENSE-APACHE",
    "sdk/LICENSE-MIT" <- "LICENSE-MIT",
    "sdk/src/button.rs" <- "rust/src/button.rs",
    "sdk/src/error.rs" <- "rust/src/error.rs",
    "sdk/src/heap.rs" <- "rust/src/heap.rs",
    "sdk/src/i2c.rs" <- "rust/src/i2c.rs",
    "sdk/src/imports.rs" <- "rust/src/imports.rs",
    "sdk/src/led.rs" <- "rust/src/led.rs",
    "sdk/src/lib.rs" <- "rust/src/lib.rs",
    "sdk/src/message.rs" <- "rust/src/message.rs",
    "sdk/src/panic.rs" <- "rust/src/panic.rs",
    "sdk/src/print.rs" <- "rust/src/print.rs",
    "sdk/src/random.rs" <- "rust/src/random.rs",
    "sdk/src/storage.rs" <- "rust/src/storage.rs",
    "sdk/src/text.rs" <- "rust/src/text.rs",
    "sdk/src/time.rs" <- "rust/src/time.rs",
    "sdk/src/uart.rs" <- "rust/src/uart.rs",
];

impl Template {
    /// The template called `name`.
    pub fn by_name(name: &str) -> Option<Template> {
        match name {
            "rust" => Some(Template::Rust),
            "rust-std" => Some(Template::RustStd),
            "c" => Some(Template::C),
            _ => None,
        }
    }

    fn files(self) -> impl Iterator<Item = &'static File> {
        let (own, sdk) = match self {
            Template::Rust => (RUST, SDK),
            Template::RustStd => (RUST_STD, SDK),
            Template::C => (C, &[][..]),
        };
        own.iter().chain(sdk)
    }
}

/// Makes the project `name` in the folder `folder`, and answers its files in order.
///
/// # Errors
/// [`WorkshopError`] if the name cannot be an Application's, or the folder holds something already.
pub fn create(
    folder: &Path,
    name: &str,
    template: Template,
) -> Result<Vec<&'static str>, WorkshopError> {
    check_name(name)?;
    let is_taken = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken || folder.is_file() {
        return Err(WorkshopError::Exists { path: folder.to_owned() });
    }
    let mut paths = Vec::new();
    for (path, content) in template.files() {
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(WorkshopError::io("make", parent))?;
        }
        let content = content.replace("{{name}}", name);
        std::fs::write(&target, content).map_err(WorkshopError::io("write", &target))?;
        paths.push(*path);
    }
    Ok(paths)
}

/// An application's name is a DNS label; a package's begins with a letter besides.
fn check_name(name: &str) -> Result<(), WorkshopError> {
    let is_good = name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if is_good {
        return Ok(());
    }
    Err(WorkshopError::Name { name: name.to_owned(), bytes_max: NAME_BYTES_MAX })
}
