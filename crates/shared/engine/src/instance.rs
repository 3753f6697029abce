//! A loaded guest: its life from load to end, and everything the innermost loop leaves to others.
//!
//! Leaves out scheduling: the caller decides when and for how long a guest runs.
use crate::execute::{Exit, Registers};
use crate::host::{Args, Host, HostOutcome};
use crate::limits::{FUEL_PORTION, RECORD_BYTES};
use crate::memory::{set_word, word};
use crate::outcome::{Outcome, Place, Trap};
use crate::raw::RawArena;
use crate::stop::Stop;
use crate::verify::{CodeFault, FunctionHeader, verify};
use core::sync::atomic::AtomicBool;
use wasmbed_image::{Image, ImageError, NO_FUNCTION};

mod table;
mod whole;

#[cfg(not(thumb_core))]
use crate::execute as executor;
#[cfg(thumb_core)]
use crate::thumb as executor;

/// Bytes of the instruction that calls the host.
const CALL_HOST_BYTES: usize = 5;

/// Why an image was not loaded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "fields of variants are named for what they hold")]
pub enum LoadError {
    /// The body's header or sections are unsound. Its maker is at fault.
    Image(ImageError),
    /// The byte code is unsound. Its maker is at fault.
    Code(CodeFault),
    /// A data segment, a table element or an import is unsound. The image's maker is at fault.
    Inconsistent,
    /// The arena is smaller than the image needs. The caller is at fault.
    ArenaTooSmall { arena_bytes: u32, needed_bytes: u64 },
    /// The arena does not begin at a multiple of 4, which the assembly core needs.
    ArenaUnaligned,
}

impl From<ImageError> for LoadError {
    fn from(error: ImageError) -> Self {
        LoadError::Image(error)
    }
}

/// The parts of a guest's arena.
struct Arena<'a> {
    stack: &'a mut [u8],
    globals: &'a mut [u8],
    /// Tables that change, and which segments were dropped.
    state: &'a mut [u8],
    /// As much of the linear memory as exists now.
    memory: &'a mut [u8],
}

/// What runs next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// The module's start function has not returned; the entry comes behind it.
    Start,
    /// The entry, or the function that was invoked, has not returned.
    Entry,
    /// Nothing: the guest has ended like this.
    Ended(Outcome),
}

/// Where bytes lie, to know them again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Region {
    address: usize,
    bytes: usize,
}

impl Region {
    fn of(bytes: &[u8]) -> Region {
        Region { address: bytes.as_ptr().addr(), bytes: bytes.len() }
    }
}

/// A guest that was loaded. All of it besides its arena.
///
/// It borrows neither image nor arena: the caller passes the same bytes at each call, at the place
/// where they were loaded, and leaves them alone in between. Bytes at another place are refused; so
/// what is executed is what was verified.
#[derive(Clone, Copy, Debug)]
pub struct Instance {
    registers: Registers,
    phase: Phase,
    /// A function whose frame is yet to be opened at the bottom of the stack.
    pending: Option<u16>,
    is_parked: bool,
    memory_bytes: u32,
    fuel_limit: Option<u64>,
    /// Fuel used before the portion that `registers.fuel` is the rest of.
    fuel_used: u64,
    fuel_portion: u32,
    image_region: Region,
    arena_region: Region,
}

