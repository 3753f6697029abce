//! The log by itself, under power cuts, and with bits flipped at rest.

use super::{Error, Key, Log};
use crate::limits;
use crate::mutants::{self, Mutant};
use crate::ram::RamFlash;

mod cuts;

type Flash = RamFlash<4096>;
type Journal = Log<4096>;

fn flash() -> Flash {
    Flash::new(2 * 4096)
}

#[track_caller]
fn check_value(log: &mut Journal, flash: &mut Flash, key: u8, expected: Option<&[u8]>) {
    let mut target = [0; limits::VALUE_BYTES_MAX];
    let bytes = log.fetch(flash, Key::new(key), &mut target).unwrap();
    assert_eq!(bytes.map(|bytes| &target[..bytes]), expected, "key {key}");
}

#[test]
fn a_value_of_every_length_is_there_after_a_new_mount() {
    let mut flash = flash();
    let mut log = Journal::mount(&mut flash).unwrap();
    let value: Vec<u8> = (0..limits::VALUE_BYTES_MAX).map(|index| index as u8).collect();
    for bytes in 0..=value.len() {
        log.store(&mut flash, Key::new(3), &value[..bytes]).unwrap();
        let mut cold = Journal::mount(&mut flash).unwrap();
        check_value(&mut cold, &mut flash, 3, Some(&value[..bytes]));
        check_value(&mut cold, &mut flash, 4, None);
    }
    assert!(!flash.programmed_twice());
    println!("\ncases: {}\n", value.len() + 1);
}

#[test]
fn a_value_longer_than_its_bound_is_refused_and_changes_nothing() {
    let mut flash = flash();
    let mut log = Journal::mount(&mut flash).unwrap();
    let before = flash.bytes().to_vec();
    let value = [1; limits::VALUE_BYTES_MAX + 1];
    assert_eq!(log.store(&mut flash, Key::new(1), &value), Err(Error::TooLarge));
    assert_eq!(flash.bytes(), before);
}

#[test]
fn a_full_log_says_so_and_keeps_what_it_has() {
    let mut flash = flash();
    let mut log = Journal::mount(&mut flash).unwrap();
    let value = [7; limits::VALUE_BYTES_MAX];
    let stored = (0..limits::KEYS as u8)
        .take_while(|key| log.store(&mut flash, Key::new(*key), &value).is_ok())
        .count();
    assert_eq!(stored, (4096 - 12) / 330);
    let steps = flash.steps();
    assert_eq!(log.store(&mut flash, Key::new(40), &value), Err(Error::Full));
    assert_eq!(flash.steps(), steps, "a refusal must not wear the flash");
    check_value(&mut log, &mut flash, stored as u8 - 1, Some(&value));
    log.remove(&mut flash, Key::new(0)).unwrap_or_else(|error| assert_eq!(error, Error::Full));
}

#[test]
fn a_removed_key_is_gone_and_scrubbing_leaves_no_trace_of_its_value() {
    let mut flash = flash();
    let mut log = Journal::mount(&mut flash).unwrap();
    let secret = [0xA5; 64];
    log.store(&mut flash, Key::new(2), &secret).unwrap();
    log.store(&mut flash, Key::new(5), b"stays").unwrap();
    log.remove(&mut flash, Key::new(2)).unwrap();
    check_value(&mut log, &mut flash, 2, None);
    log.scrub(&mut flash).unwrap();
    assert!(!flash.bytes().windows(8).any(|window| window == &secret[..8]));
    let mut cold = Journal::mount(&mut flash).unwrap();
    check_value(&mut cold, &mut flash, 2, None);
    check_value(&mut cold, &mut flash, 5, Some(b"stays"));
}

#[test]
fn a_target_that_is_too_small_is_refused() {
    let mut flash = flash();
    let mut log = Journal::mount(&mut flash).unwrap();
    log.store(&mut flash, Key::new(2), &[1; 8]).unwrap();
    assert_eq!(log.fetch(&mut flash, Key::new(2), &mut [0; 7]), Err(Error::TooLarge));
}

#[test]
fn damage_that_no_power_cut_explains_is_refused_and_left_alone() {
    let cases: &[(&str, usize)] = &[("both segment headers", 0), ("a record header", 12 + 4)];
    for (name, at) in cases {
        let mut flash = flash();
        let mut log = Journal::mount(&mut flash).unwrap();
        for key in 0..6 {
            log.store(&mut flash, Key::new(key), &[key; 100]).unwrap();
        }
        flash.bytes_mut()[*at] ^= 0x10;
        let before = flash.bytes().to_vec();
        assert_eq!(Journal::mount(&mut flash).map(|_| ()), Err(Error::Damaged), "{name}");
        assert_eq!(flash.bytes(), before, "{name}");
    }
    println!("\ncases: {}\n", cases.len());
}

