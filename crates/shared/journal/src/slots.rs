//! Images in fixed slots behind the log. An image exists exactly when its commit record is in the
//! log; what its bytes mean is the caller's business.

use embedded_storage::nor_flash::NorFlash;

use crate::checksum::crc32;
use crate::limits::{
    ERASE_BYTES, NOTE_BYTES_MAX, REQUEST_BYTES_MAX, SLOT_BYTES, SLOT_KEY_FIRST, SLOTS_MAX,
};
use crate::log::{Error, Key, Log};

/// Length and CRC-32 before the caller's note.
const COMMIT_HEAD_BYTES: usize = 8;

/// What the log keeps of a committed image.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ImageRecord {
    /// Bytes written to the slot.
    pub image_bytes: u32,
    /// CRC-32 of these bytes.
    pub crc: u32,
    note: [u8; NOTE_BYTES_MAX],
    note_bytes: u8,
}

impl ImageRecord {
    /// What the caller kept with the image.
    pub fn note(&self) -> &[u8] {
        self.note.get(..usize::from(self.note_bytes)).unwrap_or(&[])
    }
}

/// Writes one image from its first byte to its last. Lost when dropped: the slot stays free.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SlotWriter {
    base: u32,
    written_bytes: u32,
    crc: u32,
    slot: u8,
    failed: bool,
}

impl SlotWriter {
    /// The slot that is written.
    pub fn slot(&self) -> u8 {
        self.slot
    }

    /// Bytes written so far.
    pub fn written_bytes(&self) -> u32 {
        self.written_bytes
    }

    /// Programs `bytes` behind what was written, erasing each segment when it is reached.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if the slot ends before `bytes` do; nothing is written then.
    /// [`Error::Flash`]: the writer is of no further use.
    pub fn append<F: NorFlash>(&mut self, flash: &mut F, bytes: &[u8]) -> Result<(), Error> {
        if self.failed {
            return Err(Error::Slot);
        }
        if bytes.len() > (SLOT_BYTES - self.written_bytes) as usize {
            return Err(Error::TooLarge);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = self.written_bytes;
            let room = (ERASE_BYTES - at % ERASE_BYTES) as usize;
            let (part, next) = rest.split_at(rest.len().min(room).min(REQUEST_BYTES_MAX));
            self.failed = self.program(flash, at, part).is_err();
            if self.failed {
                return Err(Error::Flash);
            }
            self.written_bytes += part.len() as u32;
            self.crc = crc32(self.crc, part);
            rest = next;
        }
        Ok(())
    }

    fn program<F: NorFlash>(&self, flash: &mut F, at: u32, part: &[u8]) -> Result<(), F::Error> {
        let address = self.base + at;
        if at.is_multiple_of(ERASE_BYTES) {
            flash.erase(address, address + ERASE_BYTES)?;
        }
        flash.write(address, part)
    }
}

impl<const SEGMENT: u32> Log<SEGMENT> {
    /// Image slots of this flash.
    pub fn slots<F: NorFlash>(flash: &F) -> u8 {
        let behind = (flash.capacity() as u32).saturating_sub(2 * SEGMENT);
        (behind / SLOT_BYTES).min(u32::from(SLOTS_MAX)) as u8
    }

    /// The committed image of `slot`, if there is one.
    ///
    /// # Errors
    /// [`Error::Slot`] if the flash has no such slot, [`Error::Damaged`] if its record is not one.
    pub fn image<F: NorFlash>(
        &mut self,
        flash: &mut F,
        slot: u8,
    ) -> Result<Option<ImageRecord>, Error> {
        let key = slot_key(flash, slot, Self::slots)?;
        let mut value = [0; COMMIT_HEAD_BYTES + NOTE_BYTES_MAX];
        let Some(bytes) = self.fetch(flash, key, &mut value)? else { return Ok(None) };
        let [a, b, c, d, e, f, g, h, note @ ..] = value;
        let image_bytes = u32::from_le_bytes([a, b, c, d]);
        if bytes < COMMIT_HEAD_BYTES || image_bytes > SLOT_BYTES {
            return Err(Error::Damaged);
        }
        let note_bytes = (bytes - COMMIT_HEAD_BYTES) as u8;
        Ok(Some(ImageRecord {
            image_bytes,
            crc: u32::from_le_bytes([e, f, g, h]),
            note,
            note_bytes,
        }))
    }