impl Instance {
    /// Verifies an image and prepares its arena; the first run begins at the start function.
    ///
    /// # Errors
    /// [`LoadError`]; the arena then holds nothing of use.
    pub fn load(image: &[u8], arena: &mut [u8]) -> Result<Instance, LoadError> {
        let image_bytes = image;
        let image = Image::parse(image)?;
        if cfg!(thumb_core) && !arena.as_ptr().addr().is_multiple_of(4) {
            return Err(LoadError::ArenaUnaligned);
        }
        let header = &image.header;
        let needed_bytes = header.arena_bytes();
        if (arena.len() as u64) < needed_bytes {
            return Err(LoadError::ArenaTooSmall { arena_bytes: arena.len() as u32, needed_bytes });
        }
        verify(&image, arena).map_err(LoadError::Code)?;
        table::check(&image)?;
        let (phase, first) = match (header.start, header.entry) {
            (NO_FUNCTION, NO_FUNCTION) => (Phase::Ended(Outcome::Finished), None),
            (NO_FUNCTION, entry) => (Phase::Entry, Some(entry)),
            (start, _) => (Phase::Start, Some(start)),
        };
        let instance = Instance {
            registers: Registers::default(),
            phase,
            pending: first,
            is_parked: false,
            memory_bytes: header.memory_bytes,
            fuel_limit: None,
            fuel_used: 0,
            fuel_portion: 0,
            image_region: Region::of(image_bytes),
            arena_region: Region::of(arena),
        };
        let used = arena.get_mut(..needed_bytes as usize).ok_or(LoadError::Inconsistent)?;
        used.fill(0);
        let parts = instance.split(&image, arena).ok_or(LoadError::Inconsistent)?;
        parts.globals.copy_from_slice(image.globals());
        table::fill(&image, parts.state);
        for segment in image.segments() {
            let (address, bytes) = segment?;
            let target = parts.memory.get_mut(address as usize..);
            let target = target.and_then(|tail| tail.get_mut(..bytes.len()));
            target.ok_or(LoadError::Inconsistent)?.copy_from_slice(bytes);
        }
        Ok(instance)
    }

    /// Limits the fuel of the whole run, or lifts the limit.
    ///
    /// Only where there is a limit is fuel counted everywhere: the assembly core does not charge a
    /// guest without one. A limit of `u64::MAX` counts and stops nobody.
    pub fn set_fuel_limit(&mut self, limit: Option<u64>) {
        self.return_portion();
        self.fuel_limit = limit;
    }

    /// Fuel used since the guest was loaded while it had a limit, in WebAssembly operators.
    pub fn fuel_used(&self) -> u64 {
        self.fuel_used + u64::from(self.fuel_portion - self.registers.fuel)
    }

    /// Bytes of linear memory that the guest has now.
    pub fn memory_bytes(&self) -> u32 {
        self.memory_bytes
    }

    /// Whether a host call waits for [`Instance::complete`].
    pub fn is_parked(&self) -> bool {
        self.is_parked
    }

    /// Makes the next run begin at `function`, a number among the functions that the image defines.
    ///
    /// This is how a test calls an export. It discards what the guest was doing.
    pub fn invoke(&mut self, image: &[u8], arena: &mut [u8], function: u16, arguments: &[u32]) {
        if Region::of(image) != self.image_region || Region::of(arena) != self.arena_region {
            return;
        }
        let Ok(image) = Image::parse(image) else { return };
        self.registers = Registers { fuel: self.registers.fuel, ..Registers::default() };
        self.phase = Phase::Entry;
        self.pending = Some(function);
        self.is_parked = false;
        if let Some(parts) = self.split(&image, arena) {
            for (index, argument) in arguments.iter().enumerate() {
                set_word(parts.stack, index * 4, *argument);
            }
        }
    }

    /// What the function that returned last left in the accumulator: its only result.
    pub fn result(&self) -> u64 {
        u64::from(self.registers.low) | u64::from(self.registers.high) << 32
    }

    /// A word of the results of the function that was invoked and has returned, where it has several.
    pub fn result_word(arena: &[u8], index: usize) -> u32 {
        word(arena, index * 4)
    }

    /// Gives the result of the host call that parked, 0 if it has none.
    pub fn complete(&mut self, result: u64) {
        if self.is_parked {
            self.is_parked = false;
            self.pass_host_call(result);
        }
    }

    /// Lets the guest make the host call that parked once more, with the same arguments, instead of
    /// giving it a result.
    pub fn repeat(&mut self) {
        self.is_parked = false;
    }

