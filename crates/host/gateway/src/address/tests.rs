//! Rates and counts per address, on a clock of the test's own.

use std::time::{Duration, Instant};

use super::{Addresses, Refusal};
use crate::limits::{self, Limits};

fn limits() -> Limits {
    Limits {
        handshakes_per_address_per_second: 2,
        handshake_burst: 3,
        handshakes_per_address_max: 2,
        ..Limits::default()
    }
}

/// Runs `script`: lines `MS ADDRESS enter|leave OUTCOME`.
#[track_caller]
fn check(script: &str) {
    let start = Instant::now();
    let mut addresses = Addresses::new(&limits());
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [at, address, verb, outcome] = words[..] else { panic!("bad line {line}") };
        let now = start + Duration::from_millis(at.parse().expect("a number"));
        let address = address.parse().expect("an address");
        let found = match verb {
            "enter" => match addresses.enter(address, now) {
                Ok(()) => "ok",
                Err(Refusal::TooFast) => "fast",
                Err(Refusal::TooManyOpen) => "many",
            },
            _ => {
                addresses.leave(address);
                "ok"
            }
        };
        assert_eq!(found, outcome, "{line}");
    }
}

#[test]
fn an_address_is_held_to_its_burst_and_then_to_its_rate() {
    check(
        "0 10.0.0.1 enter ok
         0 10.0.0.1 leave ok
         0 10.0.0.1 enter ok
         0 10.0.0.1 leave ok
         0 10.0.0.1 enter ok
         0 10.0.0.1 leave ok
         0 10.0.0.1 enter fast
         0 10.0.0.2 enter ok
         499 10.0.0.1 enter fast
         500 10.0.0.1 enter ok
         501 10.0.0.1 enter fast",
    );
}

#[test]
fn an_address_holds_only_its_part_of_the_handshakes() {
    check(
        "0 10.0.0.1 enter ok
         0 10.0.0.1 enter ok
         0 10.0.0.1 enter many
         9 10.0.0.1 leave ok
         9 10.0.0.1 enter ok",
    );
}

#[test]
fn an_ipv6_network_counts_as_one_address_and_a_mapped_address_as_ipv4() {
    check(
        "0 2001:db8::1 enter ok
         0 2001:db8::2 enter ok
         0 2001:db8::3 enter many
         0 2001:db8:0:1::1 enter ok
         0 ::ffff:10.0.0.1 enter ok
         0 10.0.0.1 enter ok
         0 ::ffff:10.0.0.1 enter many",
    );
}

#[test]
fn the_memory_of_addresses_is_bounded() {
    let now = Instant::now();
    let mut addresses = Addresses::new(&limits());
    for index in 0..3 * u32::try_from(limits::ADDRESSES_MAX).expect("small") {
        let address = std::net::Ipv4Addr::from(index).into();
        addresses.enter(address, now).expect("a new address");
        addresses.leave(address);
    }
    assert!(addresses.seen.len() <= limits::ADDRESSES_MAX);
}
