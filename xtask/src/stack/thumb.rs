//! As much of a Thumb-2 decoder as a bound of the stack needs: where control goes, what happens to
//! the stack pointer, and which constants reach a register. Left out: everything else; of an
//! instruction without a case below only the registers that it may write are known.
//!
//! # Source
//! Arm DDI 0403E, ARMv7-M Architecture Reference Manual, chapter A5 "The Thumb instruction set
//! encoding" and A7.7 "Alphabetical list of ARMv7-M Thumb instructions".

/// Number of the stack pointer.
pub const SP: u8 = 13;
/// Number of the link register.
pub const LR: u8 = 14;
/// Number of the program counter.
pub const PC: u8 = 15;

/// Where control goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flow {
    /// To the next instruction.
    Next,
    /// To an address.
    Jump(u32),
    /// To an address, or to the next instruction.
    Branch(u32),
    /// To a function at an address, and back.
    Call(u32),
    /// To the function that a register holds, and back.
    CallRegister(u8),
    /// To what a register holds.
    JumpRegister(u8),
    /// To an address that no register holds alone.
    JumpUnknown,
    /// To an entry of the table of distances behind this instruction; true if they are halfwords.
    Table { halfwords: bool },
    /// To the word at a register plus an index.
    JumpIndexed,
    /// To the address at the end of the stack.
    Return,
    /// Nowhere: undefined on purpose, or a breakpoint that nobody attends.
    Stop,
}

/// What happens to registers, the stack pointer among them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Nothing of interest.
    None,
    /// Moves the stack pointer up by so many bytes, and loads or computes the registers of the mask.
    Pop { bytes: i32, registers: u16 },
    /// Moves the stack pointer down.
    Push { bytes: i32 },
    /// A register becomes a constant.
    Constant { to: u8, value: u32 },
    /// The upper half of a register becomes a constant.
    Upper { to: u8, value: u16 },
    /// A register becomes another one plus a constant.
    Add { to: u8, from: u8, value: i32 },
    /// A register becomes the word at another one plus a constant.
    Load { to: u8, base: u8, offset: u32 },
    /// A register becomes the word at a fixed address.
    LoadAt { to: u8, address: u32 },
    /// A register goes to the word at another one plus a constant.
    Store { from: u8, base: u8, offset: u32 },
    /// The registers of the mask become something else.
    Write(u16),
}

/// One instruction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Instruction {
    /// Its length: 2 or 4.
    pub bytes: u32,
    /// Where control goes.
    pub flow: Flow,
    /// What it leaves behind.
    pub effect: Effect,
    /// For `IT`: its condition and mask, which say what the next four instructions do.
    pub it: u8,
    /// Whether it sets the flags wherever it stands.
    pub compares: bool,
}

impl Instruction {
    const fn plain(bytes: u32, effect: Effect) -> Self {
        Self { bytes, flow: Flow::Next, effect, it: 0, compares: false }
    }

    const fn to(bytes: u32, flow: Flow) -> Self {
        Self { bytes, flow, effect: Effect::None, it: 0, compares: false }
    }
}

const fn bit(register: u32) -> u16 {
    1 << (register & 15)
}

/// Bits `low` to `high` of a halfword.
const fn bits(word: u16, high: u32, low: u32) -> u32 {
    (word as u32 >> low) & ((1 << (high - low + 1)) - 1)
}

/// Continues the sign at bit `from`.
const fn signed(value: u32, from: u32) -> i32 {
    ((value << (31 - from)) as i32) >> (31 - from)
}

/// The base of everything relative to the program counter.
const fn aligned_pc(address: u32) -> u32 {
    (address + 4) & !3
}

/// Decodes the instruction at `address`, whose halfwords are `first` and, if it is long, `second`.
pub fn decode(address: u32, first: u16, second: u16) -> Instruction {
    if bits(first, 15, 11) >= 0b11101 {
        return long(address, first, second);
    }
    match bits(first, 15, 12) {
        0b0000..=0b0011 => arithmetic(first),
        0b0100 => registers(address, first),
        0b0101 => loads_by_register(first),
        0b0110..=0b1001 => loads_by_constant(first),
        0b1010 => addresses(address, first),
        0b1011 => miscellaneous(address, first),
        0b1100 => multiple(first),
        0b1101 => conditional(address, first),
        _ => {
            let distance = signed(bits(first, 10, 0) << 1, 11);
            Instruction::to(2, Flow::Jump(address.wrapping_add_signed(4 + distance)))
        }
    }
}

