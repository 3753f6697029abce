//! The innermost loop in Thumb-2 assembly: the same opcodes as `execute`, from the same table.
//!
//! Leaves out the templates (`thumb/templates.s`), and every row without one: `step` does those in
//! Rust, one at a time. Why it is safe stands below, where the assembly is included.
#![expect(unsafe_code, reason = "the innermost loop is assembly")]
mod direct;

use crate::cold::cold;
use crate::execute::{Exit, Registers};
use crate::limits::{RECORD_BYTES, WINDOW_BYTES};
use crate::opcodes::{byte, for_each_cold_opcode, for_each_opcode};
use crate::outcome::Trap;
use crate::raw::{Frame, RawArena};
use crate::stop::Stop;
use crate::verify::FunctionHeader;
use core::arch::global_asm;
use core::sync::atomic::{AtomicPtr, Ordering};
use wasmbed_image::{Image, NO_FUNCTION};

/// Statuses that the core and [`wasmbed_engine_step`] leave with, as `templates.s` numbers them.
const STEP_DONE: u32 = 0;
const FINISHED: u32 = 1;
const OUT_OF_FUEL: u32 = 2;
const STOP: u32 = 3;
const HOST: u32 = 4;
const MEMORY: u32 = 5;
/// The trap is in the context.
const TRAP_HELD: u32 = 6;
const TRAP: u32 = 16;

/// Where the first function returns to: an opcode that no image has.
static END: [u8; 4] = [255; 4];

/// The table of handlers that runs now. An interrupt replaces it by the one that stops.
#[unsafe(export_name = "wasmbed_engine_table")]
static TABLE: AtomicPtr<Handlers> = AtomicPtr::new(core::ptr::null_mut());

/// A table of 256 handlers.
#[repr(C)]
struct Handlers([u32; 256]);

/// What the core works on. Its first six words are registers while the core runs.
#[repr(C)]
struct Context<'a> {
    code: *const u8,
    low: u32,
    frame: *mut u8,
    calls: *mut u8,
    high: u32,
    fuel: u32,
    memory: *mut u8,
    memory_bound: u32,
    globals: *mut u8,
    /// 0x24, named in `templates.s`: the exact size.
    memory_bytes: u32,
    image: &'a Image<'a>,
    is_metered: bool,
    /// What [`TRAP_HELD`] means.
    trap: Trap,
}

impl Context<'_> {
    fn trap_of(&self, status: u32) -> Trap {
        let known = [
            Trap::Unreachable,
            Trap::MemoryOutOfBounds,
            Trap::DivideByZero,
            Trap::IntegerOverflow,
            Trap::StackExhausted,
            Trap::BadCode,
        ];
        let found = known.into_iter().find(|trap| TRAP + *trap as u32 == status);
        found.unwrap_or(self.trap)
    }

    fn leave_with(&mut self, trap: Trap) -> Result<(), u32> {
        self.trap = trap;
        Err(TRAP_HELD)
    }
}

