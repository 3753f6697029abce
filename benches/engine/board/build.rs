//! Puts the memory map where the linker finds it, and links the native programs.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: this is run by cargo only")?;
    let out = PathBuf::from(out);
    let map = out.join("memory.x");
    fs::write(&map, include_bytes!("memory.x"))
        .map_err(|error| format!("write the memory map to {}: {error}", map.display()))?;
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rerun-if-changed=memory.x");
    println!("cargo:rustc-link-arg=-Tlink.x");
    println!("cargo:rerun-if-env-changed=ENGINE_BENCH_NATIVE");
    if env::var_os("CARGO_FEATURE_NATIVE").is_some() {
        let object = env::var("ENGINE_BENCH_NATIVE").map_err(|error| {
            format!("ENGINE_BENCH_NATIVE must name the object with the native programs: {error}")
        })?;
        println!("cargo:rerun-if-changed={object}");
        println!("cargo:rustc-link-arg={object}");
    }
    Ok(())
}