/// Shifts, additions, moves and comparisons of low registers.
fn arithmetic(first: u16) -> Instruction {
    let wide = bits(first, 10, 8);
    match bits(first, 15, 11) {
        0b00100 => {
            let effect = Effect::Constant { to: wide as u8, value: bits(first, 7, 0) };
            Instruction::plain(2, effect)
        }
        0b00101 => Instruction { compares: true, ..Instruction::plain(2, Effect::None) },
        0b00110 => {
            let value = bits(first, 7, 0) as i32;
            Instruction::plain(2, Effect::Add { to: wide as u8, from: wide as u8, value })
        }
        0b00111 => {
            let value = -(bits(first, 7, 0) as i32);
            Instruction::plain(2, Effect::Add { to: wide as u8, from: wide as u8, value })
        }
        0b00011 if bits(first, 10, 10) == 1 => {
            let value = bits(first, 8, 6) as i32;
            let value = if bits(first, 9, 9) == 1 { -value } else { value };
            let (to, from) = (bits(first, 2, 0) as u8, bits(first, 5, 3) as u8);
            Instruction::plain(2, Effect::Add { to, from, value })
        }
        // A shift by nothing is a move.
        0b00000 if bits(first, 10, 6) == 0 => {
            let (to, from) = (bits(first, 2, 0) as u8, bits(first, 5, 3) as u8);
            Instruction::plain(2, Effect::Add { to, from, value: 0 })
        }
        _ => Instruction::plain(2, Effect::Write(bit(bits(first, 2, 0)))),
    }
}

/// Operations of two registers, those of all sixteen, and literals.
fn registers(address: u32, first: u16) -> Instruction {
    let high = (bits(first, 7, 7) << 3 | bits(first, 2, 0)) as u8;
    let from = bits(first, 6, 3) as u8;
    match bits(first, 11, 8) {
        0b0010 if matches!(bits(first, 7, 6), 0b00 | 0b10 | 0b11) => {
            Instruction { compares: true, ..Instruction::plain(2, Effect::None) }
        }
        0b0000..=0b0011 => Instruction::plain(2, Effect::Write(bit(bits(first, 2, 0)))),
        0b0101 => Instruction { compares: true, ..Instruction::plain(2, Effect::None) },
        0b0100 if high == PC => Instruction::to(2, Flow::JumpUnknown),
        0b0100 => Instruction::plain(2, Effect::Write(bit(u32::from(high)))),
        0b0110 if high == PC => Instruction::to(2, Flow::JumpRegister(from)),
        0b0110 => Instruction::plain(2, Effect::Add { to: high, from, value: 0 }),
        0b0111 if bits(first, 7, 7) == 1 => Instruction::to(2, Flow::CallRegister(from)),
        0b0111 => Instruction::to(2, Flow::JumpRegister(from)),
        _ => {
            let literal = aligned_pc(address) + (bits(first, 7, 0) << 2);
            let to = bits(first, 10, 8) as u8;
            Instruction::plain(2, Effect::LoadAt { to, address: literal })
        }
    }
}

/// Loads and stores with a register as offset.
fn loads_by_register(first: u16) -> Instruction {
    // Stores are the first three of these operations.
    let effect =
        if bits(first, 11, 9) < 3 { Effect::None } else { Effect::Write(bit(bits(first, 2, 0))) };
    Instruction::plain(2, effect)
}

/// Loads and stores with a constant as offset.
fn loads_by_constant(first: u16) -> Instruction {
    let (low, wide) = (bits(first, 2, 0) as u8, bits(first, 10, 8) as u8);
    let base = bits(first, 5, 3) as u8;
    let effect = match bits(first, 15, 11) {
        0b01100 => Effect::Store { from: low, base, offset: bits(first, 10, 6) << 2 },
        0b01101 => Effect::Load { to: low, base, offset: bits(first, 10, 6) << 2 },
        0b10010 => Effect::Store { from: wide, base: SP, offset: bits(first, 7, 0) << 2 },
        0b10011 => Effect::Load { to: wide, base: SP, offset: bits(first, 7, 0) << 2 },
        0b01111 | 0b10001 => Effect::Write(bit(u32::from(low))),
        _ => Effect::None,
    };
    Instruction::plain(2, effect)
}

