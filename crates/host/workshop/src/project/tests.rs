//! What folders are taken for.
use super::*;

#[track_caller]
fn check(files: &[(&str, &str)], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("thing");
    std::fs::create_dir_all(&project).unwrap();
    for (path, text) in files {
        let path = project.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let found = match Project::open(&project) {
        Ok(Project { name, language: Language::Rust { target }, .. }) => format!("{name} {target}"),
        Ok(Project { name, language: Language::C { sources }, .. }) => {
            let stems = sources.iter().map(|path| path.file_stem().unwrap().to_string_lossy());
            format!("{name} {}", stems.collect::<Vec<_>>().join(" "))
        }
        Err(error) => error.to_string(),
    };
    assert!(found.contains(expected), "{expected:?} is not in {found:?}");
}

#[test]
fn a_folder_is_a_package_or_c_files_or_refused() {
    let package = ("Cargo.toml", "[package]\nname = \"blinky\"\n");
    check(&[package], "blinky wasm32v1-none");
    check(
        &[package, (".cargo/config.toml", "[build]\ntarget = \"wasm32-wasip1\"\n")],
        "blinky wasm32-wasip1",
    );
    check(&[package, (".cargo/config.toml", "[alias]\n")], "blinky wasm32v1-none");
    check(&[("Cargo.toml", "[workspace]\n")], "names no package");
    check(&[("Cargo.toml", "[package\n")], "Cargo.toml: ");
    check(&[("main.c", ""), ("src/led.c", ""), ("wasmbed.h", "")], "thing main led");
    check(&[("readme.txt", "")], "`wasmbed new NAME` makes one");
}
