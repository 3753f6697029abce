//! The innermost loop: executes opcodes until something outside has to be done.
//!
//! Leaves out what happens rarely: the second page (`cold`), host calls, memory as a whole, and
//! refilling fuel (`instance`). Every way out leads through one cold function: exits written in
//! place cost a third of the speed.
use crate::outcome::Trap;
#[cfg(not(thumb_core))]
use crate::{
    arith::*,
    cold::cold,
    limits::RECORD_WORDS,
    opcodes::{byte, for_each_opcode},
    raw::*,
    stop::Stop,
    verify::FunctionHeader,
};
#[cfg(not(thumb_core))]
use wasmbed_image::{Image, NO_FUNCTION};

/// Where the first function returns to.
#[cfg(not(thumb_core))]
const NO_CALLER: u32 = u32::MAX;

/// What a suspended guest is, beside its arena.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Registers {
    /// Offset of the next instruction in the code.
    pub(crate) code: usize,
    /// Accumulator, low word.
    pub(crate) low: u32,
    /// Accumulator, high word; only 64-bit operations look at it.
    pub(crate) high: u32,
    /// Offset of the frame in the stack.
    pub(crate) frame: usize,
    /// Offset of the youngest record of a call in the stack; they grow down from its end.
    pub(crate) calls: usize,
    /// Fuel until the loop has to ask for more.
    pub(crate) fuel: u32,
}

/// Why the loop was left. The instruction at `code` is the one that did it, and has had no effect,
/// except after `Stop`, where it is the next one.
pub(crate) enum Exit {
    Trap(Trap),
    OutOfFuel,
    Stop,
    Finished,
    /// A host call: index of the import, slot of the arguments.
    Host(u16, u16),
    /// An operation of the second page that deals with memory as a whole.
    Memory(u8),
}

/// Where the record of the first function leads to.
#[cfg(not(thumb_core))]
pub(crate) fn no_caller() -> u32 {
    NO_CALLER
}

/// Begins a slice, which ends when `stop` says so. It is asked later, once there was progress.
#[cfg(not(thumb_core))]
pub(crate) fn begin(_: bool, _: &mut impl Stop) -> bool {
    false
}