/// Addresses relative to the program counter or the stack pointer.
fn addresses(address: u32, first: u16) -> Instruction {
    let (to, value) = (bits(first, 10, 8) as u8, bits(first, 7, 0) << 2);
    let effect = if bits(first, 11, 11) == 0 {
        Effect::Constant { to, value: aligned_pc(address) + value }
    } else {
        Effect::Add { to, from: SP, value: value as i32 }
    };
    Instruction::plain(2, effect)
}

/// The stack pointer, short branches, `IT` and what extends a number.
fn miscellaneous(address: u32, first: u16) -> Instruction {
    match bits(first, 11, 8) {
        0b0000 => {
            let bytes = (bits(first, 6, 0) << 2) as i32;
            let effect = if bits(first, 7, 7) == 0 {
                Effect::Pop { bytes, registers: 0 }
            } else {
                Effect::Push { bytes }
            };
            Instruction::plain(2, effect)
        }
        0b0001 | 0b0011 | 0b1001 | 0b1011 => {
            let distance = bits(first, 9, 9) << 6 | bits(first, 7, 3) << 1;
            Instruction::to(2, Flow::Branch(address + 4 + distance))
        }
        0b0010 | 0b1010 => Instruction::plain(2, Effect::Write(bit(bits(first, 2, 0)))),
        0b0100 | 0b0101 => {
            let bytes = 4 * (first & 0x1ff).count_ones() as i32;
            Instruction::plain(2, Effect::Push { bytes })
        }
        0b1100 | 0b1101 => {
            let bytes = 4 * (first & 0x1ff).count_ones() as i32;
            let effect = Effect::Pop { bytes, registers: first & 0xff };
            let flow = if bits(first, 8, 8) == 1 { Flow::Return } else { Flow::Next };
            Instruction { flow, ..Instruction::plain(2, effect) }
        }
        0b1110 => Instruction::to(2, Flow::Stop),
        0b1111 if bits(first, 3, 0) != 0 => {
            Instruction { it: bits(first, 7, 0) as u8, ..Instruction::plain(2, Effect::None) }
        }
        _ => Instruction::plain(2, Effect::None),
    }
}

/// Several registers at once.
fn multiple(first: u16) -> Instruction {
    let base = bit(bits(first, 10, 8));
    let list = first & 0xff;
    let is_load = bits(first, 11, 11) == 1;
    Instruction::plain(2, Effect::Write(if is_load { list | base } else { base }))
}

/// Conditional branches, undefined instructions and supervisor calls.
fn conditional(address: u32, first: u16) -> Instruction {
    match bits(first, 11, 8) {
        0b1110 => Instruction::to(2, Flow::Stop),
        0b1111 => Instruction::plain(2, Effect::Write(0b1_0000_0000_1111)),
        _ => {
            let distance = signed(bits(first, 7, 0) << 1, 8);
            Instruction::to(2, Flow::Branch(address.wrapping_add_signed(4 + distance)))
        }
    }
}

/// Instructions of two halfwords.
fn long(address: u32, first: u16, second: u16) -> Instruction {
    match (bits(first, 12, 11), bits(first, 10, 4)) {
        (0b01, operation) if operation & 0b110_0100 == 0b000_0000 => many(first, second),
        (0b01, operation) if operation & 0b110_0100 == 0b000_0100 => pairs(first, second),
        (0b01 | 0b11, operation) if operation & 0b100_0000 != 0 => coprocessor(first, second),
        (0b01, _) => setting(first, data(first, second)),
        (0b10, _) if bits(second, 15, 15) == 1 => branches(address, first, second),
        (0b10, _) if bits(first, 9, 9) == 1 => plain_immediate(address, first, second),
        (0b10, _) => setting(first, immediate(address, first, second)),
        (_, operation) if operation & 0b111_0001 == 0 => stores(first, second),
        (_, operation) if operation & 0b110_0111 == 0b000_0101 => {
            loads_of_words(address, first, second)
        }
        (_, operation) if operation & 0b110_0000 == 0 => loads_of_less(first, second),
        _ => {
            // Long multiplications write two registers.
            let to = bit(bits(second, 11, 8));
            let is_long = bits(first, 8, 7) == 0b11;
            let low = if is_long { bit(bits(second, 15, 12)) } else { 0 };
            Instruction::plain(4, Effect::Write((to | low) & 0x7fff))
        }
    }
}

