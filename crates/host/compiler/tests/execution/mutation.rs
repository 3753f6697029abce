//! Images that were changed after they were made: refused, or executed without harm.
use crate::guest::{NoHost, fixed_options};
use crate::programs::PROGRAMS;
use std::sync::atomic::AtomicBool;
use wasmbed_compiler::prepare;
use wasmbed_engine::{Instance, Outcome};

/// Fuel for one changed image: enough to get through each program's code.
const FUEL: u64 = 3_000;

/// Loads and runs an image that may be anything; whether it was loaded.
fn survive(image: &[u8], main: u16) -> bool {
    let Ok(header) = wasmbed_image::Header::decode(image) else { return false };
    // A changed header may ask for any amount; a device has a limit, too.
    let arena_bytes = header.arena_bytes().min(1 << 20) as usize;
    let mut arena = vec![0; arena_bytes];
    let Ok(mut instance) = Instance::load(image, &mut arena) else { return false };
    instance.invoke(image, &mut arena, main, &[]);
    instance.set_fuel_limit(Some(FUEL));
    let stop = AtomicBool::new(false);
    let outcome = instance.run(image, &mut arena, &mut NoHost, &mut &stop);
    assert!(!matches!(outcome, Outcome::SliceEnd | Outcome::Parked));
    true
}

#[test]
fn every_byte_changed_in_some_ways_does_no_harm() {
    let (mut cases, mut loaded) = (0, 0);
    for (_, text) in PROGRAMS {
        let prepared = prepare(&wat::parse_str(text).unwrap(), &fixed_options()).unwrap();
        let main = prepared.exports.iter().find(|export| export.name == "main").unwrap();
        for index in 0..prepared.image.len() {
            for change in [0x01, 0x02, 0x10, 0x80, 0xff, 0x55, 0x3c] {
                let mut image = prepared.image.clone();
                image[index] ^= change;
                loaded += u32::from(survive(&image, main.function as u16));
                cases += 1;
            }
        }
    }
    assert!(loaded > cases / 20, "the verifier refused nearly everything: {loaded} of {cases}");
    println!("{loaded} of {cases} changed images were executed");
    println!("\ncases: {cases}\n");
}

#[test]
fn many_bytes_changed_at_random_do_no_harm() {
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as usize % below
    };
    let mut cases = 0;
    for (_, text) in PROGRAMS {
        let prepared = prepare(&wat::parse_str(text).unwrap(), &fixed_options()).unwrap();
        let main = prepared.exports.iter().find(|export| export.name == "main").unwrap();
        for _ in 0..2_000 {
            let mut image = prepared.image.clone();
            for _ in 0..1 + random(3) {
                let index = random(image.len());
                image[index] = random(256) as u8;
            }
            survive(&image, main.function as u16);
            cases += 1;
        }
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn every_truncation_is_refused() {
    let (_, text) = PROGRAMS[0];
    let prepared = prepare(&wat::parse_str(text).unwrap(), &fixed_options()).unwrap();
    for length in 0..prepared.image.len() {
        assert!(!survive(&prepared.image[..length], 0));
    }
    println!("\ncases: {}\n", prepared.image.len());
}