    /// Runs the guest until one of the outcomes. `stop` is asked on back-edges and function entries;
    /// for a flag, the caller clears it before and sets it from wherever it measures time.
    ///
    /// `image` and `arena` are those of [`Instance::load`].
    pub fn run(
        &mut self,
        image: &[u8],
        arena: &mut [u8],
        host: &mut dyn Host,
        stop: &mut impl Stop,
    ) -> Outcome {
        if let Phase::Ended(outcome) = self.phase {
            return outcome;
        }
        if self.is_parked {
            return Outcome::Parked;
        }
        let is_loaded =
            Region::of(image) == self.image_region && Region::of(arena) == self.arena_region;
        // The parsed image is large, and stays where it was made while the guest runs.
        let outcome = match &Image::parse(image) {
            Ok(image) if is_loaded => self.run_parsed(image, arena, host, stop),
            _ => Outcome::Trapped(Trap::BadCode, Place { function: 0, offset: 0 }),
        };
        if let Outcome::Finished | Outcome::Exited(_) | Outcome::Trapped(..) = outcome {
            self.phase = Phase::Ended(outcome);
        }
        outcome
    }

    fn run_parsed(
        &mut self,
        image: &Image<'_>,
        arena: &mut [u8],
        host: &mut dyn Host,
        stop: &mut impl Stop,
    ) -> Outcome {
        if executor::begin(self.fuel_limit.is_some(), stop) {
            return Outcome::SliceEnd;
        }
        loop {
            let exit = match self.pending {
                Some(function) => self.open_first_frame(image, arena, function),
                None => match RawArena::new(&image.header, arena, self.memory_bytes) {
                    Some(mut raw) => {
                        let is_metered = self.fuel_limit.is_some();
                        let registers = &mut self.registers;
                        Some(executor::execute(image, &mut raw, registers, is_metered, stop))
                    }
                    None => Some(Exit::Trap(Trap::BadCode)),
                },
            };
            let Some(exit) = exit else { continue };
            if let Some(outcome) = self.act(image, arena, exit, host, stop) {
                return outcome;
            }
        }
    }

    /// Does what the loop left to do; gives how the run ends if it does.
    ///
    /// Not inlined, so that the stack of the loop does not hold what it needs.
    #[inline(never)]
    fn act(
        &mut self,
        image: &Image<'_>,
        arena: &mut [u8],
        exit: Exit,
        host: &mut dyn Host,
        stop: &mut impl Stop,
    ) -> Option<Outcome> {
        let Some(mut parts) = self.split(image, arena) else {
            return Some(Outcome::Trapped(Trap::BadCode, self.place(image)));
        };
        match exit {
            Exit::Finished => self.next_phase(image),
            Exit::Stop => Some(Outcome::SliceEnd),
            Exit::Trap(trap) => Some(Outcome::Trapped(trap, self.place(image))),
            Exit::OutOfFuel => self.refill(image),
            Exit::Host(index, base) => {
                // Many calls in a row, without a back-edge, end with the slice as well.
                let outcome = self.call_host(image, &mut parts, host, index, base);
                outcome.or_else(|| stop.is_over().then_some(Outcome::SliceEnd))
            }
            Exit::Memory(opcode) => self.whole_operation(image, &mut parts, opcode, stop),
        }
    }

    fn split<'a>(&self, image: &Image<'_>, arena: &'a mut [u8]) -> Option<Arena<'a>> {
        let header = &image.header;
        let (stack, rest) = arena.split_at_mut_checked(header.stack_bytes as usize)?;
        let (globals, rest) = rest.split_at_mut_checked(usize::from(header.global_words) * 4)?;
        let (state, rest) =
            rest.split_at_mut_checked((header.state_words as usize).checked_mul(4)?)?;
        let memory = rest.get_mut(..self.memory_bytes as usize)?;
        Some(Arena { stack, globals, state, memory })
    }

