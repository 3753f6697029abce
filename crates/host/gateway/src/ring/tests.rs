//! Numbers, bounds and drops of the ring.

use super::{Page, Ring, Weigh};

impl Weigh for &'static str {
    fn bytes(&self) -> usize {
        self.len()
    }
}

fn ring() -> Ring<&'static str> {
    let mut ring = Ring::new(10);
    for entry in ["aaaa", "bbb", "cc", "dddd"] {
        ring.push(entry);
    }
    ring
}

#[test]
fn a_reader_gets_what_is_held_and_is_told_what_is_not() {
    // From, at most, then what is dropped, what is read, and what is next.
    type Case = (u64, usize, u64, &'static [(u64, &'static str)], u64);
    let cases: &[Case] = &[
        (0, 9, 1, &[(2, "bbb"), (3, "cc"), (4, "dddd")], 5),
        (1, 9, 1, &[(2, "bbb"), (3, "cc"), (4, "dddd")], 5),
        (2, 9, 0, &[(2, "bbb"), (3, "cc"), (4, "dddd")], 5),
        (2, 2, 0, &[(2, "bbb"), (3, "cc")], 4),
        (4, 9, 0, &[(4, "dddd")], 5),
        (5, 9, 0, &[], 5),
        (900, 9, 0, &[], 5),
    ];
    for (sequence, count_max, dropped_count, entries, next_sequence) in cases {
        let expected = Page {
            dropped_count: *dropped_count,
            entries: entries.to_vec(),
            next_sequence: *next_sequence,
        };
        assert_eq!(ring().read(*sequence, *count_max), expected, "from {sequence}");
    }
    println!("\ncases: {}\n", cases.len());
}

#[test]
fn a_tail_begins_at_what_is_held() {
    let ring = ring();
    assert_eq!([ring.tail(0), ring.tail(2), ring.tail(50)], [5, 3, 2]);
}

#[test]
fn an_entry_larger_than_the_ring_is_dropped_and_counted() {
    let mut ring = ring();
    ring.push("far too long for it");
    let page = ring.read(1, 9);
    assert_eq!((page.dropped_count, page.entries.len(), page.next_sequence), (5, 0, 6));
}