#[test]
fn a_record_that_is_there_again_whole_or_torn_at_any_byte_changes_nothing() {
    let mut cases = 0;
    for length in [0, 1, 40, limits::VALUE_BYTES_MAX] {
        let value: Vec<u8> = (0..length).map(|index| (index * 7) as u8).collect();
        let mut clean = flash();
        let mut log = Journal::mount(&mut clean).unwrap();
        log.store(&mut clean, Key::new(1), &[1; 40]).unwrap();
        log.store(&mut clean, Key::new(2), &value).unwrap();
        // Behind the segment's head and the first record.
        let last = 12 + (10 + 40)..12 + (10 + 40) + (10 + length);
        for torn in 0..=last.len() {
            let mut flash = Flash::from_bytes(clean.bytes().to_vec());
            let again = flash.bytes()[last.start..last.start + torn].to_vec();
            flash.bytes_mut()[last.end..last.end + torn].copy_from_slice(&again);
            let mut log = Journal::mount(&mut flash).unwrap();
            check_value(&mut log, &mut flash, 1, Some(&[1; 40]));
            check_value(&mut log, &mut flash, 2, Some(&value));
            log.store(&mut flash, Key::new(1), b"newer").unwrap();
            let mut cold = Journal::mount(&mut flash).unwrap();
            check_value(&mut cold, &mut flash, 1, Some(b"newer"));
            check_value(&mut cold, &mut flash, 2, Some(&value));
            cases += 1;
        }
    }
    println!("\ncases: {cases}\n");
}

#[test]
fn one_bit_flipped_at_rest_never_panics_and_never_shows_a_foreign_value() {
    let mut clean = flash();
    let mut log = Journal::mount(&mut clean).unwrap();
    for round in 0..3_u8 {
        for key in 0..20_u8 {
            log.store(&mut clean, Key::new(key), &[key ^ round; 24]).unwrap();
        }
    }
    let used = 12 + 60 * 34 + 40;
    let mut cases = 0;
    for bit in 0..used * 8 {
        let mut flash = clean.clone();
        flash.bytes_mut()[bit / 8] ^= 1 << (bit % 8);
        cases += 1;
        let Ok(mut log) = Journal::mount(&mut flash) else { continue };
        for key in 0..20_u8 {
            let mut target = [0; limits::VALUE_BYTES_MAX];
            if let Ok(Some(bytes)) = log.fetch(&mut flash, Key::new(key), &mut target) {
                let round = target[0] ^ key;
                assert!(round < 3 && target[..bytes] == [key ^ round; 24], "bit {bit} key {key}");
            }
        }
        let _ = log.store(&mut flash, Key::new(30), b"after");
        let _ = log.scrub(&mut flash);
    }
    println!("\ncases: {cases}\n");
}

/// Flips each checked bit of a record header in the middle of the log. Answers the bits whose
/// damage was not refused.
fn header_bits_not_refused() -> usize {
    let mut clean = flash();
    let mut log = Journal::mount(&mut clean).unwrap();
    for key in 0..40 {
        log.store(&mut clean, Key::new(key), &[key; 24]).unwrap();
    }
    let header = 12 + 5 * 34;
    (0..48)
        .filter(|bit| {
            let mut flash = clean.clone();
            flash.bytes_mut()[header + bit / 8] ^= 1 << (bit % 8);
            Journal::mount(&mut flash).map(|_| ()) != Err(Error::Damaged)
        })
        .count()
}

#[test]
fn each_bit_of_a_record_header_is_missed_when_it_flips() {
    assert_eq!(header_bits_not_refused(), 0);
    println!("\ncases: 48\n");
}

#[test]
fn every_mutant_of_the_log_is_noticed() {
    let mutants = [
        Mutant::NoBlankCheck,
        Mutant::NoLastChecksum,
        Mutant::NoErase,
        Mutant::HeaderFirst,
        Mutant::KeepTornTail,
        Mutant::ErrorKeepsIndex,
    ];
    for mutant in mutants {
        mutants::activate(Some(mutant));
        let noticed = (0..50).find(|seed| cuts::run(*seed, 3).is_err());
        mutants::activate(None);
        assert!(noticed.is_some(), "{mutant:?} was not noticed");
    }
    // A cut cannot show this one, because the CRC-32 covers the header too: damage at rest does.
    mutants::activate(Some(Mutant::NoHeaderChecksum));
    let not_refused = header_bits_not_refused();
    mutants::activate(None);
    assert!(not_refused > 0, "NoHeaderChecksum was not noticed");
    println!("\ncases: {}\n", mutants.len() + 1);
}

#[test]
fn no_power_cut_loses_or_changes_an_acknowledged_value() {
    // `WASMBED_POWER_CUT_SEQUENCES` asks for a longer run; the seeds continue, so it repeats these.
    let sequences = std::env::var("WASMBED_POWER_CUT_SEQUENCES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(30);
    let mut cuts = 0;
    for seed in 0..sequences {
        match cuts::run(seed, 1) {
            Ok(count) => cuts += count,
            Err(failure) => panic!("sequence {seed}: {failure}"),
        }
    }
    println!("\ncases: {cuts}\n");
}
