//! What came of a piece of work, read from the words that were recorded.

use wasmbed_engine::Trap;
use wasmbed_engine_batch::record;

/// What came of one piece of work. Equal work gives equal reports, wherever it was done.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// Why the image was refused, as `record` numbers it.
    pub refused: Option<[u32; 2]>,
    /// The image's own beginning, then each call.
    pub calls: Vec<CallReport>,
    /// The state that was left.
    pub end: Option<EndReport>,
    /// What must not happen, or what the place cannot do.
    pub trouble: Option<Trouble>,
}

/// How one call ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CallReport {
    /// How it ended.
    pub ending: Ending,
    /// Fuel used since the image was loaded.
    pub fuel: u64,
    /// How often the limit was reached and raised, and a digest of where.
    pub cuts: (u32, u64),
    /// Words of the result; zeros unless it finished.
    pub results: Vec<u32>,
}

/// How a call can end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// The function returned.
    Finished,
    /// A host call ended the guest.
    Exited(u32),
    /// The fuel was used up, at a function and an offset in the code.
    OutOfFuel(u32, u32),
    /// A trap by its number, at a function and an offset in the code.
    Trapped(u32, u32, u32),
    /// It waits for a host call, which none of these tests let happen.
    Parked,
    /// A record that makes no sense.
    Unknown(u32),
}

/// The state at the end of an item.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EndReport {
    /// Bytes of linear memory.
    pub memory_bytes: u32,
    /// Digest of the linear memory.
    pub memory: u64,
    /// Digest of everything between stack and memory, and of the imports that were called.
    pub state: u64,
}

/// What must not happen, or what the place cannot do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// The place has no room for the arena.
    TooLarge {
        /// Bytes that it needs.
        arena_bytes: u32,
    },
    /// Something wrote beside the arena.
    Spoilt {
        /// Bytes from the arena's beginning.
        offset: i32,
        /// What is there now.
        found: u32,
    },
    /// The board's program failed; the words are those of the record.
    Fault(Vec<u32>),
    /// The board did not come back.
    Hung,
    /// Nothing was recorded.
    Missing,
}

impl Ending {
    /// The number of the trap, if it is one.
    pub fn trap(self) -> Option<u32> {
        match self {
            Ending::Trapped(trap, ..) => Some(trap),
            _ => None,
        }
    }

    /// Whether it is this trap.
    pub fn is_trap(self, trap: Trap) -> bool {
        self.trap() == Some(trap as u32)
    }
}

/// Everything that a batch recorded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Records {
    /// Reports with the id of their piece of work, in the order they were begun.
    pub reports: Vec<(u32, Report)>,
    /// Slices taken, of these inside the innermost loop, and inside another handler, nested
    /// interrupts, bytes of stack used.
    pub done: Option<[u32; 5]>,
}

/// Reads records; what is cut off in the middle is left out.
pub fn decode(words: &[u32]) -> Records {
    let mut records = Records::default();
    let mut rest = words;
    while let Some((kind, tail)) = rest.split_first() {
        let Some(tail) = take(*kind, tail, &mut records) else { break };
        rest = tail;
    }
    records
}

fn take<'a>(kind: u32, words: &'a [u32], records: &mut Records) -> Option<&'a [u32]> {
    if kind == record::BEGIN {
        let (id, rest) = words.split_first()?;
        records.reports.push((*id, Report::default()));
        return Some(rest);
    }
    if kind == record::DONE {
        let (done, rest) = words.split_first_chunk()?;
        records.done = Some(*done);
        return Some(rest);
    }
    if records.reports.is_empty() {
        records.reports.push((u32::MAX, Report::default()));
    }
    let (_, report) = records.reports.last_mut()?;
    match kind {
        record::REFUSED => {
            let (why, rest) = words.split_first_chunk()?;
            report.refused = Some(*why);
            Some(rest)
        }
        record::CALL => {
            let (call, rest) = call(words)?;
            report.calls.push(call);
            Some(rest)
        }
        record::END => {
            let ([memory_bytes, a, b, c, d], rest) = words.split_first_chunk()?;
            let end = EndReport {
                memory_bytes: *memory_bytes,
                memory: long(*a, *b),
                state: long(*c, *d),
            };
            report.end = Some(end);
            Some(rest)
        }
        record::SPOILT => {
            let ([offset, found], rest) = words.split_first_chunk()?;
            report.trouble = Some(Trouble::Spoilt { offset: *offset as i32, found: *found });
            Some(rest)
        }
        record::TOO_LARGE => {
            let (arena_bytes, rest) = words.split_first()?;
            report.trouble = Some(Trouble::TooLarge { arena_bytes: *arena_bytes });
            Some(rest)
        }
        record::FAULT => {
            let (fault, rest) = words.split_at_checked(5)?;
            report.trouble = Some(Trouble::Fault(fault.to_vec()));
            Some(rest)
        }
        _ => None,
    }
}

fn call(words: &[u32]) -> Option<(CallReport, &[u32])> {
    let (head, rest) = words.split_first_chunk::<10>()?;
    let [kind, code, function, offset, fuel_low, fuel_high, cuts, cut_low, cut_high, count] = *head;
    let (results, rest) = rest.split_at_checked(count as usize)?;
    let ending = match kind {
        1 => Ending::Finished,
        2 => Ending::Exited(code),
        3 => Ending::OutOfFuel(function, offset),
        4 => Ending::Trapped(code, function, offset),
        5 => Ending::Parked,
        other => Ending::Unknown(other),
    };
    let call = CallReport {
        ending,
        fuel: long(fuel_low, fuel_high),
        cuts: (cuts, long(cut_low, cut_high)),
        results: results.to_vec(),
    };
    Some((call, rest))
}

fn long(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}
