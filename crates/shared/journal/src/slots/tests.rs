//! Images in slots: whole or not there at all.

use crate::limits::{NOTE_BYTES_MAX, SLOT_BYTES};
use crate::log::Error;
use crate::ram::{RamFlash, Tear};
use crate::{Journal, limits};

type Flash = RamFlash<4096>;

fn flash(slots: u32) -> Flash {
    Flash::new((2 * limits::SEGMENT_BYTES + slots * SLOT_BYTES) as usize)
}

fn image(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * 7 + index / 256) as u8).collect()
}

fn write(log: &mut Journal, flash: &mut Flash, slot: u8, image: &[u8]) -> Result<(), Error> {
    let mut writer = log.image_begin(flash, slot)?;
    for chunk in image.chunks(384) {
        writer.append(flash, chunk)?;
    }
    log.image_commit(flash, &writer, b"note")
}

#[track_caller]
fn check_image(log: &mut Journal, flash: &mut Flash, slot: u8, expected: Option<&[u8]>) {
    let record = log.image(flash, slot).unwrap();
    assert_eq!(record.map(|record| record.image_bytes as usize), expected.map(<[u8]>::len));
    let Some(expected) = expected else { return };
    let mut bytes = vec![0; expected.len()];
    Journal::image_read(flash, slot, 0, &mut bytes).unwrap();
    assert!(bytes == expected);
    assert_eq!(record.unwrap().crc, crate::crc32(0, expected));
    assert_eq!(record.unwrap().note(), b"note");
}

#[test]
fn images_of_all_sizes_are_there_after_a_new_mount() {
    let sizes = [0, 1, 383, 384, 385, 4095, 4096, 4097, 20_000, SLOT_BYTES as usize];
    for bytes in sizes {
        let mut flash = flash(2);
        flash.bytes_mut()[2 * 4096..].fill(0x5A);
        let mut log = Journal::mount(&mut flash).unwrap();
        write(&mut log, &mut flash, 1, &image(bytes)).unwrap();
        let mut cold = Journal::mount(&mut flash).unwrap();
        check_image(&mut cold, &mut flash, 1, Some(&image(bytes)));
        check_image(&mut cold, &mut flash, 0, None);
        assert!(!flash.programmed_twice());
    }
    println!("\ncases: {}\n", sizes.len());
}

#[test]
fn a_slot_in_use_a_missing_slot_and_an_image_too_large_are_refused() {
    let mut flash = flash(1);
    let mut log = Journal::mount(&mut flash).unwrap();
    assert_eq!(Journal::slots(&flash), 1);
    assert_eq!(log.image_begin(&mut flash, 1).map(|_| ()), Err(Error::Slot));
    let mut writer = log.image_begin(&mut flash, 0).unwrap();
    writer.append(&mut flash, &image(SLOT_BYTES as usize)).unwrap();
    assert_eq!(writer.append(&mut flash, b"x"), Err(Error::TooLarge));
    let note = [0; NOTE_BYTES_MAX + 1];
    assert_eq!(log.image_commit(&mut flash, &writer, &note), Err(Error::TooLarge));
    log.image_commit(&mut flash, &writer, &note[1..]).unwrap();
    assert_eq!(log.image_begin(&mut flash, 0).map(|_| ()), Err(Error::Slot));
    let beyond = Journal::image_read(&mut flash, 0, SLOT_BYTES - 1, &mut [0; 2]);
    assert_eq!(beyond, Err(Error::OutOfBounds));
    log.image_remove(&mut flash, 0).unwrap();
    assert!(log.image_begin(&mut flash, 0).is_ok());
}

#[test]
fn a_writer_that_failed_can_neither_go_on_nor_commit() {
    let mut flash = flash(1);
    let mut log = Journal::mount(&mut flash).unwrap();
    let mut writer = log.image_begin(&mut flash, 0).unwrap();
    flash.cut_after(30, Tear::Ordered, 1);
    assert_eq!(writer.append(&mut flash, &image(100)), Err(Error::Flash));
    flash.power_on();
    assert_eq!(writer.append(&mut flash, b"x"), Err(Error::Slot));
    assert_eq!(log.image_commit(&mut flash, &writer, b""), Err(Error::Slot));
}

#[test]
fn an_image_that_is_replaced_under_power_cuts_is_the_old_one_or_the_new_one() {
    let (old, new) = (image(900), image(5000));
    let mut clean = flash(2);
    let mut log = Journal::mount(&mut clean).unwrap();
    write(&mut log, &mut clean, 0, &old).unwrap();
    let replace = |log: &mut Journal, flash: &mut Flash| {
        write(log, flash, 1, &new)?;
        log.image_remove(flash, 0)
    };
    let mut whole = clean.clone();
    replace(&mut log, &mut whole).unwrap();
    let steps = whole.steps() - clean.steps();
    let mut cases = 0;
    for step in (0..steps).step_by(61).chain(steps - 200..steps) {
        for tear in [Tear::Ordered, Tear::ScatteredProgram, Tear::ScatteredErase] {
            let mut flash = clean.clone();
            let mut log = Journal::mount(&mut flash).unwrap();
            flash.cut_after(step, tear, step);
            assert_eq!(replace(&mut log, &mut flash), Err(Error::Flash));
            flash.power_on();
            let mut cold = Journal::mount(&mut flash).unwrap();
            let has_new = cold.image(&mut flash, 1).unwrap().is_some();
            let has_old = cold.image(&mut flash, 0).unwrap().is_some();
            assert!(has_new || has_old, "step {step}");
            check_image(&mut cold, &mut flash, 0, has_old.then_some(&old));
            check_image(&mut cold, &mut flash, 1, has_new.then_some(&new));
            cases += 1;
        }
    }
    println!("\ncases: {cases}\n");
}