    /// Opens the frame of the function that a phase begins with. It has no caller to return to.
    #[inline(never)]
    fn open_first_frame(
        &mut self,
        image: &Image<'_>,
        arena: &mut [u8],
        function: u16,
    ) -> Option<Exit> {
        let record = image.function(function);
        let header = record
            .and_then(|record| FunctionHeader::decode(image.code(), record.code_offset as usize));
        let Some((header, body)) = header else { return Some(Exit::Trap(Trap::BadCode)) };
        self.registers.code = body;
        let Some(rest) = self.registers.fuel.checked_sub(header.cost.into()) else {
            return Some(Exit::OutOfFuel);
        };
        self.registers.fuel = rest;
        let stack_bytes = image.header.stack_bytes as usize;
        if usize::from(header.slots) * 4 + RECORD_BYTES > stack_bytes {
            return Some(Exit::Trap(Trap::StackExhausted));
        }
        self.registers.calls = stack_bytes - RECORD_BYTES;
        set_word(arena, self.registers.calls, executor::no_caller());
        set_word(arena, self.registers.calls + 4, 0);
        self.pending = None;
        None
    }

    fn next_phase(&mut self, image: &Image<'_>) -> Option<Outcome> {
        if self.phase == Phase::Start && image.header.entry != NO_FUNCTION {
            self.phase = Phase::Entry;
            self.pending = Some(image.header.entry);
            self.registers.frame = 0;
            return None;
        }
        Some(Outcome::Finished)
    }

    /// Books the rest of the portion as not used.
    fn return_portion(&mut self) {
        self.fuel_used = self.fuel_used();
        self.fuel_portion = 0;
        self.registers.fuel = 0;
    }

    /// Hands the loop more fuel, if there is enough for what it is about to do: a portion is always
    /// the whole rest or more than any cost, so where a guest stops does not depend on portions.
    fn refill(&mut self, image: &Image<'_>) -> Option<Outcome> {
        let before = self.registers.fuel;
        self.return_portion();
        let rest = self.fuel_limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.fuel_used));
        let portion = rest.min(FUEL_PORTION) as u32;
        self.fuel_portion = portion;
        self.registers.fuel = portion;
        (portion <= before).then(|| Outcome::OutOfFuel(self.place(image)))
    }

    fn call_host(
        &mut self,
        image: &Image<'_>,
        parts: &mut Arena<'_>,
        host: &mut dyn Host,
        index: u16,
        base: u16,
    ) -> Option<Outcome> {
        let arguments = self.registers.frame + usize::from(base) * 4;
        let (Some(import), Some(bytes)) = (image.import(index), parts.stack.get(arguments..))
        else {
            return Some(Outcome::Trapped(Trap::BadCode, self.place(image)));
        };
        match host.call(import, Args::new(bytes), parts.memory) {
            HostOutcome::Return(result) => {
                self.pass_host_call(result);
                None
            }
            HostOutcome::Park => {
                self.is_parked = true;
                Some(Outcome::Parked)
            }
            HostOutcome::Exit(code) => Some(Outcome::Exited(code)),
            HostOutcome::Trap => Some(Outcome::Trapped(Trap::Host, self.place(image))),
        }
    }

    fn pass_host_call(&mut self, result: u64) {
        self.registers.low = result as u32;
        self.registers.high = (result >> 32) as u32;
        self.registers.code += CALL_HOST_BYTES;
    }

    /// The place of the current instruction: the last function that begins before it.
    fn place(&self, image: &Image<'_>) -> Place {
        let offset = self.registers.code as u32;
        let mut index = 0;
        while index + 1 < image.header.functions
            && image.function(index + 1).is_some_and(|record| record.code_offset <= offset)
        {
            index += 1;
        }
        Place { function: image.header.imports.saturating_add(index), offset }
    }
}

/// How devices run guests.
pub type Run =
    fn(&mut Instance, &[u8], &mut [u8], &mut dyn Host, &mut &'static AtomicBool) -> Outcome;

/// [`Instance::run`] for devices. That it is named here makes the compiler take it from this crate,
/// which is compiled for speed, and not make it anew in each crate that calls it.
pub static RUN: Run = Instance::run;

#[cfg(test)]
mod tests;
