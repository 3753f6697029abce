//! Does work on the host, with the portable executor.

use crate::report::{Report, Trouble, decode};
use crate::work::Work;
use wasmbed_engine::{Host, Instance, Outcome, Stop};
use wasmbed_engine_batch::record::{BEGIN, Sink};
use wasmbed_engine_batch::{Runner, arena_bytes, execute, memory_offset};

/// Bytes of the largest arena that is tried.
const ARENA_BYTES_MAX: u64 = 256 << 20;
/// Bytes around the arena that must stay as they are.
const CANARY_BYTES: usize = 256;

#[derive(Default)]
struct Words(Vec<u32>);

impl Sink for Words {
    fn word(&mut self, word: u32) {
        self.0.push(word);
    }
}

/// Ends a slice after some random number of places where it can end.
struct Slices {
    /// 0 if there are none.
    state: u32,
    longest: u32,
    left: u32,
}

impl Stop for Slices {
    fn is_over(&mut self) -> bool {
        if self.state == 0 {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }
}

impl Runner for Slices {
    fn run(
        &mut self,
        instance: &mut Instance,
        image: &[u8],
        arena: &mut [u8],
        host: &mut dyn Host,
    ) -> Outcome {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 17;
        self.state ^= self.state << 5;
        self.left = 1 + self.state % self.longest.max(1);
        instance.run(image, arena, host, self)
    }
}

/// Does the work; the memory is what the guest left.
pub fn execute_with_memory(work: &Work) -> (Report, Vec<u8>) {
    work.with_item(0, |item| {
        let needed = arena_bytes(item).unwrap_or(0);
        if needed > ARENA_BYTES_MAX {
            let trouble = Trouble::TooLarge { arena_bytes: needed.min(u32::MAX.into()) as u32 };
            return (Report { trouble: Some(trouble), ..Report::default() }, Vec::new());
        }
        let needed = needed as usize;
        let begin = CANARY_BYTES + item.alignment as usize;
        let mut space = vec![0x5a; begin + needed + CANARY_BYTES];
        let mut words = Words::default();
        words.record(BEGIN, &[0]);
        let (seed, longest) = work.slices.unwrap_or_default();
        let mut slices = Slices { state: seed, longest, left: 0 };
        execute(item, &mut space[begin..begin + needed], &mut slices, &mut words);
        let mut records = decode(&words.0);
        let mut report = records.reports.pop().map(|(_, report)| report).unwrap_or_default();
        let outside = space[..begin].iter().chain(&space[begin + needed..]);
        if let Some((offset, found)) = outside.enumerate().find(|(_, byte)| **byte != 0x5a) {
            report.trouble =
                Some(Trouble::Spoilt { offset: offset as i32, found: (*found).into() });
        }
        let memory_bytes = report.end.map_or(0, |end| end.memory_bytes as usize);
        let memory_at = memory_offset(item).map_or(0, |(_, memory)| begin + memory);
        let memory = space.get(memory_at..memory_at + memory_bytes).unwrap_or(&[]).to_vec();
        (report, memory)
    })
}

/// Does the work.
pub fn run(work: &Work) -> Report {
    execute_with_memory(work).0
}
