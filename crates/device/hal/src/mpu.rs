//! The memory protection unit of the core: what may be executed, written or touched at all. Leaves
//! out unprivileged code, which there is none of, and the private peripherals of the core, which
//! are never checked.

use crate::register::{ReadOnly, ReadWrite};
use core::ptr::NonNull;

/// What may be done with a range of addresses. Everything that no region names is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rights {
    /// Read and execute.
    Code,
    /// Read and write.
    Data,
    /// Read and write, each access as the program makes it.
    Device,
    /// Nothing, although another region may allow it.
    Nothing,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Region {
    /// First address.
    pub origin: u32,
    /// Length in bytes.
    pub bytes: u32,
    /// What may be done there.
    pub rights: Rights,
}

/// A region as the unit takes it: base register, then attributes or limit.
pub type Entry = [u32; 2];

/// Register block of the unit, in both generations.
///
/// # Source
/// Arm DDI 0403E, ARMv7-M Architecture Reference Manual, section B3.5 "Protected Memory System
/// Architecture"; Arm DDI 0553B, Armv8-M Architecture Reference Manual, section D1.2 "MPU_TYPE" to
/// "MPU_MAIR1".
#[repr(C)]
pub struct Registers {
    /// 0x00 Type. Bits 15:8: number of regions; 0 means that there is no unit.
    kind: ReadOnly<u32>,
    /// 0x04 Control. Bit 0: on. Bit 1: on in the handlers of faults too. Bit 2: privileged code may
    /// also do what the default map allows.
    control: ReadWrite<u32>,
    /// 0x08 Number of the region that the next two registers are about.
    number: ReadWrite<u32>,
    /// 0x0C Base address.
    base: ReadWrite<u32>,
    /// 0x10 Attributes and size (ARMv7-M), or limit (Armv8-M).
    attributes: ReadWrite<u32>,
    /// 0x14 to 0x2C Aliases of the last two.
    aliases: [ReadWrite<u32>; 7],
    /// 0x30 Kinds of memory 0 to 3, one byte each (Armv8-M).
    kinds: ReadWrite<u32>,
}

const _: () = assert!(core::mem::offset_of!(Registers, kinds) == 0x30);

/// Place of the unit in the address space of every core that has one.
pub const BASE: usize = 0xe000_ed90;

const ENABLE: u32 = 1 << 0;
/// Never executed (ARMv7-M).
const V7_NO_EXECUTION: u32 = 1 << 28;
const V7_READ_ONLY: u32 = 0b101 << 24;
const V7_READ_WRITE: u32 = 0b001 << 24;
/// Normal memory, written through.
const V7_NORMAL: u32 = 1 << 17;
const V7_DEVICE: u32 = 1 << 18 | 1 << 16;
/// Never executed (Armv8-M).
const V8_NO_EXECUTION: u32 = 1 << 0;
const V8_READ_ONLY: u32 = 0b10 << 1;
/// Kind 0: normal memory that is not cached. Kind 1: device memory.
const V8_KINDS: u32 = 0x44 | 0x04 << 8;
const V8_DEVICE: u32 = 1 << 1;

/// Regions for an ARMv7-M core. Where two overlap, the later one holds.
///
/// # Panics
/// If a length is not a power of two from 32 on, or an origin no multiple of it. Meant for
/// constants, so the build fails.
pub const fn v7<const COUNT: usize>(regions: [Region; COUNT]) -> [Entry; COUNT] {
    let mut entries = [[0; 2]; COUNT];
    let mut index = 0;
    while index < COUNT {
        let Region { origin, bytes, rights } = regions[index];
        assert!(bytes.is_power_of_two() && bytes >= 32);
        assert!(origin.is_multiple_of(bytes));
        let rights = match rights {
            Rights::Code => V7_READ_ONLY | V7_NORMAL,
            Rights::Data => V7_READ_WRITE | V7_NORMAL | V7_NO_EXECUTION,
            Rights::Device => V7_READ_WRITE | V7_DEVICE | V7_NO_EXECUTION,
            Rights::Nothing => V7_NO_EXECUTION,
        };
        entries[index] = [origin, rights | (bytes.trailing_zeros() - 1) << 1 | ENABLE];
        index += 1;
    }
    entries
}

/// Regions for an Armv8-M core, which must not overlap.
///
/// # Panics
/// If an origin or a length is no multiple of 32, or the rights are [`Rights::Nothing`], which
/// here are what no region names. Meant for constants, so the build fails.
pub const fn v8<const COUNT: usize>(regions: [Region; COUNT]) -> [Entry; COUNT] {
    let mut entries = [[0; 2]; COUNT];
    let mut index = 0;
    while index < COUNT {
        let Region { origin, bytes, rights } = regions[index];
        assert!(bytes.is_multiple_of(32) && bytes > 0);
        assert!(origin.is_multiple_of(32));
        let (rights, kind) = match rights {
            Rights::Code => (V8_READ_ONLY, 0),
            Rights::Data => (V8_NO_EXECUTION, 0),
            Rights::Device => (V8_NO_EXECUTION, V8_DEVICE),
            Rights::Nothing => panic!(),
        };
        entries[index] = [origin | rights, (origin + (bytes - 32)) | kind | ENABLE];
        index += 1;
    }
    entries
}

/// The unit of a core.
pub struct Mpu {
    registers: NonNull<Registers>,
}

impl Mpu {
    /// Takes the unit at `base`.
    ///
    /// # Safety
    /// `base` must be the unit, mapped for the whole run, and taken only once.
    pub const unsafe fn new(base: usize) -> Self {
        // SAFETY: the caller promises an address that is mapped, so it is not zero.
        Self { registers: unsafe { NonNull::new_unchecked(base as *mut Registers) } }
    }

    /// Allows what `entries` say, and nothing else, except to the handlers of faults. False if the
    /// core has no unit, or one with fewer regions.
    pub fn start(&self, entries: &[Entry]) -> bool {
        // SAFETY: `new` promises a mapping that outlives `self`. All fields are volatile cells.
        let registers = unsafe { self.registers.as_ref() };
        if ((registers.kind.read() >> 8 & 0xff) as usize) < entries.len() {
            return false;
        }
        // Where there are no kinds of memory this register does not exist, and takes no notice.
        registers.kinds.write(V8_KINDS);
        for (number, [base, attributes]) in (0..).zip(entries) {
            registers.number.write(number);
            registers.base.write(*base);
            registers.attributes.write(*attributes);
        }
        registers.control.write(ENABLE);
        true
    }
}

#[cfg(test)]
mod tests;
