//! What lines do, by rates that are counted, and by times that are told.

use super::*;

const MILLISECOND: Duration = Duration::from_millis(1);

fn ppm(percent: u32) -> u32 {
    percent * 10_000
}

/// Puts 100,000 units on a line; what comes out, and what was done to it.
fn run(unit: Unit, impairment: Impairment) -> (Vec<Vec<u8>>, Harm) {
    let mut lane = Lane::new(Way::Up, unit, impairment);
    let (mut arrived, mut harm) = (Vec::new(), Harm::default());
    for index in 0..100_000_u32 {
        let now = MILLISECOND * index;
        let piece = if unit == Unit::Frame { &index.to_be_bytes()[..] } else { &[index as u8] };
        let done = lane.push(now, piece);
        harm.lost += done.lost;
        harm.doubled += done.doubled;
        harm.garbled += done.garbled;
        arrived.extend(std::iter::from_fn(|| lane.pop(now)));
    }
    (arrived, harm)
}

/// What is harmed, within half a percent of all.
#[track_caller]
fn check(impairment: Impairment, percents: [u64; 3]) {
    for unit in [Unit::Frame, Unit::Byte] {
        for seed in 0..4 {
            let impairment = Impairment { seed, ..impairment };
            let (arrived, harm) = run(unit, impairment);
            for (count, percent) in [harm.lost, harm.doubled, harm.garbled].iter().zip(percents) {
                assert!(count.abs_diff(percent * 1000) <= 500, "{harm:?}");
            }
            assert_eq!(run(unit, impairment), (arrived.clone(), harm), "a run can be repeated");
            let units: usize = match unit {
                Unit::Frame => arrived.len(),
                Unit::Byte => arrived.iter().map(Vec::len).sum(),
            };
            assert_eq!(units as u64, 100_000 - harm.lost + harm.doubled);
        }
    }
}

#[test]
fn a_line_harms_as_many_units_as_it_was_told() {
    check(Impairment::default(), [0, 0, 0]);
    check(Impairment { loss_ppm: ppm(5), ..Default::default() }, [5, 0, 0]);
    check(Impairment { loss_ppm: CERTAIN_PPM, ..Default::default() }, [100, 0, 0]);
    check(Impairment { duplicate_ppm: ppm(20), ..Default::default() }, [0, 20, 0]);
    check(Impairment { corrupt_ppm: ppm(50), ..Default::default() }, [0, 0, 50]);
    let all = (ppm(50), ppm(10), ppm(10));
    let (loss_ppm, duplicate_ppm, corrupt_ppm) = all;
    check(
        Impairment { loss_ppm, duplicate_ppm, corrupt_ppm, ..Default::default() },
        // Of the half that is not lost.
        [50, 5, 5],
    );
    println!("\ncases: 48\n");
}

#[test]
fn a_partition_cuts_the_ways_it_names() {
    let cut = [
        (Partition::None, [false, false]),
        (Partition::Up, [true, false]),
        (Partition::Down, [false, true]),
        (Partition::Both, [true, true]),
    ];
    for (partition, expected) in cut {
        for loss_ppm in [0, 1] {
            let impairment = Impairment { partition, loss_ppm, ..Default::default() };
            for (way, is_cut) in [Way::Up, Way::Down].into_iter().zip(expected) {
                let mut lane = Lane::new(way, Unit::Frame, impairment);
                assert_eq!(lane.push(Duration::ZERO, b"frame").lost, u64::from(is_cut));
                assert_eq!(lane.pop(Duration::ZERO).is_none(), is_cut, "{partition:?} {way:?}");
            }
        }
    }
    println!("\ncases: 16\n");
}

#[test]
fn what_is_delayed_arrives_in_time_and_in_order() {
    let (delay, jitter) = (50 * MILLISECOND, 20 * MILLISECOND);
    let mut lane =
        Lane::new(Way::Down, Unit::Frame, Impairment { delay, jitter, ..Default::default() });
    let mut times = Vec::new();
    let mut expected = 0;
    for step in 0..1000_u32 {
        let now = MILLISECOND * step;
        lane.push(now, &step.to_be_bytes());
        while let Some(frame) = lane.pop(now) {
            assert_eq!(frame, u32::to_be_bytes(expected), "nothing overtakes");
            times.push(now - MILLISECOND * expected);
            expected += 1;
        }
        assert!(lane.next_due().is_some_and(|due| due > now));
    }
    assert!(
        times.iter().all(|time| *time >= delay - jitter && *time <= delay + jitter + MILLISECOND)
    );
    assert!(times.iter().max() > times.iter().min(), "they are not all alike");
}

#[test]
fn a_change_lets_what_is_under_way_arrive_when_it_was_to() {
    let late = Impairment { delay: 10 * MILLISECOND, ..Default::default() };
    let mut lane = Lane::new(Way::Up, Unit::Byte, late);
    lane.push(Duration::ZERO, b"first");
    lane.set(Impairment::default());
    lane.push(MILLISECOND, b"second");
    assert_eq!(lane.pop(9 * MILLISECOND), None);
    assert_eq!(lane.next_due(), Some(10 * MILLISECOND));
    assert_eq!(lane.pop(10 * MILLISECOND).as_deref(), Some(&b"first"[..]));
    assert_eq!(lane.pop(10 * MILLISECOND).as_deref(), Some(&b"second"[..]));
    assert_eq!(lane.next_due(), None);
}

#[test]
fn what_a_line_cannot_hold_is_lost_and_counted() {
    let late = Impairment { delay: Duration::from_secs(10), ..Default::default() };
    for (unit, expected) in [(Unit::Frame, 1), (Unit::Byte, 1000)] {
        let mut lane = Lane::new(Way::Up, unit, late);
        let mut lost = 0;
        for _ in 0..=LINE_DELAYED_BYTES_MAX / 1000 {
            lost += lane.push(Duration::ZERO, &[0x55; 1000]).lost;
        }
        assert_eq!(lost, expected, "{unit:?}");
        lane.clear();
        assert_eq!(lane.push(Duration::ZERO, &[0x55; 1000]).lost, 0);
    }
    println!("\ncases: 4\n");
}

#[test]
fn the_fate_of_bytes_does_not_depend_on_how_they_come() {
    let bytes: Vec<u8> = (0..10_000_u32).map(|index| index as u8).collect();
    let harmful = Impairment {
        loss_ppm: ppm(3),
        duplicate_ppm: ppm(3),
        corrupt_ppm: ppm(3),
        jitter: MILLISECOND,
        seed: 7,
        ..Default::default()
    };
    let through = |piece_bytes: usize| {
        let mut lane = Lane::new(Way::Up, Unit::Byte, harmful);
        for piece in bytes.chunks(piece_bytes) {
            lane.push(Duration::ZERO, piece);
        }
        std::iter::from_fn(|| lane.pop(Duration::from_secs(1))).flatten().collect::<Vec<u8>>()
    };
    let whole = through(bytes.len());
    assert_ne!(whole, bytes);
    for piece_bytes in [1, 7, 512] {
        assert!(through(piece_bytes) == whole);
    }
    // The two ways of one line have fates of their own.
    let mut lane = Lane::new(Way::Down, Unit::Byte, harmful);
    lane.push(Duration::ZERO, &bytes);
    assert!(lane.pop(Duration::from_secs(1)) != Some(whole));
    println!("\ncases: 4\n");
}