/// Runs from `registers` on, and leaves in them where it came to.
#[cfg(not(thumb_core))]
#[expect(clippy::too_many_lines, reason = "one arm for each kind of row of the opcode table")]
pub(crate) fn execute<S: Stop>(
    image: &Image<'_>,
    arena: &mut RawArena<'_>,
    registers: &mut Registers,
    _is_metered: bool,
    stop: &mut S,
) -> Exit {
    let Registers { mut low, mut high, mut fuel, .. } = *registers;
    let mut code = Code::new(image, registers.code);
    let mut frame = arena.frame(registers.frame);
    let mut calls = arena.frame(registers.calls);

    'run: loop {
        macro_rules! leave {
            ($exit:expr) => {
                return leave(
                    registers,
                    Registers {
                        code: code.offset(image),
                        low,
                        high,
                        frame: arena.offset(frame),
                        calls: arena.offset(calls),
                        fuel,
                    },
                    $exit,
                )
            };
        }

        let window = code.window();
        #[cfg(feature = "profile")]
        crate::profile::record(code.offset(image), window);

        let (target, base, length): (Code<'_>, u16, usize) = 'call: {
            macro_rules! word {
                ($at:literal) => {
                    frame.word(window[$at])
                };
            }
            macro_rules! long {
                ($at:literal) => {
                    frame.long(window[$at])
                };
            }
            macro_rules! set_word {
                ($at:literal) => {
                    frame.set_word(window[$at], low)
                };
            }
            macro_rules! byte {
                ($at:literal) => {
                    window[$at] as i8 as u32
                };
            }
            macro_rules! half {
                ($at:literal) => {
                    code.half($at)
                };
            }
            macro_rules! constant {
                ($at:literal) => {
                    code.constant($at)
                };
            }
            macro_rules! distance {
                ($at:literal) => {
                    (code.constant($at - 1).cast_signed() >> 8) as isize
                };
            }
            macro_rules! accumulator {
                () => {
                    u64::from(low) | u64::from(high) << 32
                };
                ($value:expr) => {{
                    let value: u64 = $value;
                    low = value as u32;
                    high = (value >> 32) as u32;
                }};
            }
            macro_rules! or_trap {
                ($value:expr) => {
                    match $value {
                        Some(value) => value,
                        None => leave!(Exit::Trap(Trap::MemoryOutOfBounds)),
                    }
                };
            }
            macro_rules! branch {
                ($condition:expr, $at:literal) => {
                    code += if $condition != 0 { usize::from(half!($at)) } else { $at + 2 }
                };
            }
            // Charges, then jumps, then looks at the flag: so a slice that ends here has made progress.
            macro_rules! jump_back {
                ($cost:expr, $at:literal) => {{
                    match fuel.checked_sub(u32::from($cost)) {
                        Some(rest) => fuel = rest,
                        None => leave!(Exit::OutOfFuel),
                    }
                    code = code.back(half!($at).into());
                    if stop.is_over() {
                        leave!(Exit::Stop);
                    }
                }};
            }
            macro_rules! loop_if {
                ($condition:expr, $at:literal) => {
                    if $condition != 0 { jump_back!(window[$at + 2], $at) } else { code += $at + 3 }
                };
            }
            // Each arm does its work and goes on, or gives the call that is to be made.
            macro_rules! arm {
                (rr $f:ident) => {{
                    low = $f(word!(1), word!(2));
                    code += 3;
                }};
                (ar $f:ident) => {{
                    low = $f(low, word!(1));
                    code += 2;
                }};
                (ra $f:ident) => {{
                    low = $f(word!(1), low);
                    code += 2;
                }};
                (ri $f:ident) => {{
                    low = $f(word!(1), byte!(2));
                    code += 3;
                }};
                (ai $f:ident) => {{
                    low = $f(low, byte!(1));
                    code += 2;
                }};
                (aj $f:ident) => {{
                    low = $f(low, constant!(1));
                    code += 5;
                }};
                (rrs $f:ident) => {{
                    low = $f(word!(1), word!(2));
                    set_word!(3);
                    code += 4;
                }};
                (ars $f:ident) => {{
                    low = $f(low, word!(1));
                    set_word!(2);
                    code += 3;
                }};
                (ris $f:ident) => {{
                    low = $f(word!(1), byte!(2));
                    set_word!(3);
                    code += 4;
                }};
                (ais $f:ident) => {{
                    low = $f(low, byte!(1));
                    set_word!(2);
                    code += 3;
                }};
                (rj $f:ident) => {{
                    low = $f(word!(1), constant!(2));
                    code += 6;
                }};
                (rjs $f:ident) => {{
                    low = $f(word!(1), constant!(2));
                    set_word!(6);
                    code += 7;
                }};
                (ajs $f:ident) => {{
                    low = $f(low, constant!(1));
                    set_word!(5);
                    code += 6;
                }};
                (rr2 $f:ident) => {{
                    low = $f(word!(1), word!(2));
                    set_word!(1);
                    code += 3;
                }};
                (ri2 $f:ident) => {{
                    low = $f(word!(1), byte!(2));
                    set_word!(1);
                    code += 3;
                }};
                (branch_a0 $f:ident) => {
                    branch!($f(low, 0), 1)
                };
                (branch_r0 $f:ident) => {
                    branch!($f(word!(1), 0), 2)
                };
                (loop_a0 $f:ident) => {
                    loop_if!($f(low, 0), 1)
                };
                (loop_r0 $f:ident) => {
                    loop_if!($f(word!(1), 0), 2)
                };
                (loop_aj $f:ident) => {
                    loop_if!($f(low, constant!(1)), 5)
                };
                (load_a0 $f:ident) => {{
                    low = or_trap!($f(arena, low, 0));
                    code += 1;
                }};
                (load_a0s $f:ident) => {{
                    low = or_trap!($f(arena, low, 0));
                    set_word!(1);
                    code += 2;
                }};
                (load_as $f:ident) => {{
                    low = or_trap!($f(arena, low, u32::from(window[1])));
                    set_word!(2);
                    code += 3;
                }};
                (load_r0 $f:ident) => {{
                    low = or_trap!($f(arena, word!(1), 0));
                    code += 2;
                }};
                (load_r0s $f:ident) => {{
                    low = or_trap!($f(arena, word!(1), 0));
                    set_word!(2);
                    code += 3;
                }};
                (load_aw $f:ident) => {{
                    low = or_trap!($f(arena, low.wrapping_add(constant!(1)), 0));
                    code += 5;
                }};
                (load_rw $f:ident) => {{
                    low = or_trap!($f(arena, word!(1).wrapping_add(constant!(2)), 0));
                    code += 6;
                }};
                (load_rws $f:ident) => {{
                    low = or_trap!($f(arena, word!(1).wrapping_add(constant!(2)), 0));
                    set_word!(6);
                    code += 7;
                }};
                (load_c $f:ident) => {{
                    low = or_trap!($f(arena, constant!(1), 0));
                    code += 5;
                }};
                (store_c $f:ident) => {{
                    or_trap!($f(arena, constant!(1), 0, low));
                    code += 5;
                }};
                (load_ax $f:ident) => {{
                    low = or_trap!($f(arena, low.wrapping_add(word!(1)), 0));
                    code += 2;
                }};
                (load_rx $f:ident) => {{
                    low = or_trap!($f(arena, word!(1).wrapping_add(word!(2)), 0));
                    code += 3;
                }};
                (store_ra0 $f:ident) => {{
                    or_trap!($f(arena, word!(1), 0, low));
                    code += 2;
                }};
                (store_rr0 $f:ident) => {{
                    let value = word!(2);
                    or_trap!($f(arena, word!(1), 0, value));
                    code += 3;
                }};
                (store_raw $f:ident) => {{
                    or_trap!($f(arena, word!(1).wrapping_add(constant!(2)), 0, low));
                    code += 6;
                }};
                (store_rrw $f:ident) => {{
                    let value = word!(2);
                    or_trap!($f(arena, word!(1).wrapping_add(constant!(3)), 0, value));
                    code += 7;
                }};
                (branch_rr $f:ident) => {
                    branch!($f(word!(1), word!(2)), 3)
                };
                (branch_ar $f:ident) => {
                    branch!($f(low, word!(1)), 2)
                };
                (branch_ai $f:ident) => {
                    branch!($f(low, byte!(1)), 2)
                };
                (branch_ri $f:ident) => {
                    branch!($f(word!(1), byte!(2)), 3)
                };
                (loop_rr $f:ident) => {
                    loop_if!($f(word!(1), word!(2)), 3)
                };
                (loop_ar $f:ident) => {
                    loop_if!($f(low, word!(1)), 2)
                };
                (loop_ai $f:ident) => {
                    loop_if!($f(low, byte!(1)), 2)
                };
                (loop_ri $f:ident) => {
                    loop_if!($f(word!(1), byte!(2)), 3)
                };
                (load_a $f:ident) => {{
                    low = or_trap!($f(arena, low, u32::from(window[1])));
                    code += 2;
                }};
                (load_r $f:ident) => {{
                    low = or_trap!($f(arena, word!(1), u32::from(window[2])));
                    code += 3;
                }};
                (load_rs $f:ident) => {{
                    low = or_trap!($f(arena, word!(1), u32::from(window[2])));
                    set_word!(3);
                    code += 4;
                }};
                (load_wide $f:ident) => {{
                    low = or_trap!($f(arena, low, constant!(1)));
                    code += 5;
                }};
                (store_ra $f:ident) => {{
                    or_trap!($f(arena, word!(1), u32::from(window[2]), low));
                    code += 3;
                }};
                (store_ar $f:ident) => {{
                    or_trap!($f(arena, low, u32::from(window[2]), word!(1)));
                    code += 3;
                }};
                (store_rr $f:ident) => {{
                    let value = word!(2);
                    or_trap!($f(arena, word!(1), u32::from(window[3]), value));
                    code += 4;
                }};
                (store_wide $f:ident) => {{
                    or_trap!($f(arena, word!(1), constant!(2), low));
                    code += 6;
                }};
                (ar64 $f:ident) => {{
                    accumulator!($f(accumulator!(), long!(1)));
                    code += 2;
                }};
                (ars64 $f:ident) => {{
                    accumulator!($f(accumulator!(), long!(1)));
                    frame.set_long(window[2], low, high);
                    code += 3;
                }};
                (ai64 $f:ident) => {{
                    accumulator!($f(accumulator!(), window[1] as i8 as u64));
                    code += 2;
                }};
                (own unreachable) => {
                    leave!(Exit::Trap(Trap::Unreachable))
                };
                (own ret) => {{
                    let caller = calls.word(0u8);
                    if caller == NO_CALLER {
                        leave!(Exit::Finished);
                    }
                    frame = arena.frame(calls.word(1u8) as usize);
                    calls = calls.above(RECORD_WORDS.into());
                    code = Code::new(image, caller as usize);
                }};
                (own const8) => {{
                    low = byte!(1);
                    code += 2;
                }};
                (own const32) => {{
                    low = constant!(1);
                    code += 5;
                }};
                (own const64) => {{
                    low = constant!(1);
                    high = constant!(5);
                    code += 9;
                }};
                (own get) => {{
                    low = word!(1);
                    code += 2;
                }};
                (own get64) => {{
                    accumulator!(long!(1));
                    code += 2;
                }};
                (own set) => {{
                    set_word!(1);
                    code += 2;
                }};
                (own set64) => {{
                    frame.set_long(window[1], low, high);
                    code += 2;
                }};
                (own copy) => {{
                    frame.set_word(window[1], word!(2));
                    code += 3;
                }};
                (own copy64) => {{
                    let value = long!(2);
                    frame.set_long(window[1], value as u32, (value >> 32) as u32);
                    code += 3;
                }};
                (own copy_wide) => {{
                    frame.set_word(half!(1), frame.word(half!(3)));
                    code += 5;
                }};
                (own set_const8) => {{
                    frame.set_word(window[1], byte!(2));
                    code += 3;
                }};
                (own clear) => {{
                    frame.clear(window[1].into(), window[2].into());
                    code += 3;
                }};
                (own clear_wide) => {{
                    frame.clear(half!(1), half!(3));
                    code += 5;
                }};
                (own select) => {{
                    low = if low != 0 { word!(1) } else { word!(2) };
                    code += 3;
                }};
                (own selects) => {{
                    low = if low != 0 { word!(1) } else { word!(2) };
                    set_word!(3);
                    code += 4;
                }};
                (own set_const32) => {{
                    frame.set_word(window[1], constant!(2));
                    code += 6;
                }};
                (own select64) => {{
                    let from = if low != 0 { window[1] } else { window[2] };
                    accumulator!(frame.long(from));
                    code += 3;
                }};
                (own global_get) => {{
                    low = arena.global(window[1].into());
                    code += 2;
                }};
                (own global_set) => {{
                    arena.set_global(window[1].into(), low);
                    code += 2;
                }};
                (own global_get64) => {{
                    low = arena.global(window[1].into());
                    high = arena.global(u16::from(window[1]) + 1);
                    code += 2;
                }};
                (own global_set64) => {{
                    arena.set_global(window[1].into(), low);
                    arena.set_global(u16::from(window[1]) + 1, high);
                    code += 2;
                }};
                (own call) => {
                    break 'call (code.shifted(distance!(2)), window[1].into(), 5)
                };
                (own call_wide) => {
                    break 'call (code.shifted(distance!(3)), half!(1), 6)
                };
                (own call_indirect) => {
                    match indirect(image, low, half!(1)) {
                        Ok(target) => break 'call (Code::new(image, target), half!(3), 5),
                        Err(trap) => leave!(Exit::Trap(trap)),
                    }
                };
                (own call_reference) => {
                    match referred(image, low, half!(1)) {
                        Ok(target) => break 'call (Code::new(image, target), half!(3), 5),
                        Err(trap) => leave!(Exit::Trap(trap)),
                    }
                };
                (own call_host) => {
                    leave!(Exit::Host(half!(1), half!(3)))
                };
                (own branch_table) => {{
                    let index = low.min(half!(1).into()) as isize;
                    let distance = code.shifted(3 + index * 2).half(0);
                    code += usize::from(distance);
                }};
                (own cold) => {
                    match cold(window, frame, accumulator!()) {
                        Ok((value, length)) => {
                            accumulator!(value);
                            code += length;
                        }
                        Err(None) => leave!(Exit::Memory(window[1])),
                        Err(Some(trap)) => leave!(Exit::Trap(trap)),
                    }
                };
                (own branch) => {
                    code += usize::from(half!(1))
                };
                (own loop_back) => {
                    jump_back!(window[3], 1)
                };
                (own loop_back_wide) => {
                    jump_back!(half!(3), 1)
                };
                (own load64_a) => {{
                    accumulator!(or_trap!(load64(arena, low, u32::from(window[1]))));
                    code += 2;
                }};
                (own load64_r) => {{
                    let address = word!(1);
                    accumulator!(or_trap!(load64(arena, address, u32::from(window[2]))));
                    code += 3;
                }};
                (own load64_wide) => {{
                    accumulator!(or_trap!(load64(arena, low, constant!(1))));
                    code += 5;
                }};
                (own store64_ra) => {{
                    let address = word!(1);
                    or_trap!(store64(arena, address, u32::from(window[2]), accumulator!()));
                    code += 3;
                }};
                (own store64_rr) => {{
                    let value = long!(2);
                    let address = word!(1);
                    or_trap!(store64(arena, address, u32::from(window[3]), value));
                    code += 4;
                }};
                (own store64_wide) => {{
                    let address = word!(1);
                    or_trap!(store64(arena, address, constant!(2), accumulator!()));
                    code += 6;
                }};
                (own extend_s) => {{
                    high = ((low as i32) >> 31) as u32;
                    code += 1;
                }};
                (own extend_u) => {{
                    high = 0;
                    code += 1;
                }};
            }
            macro_rules! dispatch {
                ($(($opcode:ident $operands:tt ($($meaning:tt)*)))*) => {
                    match window[0] {
                        $(byte::$opcode => arm!($($meaning)*),)*
                        _ => code.impossible(),
                    }
                };
            }

            for_each_opcode!(dispatch);
            continue 'run;
        };
        let (words, cost) = (target.half(0), target.half(2));
        let Some(rest) = fuel.checked_sub(cost.into()) else {
            leave!(Exit::OutOfFuel);
        };
        // One comparison catches both overflows: frames grow towards the records of calls.
        if frame.above(usize::from(base) + usize::from(words)) > calls {
            leave!(Exit::Trap(Trap::StackExhausted));
        }
        calls = calls.below(RECORD_WORDS.into());
        code += length;
        calls.set_word(0u8, code.offset(image) as u32);
        calls.set_word(1u8, arena.offset(frame) as u32);
        (fuel, frame, code) = (rest, frame.above(base.into()), target);
        code += FunctionHeader::BYTES;
        if stop.is_over() {
            leave!(Exit::Stop);
        }
    }
}

