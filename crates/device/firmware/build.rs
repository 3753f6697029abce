//! Turns the chosen board file into what the firmware is compiled and linked with.
//!
//! `WASMBED_BOARD` is the name of a folder below `boards/`, or the path of a board file. The
//! compiled device tree is left beside the ELF.

use std::error::Error;
use std::path::{Path, PathBuf};
use wasmbed_devicetree::{compile, firmware_choices, firmware_constants, linker_script};

const BOARD_DEFAULT: &str = "mps2-an385";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=WASMBED_BOARD");
    println!("cargo::rustc-check-cfg=cfg(board_chip, values(\"mps2\", \"stm32\"))");
    println!("cargo::rustc-check-cfg=cfg(board_clocks, values(\"stm32f1\", \"stm32f4\"))");
    println!("cargo::rustc-check-cfg=cfg(board_uplink, values(\"ethernet\", \"serial\"))");
    println!("cargo::rustc-check-cfg=cfg(board_entropy, values(\"serial\"))");
    println!("cargo::rustc-check-cfg=cfg(board_counter, values(\"cmsdk\"))");
    println!("cargo::rustc-check-cfg=cfg(board_protection, values(\"v7\", \"v8\"))");
    println!("cargo::rustc-check-cfg=cfg(board_watchdog, values(\"cmsdk\", \"stm32\", \"none\"))");
    println!("cargo::rustc-check-cfg=cfg(board_leds, values(\"fpgaio\"))");
    println!("cargo::rustc-check-cfg=cfg(board_buttons, values(\"fpgaio\"))");
    println!("cargo::rustc-check-cfg=cfg(board_i2c, values(\"versatile\"))");
    println!("cargo::rustc-check-cfg=cfg(board_guest_uart, values(\"serial\"))");
    // Without the way up in it, mistakes are easier to read.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").canonicalize()?;
    let chosen = std::env::var("WASMBED_BOARD").unwrap_or_else(|_| BOARD_DEFAULT.into());
    let file = if chosen.ends_with(".dts") {
        PathBuf::from(&chosen)
    } else {
        root.join("boards").join(&chosen).join("board.dts")
    };
    let compiled = match compile(&file, &root.join("dts")) {
        Ok(compiled) => compiled,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    };
    for source in &compiled.sources {
        println!("cargo::rerun-if-changed={}", source.display());
    }
    let target = std::env::var("TARGET")?;
    if target.starts_with("thumb") && target != compiled.board.target {
        return Err(format!("{chosen} needs --target {}", compiled.board.target).into());
    }
    for (name, value) in firmware_choices(&compiled.board) {
        println!("cargo::rustc-cfg={name}=\"{value}\"");
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("board.rs"), firmware_constants(&compiled))?;
    std::fs::write(out.join("memory.x"), linker_script(&compiled.board))?;
    // The table of interrupts is generated Rust; its handlers need no weak names.
    std::fs::write(out.join("device.x"), "")?;
    // OUT_DIR is PROFILE/build/PACKAGE/out, and the ELF is in PROFILE.
    if let Some(profile) = out.ancestors().nth(3) {
        std::fs::write(profile.join("wasmbed-firmware.dtb"), &compiled.dtb)?;
    }
    if target.starts_with("thumb") {
        println!("cargo::rustc-link-search={}", out.display());
        println!("cargo::rustc-link-arg=-Tlink.x");
        println!("cargo::rustc-link-arg=--nmagic");
    }
    Ok(())
}
