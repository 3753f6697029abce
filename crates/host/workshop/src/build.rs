//! Builds a project into a module, as its own tools do, with the arguments that suit a device.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::WorkshopError;
use crate::project::{Language, Project};
use crate::toolchain;

/// How a project is built.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// Bytes of stack that a C guest gets for what must have an address; Rust's stand in the
    /// project's `.cargo/config.toml`.
    pub stack_bytes: u32,
    /// Folder of what is built on the way; else the project's own.
    pub target_folder: Option<PathBuf>,
    /// Where the module goes; else beside the sources.
    pub output: Option<PathBuf>,
    /// Whether Rust's libraries that were built from sources are taken even where the toolchain has
    /// its own.
    pub from_source: bool,
}

impl Default for BuildOptions {
    /// The stack suits boards with 8 KB of RAM.
    fn default() -> Self {
        let from_source = std::env::var_os("WASMBED_FROM_SOURCE").is_some();
        BuildOptions { stack_bytes: 1024, target_folder: None, output: None, from_source }
    }
}

/// What was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// Where the module is.
    pub path: PathBuf,
    /// Its bytes.
    pub module: Vec<u8>,
}

/// Builds `project`. What the tools have to say goes to standard error.
///
/// # Errors
/// [`WorkshopError`] names the tool that is missing, or the one that failed.
pub fn build(project: &Project, options: &BuildOptions) -> Result<Built, WorkshopError> {
    let made = match &project.language {
        Language::Rust { target } => build_rust(project, target, options)?,
        Language::C { sources } => build_c(project, sources, options)?,
    };
    let path = options.output.clone().unwrap_or_else(|| project.module_path());
    let module = std::fs::read(&made).map_err(WorkshopError::io("read", &made))?;
    let is_same = std::fs::read(&path).is_ok_and(|old| old == module);
    if !is_same {
        std::fs::write(&path, &module).map_err(WorkshopError::io("write", &path))?;
    }
    Ok(Built { path, module })
}

fn build_rust(
    project: &Project,
    target: &str,
    options: &BuildOptions,
) -> Result<PathBuf, WorkshopError> {
    let mut cargo = toolchain::cargo(target, options.from_source)?;
    cargo
        .current_dir(&project.folder)
        .args(["build", "--release", "--package", &project.name, "--target", target])
        .args(["--message-format", "json-render-diagnostics"]);
    if let Some(folder) = &options.target_folder {
        cargo.arg("--target-dir").arg(folder);
    }
    let text = run(&mut cargo)?;
    let mut modules = text.lines().filter_map(module_of);
    modules.next_back().ok_or_else(|| WorkshopError::NoModule {
        package: project.name.clone(),
        target: target.to_owned(),
    })
}

/// The module that a line of Cargo's messages tells of.
fn module_of(line: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    let mut names = message["filenames"].as_array()?.iter().filter_map(serde_json::Value::as_str);
    names.find(|name| name.ends_with(".wasm")).map(PathBuf::from)
}

fn build_c(
    project: &Project,
    sources: &[PathBuf],
    options: &BuildOptions,
) -> Result<PathBuf, WorkshopError> {
    let clang = toolchain::clang()?;
    let (linker, first) = toolchain::linker()?;
    let folder = options.target_folder.clone().unwrap_or_else(|| project.folder.join("target"));
    std::fs::create_dir_all(&folder).map_err(WorkshopError::io("make", &folder))?;
    let mut objects = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let object = folder.join(format!("{}-{index}.o", project.name));
        run(compile_c(&clang, source, &object).current_dir(&project.folder))?;
        objects.push(object);
    }
    let module = folder.join(format!("{}.wasm", project.name));
    let mut link = Command::new(linker);
    link.args(first).args(["--no-entry", "--stack-first", "--page-size=1", "--strip-debug"]);
    link.args(["-z", &format!("stack-size={}", options.stack_bytes)]);
    link.args(&objects).arg("-o").arg(&module);
    run(&mut link)?;
    Ok(module)
}

/// The compiler's arguments: no library, small, and copies of memory as single instructions.
fn compile_c(clang: &Path, source: &Path, object: &Path) -> Command {
    let mut command = Command::new(clang);
    command.args(["--target=wasm32", "-std=c17", "-Oz", "-ffreestanding", "-Wall", "-Wextra"]);
    command.args(["-mbulk-memory", "-I.", "-c"]).arg(source).arg("-o").arg(object);
    command
}

/// Runs a tool; its complaints are shown, its output is returned.
fn run(command: &mut Command) -> Result<String, WorkshopError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|_| {
        WorkshopError::ProgramMissing {
            program: program.clone(),
            advice: "it is needed to build this project".to_owned(),
        }
    })?;
    if !output.status.success() {
        let status = output.status.to_string();
        return Err(WorkshopError::ProgramFailed { program, status });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
