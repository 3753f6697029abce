//! Tests of how types are named.

use super::{Kind, parse_words};

#[track_caller]
fn check(words: &str, expected: &str) {
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    let text = match parse_words(&words) {
        Ok(found) => found
            .iter()
            .map(|(kind, names)| format!("{} {}", kind.plural, names.join("+")))
            .collect::<Vec<_>>()
            .join(";"),
        Err(error) => error.to_string(),
    };
    assert!(text.contains(expected), "{text}");
}

#[test]
fn every_form_of_kubectl_is_understood() {
    check("devices", "devices ");
    check("dev a b", "devices a+b");
    check("Device a", "devices a");
    check("device/a app/b", "devices a;applications b");
    check("dev,app", "devices ;applications ");
    check("devices.wasmbed.github.io a", "devices a");
    check("devise", "no resource type");
    check("devics", "did you mean devices");
    check("dev,app a", "names need one type");
    check("device/a b", "TYPE/NAME is used");
    println!("\ncases: 10");
}

#[test]
fn paths_and_names_are_those_of_the_api() {
    let device = Kind::parse("dev").ok();
    let path = device.map(|kind| kind.path(Some("n"), Some("a")));
    assert_eq!(path.as_deref(), Some("/apis/wasmbed.github.io/v1alpha1/namespaces/n/devices/a"));
    let namespace = Kind::parse("ns").map(|kind| kind.path(Some("n"), None)).ok();
    assert_eq!(namespace.as_deref(), Some("/api/v1/namespaces"));
}
