//! Rules about one Rust source file.

/// Lines of a file, tests apart.
const FILE_LINES_MAX: usize = 800;
/// Lines of a function.
const FUNCTION_LINES_MAX: usize = 70;

/// Files exempt from the length rules: tables and generated code.
const LONG: &[&str] =
    &["crates/shared/engine/src/opcodes.rs", "crates/shared/engine/src/execute.rs"];
/// Where `unsafe` is allowed at all.
const UNSAFE: &[&str] = &[
    // Signals and the effective user, which the standard library does not have.
    "xtask/src/",
    // Likewise, in what only tests run.
    "tests/src/",
    // The parent-death signal can only be set between fork and exec.
    "crates/host/qemu/src/process.rs",
    "crates/device/",
    "crates/shared/curve/src/field",
    "crates/shared/engine/src/",
    "benches/",
    "sdk/rust/src/",
    "examples/guests/",
];
const VAGUE: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc"];

/// Checks one file; `name` is relative to the root.
pub fn check(name: &str, text: &str, findings: &mut Vec<String>) {
    let stem = name.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    let mut find = |line: usize, rule: &str| findings.push(format!("{name}:{line}: {rule}"));
    if stem == "mod" {
        find(1, "no mod.rs: name the module's file after it");
    }
    if VAGUE.contains(&stem) {
        find(1, "a module name says what is in it");
    }
    if !text.starts_with("//!") && !text.starts_with("#!") {
        find(1, "a file opens with `//!` and what it holds");
    }
    let is_test = is_test_file(name);
    let lines: Vec<&str> = text.lines().collect();
    let exempt = LONG.contains(&name);
    if !is_test && !exempt && lines.len() > FILE_LINES_MAX {
        find(lines.len(), "a file has at most 800 lines");
    }
    for (index, line) in lines.iter().enumerate() {
        line_rules(name, is_test, line.trim(), &mut |rule| find(index + 1, rule));
    }
    if !is_test && !exempt {
        long_functions(&lines, &mut find);
    }
}

fn is_test_file(name: &str) -> bool {
    name.contains("/tests/")
        || name.ends_with("/tests.rs")
        || name.starts_with("tests/")
        || name.contains("testkit/")
}

fn line_rules(name: &str, is_test: bool, line: &str, find: &mut dyn FnMut(&str)) {
    // The rules' own words stand in this file.
    if name.starts_with("xtask/src/tidy/source") {
        return;
    }
    if line.starts_with("#[allow(") || line.starts_with("#![allow(") {
        find("`#[expect(lint, reason = …)]` instead of `allow`");
    }
    if line.starts_with("#[ignore") || line.starts_with("#[should_panic") {
        find("no `ignore`, no `should_panic`: assert today's behaviour");
    }
    if line.contains("TODO") && !line.contains("TODO(#") {
        find("a TODO carries an issue number: TODO(#12)");
    }
    if line.starts_with("unsafe {") || line.contains(" unsafe {") {
        let allowed = UNSAFE.iter().any(|place| name.starts_with(place)) || is_test;
        if !allowed {
            find("`unsafe` is not allowed here");
        }
    }
    if name.starts_with("crates/device/") && !is_test && has_peripheral_address(line) {
        find("addresses belong to the board files, not to Rust");
    }
}

/// Keys that look like addresses: what unlocks the registers of the CMSDK watchdog.
const KEYS: [u32; 1] = [0x1acc_e551];

/// A literal that lies where these chips have memory or peripherals.
fn has_peripheral_address(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).any(|word| {
        let digits = word.strip_prefix("0x").map(|digits| digits.replace('_', ""));
        let value = digits
            .filter(|digits| digits.len() == 8)
            .and_then(|digits| u32::from_str_radix(&digits, 16).ok());
        value.filter(|value| !KEYS.contains(value)).is_some_and(|value| {
            (0x0800_0000..0x0900_0000).contains(&value)
                || (0x1000_0000..0x6000_0000).contains(&value)
                || (0xA000_0000..0xA100_0000).contains(&value)
        })
    })
}

/// Finds functions by their indentation: rustfmt closes each where it was opened.
fn long_functions(lines: &[&str], find: &mut dyn FnMut(usize, &str)) {
    let mut open: Option<(usize, usize)> = None;
    for (index, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words = line.trim_start();
        match open {
            Some((start, depth)) if words.starts_with('}') && indent == depth => {
                if index - start + 1 > FUNCTION_LINES_MAX {
                    find(start + 1, "a function has at most 70 lines");
                }
                open = None;
            }
            None if is_function(words) && !words.ends_with(';') && !words.ends_with('}') => {
                open = Some((index, indent));
            }
            _ => {}
        }
    }
}

fn is_function(words: &str) -> bool {
    let mut rest = words;
    for prefix in
        ["pub ", "pub(crate) ", "pub(super) ", "const ", "async ", "unsafe ", "extern \"C\" "]
    {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    rest.starts_with("fn ")
}

#[cfg(test)]
mod tests;