    /// Begins to write an image into a slot that holds none.
    ///
    /// # Errors
    /// [`Error::Slot`] if the slot holds an image or the flash has no such slot.
    pub fn image_begin<F: NorFlash>(
        &mut self,
        flash: &mut F,
        slot: u8,
    ) -> Result<SlotWriter, Error> {
        if self.image(flash, slot)?.is_some() {
            return Err(Error::Slot);
        }
        let base = slot_base::<SEGMENT>(slot);
        Ok(SlotWriter { base, written_bytes: 0, crc: 0, slot, failed: false })
    }

    /// Makes what `writer` wrote an image, with the caller's `note`. When this returns, it
    /// survives a power cut.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for the note, [`Error::Slot`] if the writer failed, or as
    /// [`Log::store`].
    pub fn image_commit<F: NorFlash>(
        &mut self,
        flash: &mut F,
        writer: &SlotWriter,
        note: &[u8],
    ) -> Result<(), Error> {
        if writer.failed {
            return Err(Error::Slot);
        }
        let key = slot_key(flash, writer.slot, Self::slots)?;
        let mut value = [0; COMMIT_HEAD_BYTES + NOTE_BYTES_MAX];
        value[..4].copy_from_slice(&writer.written_bytes.to_le_bytes());
        value[4..COMMIT_HEAD_BYTES].copy_from_slice(&writer.crc.to_le_bytes());
        let end = COMMIT_HEAD_BYTES + note.len();
        value.get_mut(COMMIT_HEAD_BYTES..end).ok_or(Error::TooLarge)?.copy_from_slice(note);
        self.store(flash, key, value.get(..end).ok_or(Error::TooLarge)?)
    }

    /// Forgets the image of `slot`; the slot is free again.
    ///
    /// # Errors
    /// [`Error::Slot`] if the flash has no such slot, or as [`Log::remove`].
    pub fn image_remove<F: NorFlash>(&mut self, flash: &mut F, slot: u8) -> Result<(), Error> {
        let key = slot_key(flash, slot, Self::slots)?;
        self.remove(flash, key)
    }

    /// Reads from a slot, committed or not: the caller knows how far it was written.
    ///
    /// # Errors
    /// [`Error::OutOfBounds`] beyond the end of the slot, [`Error::Slot`] if there is none.
    pub fn image_read<F: NorFlash>(
        flash: &mut F,
        slot: u8,
        offset: u32,
        target: &mut [u8],
    ) -> Result<(), Error> {
        slot_key(flash, slot, Self::slots)?;
        if offset > SLOT_BYTES || target.len() > (SLOT_BYTES - offset) as usize {
            return Err(Error::OutOfBounds);
        }
        let mut at = slot_base::<SEGMENT>(slot) + offset;
        for part in target.chunks_mut(REQUEST_BYTES_MAX) {
            flash.read(at, part).map_err(|_| Error::Flash)?;
            at += part.len() as u32;
        }
        Ok(())
    }
}

fn slot_base<const SEGMENT: u32>(slot: u8) -> u32 {
    2 * SEGMENT + u32::from(slot) * SLOT_BYTES
}

fn slot_key<F: NorFlash>(flash: &F, slot: u8, slots: fn(&F) -> u8) -> Result<Key, Error> {
    if slot >= slots(flash) {
        return Err(Error::Slot);
    }
    Ok(Key(SLOT_KEY_FIRST + slot))
}

#[cfg(test)]
mod tests;
