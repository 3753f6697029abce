//! The files in the repository are those that this crate generates.

use std::path::Path;

/// Set it to have the files written anew.
const UPDATE: &str = "WASMBED_UPDATE_GENERATED";

#[test]
fn committed_definitions_equal_the_generated_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../deploy/crds");
    let files = super::files().unwrap();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for file in &files {
            std::fs::write(folder.join(&file.name), &file.text).unwrap();
        }
    }
    let mut committed: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    committed.sort();
    let mut names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    names.sort();
    assert_eq!(committed, names);
    for file in &files {
        let text = std::fs::read_to_string(folder.join(&file.name)).unwrap();
        assert_eq!(text, file.text, "{}: run this test with {UPDATE}=1", file.name);
    }
    println!("\ncases: {}", files.len());
}

#[test]
fn api_servers_know_every_format() {
    let mut count = 0;
    for file in super::files().unwrap() {
        let formats = file.text.lines().filter_map(|line| line.trim().strip_prefix("format:"));
        for format in formats.map(str::trim).filter(|format| !format.is_empty()) {
            assert!(crate::schema::FORMATS.contains(&format), "{}: {format:?}", file.name);
            count += 1;
        }
    }
    println!("\ncases: {count}");
}
