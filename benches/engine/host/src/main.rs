//! `engine-bench`: puts the measured programs into one file that the measuring binary finds in
//! memory, and profiles images on the host. Leaves out compiling C and running QEMU (`xtask`).

mod payload;
mod profile;

use anyhow::{Result, bail};

const USAGE: &str = "usage: engine-bench payload FILE PROGRAM…\n       engine-bench profile PROGRAM…\n\
                     PROGRAM is FILE.wasm:FIRST_ARGUMENT:SECOND_ARGUMENT";

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((verb, [file, programs @ ..])) if verb == "payload" => payload::write(file, programs),
        Some((verb, programs)) if verb == "profile" => profile::run(programs),
        _ => bail!("{USAGE}"),
    }
}
