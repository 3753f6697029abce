//! {{name}}: an ordinary program. What it prints goes to the device's log.

use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(500);

fn main() {
    let start = Instant::now();
    for count in 0.. {
        println!("{{name}} {count}, {} ms after the start", start.elapsed().as_millis());
        // A line each period is what this program is for: it waits for nothing else.
        std::thread::sleep(PERIOD);
    }
}