/// Marks what sets the flags by a bit of its own.
fn setting(first: u16, instruction: Instruction) -> Instruction {
    Instruction { compares: bits(first, 4, 4) == 1, ..instruction }
}

/// Several registers at once, of all sixteen.
fn many(first: u16, second: u16) -> Instruction {
    let (base, is_written) = (bits(first, 3, 0), bits(first, 5, 5) == 1);
    let (is_load, is_up) = (bits(first, 4, 4) == 1, bits(first, 8, 7) == 0b01);
    let bytes = 4 * second.count_ones() as i32;
    let flow = if is_load && bits(second, 15, 15) == 1 { Flow::Return } else { Flow::Next };
    let written = if is_load { second & 0x7fff } else { 0 };
    let effect = match (base as u8 == SP && is_written, is_load, is_up) {
        (true, true, true) => Effect::Pop { bytes, registers: written },
        (true, false, false) => Effect::Push { bytes },
        (true, ..) => Effect::Write(written | bit(base)),
        (false, ..) if is_written => Effect::Write(written | bit(base)),
        _ => Effect::Write(written),
    };
    Instruction { flow, ..Instruction::plain(4, effect) }
}

/// Two registers at once, exclusive accesses, and branches through a table.
fn pairs(first: u16, second: u16) -> Instruction {
    let base = bits(first, 3, 0);
    if bits(first, 15, 4) == 0b1110_1000_1101 && bits(second, 15, 5) == 0b111_1000_0000 {
        return Instruction::to(4, Flow::Table { halfwords: bits(second, 4, 4) == 1 });
    }
    let is_indexed = bits(first, 8, 8) == 1;
    let (is_up, is_written) = (bits(first, 7, 7) == 1, bits(first, 5, 5) == 1);
    let is_load = bits(first, 4, 4) == 1;
    let pair = bit(bits(second, 15, 12)) | bit(bits(second, 11, 8));
    if !is_indexed && !is_written {
        // Exclusive: a store writes its outcome to one of these.
        let outcome = bit(bits(second, 11, 8)) | bit(bits(second, 3, 0));
        let written = if is_load { pair } else { outcome };
        return Instruction::plain(4, Effect::Write(written & !bit(15)));
    }
    let written = if is_load { pair } else { 0 };
    let bytes = (bits(second, 7, 0) << 2) as i32;
    let effect = match (base as u8 == SP && is_written, is_up) {
        (true, true) => Effect::Pop { bytes, registers: written },
        (true, false) if !is_load => Effect::Push { bytes },
        _ if is_written => Effect::Write(written | bit(base)),
        _ => Effect::Write(written),
    };
    Instruction::plain(4, effect)
}

/// The floating-point unit.
fn coprocessor(first: u16, second: u16) -> Instruction {
    let is_move = bits(first, 11, 9) == 0b110 && bits(first, 8, 5) == 0b0010;
    let is_transfer = bits(first, 11, 8) == 0b1110 && bits(second, 4, 4) == 1;
    if is_move || is_transfer {
        let is_to_core = bits(first, 4, 4) == 1;
        let written = bit(bits(second, 15, 12)) | if is_move { bit(bits(first, 3, 0)) } else { 0 };
        // To the flags goes what would go to the program counter.
        let written = if is_to_core { written & !bit(15) } else { 0 };
        return Instruction::plain(4, Effect::Write(written));
    }
    if bits(first, 11, 9) == 0b110 && bits(first, 5, 5) == 1 {
        let bytes = (bits(second, 7, 0) << 2) as i32;
        let base = bits(first, 3, 0);
        let effect = match (base as u8 == SP, bits(first, 8, 7)) {
            (true, 0b01) => Effect::Pop { bytes, registers: 0 },
            (true, _) => Effect::Push { bytes },
            _ => Effect::Write(bit(base)),
        };
        return Instruction::plain(4, effect);
    }
    Instruction::plain(4, Effect::None)
}

