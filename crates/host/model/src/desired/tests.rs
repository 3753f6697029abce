//! Who gets a place on a device, and what the others are told.

use super::*;

/// Parts of the host interface, with commas between them.
fn bits(names: &str) -> u32 {
    names.split(',').map(|name| host_interface::bit(name).unwrap()).sum()
}

/// `budget: arena slot slots guests [offers]`, then one candidate a line:
/// `name priority created arena image [format] [suspend] [imports:NAMES]`.
fn parse(text: &str) -> (Budget, Vec<Candidate>) {
    let mut lines = text.lines();
    let numbers = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let head = numbers(lines.next().unwrap());
    let budget = Budget {
        arena_bytes: head[0].parse().unwrap(),
        slot_bytes: head[1].parse().unwrap(),
        slots: head[2].parse().unwrap(),
        guests: head[3].parse().unwrap(),
        image_format: 1,
        host_calls: bits(head.get(4).map_or("log,wasi", String::as_str)),
    };
    let candidates = lines.map(|line| {
        let words = numbers(line);
        Candidate {
            app: AppId(std::array::from_fn(|i| *words[0].as_bytes().get(i).unwrap_or(&0))),
            name: words[0].clone(),
            created_s: words[2].parse().unwrap(),
            priority: words[1].parse().unwrap(),
            suspend: words.contains(&"suspend".to_owned()),
            restart_token: 0,
            revision: Revision {
                name: format!("{}-1", words[0]),
                generation: 1,
                image: Digest([1; 32]),
                image_bytes: words[4].parse().unwrap(),
                image_format: words.get(5).and_then(|word| word.parse().ok()).unwrap_or(1),
                arena_bytes: words[3].parse().unwrap(),
                host_calls: words.iter().find_map(|w| w.strip_prefix("imports:")).map_or(0, bits),
            },
        }
    });
    (budget, candidates.collect())
}

#[track_caller]
fn check(given: &str, expected: &str) {
    let (budget, candidates) = parse(given);
    let mut reversed = candidates.clone();
    reversed.reverse();
    let plan = plan(&budget, candidates);
    assert_eq!(plan, super::plan(&budget, reversed), "the order of arrival must not matter");
    let mut text = String::new();
    for entry in &plan.accepted {
        let verb = if entry.run { "run" } else { "hold" };
        text += &format!("{verb} {}\n", entry.candidate.name);
    }
    for refusal in &plan.refused {
        let name = &refusal.candidate.name;
        text += &format!("refuse {name} {}: {}\n", refusal.reason.name(), refusal.message());
    }
    assert_eq!(text, expected, "{given}");
}

const CASES: [(&str, &str); 11] = [
    (
        "1000 1000 3 2 log,timer\na 0 0 100 100 imports:log,led,wasi\nb 0 0 100 100 imports:timer",
        "run b\nrefuse a ImportRefused: its imports need led, wasi, which the firmware of the device lacks\n",
    ),
    ("1000 1000 3 2\na 0 0 100 100 imports:log,wasi", "run a\n"),
    ("1000 1000 3 2", ""),
    ("1000 1000 3 2\na 0 1 100 10", "run a\n"),
    ("1000 1000 3 2\na 0 1 100 10 1 suspend", "hold a\n"),
    // Priority, then age, then name.
    ("1000 1000 9 8\nd 0 5 1 1\nc 0 5 1 1\nb 0 4 1 1\na 1 9 1 1", "run a\nrun b\nrun c\nrun d\n"),
    (
        "1000 1000 3 2\na 1 1 800 10\nb 0 1 300 10\nc -1 1 200 10",
        "run a\nrun c\nrefuse b ArenaTooSmall: needs 304 bytes of RAM, 200 are free on the device\n",
    ),
    (
        "1000 100 3 2\na 0 1 10 101",
        "refuse a NoImageSlot: the image has 101 bytes, a slot of the device takes 100\n",
    ),
    (
        "1000 100 3 2\na 0 1 10 10 2",
        "refuse a ImageFormatUnsupported: the image has format 2, the device executes 1\n",
    ),
    // Three slots, one spare: two guests, though the device could hold eight.
    (
        "1000 100 3 8\na 0 1 8 8\nb 0 2 8 8\nc 0 3 8 8",
        "run a\nrun b\nrefuse c TooManyGuests: the device takes 2 guests, all of higher precedence\n",
    ),
    // A device with one slot has no spare and still takes one guest.
    (
        "1000 100 1 8\na 0 1 8 8\nb 0 2 8 8",
        "run a\nrefuse b TooManyGuests: the device takes 1 guests, all of higher precedence\n",
    ),
];

#[test]
fn takes_what_fits_in_the_order_of_precedence() {
    for (given, expected) in CASES {
        check(given, expected);
    }
    println!("\ncases: {}", CASES.len());
}

#[test]
fn never_takes_more_than_the_device_has() {
    // Every combination of small sizes: what is taken fits, and what is refused did not.
    let mut cases = 0;
    for sizes in 0..4_u32.pow(5) {
        let mut candidates = Vec::new();
        for index in 0..5 {
            let size = (sizes / 4_u32.pow(index)) % 4 * 40 + 8;
            let (_, mut parsed) = parse(&format!("0 0 0 0\na{index} 0 {index} {size} {size}"));
            candidates.append(&mut parsed);
        }
        let (budget, _) = parse("200 90 5 4");
        let plan = plan(&budget, candidates);
        let taken: u32 = plan.accepted.iter().map(|e| e.candidate.revision.arena_bytes).sum();
        assert!(taken <= budget.arena_bytes);
        assert!(plan.accepted.len() <= budget.guests_max());
        assert_eq!(plan.accepted.len() + plan.refused.len(), 5);
        for refusal in &plan.refused {
            let guest = &refusal.candidate.revision;
            let too_big = guest.image_bytes > budget.slot_bytes || guest.arena_bytes + taken > 200;
            assert!(too_big || plan.accepted.len() == budget.guests_max());
        }
        cases += 1;
    }
    println!("\ncases: {cases}");
}
