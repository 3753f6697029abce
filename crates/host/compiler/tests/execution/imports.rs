//! Guests and their host: arguments, results, waiting, and the ends that a host call can make.
use std::sync::atomic::AtomicBool;
use wasmbed_abi::{CLOCK_MONOTONIC_MS, LOG, TELEMETRY, TIMER_WAIT_MS};
use wasmbed_compiler::{Options, Prepared, prepare};
use wasmbed_engine::{Args, Host, HostOutcome, Instance, Outcome, Trap, guest_slice};

/// Writes down what it is asked, and answers as it is told.
#[derive(Default)]
struct Recorder {
    calls: Vec<String>,
    log_outcome: Option<HostOutcome>,
}

impl Host for Recorder {
    fn call(&mut self, import: u16, args: Args<'_>, memory: &mut [u8]) -> HostOutcome {
        let text =
            |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        match import {
            LOG => {
                let line = text(guest_slice(memory, args.word(0), args.word(1)));
                self.calls.push(format!("log {line:?}"));
                self.log_outcome.unwrap_or(HostOutcome::Return(0))
            }
            CLOCK_MONOTONIC_MS => HostOutcome::Return(0x1_0000_0007),
            TIMER_WAIT_MS => {
                self.calls.push(format!("wait {}", args.word(0)));
                HostOutcome::Park
            }
            TELEMETRY => {
                let topic = text(guest_slice(memory, args.word(0), args.word(1)));
                self.calls.push(format!("telemetry {topic:?} {}", args.long(2)));
                HostOutcome::Return(1)
            }
            _ => HostOutcome::Trap,
        }
    }
}

fn prepared(body: &str) -> Prepared {
    let text = format!(
        r#"(module
            (import "wasmbed" "log" (func $log (param i32 i32)))
            (import "wasmbed" "clock_monotonic_ms" (func $clock (result i64)))
            (import "wasmbed" "timer_wait_ms" (func $wait (param i32)))
            (import "wasmbed" "telemetry" (func $telemetry (param i32 i32 i64) (result i32)))
            (type $waiting (func (param i32)))
            (table 2 funcref) (elem (i32.const 0) $wait)
            (memory 1) (data (i32.const 8) "hello")
            (func (export "run") {body}))"#
    );
    prepare(&wat::parse_str(text).unwrap(), &Options::default()).unwrap()
}

struct Run {
    prepared: Prepared,
    arena: Vec<u8>,
    instance: Instance,
    host: Recorder,
}

impl Run {
    fn new(body: &str) -> Run {
        let prepared = prepared(body);
        let mut arena = vec![0; prepared.needs.arena_bytes as usize];
        let instance = Instance::load(&prepared.image, &mut arena).unwrap();
        Run { prepared, arena, instance, host: Recorder::default() }
    }

    fn go(&mut self) -> Outcome {
        let stop = AtomicBool::new(false);
        self.instance.run(&self.prepared.image, &mut self.arena, &mut self.host, &mut &stop)
    }
}

#[test]
fn arguments_and_results_cross_the_border() {
    let mut run = Run::new(
        r#"(call $log (i32.const 8) (i32.const 5))
        (call $log (i32.const 65535) (i32.const 2))
        (i32.store (i32.const 0)
            (call $telemetry (i32.const 9) (i32.const 3) (i64.sub (i64.const 0) (call $clock))))
        (call $log (i32.const 8) (i32.load (i32.const 0)))"#,
    );
    assert_eq!(run.go(), Outcome::Finished);
    assert_eq!(
        run.host.calls,
        [
            r#"log Some("hello")"#,
            "log None",
            &format!(r#"telemetry Some("ell") {}"#, 0x1_0000_0007_u64.wrapping_neg()),
            r#"log Some("h")"#,
        ]
    );
    println!("\ncases: 5\n");
}

#[test]
fn a_guest_that_waits_stays_in_the_call_until_it_is_completed() {
    for body in [
        "(call $wait (i32.const 5)) (call $log (i32.const 8) (i32.const 1))",
        "(call_indirect (type $waiting) (i32.const 5) (i32.const 0))
         (call $log (i32.const 8) (i32.const 1))",
    ] {
        let mut run = Run::new(body);
        assert_eq!(run.go(), Outcome::Parked);
        assert!(run.instance.is_parked());
        assert_eq!(run.go(), Outcome::Parked);
        assert_eq!(run.host.calls, ["wait 5"]);
        run.instance.complete(0);
        assert_eq!(run.go(), Outcome::Finished);
        assert_eq!(run.host.calls, ["wait 5", r#"log Some("h")"#]);
    }
    println!("\ncases: 2\n");
}

#[test]
fn a_guest_is_not_executed_at_another_place_than_where_it_was_verified() {
    let mut run = Run::new("(call $wait (i32.const 1)) (call $log (i32.const 8) (i32.const 5))");
    assert_eq!(run.go(), Outcome::Parked);
    run.instance.complete(0);
    let copy = run.prepared.image.to_vec();
    let verified = std::mem::replace(&mut run.prepared.image, copy);
    assert!(matches!(run.go(), Outcome::Trapped(Trap::BadCode, _)));
    drop(verified);
    println!("\ncases: 1\n");
}

#[test]
fn a_host_call_can_end_the_guest() {
    let mut run = Run::new("(call $log (i32.const 8) (i32.const 5))");
    run.host.log_outcome = Some(HostOutcome::Exit(3));
    assert_eq!((run.go(), run.go()), (Outcome::Exited(3), Outcome::Exited(3)));
    let mut run = Run::new("(call $log (i32.const 8) (i32.const 5))");
    run.host.log_outcome = Some(HostOutcome::Trap);
    assert!(matches!(run.go(), Outcome::Trapped(Trap::Host, place) if place.function == 4));
    println!("\ncases: 2\n");
}

#[test]
fn a_trap_tells_the_function_and_where_it_came_from() {
    let mut run = Run::new("(nop) (drop (i32.load (i32.const -1)))");
    let Outcome::Trapped(Trap::MemoryOutOfBounds, place) = run.go() else { panic!("no trap") };
    assert_eq!(place.function, 4);
    assert!(run.prepared.source_offset(place.offset).is_some());
    println!("\ncases: 1\n");
}
