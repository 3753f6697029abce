//! New projects.
use super::*;

fn path_of(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(path_of(&path)),
            path => found.push(path.display().to_string()),
        }
    }
    found.sort();
    found
}

#[test]
fn every_template_becomes_a_project_of_its_name() {
    for name in ["rust", "rust-std", "c"] {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("blinky");
        let made = create(&project, "blinky", Template::by_name(name).unwrap()).unwrap();
        assert_eq!(path_of(&project).len(), made.len());
        for path in &made {
            let text = std::fs::read_to_string(project.join(path)).unwrap();
            assert!(!text.contains("{{"), "{name}: {path}");
        }
        let manifest = std::fs::read_to_string(project.join("app.yaml")).unwrap();
        assert!(manifest.contains("name: blinky"));
        let opened = crate::Project::open(&project).unwrap();
        assert_eq!(opened.name, "blinky");
        let again = create(&project, "blinky", Template::C);
        assert!(matches!(again, Err(WorkshopError::Exists { .. })));
    }
}

#[test]
fn the_sdk_is_copied_whole() {
    let sources = path_of(Path::new("../../../sdk/rust/src"));
    let sources = sources.iter().filter(|path| !path.ends_with("tests.rs"));
    for path in sources {
        let path = path.trim_start_matches("../../../sdk/rust/");
        assert!(SDK.iter().any(|(target, _)| *target == format!("sdk/{path}")), "{path}");
    }
}

#[test]
fn names_are_those_that_an_application_may_have() {
    for (name, is_good) in [
        ("blinky", true),
        ("hall-7", true),
        ("a", true),
        ("", false),
        ("7up", false),
        ("-a", false),
        ("a-", false),
        ("Blinky", false),
        ("my_app", false),
        ("a/b", false),
        (&"a".repeat(63), true),
        (&"a".repeat(64), false),
    ] {
        assert_eq!(check_name(name).is_ok(), is_good, "{name:?}");
    }
}
