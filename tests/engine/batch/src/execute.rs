//! Does one item and writes down what came of it.
use crate::digest::{Digest, digest};
use crate::item::{Call, Item};
use crate::record::{self, Sink};
use wasmbed_engine::{Args, Host, HostOutcome, Instance, Outcome};
use wasmbed_image::Header;

/// Argument words of a call that are passed on.
const ARGUMENT_WORDS_MAX: usize = 127;

/// What a place to run at brings: how a slice ends, and what it counts.
pub trait Runner {
    /// Runs the guest for one slice, or until something else ends the run.
    fn run(
        &mut self,
        instance: &mut Instance,
        image: &[u8],
        arena: &mut [u8],
        host: &mut dyn Host,
    ) -> Outcome;
}

/// Answers every import with 0, and notes which were called.
struct Imports {
    calls: Digest,
}

impl Host for Imports {
    fn call(&mut self, import: u16, _: Args<'_>, memory: &mut [u8]) -> HostOutcome {
        self.calls.word(u32::from(import) << 16 ^ memory.len() as u32);
        HostOutcome::Return(0)
    }
}

/// Bytes of arena that the item's image asks for, or none if it is no image.
pub fn arena_bytes(item: &Item<'_>) -> Option<u64> {
    Header::decode(item.image).ok().map(|header| header.arena_bytes())
}

/// Loads the image in an arena of exactly the bytes that it asks for, runs its own beginning, then
/// each call, and writes down every end.
pub fn execute(item: &Item<'_>, arena: &mut [u8], runner: &mut impl Runner, sink: &mut impl Sink) {
    let mut instance = match Instance::load(item.image, arena) {
        Ok(instance) => instance,
        Err(error) => {
            sink.record(record::REFUSED, &record::refusal_words(error));
            return;
        }
    };
    let mut imports = Imports { calls: Digest::new() };
    let mut limit = (item.fuel_limit != Item::NO_LIMIT).then_some(item.fuel_limit);
    instance.set_fuel_limit(limit);
    let first = Call { function: 0, result_words: 0, has_several: false, arguments: &[] };
    for (index, call) in core::iter::once(first).chain(item.calls()).enumerate() {
        if index > 0 {
            let mut words = [0; ARGUMENT_WORDS_MAX];
            let stored = call.arguments.chunks_exact(4);
            for (word, bytes) in words.iter_mut().zip(stored) {
                *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            }
            let words = &words[..call.arguments.len() / 4];
            instance.invoke(item.image, arena, call.function, words);
        }
        let (mut cuts, mut cut_digest) = (0, Digest::new());
        let outcome = loop {
            let outcome = runner.run(&mut instance, item.image, arena, &mut imports);
            match (outcome, &mut limit) {
                (Outcome::SliceEnd, _) => {}
                (Outcome::OutOfFuel(place), Some(limit))
                    if item.fuel_step > 0 && cuts < item.cuts_max =>
                {
                    cuts += 1;
                    let fuel = instance.fuel_used();
                    for word in [place.function.into(), place.offset, fuel as u32] {
                        cut_digest.word(word);
                    }
                    *limit = limit.saturating_add(item.fuel_step);
                    instance.set_fuel_limit(Some(*limit));
                }
                _ => break outcome,
            }
        };
        let [kind, code, function, offset] = record::outcome_words(outcome);
        // Without a limit a board does not count.
        let fuel = limit.map_or(0, |_| instance.fuel_used());
        let cut = cut_digest.value();
        sink.word(record::CALL);
        for word in [kind, code, function, offset, fuel as u32, (fuel >> 32) as u32] {
            sink.word(word);
        }
        for word in [cuts, cut as u32, (cut >> 32) as u32, call.result_words.into()] {
            sink.word(word);
        }
        for index in 0..u32::from(call.result_words) {
            let word = match (outcome, call.has_several) {
                (Outcome::Finished, false) => (instance.result() >> (index % 2 * 32)) as u32,
                (Outcome::Finished, true) => first_slot(arena, index as usize),
                _ => 0,
            };
            sink.word(word);
        }
        sink.publish();
    }
    end(item, arena, &instance, &imports, sink);
}

fn end(
    item: &Item<'_>,
    arena: &[u8],
    instance: &Instance,
    imports: &Imports,
    sink: &mut impl Sink,
) {
    let state = memory_offset(item).map_or((&[][..], &[][..]), |(globals, memory)| {
        let behind = arena.get(memory..).unwrap_or(&[]);
        (
            behind.get(..instance.memory_bytes() as usize).unwrap_or(&[]),
            arena.get(globals..memory).unwrap_or(&[]),
        )
    });
    let (memory, rest) = (digest(state.0), digest(state.1) ^ imports.calls.value());
    let words = [memory as u32, (memory >> 32) as u32, rest as u32, (rest >> 32) as u32];
    let [a, b, c, d] = words;
    sink.record(record::END, &[instance.memory_bytes(), a, b, c, d]);
}

/// A slot of the frame at the bottom of the stack, where several results are left.
fn first_slot(arena: &[u8], slot: usize) -> u32 {
    let bytes = arena.get(slot * 4..).and_then(|tail| tail.first_chunk());
    bytes.copied().map_or(0, u32::from_le_bytes)
}

/// Where globals, with tables and dropped segments behind them, and where the linear memory begin in
/// the arena.
pub fn memory_offset(item: &Item<'_>) -> Option<(usize, usize)> {
    let header = Header::decode(item.image).ok()?;
    Some((header.globals_offset() as usize, header.memory_offset() as usize))
}
