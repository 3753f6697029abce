//! Tests of the rules: each is broken once.

use super::check as check_file;

#[track_caller]
fn check(name: &str, text: &str, rule: &str) {
    let mut findings = Vec::new();
    check_file(name, text, &mut findings);
    match rule {
        "" => assert_eq!(findings, Vec::<String>::new()),
        rule => assert!(findings.iter().any(|f| f.contains(rule)), "{findings:?}"),
    }
}

#[test]
fn each_rule_finds_what_breaks_it() {
    check("crates/a/src/b.rs", "//! B.\nfn b() {}\n", "");
    check("crates/a/src/mod.rs", "//! B.\n", "no mod.rs");
    check("crates/a/src/utils.rs", "//! B.\n", "a module name");
    check("crates/a/src/b.rs", "fn b() {}\n", "opens with");
    check("crates/a/src/b.rs", "//! B.\n#[allow(dead_code)]\n", "expect(lint");
    check("crates/a/src/b.rs", "//! B.\n// TODO later\n", "issue number");
    check("crates/host/a/src/b.rs", "//! B.\n    unsafe { x() }\n", "`unsafe`");
    check("crates/device/a/src/b.rs", "//! B.\nconst U: u32 = 0x4000_4000;\n", "addresses");
    check("crates/device/a/src/b.rs", "//! B.\n// 0x4000_4000\nconst U: u32 = 0x10;\n", "");
    let long = format!("//! B.\nfn b() {{\n{}}}\n", "    x();\n".repeat(80));
    check("crates/a/src/b.rs", &long, "70 lines");
    check("crates/a/src/b.rs", &"//! B.\n".repeat(900), "800 lines");
}
