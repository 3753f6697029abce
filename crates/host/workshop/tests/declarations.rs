//! The SDK's two views of the imports, Rust's and C's, against the table in `abi`.

use std::collections::BTreeMap;

use wasmbed_abi::{IMPORTS, ValueType};

/// Module, name, and the type in the manner of the table.
type Declarations = BTreeMap<(String, String), (Vec<ValueType>, Option<ValueType>)>;

const C_MODULES: [(&str, &str); 2] =
    [("WASMBED_IMPORT", "wasmbed"), ("WASMBED_WASI", "wasi_snapshot_preview1")];

fn value(declared: &str) -> ValueType {
    let is_long = ["i64", "u64", "int64_t", "uint64_t"]
        .iter()
        .any(|long| declared.split_whitespace().any(|word| word == *long));
    if is_long && !declared.contains('*') { ValueType::I64 } else { ValueType::I32 }
}

/// The parameters between brackets, each as it stands.
fn parameters(list: &str) -> Vec<ValueType> {
    let list = list.trim();
    let list = if list == "void" { "" } else { list };
    list.split(',').map(str::trim).filter(|word| !word.is_empty()).map(value).collect()
}

fn of_rust(source: &str) -> Declarations {
    let mut found = Declarations::new();
    for block in source.split("imports! { ").skip(1) {
        let module = block.split('"').nth(1).unwrap();
        for declaration in block.split("} }").next().unwrap().split("fn ").skip(1) {
            let (name, rest) = declaration.split_once('(').unwrap();
            let (list, result) = rest.split_once(')').unwrap();
            let result = result.split(';').next().unwrap().split_once("->");
            let types = (parameters(list), result.map(|(_, result)| value(result)));
            found.insert((module.to_owned(), name.to_owned()), types);
        }
    }
    found
}

fn of_c(source: &str) -> Declarations {
    let mut found = Declarations::new();
    for (mark, module) in C_MODULES {
        for declaration in source.split(&format!("\n{mark}(\"")).skip(1) {
            let (name, rest) = declaration.split_once("\")").unwrap();
            let (head, rest) = rest.split_once('(').unwrap();
            let (list, _) = rest.split_once(");").unwrap();
            let (result, called) = head.trim().rsplit_once([' ', '*']).unwrap();
            assert!(called.starts_with("wasmbed_") && name.starts_with(&called[8..]), "{called}");
            let result = (result.trim() != "void").then(|| value(result));
            found.insert((module.to_owned(), name.to_owned()), (parameters(list), result));
        }
    }
    found
}

#[track_caller]
fn check(found: &Declarations) {
    for import in &IMPORTS {
        let is_wasi = import.module != wasmbed_abi::MODULE;
        let key = (import.module.to_owned(), import.name.to_owned());
        let expected = (import.params.to_vec(), import.result);
        match found.get(&key) {
            Some(types) => assert_eq!(*types, expected, "{}", import.name),
            // WASI is what std and C libraries are for: the SDK takes little of it.
            None => assert!(is_wasi, "{} is not declared", import.name),
        }
    }
}

#[test]
fn rust_declares_what_devices_offer() {
    check(&of_rust(include_str!("../../../../sdk/rust/src/imports.rs")));
    println!("\ncases: {}\n", IMPORTS.len());
}

#[test]
fn c_declares_what_devices_offer() {
    check(&of_c(include_str!("../../../../sdk/c/wasmbed.h")));
    println!("\ncases: {}\n", IMPORTS.len());
}

/// A row of the page's tables of imports: number, name, parameters, result, capability.
type Row = (u16, String, Vec<ValueType>, Option<ValueType>, String);

fn rows(page: &str) -> Vec<Row> {
    let cells = |line: &str| -> Option<Vec<String>> {
        let cells: Vec<String> = line.split(" | ").map(|cell| cell.replace('`', "")).collect();
        (cells.len() == 5).then_some(cells)
    };
    let row = |cells: Vec<String>| {
        let number = cells[0].trim_start_matches("| ").parse().ok()?;
        let (list, result) = cells[2].strip_prefix('(')?.split_once(')')?;
        let result = result.split_once("-> ").map(|(_, result)| value(result));
        Some((number, cells[1].clone(), parameters(list), result, cells[3].clone()))
    };
    page.lines().filter_map(cells).filter_map(row).collect()
}

#[test]
fn the_page_tells_what_devices_offer() {
    let found = rows(include_str!("../../../../docs/abi.md"));
    let expected: Vec<Row> = IMPORTS
        .iter()
        .map(|import| {
            let capability = import.capability.map_or("none", |capability| capability.name());
            let (name, params) = (import.name.to_owned(), import.params.to_vec());
            (import.number, name, params, import.result, capability.to_owned())
        })
        .collect();
    assert_eq!(found, expected);
    println!("\ncases: {}\n", found.len());
}

#[test]
fn both_declare_the_same() {
    let rust = of_rust(include_str!("../../../../sdk/rust/src/imports.rs"));
    let c = of_c(include_str!("../../../../sdk/c/wasmbed.h"));
    assert!(rust.len() > 15);
    assert_eq!(rust, c);
}
