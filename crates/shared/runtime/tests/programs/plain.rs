//! A plain program of the standard library, as anybody writes it; `tests/plain_program.rs` runs it.

use std::time::{Duration, Instant};

fn main() {
    for argument in std::env::args() {
        println!("argument {argument}");
    }
    if let Ok(mode) = std::env::var("MODE") {
        println!("mode {mode}");
    }
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(250));
    println!("slept {} ms", start.elapsed().as_millis());
    eprint!("one line ");
    eprintln!("in {} parts", 2);
    std::process::exit(3);
}
