//! What can go wrong on an author's machine. Each message says what, why, and what to do.

use std::path::PathBuf;

use wasmbed_compiler::PrepareError;
use wasmbed_image::ImageError;

/// Why a command for authors stopped.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "fields of variants are named for what they hold")]
pub enum WorkshopError {
    /// The name cannot be an Application's.
    #[error(
        "{name:?} cannot be a name: an application has at most {bytes_max} lower-case letters, digits and '-', \
         and begins with a letter"
    )]
    Name { name: String, bytes_max: usize },
    /// Something is there already.
    #[error("{path} exists and is not empty: choose another name, or remove it", path = path.display())]
    Exists { path: PathBuf },
    /// No project in the folder.
    #[error(
        "{folder} is no project: there is neither a Cargo.toml nor a .c file; `wasmbed new NAME` makes one",
        folder = folder.display()
    )]
    NoProject { folder: PathBuf },
    /// A Cargo.toml without a package.
    #[error(
        "{path} names no package; build one of its members: `wasmbed build FOLDER`",
        path = path.display()
    )]
    NoPackage { path: PathBuf },
    /// A file that is not what it should be.
    #[error("{path}: {reason}", path = path.display())]
    File { path: PathBuf, reason: String },
    /// The operating system refused.
    #[error("{what} {path}", path = path.display())]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
    /// A program that is needed is not there.
    #[error("{program} is not installed: {advice}")]
    ProgramMissing { program: String, advice: String },
    /// A program did not do its work; it has said why.
    #[error("{program} ended with {status}")]
    ProgramFailed { program: String, status: String },
    /// Rust's libraries for the target are not there.
    #[error(
        "Rust's libraries for {target} are not installed: `rustup target add {target}`, \
         or, without rustup, `cargo xtask setup` in a checkout of wasmbed"
    )]
    TargetMissing { target: String },
    /// Nothing was built that a device could run.
    #[error(
        "the package {package} builds no .wasm file for {target}: its Cargo.toml needs \
         `crate-type = [\"cdylib\"]`, or a src/main.rs for wasm32-wasip1"
    )]
    NoModule { package: String, target: String },
    /// No linker that can make small memories.
    #[error(
        "no linker here makes memories smaller than 64 KiB (wasm-ld with --page-size): install Rust \
         (https://rustup.rs), whose linker can, or a newer lld{found}"
    )]
    LinkerMissing { found: String },
    /// The module cannot be prepared.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// Some of what the guest imports was not granted.
    #[error(
        "the guest needs {list}: grant them with {flags}",
        list = needed.join(", "),
        flags = needed.iter().map(|name| format!("--grant {name}")).collect::<Vec<_>>().join(" ")
    )]
    NotGranted { needed: Vec<&'static str> },
    /// A grant is not one.
    #[error("{0}")]
    Grant(String),
    /// Something on the command line has another form.
    #[error("{text:?} is not {form}")]
    Argument { text: String, form: &'static str },
    /// Name, grants, arguments and environment together are too much.
    #[error("name, grants, arguments and environment together do not fit a manifest: {0:?}")]
    Manifest(wasmbed_image::EncodeError),
    /// Two guests of one run are called the same.
    #[error("two guests are called {name}: give their modules different names")]
    SameName { name: String },
    /// The local device did not start.
    #[error("the local device did not start: {0:?}; is the flash file another program's?")]
    Start(wasmbed_runtime::StartError),
    /// The local device did not take a guest.
    #[error("{name} was not taken: {reason}")]
    NotInstalled { name: String, reason: &'static str },
    /// The image cannot be read.
    #[error("not a sound image: {0:?}")]
    Image(ImageError),
    /// Neither a module nor an image.
    #[error(
        "{path} is neither a WebAssembly module (\\0asm) nor a prepared image (WBIM)",
        path = path.display()
    )]
    Unknown { path: PathBuf },
    /// The module is too large for a ConfigMap.
    #[error(
        "the module has {module_bytes} bytes, and a ConfigMap takes at most {module_bytes_max}: \
         serve it over HTTP and write its address into the application"
    )]
    TooLargeForConfigMap { module_bytes: usize, module_bytes_max: usize },
}

impl WorkshopError {
    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| WorkshopError::Io { what, path, source }
    }
}
