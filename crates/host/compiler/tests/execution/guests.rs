//! The guests that other tests run on devices.
use std::sync::atomic::AtomicBool;
use wasmbed_compiler::{Options, Prepared, prepare};
use wasmbed_engine::{Args, Host, HostOutcome, Instance, Outcome, Trap};

struct Silent;

impl Host for Silent {
    fn call(&mut self, _: u16, _: Args<'_>, _: &mut [u8]) -> HostOutcome {
        HostOutcome::Return(0)
    }
}

fn prepared(text: &str) -> Prepared {
    prepare(&wat::parse_str(text).unwrap(), &Options::default()).unwrap()
}

#[track_caller]
fn check(text: &str, fuel: u64, is_expected: impl Fn(Outcome) -> bool) {
    let prepared = prepared(text);
    // What it needs fits a board with 8 KB of RAM beside everything else.
    assert!(prepared.needs.image_bytes + prepared.needs.arena_bytes < 1_400);
    let mut arena = vec![0; prepared.needs.arena_bytes as usize];
    let mut instance = Instance::load(&prepared.image, &mut arena).unwrap();
    instance.set_fuel_limit(Some(fuel));
    let stop = AtomicBool::new(false);
    let outcome = instance.run(&prepared.image, &mut arena, &mut Silent, &mut &stop);
    assert!(is_expected(outcome), "{outcome:?}");
}

#[test]
fn each_ends_as_its_name_says() {
    check(
        include_str!("../guests/trap.wat"),
        1000,
        |outcome| matches!(outcome, Outcome::Trapped(Trap::MemoryOutOfBounds, place) if place.function == 1),
    );
    check(
        include_str!("../guests/spin.wat"),
        1_000_000,
        |outcome| matches!(outcome, Outcome::OutOfFuel(place) if place.function == 1),
    );
    check(include_str!("../guests/finish.wat"), 1000, |outcome| outcome == Outcome::Finished);
    assert_eq!(prepared(include_str!("../guests/big.wat")).needs.memory_bytes, 16 << 20);
    println!("\ncases: 4\n");
}