/// Operations of registers, with a shift.
fn data(first: u16, second: u16) -> Instruction {
    let (to, from) = (bits(second, 11, 8), bits(first, 3, 0));
    let is_shifted = bits(second, 14, 12) != 0 || bits(second, 7, 6) != 0;
    match (bits(first, 8, 5), to) {
        // Comparisons name the program counter as their result.
        (0b0000 | 0b0100 | 0b1000 | 0b1101, 15) => Instruction::plain(4, Effect::None),
        // A move of an unshifted register.
        (0b0010, _) if from == 15 && bits(second, 5, 4) == 0 && !is_shifted => {
            let effect = Effect::Add { to: to as u8, from: bits(second, 3, 0) as u8, value: 0 };
            Instruction::plain(4, effect)
        }
        _ => Instruction::plain(4, Effect::Write(bit(to))),
    }
}

/// The constant of twelve bits that a modified immediate stands for.
fn expanded(first: u16, second: u16) -> u32 {
    let code = bits(first, 10, 10) << 11 | bits(second, 14, 12) << 8 | bits(second, 7, 0);
    let byte = code & 0xff;
    match code >> 8 {
        0 => byte,
        1 => byte << 16 | byte,
        2 => byte << 24 | byte << 8,
        3 => byte * 0x0101_0101,
        _ => (0x80 | (code & 0x7f)).rotate_right(code >> 7),
    }
}

/// What adding a constant to a register does.
fn sum(address: u32, second: u16, from: u8, value: i32) -> Effect {
    let to = bits(second, 11, 8) as u8;
    match (to, from) {
        (SP, SP) if value < 0 => Effect::Push { bytes: -value },
        (SP, SP) => Effect::Pop { bytes: value, registers: 0 },
        (_, PC) => Effect::Constant { to, value: aligned_pc(address).wrapping_add_signed(value) },
        _ => Effect::Add { to, from, value },
    }
}

/// Operations with a constant of twelve or sixteen bits.
fn plain_immediate(address: u32, first: u16, second: u16) -> Instruction {
    let (to, from) = (bits(second, 11, 8) as u8, bits(first, 3, 0) as u8);
    let value = bits(first, 10, 10) << 11 | bits(second, 14, 12) << 8 | bits(second, 7, 0);
    let half = u32::from(from) << 12 | value;
    let effect = match bits(first, 8, 4) {
        0b00000 => sum(address, second, from, value as i32),
        0b01010 => sum(address, second, from, -(value as i32)),
        0b00100 => Effect::Constant { to, value: half },
        0b01100 => Effect::Upper { to, value: half as u16 },
        _ => Effect::Write(bit(u32::from(to))),
    };
    Instruction::plain(4, effect)
}

/// Operations with a constant that is a pattern of bits.
fn immediate(address: u32, first: u16, second: u16) -> Instruction {
    let (to, from) = (bits(second, 11, 8) as u8, bits(first, 3, 0) as u8);
    let value = expanded(first, second);
    let effect = match bits(first, 8, 5) {
        // Comparisons name the program counter as their result.
        0b0000 | 0b0100 | 0b1000 | 0b1101 if to == PC => Effect::None,
        0b0010 if from == PC => Effect::Constant { to, value },
        0b0011 if from == PC => Effect::Constant { to, value: !value },
        0b1000 => sum(address, second, from, value as i32),
        0b1101 => sum(address, second, from, (value as i32).wrapping_neg()),
        _ => Effect::Write(bit(u32::from(to))),
    };
    Instruction::plain(4, effect)
}

/// Branches of all lengths, barriers, and moves to and from special registers.
fn branches(address: u32, first: u16, second: u16) -> Instruction {
    let sign = bits(first, 10, 10);
    let (j1, j2) = (bits(second, 13, 13), bits(second, 11, 11));
    if bits(second, 12, 12) == 1 {
        let (i1, i2) = (1 ^ j1 ^ sign, 1 ^ j2 ^ sign);
        let distance =
            sign << 24 | i1 << 23 | i2 << 22 | bits(first, 9, 0) << 12 | bits(second, 10, 0) << 1;
        let target = address.wrapping_add_signed(4 + signed(distance, 24));
        let is_call = bits(second, 14, 14) == 1;
        return Instruction::to(4, if is_call { Flow::Call(target) } else { Flow::Jump(target) });
    }
    if bits(second, 14, 14) == 0 && bits(first, 9, 7) != 0b111 {
        let distance =
            sign << 20 | j2 << 19 | j1 << 18 | bits(first, 5, 0) << 12 | bits(second, 10, 0) << 1;
        let target = address.wrapping_add_signed(4 + signed(distance, 20));
        return Instruction::to(4, Flow::Branch(target));
    }
    match bits(first, 9, 4) {
        // Permanently undefined.
        0b11_1111 if bits(second, 14, 12) == 0b010 => Instruction::to(4, Flow::Stop),
        // Reads a special register.
        0b11_1110 | 0b11_1111 => Instruction::plain(4, Effect::Write(bit(bits(second, 11, 8)))),
        _ => Instruction::plain(4, Effect::None),
    }
}

