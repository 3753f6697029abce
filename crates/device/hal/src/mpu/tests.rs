//! The words of regions against the manuals, and the unit as a register block in memory.

use super::{Entry, Mpu, Region, Registers, Rights, v7, v8};

const fn region(origin: u32, bytes: u32, rights: Rights) -> Region {
    Region { origin, bytes, rights }
}

#[test]
fn regions_of_the_older_unit_carry_size_and_rights() {
    let cases = [
        // Size 2^(16+1), read-only at every level, normal, executable.
        (region(0x0800_0000, 0x2_0000, Rights::Code), [0x0800_0000, 0x0502_0021]),
        (region(0x2000_0000, 0x2000, Rights::Data), [0x2000_0000, 0x1102_0019]),
        (region(0x4000_0000, 0x2000_0000, Rights::Device), [0x4000_0000, 0x1105_0039]),
        (region(0x2000_1fe0, 32, Rights::Nothing), [0x2000_1fe0, 0x1000_0009]),
    ];
    for (region, entry) in cases {
        assert_eq!(v7([region]), [entry], "{region:?}");
    }
}

#[test]
fn regions_of_the_newer_unit_carry_their_last_block() {
    let cases = [
        (region(0x1000_0000, 0x40_0000, Rights::Code), [0x1000_0004, 0x103f_ffe1]),
        (region(0x3800_0000, 0x40_0000, Rights::Data), [0x3800_0001, 0x383f_ffe1]),
        (region(0x4000_0000, 0x2000_0000, Rights::Device), [0x4000_0001, 0x5fff_ffe3]),
    ];
    for (region, entry) in cases {
        assert_eq!(v8([region]), [entry], "{region:?}");
    }
}

/// Starts a unit with `regions` regions; whether that went well, and its block afterwards.
fn start(regions: u32, entries: &[Entry]) -> (bool, [u32; 13]) {
    let block = Box::leak(Box::new([0_u32; 13])) as *mut [u32; 13];
    assert_eq!(size_of::<Registers>(), size_of::<[u32; 13]>());
    // SAFETY: inside of the block, which only this thread uses.
    unsafe { block.cast::<u32>().write_volatile(regions << 8) };
    // SAFETY: the block lives for ever and is taken once.
    let mpu = unsafe { Mpu::new(block.expose_provenance()) };
    let is_started = mpu.start(entries);
    // SAFETY: only this thread uses it.
    (is_started, unsafe { block.read_volatile() })
}

#[test]
fn a_unit_is_on_once_it_has_every_region_and_stays_off_without_room() {
    let entries = [[1, 2], [3, 4]];
    let (is_started, block) = start(8, &entries);
    assert!(is_started);
    assert_eq!(block[1..5], [1, 1, 3, 4], "on, without the default map; the last region");
    let (is_started, block) = start(1, &entries);
    assert!(!is_started);
    assert_eq!(block[1..], [0; 12]);
}
