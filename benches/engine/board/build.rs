//! Puts the memory map where the linker finds it, and links the native programs.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("memory.x"), include_bytes!("memory.x")).expect("OUT_DIR is writable");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rustc-link-arg=-Tlink.x");
    println!("cargo:rerun-if-env-changed=ENGINE_BENCH_NATIVE");
    if env::var_os("CARGO_FEATURE_NATIVE").is_some() {
        let object = env::var("ENGINE_BENCH_NATIVE").expect("the object with the native programs");
        println!("cargo:rerun-if-changed={object}");
        println!("cargo:rustc-link-arg={object}");
    }
}
