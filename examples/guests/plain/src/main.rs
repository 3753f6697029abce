//! An ordinary program: standard library, arguments, a map, formatted output, sleep. Nothing in it
//! knows of devices.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(100);

fn main() {
    let start = Instant::now();
    let mut words: BTreeMap<String, u32> = BTreeMap::new();
    for word in "one two two three three three".split(' ') {
        *words.entry(word.to_owned()).or_default() += 1;
        std::thread::sleep(PERIOD);
    }
    for (word, count) in &words {
        println!("{word}: {count}");
    }
    let took = start.elapsed();
    println!("{} arguments, took {:.1} s", std::env::args().count(), took.as_secs_f32());
    if took < PERIOD * 6 {
        eprintln!("that was too fast");
        std::process::exit(1);
    }
}