const _: () = assert!(core::mem::offset_of!(Context<'_>, memory) == 24);
const _: () = assert!(core::mem::offset_of!(Context<'_>, memory_bytes) == 36);

unsafe extern "C" {
    /// Runs from the registers in the [`Context`] on and leaves them there.
    fn wasmbed_engine_enter(context: *mut u32) -> u32;
    static wasmbed_engine_plain: Handlers;
    static wasmbed_engine_metered: Handlers;
    static wasmbed_engine_stop: Handlers;
    static wasmbed_engine_core_begin: [u8; 0];
    static wasmbed_engine_core_end: [u8; 0];
}

/// Hands on the first text if the core has a template for a kind of row, otherwise the third. Rows
/// that charge fuel and have two handlers, and on the second page those that are called, the second.
macro_rules! template {
    (($kind:ident $f:ident) $plain:tt $metered:tt $else:tt) => {
        template!(@ $kind $f $plain $metered $else)
    };
    (@ rr $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ ar $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ ra $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ ri $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ ai $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ aj $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ rrs $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ ars $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ ris $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ ais $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ branch_rr $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ branch_ar $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ branch_ai $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ branch_ri $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ branch_a0 $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ branch_r0 $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ loop_rr $f:ident $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ loop_ar $f:ident $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ loop_ai $f:ident $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ loop_ri $f:ident $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ loop_a0 $f:ident $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ loop_r0 $f:ident $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ load_a $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_a0 $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_r $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_r0 $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_rs $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_wide $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ store_ra $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ store_ar $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ store_rr $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ store_wide $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ ar64 $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ ars64 $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ ai64 $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ rj $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ rjs $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ ajs $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ rr2 $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ ri2 $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_a0s $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_as $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_r0s $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_aw $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_rw $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_rws $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_c $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ store_c $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_ax $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ load_rx $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ store_ra0 $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ store_rr0 $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ store_raw $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ store_rrw $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ loop_aj $f:ident $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ own selects $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own set_const32 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own unreachable $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own ret $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own const8 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own const32 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own const64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own get $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own get64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own set $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own set64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own copy $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own copy64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own copy_wide $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own set_const8 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own clear $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own clear_wide $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own select $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own select64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own global_get $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own global_set $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own global_get64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own global_set64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own call $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ own call_wide $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ own call_host $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own branch_table $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own cold $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own branch $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own loop_back $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ own loop_back_wide $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ own load64_a $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own load64_r $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own load64_wide $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own store64_ra $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own store64_rr $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own store64_wide $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own extend_s $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own extend_u $p:tt $m:tt $e:tt) => { template!(# $p) };
    // The second page.
    (@ divide32 $f:ident $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ binary32 rotl $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ binary32 rotr $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ unary32 clz $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ unary32 ctz $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ unary32 extend8_s $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ unary32 extend16_s $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ binary64 sub64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ binary64 shl64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ binary64 shr_s64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ binary64 shr_u64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ compare64 eq64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ compare64 ne64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ compare64 lt_s64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ compare64 lt_u64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ compare64 gt_s64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ compare64 gt_u64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ compare64 le_s64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ compare64 le_u64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ compare64 ge_s64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ compare64 ge_u64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    (@ own eqz64 $p:tt $m:tt $e:tt) => { template!(# $p) };
    // All others of these kinds are functions that the core calls.
    (@ binary32 $f:ident $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ unary32 $f:ident $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ binary64 $f:ident $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ unary64 $f:ident $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ compare64 $f:ident $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ narrow $f:ident $p:tt $m:tt $e:tt) => { template!(# $m) };
    (@ $kind:ident $f:ident $p:tt $m:tt $e:tt) => { template!(# $e) };
    (# { $($token:tt)* }) => { $($token)* };
}

/// The text of one line for a row. Rows of the kind `own` are templates of their function's name.
macro_rules! line {
    ($macro:literal $opcode:ident own $f:ident) => {
        concat!($macro, " ", stringify!($opcode), ", ", stringify!($f))
    };
    ($macro:literal $opcode:ident $kind:ident $f:ident) => {
        concat!($macro, " ", stringify!($opcode), ", ", stringify!($kind), ", ", stringify!($f))
    };
}

// The core is safe because of what was checked before it runs, and by whom:
//
// - Only code that `verify` accepted reaches it: every opcode has a handler, every slot is inside the
//   frame of its function, every global and import exists, every branch and call leads to an
//   instruction of the same function or to the header of a function, and no function is left but by a
//   branch, a call or a return. `Instance::run` takes no other image and arena than `Instance::load`
//   verified: same place, same length. Their owner must not write to them between runs.
// - A frame begins where its caller's ends at the latest, and a call is made only if the callee's
//   slots and its record fit between there and the youngest record (`cmp r1, r8`). So slots and
//   records never meet, and a return only pops what a call pushed; the first record leads to `END`.
// - Addresses of linear memory are compared with its size before each access: below `memory_bound`
//   the bound covers any 8-bit offset, all others take the exact check, which computes no sum that
//   may exceed 32 bits.
// - It writes to the arena, to its own native stack of twelve words, and to the context. Registers that
//   the procedure call standard keeps are saved on entry and restored on the way out.
// - An interrupt changes nothing but `TABLE` and, in the range between `wasmbed_engine_core_begin`
//   and `wasmbed_engine_core_end`, r12, which holds a table of the same handlers or is about to be
//   loaded from `TABLE`.
#[cfg(thumb_unit)]
macro_rules! unit {
    () => {
        include_str!("thumb/unit.s")
    };
}
#[cfg(not(thumb_unit))]
macro_rules! unit {
    () => {
        ""
    };
}
macro_rules! hot_rows {
    ($($rows:tt)*) => { for_each_cold_opcode!(assemble { $($rows)* }); };
}
macro_rules! assemble {
    (
        { $(($opcode:ident $operands:tt ($kind:ident $f:ident)))* }
        $(($cold:ident $cold_operands:tt ($cold_kind:ident $cold_f:ident)))*
    ) => {
        global_asm!(
            unit!(),
            include_str!("thumb/templates.s"),
            include_str!("thumb/forms.s"),
            $(template!(
                ($kind $f)
                { line!("row" $opcode $kind $f) }
                { line!("metered_row" $opcode $kind $f) }
                { "" }
            ),)*
            include_str!("thumb/direct.s"),
            $(template!(
                ($cold_kind $cold_f)
                { line!("cold_row" $cold $cold_kind $cold_f) }
                { line!("direct_row" $cold $cold_kind $cold_f) }
                { "" }
            ),)*
            include_str!("thumb/tables.s"),
            ".global wasmbed_engine_plain",
            "wasmbed_engine_plain:",
            $(template!(
                ($kind $f)
                { concat!("plain_entry plain_", stringify!($opcode)) }
                { concat!("plain_entry plain_", stringify!($opcode)) }
                { "plain_entry step" }
            ),)*
            "rest",
            ".global wasmbed_engine_metered",
            "wasmbed_engine_metered:",
            $(template!(
                ($kind $f)
                { concat!("entry plain_", stringify!($opcode)) }
                { concat!("entry metered_", stringify!($opcode)) }
                { "entry step" }
            ),)*
            "rest",
            ".global wasmbed_engine_cold",
            "wasmbed_engine_cold:",
            $(template!(
                ($cold_kind $cold_f)
                { concat!("cold_entry cold_", stringify!($cold)) }
                { concat!("cold_entry cold_", stringify!($cold)) }
                { "cold_entry cold_step" }
            ),)*
            // Verified code has no other, so there is nothing behind the last row.
            ".text",
            options(raw)
        );
    };
}
for_each_opcode!(hot_rows);

/// Where the record of the first function leads to.
pub(crate) fn no_caller() -> u32 {
    END.as_ptr().addr() as u32
}

/// Begins a slice of a guest whose fuel is limited or not. Returns whether it is over already.
pub(crate) fn begin(is_metered: bool, stop: &mut impl Stop) -> bool {
    let table = if is_metered {
        &raw const wasmbed_engine_metered
    } else {
        &raw const wasmbed_engine_plain
    };
    TABLE.store(table.cast_mut(), Ordering::Relaxed);
    // An interrupt that came before the line above has set the flag, a later one stops the core.
    stop.is_over()
}

/// Ends the slice of the guest that runs, from the interrupt that measures time. The core stops at
/// its next instruction; without a guest nothing happens.
///
/// # Safety
/// `frame` must be the exception frame of the code in thread mode: eight words that the processor
/// stacked, at the process stack pointer.
pub unsafe fn preempt(frame: *mut ExceptionFrame) {
    let stop = (&raw const wasmbed_engine_stop).cast_mut();
    TABLE.store(stop, Ordering::Relaxed);
    let begin = (&raw const wasmbed_engine_core_begin).addr() as u32;
    let end = (&raw const wasmbed_engine_core_end).addr() as u32;
    // SAFETY: the caller promises the frame, which nothing else reads or writes meanwhile.
    let frame = unsafe { &mut *frame };
    if (begin..end).contains(&frame.pc) {
        frame.r12 = stop.addr() as u32;
    }
}

/// What the processor saves of interrupted code.
///
/// # Source
/// Arm DDI 0403E, ARMv7-M Architecture Reference Manual, section B1.5.6 "Exception entry behavior".
#[repr(C)]
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are registers")]
pub struct ExceptionFrame {
    pub r0: u32,
    pub r1: u32,
    pub r2: u32,
    pub r3: u32,
    pub r12: u32,
    pub lr: u32,
    pub pc: u32,
    pub xpsr: u32,
}

/// Runs from `registers` on, and leaves in them where it came to.
pub(crate) fn execute<S: Stop>(
    image: &Image<'_>,
    arena: &mut RawArena<'_>,
    registers: &mut Registers,
    is_metered: bool,
    _stop: &mut S,
) -> Exit {
    let code = image.code().as_ptr();
    let stack = arena.stack();
    let mut context = Context {
        code: code.wrapping_add(registers.code),
        low: registers.low,
        frame: stack.wrapping_add(registers.frame),
        calls: stack.wrapping_add(registers.calls),
        high: registers.high,
        fuel: registers.fuel,
        memory: arena.memory(),
        memory_bound: arena.memory_bound(),
        globals: arena.globals(),
        memory_bytes: arena.memory_bytes(),
        image,
        is_metered,
        trap: Trap::BadCode,
    };
    // SAFETY: `Instance::run` has checked that image and arena are those that were verified, and the
    // registers are those that the core left with them.
    let status = unsafe { wasmbed_engine_enter((&raw mut context).cast()) };
    *registers = Registers {
        code: context.code.addr().wrapping_sub(code.addr()),
        low: context.low,
        high: context.high,
        frame: context.frame.addr().wrapping_sub(stack.addr()),
        calls: context.calls.addr().wrapping_sub(stack.addr()),
        fuel: context.fuel,
    };
    let half = |at: usize| {
        let bytes = image.code().get(registers.code + at..).and_then(|tail| tail.first_chunk());
        bytes.copied().map_or(0, u16::from_le_bytes)
    };
    match status {
        FINISHED => Exit::Finished,
        OUT_OF_FUEL => Exit::OutOfFuel,
        STOP => Exit::Stop,
        HOST => Exit::Host(half(1), half(3)),
        MEMORY => Exit::Memory((half(0) >> 8) as u8),
        _ => Exit::Trap(context.trap_of(status)),
    }
}

/// Does the instruction at `context.code`, which has no template. Returns a status to leave with, or
/// that it is done.
#[unsafe(no_mangle)]
extern "C" fn wasmbed_engine_step(context: &mut Context<'_>) -> u32 {
    // SAFETY: verified code is followed by padding that makes every instruction a whole window, and
    // an array of bytes needs no alignment.
    let window = unsafe { &*context.code.cast::<[u8; WINDOW_BYTES]>() };
    let result = match window[0] {
        byte::CallIndirect => call_indirect(context, window),
        byte::CallReference => call_reference(context, window),
        byte::Cold => step_cold(context, window),
        _ => context.leave_with(Trap::BadCode),
    };
    match result {
        Ok(()) => STEP_DONE,
        Err(status) => status,
    }
}

fn step_cold(context: &mut Context<'_>, window: &[u8; WINDOW_BYTES]) -> Result<(), u32> {
    let accumulator = u64::from(context.low) | u64::from(context.high) << 32;
    // SAFETY: the core's frame lies in the arena, and verified code names only slots of its frame.
    let frame = unsafe { Frame::at(context.frame) };
    match cold(window, frame, accumulator) {
        Ok((value, length)) => {
            context.low = value as u32;
            context.high = (value >> 32) as u32;
            context.code = context.code.wrapping_add(length);
            Ok(())
        }
        Err(None) => Err(MEMORY),
        Err(Some(trap)) => context.leave_with(trap),
    }
}

fn call_indirect(context: &mut Context<'_>, window: &[u8; WINDOW_BYTES]) -> Result<(), u32> {
    let half = |at: usize| {
        let bytes = window.get(at..).and_then(|tail| tail.first_chunk());
        bytes.copied().map_or(0, u16::from_le_bytes)
    };
    let function = match context.image.table_element(context.low) {
        None => return context.leave_with(Trap::TableOutOfBounds),
        Some(NO_FUNCTION) => return context.leave_with(Trap::UninitializedElement),
        Some(function) => function,
    };
    call_function(context, function, half(1), half(3))
}

fn call_reference(context: &mut Context<'_>, window: &[u8; WINDOW_BYTES]) -> Result<(), u32> {
    let half = |at: usize| {
        let bytes = window.get(at..).and_then(|tail| tail.first_chunk());
        bytes.copied().map_or(0, u16::from_le_bytes)
    };
    // A reference is one more than the function's number; 0 is null.
    let function = context.low.checked_sub(1).and_then(|number| u16::try_from(number).ok());
    match function {
        Some(function) => call_function(context, function, half(1), half(3)),
        None => context.leave_with(Trap::UninitializedElement),
    }
}

fn call_function(
    context: &mut Context<'_>,
    function: u16,
    type_number: u16,
    base: u16,
) -> Result<(), u32> {
    match context.image.function(function) {
        Some(record) if record.type_number == type_number => {
            open_frame(context, record.code_offset as usize, base, 5)
        }
        _ => context.leave_with(Trap::IndirectCallType),
    }
}

/// Calls the function whose header is at `target` in the code, from an instruction of `length` bytes.
fn open_frame(
    context: &mut Context<'_>,
    target: usize,
    base: u16,
    length: usize,
) -> Result<(), u32> {
    let code = context.image.code();
    let Some((header, body)) = FunctionHeader::decode(code, target) else {
        return context.leave_with(Trap::BadCode);
    };
    let cost = if context.is_metered { u32::from(header.cost) } else { 0 };
    let rest = context.fuel.checked_sub(cost).ok_or(OUT_OF_FUEL)?;
    let callee = context.frame.wrapping_add(usize::from(base) * 4);
    let top = callee.addr() + usize::from(header.slots) * 4 + RECORD_BYTES;
    if top > context.calls.addr() {
        return context.leave_with(Trap::StackExhausted);
    }
    let record = [context.code.wrapping_add(length).addr() as u32, context.frame.addr() as u32];
    context.calls = context.calls.wrapping_sub(RECORD_BYTES);
    // SAFETY: the record was just found to fit above the callee's frame, so it is in the stack, whose
    // words are aligned.
    unsafe { context.calls.cast::<[u32; 2]>().write(record) };
    context.fuel = rest;
    context.frame = callee;
    context.code = code.as_ptr().wrapping_add(body);
    Ok(())
}
