//! Time slices and fuel: a guest that is stopped anywhere goes on as if it had not been.
use crate::guest::{NoHost, fixed_options};
use crate::programs::PROGRAMS;
use wasmbed_compiler::{Prepared, prepare};
use wasmbed_engine::{Instance, Outcome, Stop};

/// Ends a slice after a number of questions that changes each time.
struct Every {
    state: u32,
    longest: u32,
    left: u32,
}

impl Every {
    fn new(seed: u32, longest: u32) -> Self {
        Every { state: seed, longest, left: 0 }
    }
}

impl Stop for Every {
    fn is_over(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        self.state = self.state.wrapping_mul(1664525).wrapping_add(1013904223);
        self.left = (self.state >> 16) % self.longest;
        true
    }
}

struct Never;

impl Stop for Never {
    fn is_over(&mut self) -> bool {
        false
    }
}

/// Everything that can be seen of a guest that ended.
#[derive(Clone, Debug, Eq, PartialEq)]
struct End {
    outcome: Outcome,
    result: u64,
    fuel: u64,
    arena: Vec<u8>,
}

struct Run<'a> {
    prepared: &'a Prepared,
    instance: Instance,
    arena: Vec<u8>,
}

impl<'a> Run<'a> {
    fn new(prepared: &'a Prepared) -> Self {
        let mut arena = vec![0; prepared.needs.arena_bytes as usize];
        let mut instance = Instance::load(&prepared.image, &mut arena).unwrap();
        let main = prepared.exports.iter().find(|export| export.name == "main").unwrap();
        instance.invoke(&prepared.image, &mut arena, main.function as u16, &[]);
        Run { prepared, instance, arena }
    }

    fn go(&mut self, stop: &mut impl Stop) -> Outcome {
        self.instance.run(&self.prepared.image, &mut self.arena, &mut NoHost, stop)
    }

    fn end(self, outcome: Outcome) -> End {
        let result = self.instance.result();
        End { outcome, result, fuel: self.instance.fuel_used(), arena: self.arena }
    }
}

fn prepared(text: &str) -> Prepared {
    prepare(&wat::parse_str(text).unwrap(), &fixed_options()).unwrap()
}

fn unstopped(prepared: &Prepared) -> End {
    let mut run = Run::new(prepared);
    let outcome = run.go(&mut Never);
    run.end(outcome)
}

#[test]
fn slices_of_any_length_change_nothing() {
    let mut cases = 0;
    for (name, text) in PROGRAMS {
        let prepared = prepared(text);
        let expected = unstopped(&prepared);
        for (seed, longest) in [(1, 1), (2, 2), (3, 7), (4, 40), (5, 1000)] {
            let mut run = Run::new(&prepared);
            let mut stop = Every::new(seed, longest);
            let mut slices = 0;
            let outcome = loop {
                match run.go(&mut stop) {
                    Outcome::SliceEnd => slices += 1,
                    outcome => break outcome,
                }
            };
            assert!(slices > 0, "{name}");
            assert_eq!(run.end(outcome), expected, "{name}, slices up to {longest}");
            cases += 1;
        }
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn fuel_runs_out_at_the_same_place_and_nothing_is_half_charged() {
    let mut cases = 0;
    for (name, text) in PROGRAMS {
        let prepared = prepared(text);
        let expected = unstopped(&prepared);
        let step = (expected.fuel / 150).max(1);
        for limit in (0..expected.fuel).step_by(step as usize).chain([expected.fuel - 1]) {
            let cut = |stop: &mut dyn FnMut(&mut Run<'_>) -> Outcome| {
                let mut run = Run::new(&prepared);
                run.instance.set_fuel_limit(Some(limit));
                let outcome = stop(&mut run);
                assert!(matches!(outcome, Outcome::OutOfFuel(_)), "{name} {limit}: {outcome:?}");
                assert!(run.instance.fuel_used() <= limit);
                // Asking again without more fuel changes nothing.
                assert_eq!(stop(&mut run), outcome);
                let used = run.instance.fuel_used();
                let arena = run.arena.clone();
                run.instance.set_fuel_limit(None);
                let end = run.go(&mut Never);
                assert_eq!(run.end(end), expected, "{name}, cut at {limit}");
                (outcome, used, arena)
            };
            let whole = cut(&mut |run| run.go(&mut Never));
            let mut every = Every::new(limit as u32, 5);
            let sliced = cut(&mut |run| {
                loop {
                    match run.go(&mut every) {
                        Outcome::SliceEnd => {}
                        outcome => break outcome,
                    }
                }
            });
            assert_eq!(whole, sliced, "{name}, cut at {limit}");
            cases += 1;
        }
        let mut run = Run::new(&prepared);
        run.instance.set_fuel_limit(Some(expected.fuel));
        let outcome = run.go(&mut Never);
        assert_eq!(run.end(outcome), expected, "{name}: exactly enough");
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn a_guest_that_spins_is_stopped_and_its_fuel_is_counted() {
    let prepared = prepared(r#"(module (func (export "main") (loop $again (br $again))))"#);
    let mut run = Run::new(&prepared);
    for slice in 1..=10 {
        assert_eq!(run.go(&mut Every::new(slice, 1)), Outcome::SliceEnd);
    }
    assert!(run.instance.fuel_used() >= 10);
    run.instance.set_fuel_limit(Some(1000));
    assert!(matches!(run.go(&mut Never), Outcome::OutOfFuel(_)));
    assert_eq!(run.instance.fuel_used(), 1000);
    println!("\ncases: 13\n");
}