/// Stores of one register.
fn stores(first: u16, second: u16) -> Instruction {
    let base = bits(first, 3, 0);
    let from = bits(second, 15, 12) as u8;
    let is_word = bits(first, 6, 5) == 0b10;
    if bits(first, 7, 7) == 1 {
        let offset = bits(second, 11, 0);
        let effect = Effect::Store { from, base: base as u8, offset };
        return Instruction::plain(4, if is_word { effect } else { Effect::None });
    }
    let is_written = bits(second, 11, 11) == 1 && bits(second, 8, 8) == 1;
    if !is_written {
        return Instruction::plain(4, Effect::None);
    }
    let (is_up, bytes) = (bits(second, 9, 9) == 1, bits(second, 7, 0) as i32);
    let effect = match (base as u8 == SP, is_up) {
        (true, false) => Effect::Push { bytes },
        (true, true) => Effect::Pop { bytes, registers: 0 },
        _ => Effect::Write(bit(base)),
    };
    Instruction::plain(4, effect)
}

/// Loads of one word.
fn loads_of_words(address: u32, first: u16, second: u16) -> Instruction {
    let base = bits(first, 3, 0) as u8;
    let to = bits(second, 15, 12) as u8;
    let is_plain = bits(first, 7, 7) == 1;
    if base == PC {
        let offset = bits(second, 11, 0) as i32;
        let offset = if is_plain { offset } else { -offset };
        let literal = aligned_pc(address).wrapping_add_signed(offset);
        let effect = Effect::LoadAt { to, address: literal };
        let flow = if to == PC { Flow::JumpUnknown } else { Flow::Next };
        return Instruction { flow, ..Instruction::plain(4, effect) };
    }
    if is_plain {
        let flow = if to == PC { Flow::JumpUnknown } else { Flow::Next };
        let effect = Effect::Load { to, base, offset: bits(second, 11, 0) };
        return Instruction { flow, ..Instruction::plain(4, effect) };
    }
    if bits(second, 11, 6) == 0 {
        let flow = if to == PC { Flow::JumpIndexed } else { Flow::Next };
        let written = if to == PC { 0 } else { bit(u32::from(to)) };
        return Instruction { flow, ..Instruction::plain(4, Effect::Write(written)) };
    }
    let is_written = bits(second, 8, 8) == 1;
    let (is_up, bytes) = (bits(second, 9, 9) == 1, bits(second, 7, 0) as i32);
    let loaded = bit(u32::from(to)) & 0x7fff;
    let written = loaded | if is_written { bit(u32::from(base)) } else { 0 };
    match (base, is_written, is_up) {
        (SP, true, true) => {
            let flow = if to == PC { Flow::Return } else { Flow::Next };
            Instruction { flow, ..Instruction::plain(4, Effect::Pop { bytes, registers: loaded }) }
        }
        _ => {
            let flow = if to == PC { Flow::JumpUnknown } else { Flow::Next };
            Instruction { flow, ..Instruction::plain(4, Effect::Write(written)) }
        }
    }
}

/// Loads of bytes and halfwords.
fn loads_of_less(first: u16, second: u16) -> Instruction {
    let to = bits(second, 15, 12);
    let is_written = bits(first, 7, 7) == 0 && bits(second, 11, 11) == 1 && bits(second, 8, 8) == 1;
    let base = if is_written { bit(bits(first, 3, 0)) } else { 0 };
    // What would go to the program counter is a hint to the cache.
    let written = if to == 15 { 0 } else { bit(to) };
    Instruction::plain(4, Effect::Write(written | base))
}
