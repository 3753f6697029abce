//! An ordinary program: standard library, arguments, growing strings, formatted output, sleep.
//! Nothing in it knows of devices.

use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(100);

fn main() {
    let start = Instant::now();
    let name = std::env::args().nth(1).unwrap_or_else(|| "nobody".to_owned());
    let mut greeting = format!("hello, {name}");
    for _ in 0..3 {
        println!("{greeting}");
        greeting.push('!');
        // The pause between two greetings is what this program shows: it waits for nothing else.
        std::thread::sleep(PERIOD);
    }
    let took = start.elapsed();
    if took < PERIOD * 3 {
        eprintln!("that was too fast: {} ms", took.as_millis());
        std::process::exit(1);
    }
}