/// The offset of the function that a call through the table calls, whose type must be `type_number`.
/// Out of line: inlined, its checks are done in advance for every opcode.
#[cfg(not(thumb_core))]
#[inline(never)]
fn indirect(image: &Image<'_>, element: u32, type_number: u16) -> Result<usize, Trap> {
    let function = match image.table_element(element) {
        None => return Err(Trap::TableOutOfBounds),
        Some(NO_FUNCTION) => return Err(Trap::UninitializedElement),
        Some(function) => function,
    };
    typed(image, function, type_number)
}

/// Where the function begins that a reference leads to: it is one more than the function's number.
#[cfg(not(thumb_core))]
#[inline(never)]
fn referred(image: &Image<'_>, reference: u32, type_number: u16) -> Result<usize, Trap> {
    let function = reference.checked_sub(1).and_then(|number| u16::try_from(number).ok());
    typed(image, function.ok_or(Trap::UninitializedElement)?, type_number)
}

#[cfg(not(thumb_core))]
fn typed(image: &Image<'_>, function: u16, type_number: u16) -> Result<usize, Trap> {
    match image.function(function) {
        Some(record) if record.type_number == type_number => Ok(record.code_offset as usize),
        _ => Err(Trap::IndirectCallType),
    }
}

/// The one way out of the loop.
#[cfg(not(thumb_core))]
#[cold]
#[inline(never)]
fn leave(registers: &mut Registers, values: Registers, exit: Exit) -> Exit {
    *registers = values;
    exit
}
