//! Says where the assembly core is used: on M-profile cores from Armv7 on, unless the feature
//! `portable` asks for the executor that runs everywhere; and where its floating-point rows are.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(thumb_core)");
    println!("cargo::rustc-check-cfg=cfg(thumb_unit)");
    let target = std::env::var("TARGET").unwrap_or_default();
    let has_core = ["thumbv7m-", "thumbv7em-", "thumbv8m.main-"]
        .iter()
        .any(|family| target.starts_with(family));
    if has_core && std::env::var_os("CARGO_FEATURE_PORTABLE").is_none() {
        println!("cargo::rustc-cfg=thumb_core");
        if target.ends_with("hf") {
            println!("cargo::rustc-cfg=thumb_unit");
        }
    }
}
