//! Small values by key over two log segments: mount, fetch, store, remove, compact.
//! Images are in [`crate::slots`].

use embedded_storage::nor_flash::NorFlash;

use crate::checksum::crc32;
use crate::limits;
use crate::mutants::{self, Mutant};
use crate::record::{
    HEADER_BYTES, Header, RECORD_BYTES_MAX, SEGMENT_HEADER_BYTES, segment_epoch, segment_header,
};

/// Bytes of the piece in which records are written and blankness is checked.
const PIECE_BYTES: usize = 64;
/// Bytes of the piece in which records are copied and their checksums compared: less, because both
/// stand below much else on the stack. Chosen: most records still pass as one piece.
const COPY_BYTES: usize = 48;

/// Why an operation failed. The flash is unchanged, or says so at the next mount.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Error {
    /// The flash refused or did not answer.
    Flash,
    /// The log holds what no power cut leaves. Nothing was changed; nothing will be.
    Damaged,
    /// The live values and this one do not fit a segment.
    Full,
    /// The value is longer than its bound, or longer than the target that should take it.
    TooLarge,
    /// The image slot is not there, is in use, or its writer failed before.
    Slot,
    /// The read goes beyond the end of the image.
    OutOfBounds,
}

/// Names a value. Only keys below [`limits::KEYS`] exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Key(pub(crate) u8);

impl Key {
    /// The key with this number.
    ///
    /// # Panics
    /// If the number is not below [`limits::KEYS`]; in a constant this fails the build.
    pub const fn new(number: u8) -> Self {
        assert!((number as usize) < limits::KEYS);
        Self(number)
    }
}

/// The log. Holds an index, no data; the flash is given to each call.
#[derive(Debug)]
pub struct Log<const SEGMENT: u32> {
    /// Offset of the newest record of each key in the active segment; 0 when there is none.
    index: [u16; limits::KEYS],
    epoch: u32,
    /// Where the next record goes.
    tail: u16,
    /// Which of the two segments is active.
    active: u8,
    /// Whether the index is that of the flash; else the next call mounts again.
    is_mounted: bool,
}

/// The last record that a scan found.
struct Last {
    at: u32,
    header: Header,
    /// Where the former value of its key is, or 0.
    before: u16,
}

/// What is behind the last whole record.
enum Tail {
    Clean,
    Torn,
}

impl<const SEGMENT: u32> Log<SEGMENT> {
    /// A log that is mounted by its first use: for memory that is set up before there is a flash.
    pub const fn unmounted() -> Self {
        Self { index: [0; limits::KEYS], epoch: 0, tail: 0, active: 0, is_mounted: false }
    }

    /// Reads the log, and finishes what a power cut interrupted. A blank flash becomes an empty
    /// log.
    ///
    /// # Errors
    /// [`Error::Damaged`] if more is wrong than a power cut explains; the flash is left alone.
    pub fn mount<F: NorFlash>(flash: &mut F) -> Result<Self, Error> {
        const { assert!(F::WRITE_SIZE == 1 && F::READ_SIZE == 1) };
        const { assert!(SEGMENT <= u16::MAX as u32 && (SEGMENT as usize).is_multiple_of(F::ERASE_SIZE)) };
        let mut log = Self::unmounted();
        log.refresh(flash)?;
        Ok(log)
    }

    /// Copies the value of `key` into `target`; answers its length, or `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Damaged`] if its checksum does not match, [`Error::TooLarge`] if `target` is too
    /// small.
    pub fn fetch<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: Key,
        target: &mut [u8],
    ) -> Result<Option<usize>, Error> {
        self.refresh(flash)?;
        let Some(offset) = self.offset_of(key) else { return Ok(None) };
        let header = self.header_at(flash, offset)?.ok_or(Error::Damaged)?;
        if header.key != key.0 || header.removed {
            return Err(Error::Damaged);
        }
        let bytes = usize::from(header.data_bytes);
        let target = target.get_mut(..bytes).ok_or(Error::TooLarge)?;
        self.read(flash, offset + HEADER_BYTES, target)?;
        if crc32(header.crc_start(), target) != header.data_crc {
            return Err(Error::Damaged);
        }
        Ok(Some(bytes))
    }

    /// Copies the beginning of the value of `key` into `target`, as much as it holds, and answers the
    /// length of the whole value, or `None` if there is none. For looking before a
    /// [`Log::fetch`]: the checksum is not compared.
    ///
    /// # Errors
    /// [`Error::Flash`] or [`Error::Damaged`].
    pub fn peek<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: Key,
        target: &mut [u8],
    ) -> Result<Option<usize>, Error> {
        self.refresh(flash)?;
        let Some(offset) = self.offset_of(key) else { return Ok(None) };
        let header = self.header_at(flash, offset)?.ok_or(Error::Damaged)?;
        let bytes = usize::from(header.data_bytes);
        let shown = target.len().min(bytes);
        self.read(flash, offset + HEADER_BYTES, target.get_mut(..shown).unwrap_or_default())?;
        Ok(Some(bytes))
    }

    /// Reads the part of a value that `target` takes, behind its first `skipped` bytes; false if there
    /// is no value or it ends before. Not checked: for records whose whole was fetched before.
    ///
    /// # Errors
    /// As [`Log::fetch`].
    pub fn peek_behind<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: Key,
        skipped: usize,
        target: &mut [u8],
    ) -> Result<bool, Error> {
        self.refresh(flash)?;
        let Some(offset) = self.offset_of(key) else { return Ok(false) };
        let header = self.header_at(flash, offset)?.ok_or(Error::Damaged)?;
        if skipped + target.len() > usize::from(header.data_bytes) {
            return Ok(false);
        }
        self.read(flash, offset + HEADER_BYTES + skipped as u32, target)?;
        Ok(true)
    }

    /// Copies what is behind the first `skipped` bytes of the value of `key` into `target`; answers
    /// its length, or `None` if there is no value or it is shorter. The checksum of the whole value
    /// is compared, without room for all of it.
    ///
    /// # Errors
    /// As [`Log::fetch`].
    pub fn fetch_behind<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: Key,
        skipped: usize,
        target: &mut [u8],
    ) -> Result<Option<usize>, Error> {
        self.refresh(flash)?;
        let Some(offset) = self.offset_of(key) else { return Ok(None) };
        let header = self.header_at(flash, offset)?.ok_or(Error::Damaged)?;
        if header.key != key.0 || header.removed || !self.data_matches(flash, offset, &header)? {
            return Err(Error::Damaged);
        }
        let Some(bytes) = usize::from(header.data_bytes).checked_sub(skipped) else {
            return Ok(None);
        };
        let target = target.get_mut(..bytes).ok_or(Error::TooLarge)?;
        self.read(flash, offset + HEADER_BYTES + skipped as u32, target)?;
        Ok(Some(bytes))
    }

    /// Whether the value of `key` is `value` behind its first `skipped` bytes.
    ///
    /// # Errors
    /// [`Error::Flash`] or [`Error::Damaged`].
    pub fn holds<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: Key,
        skipped: usize,
        value: &[u8],
    ) -> Result<bool, Error> {
        self.refresh(flash)?;
        let Some(offset) = self.offset_of(key) else { return Ok(false) };
        let header = self.header_at(flash, offset)?.ok_or(Error::Damaged)?;
        if usize::from(header.data_bytes) != skipped + value.len() {
            return Ok(false);
        }
        let mut at = offset + HEADER_BYTES + skipped as u32;
        let mut piece = [0; PIECE_BYTES];
        for expected in value.chunks(PIECE_BYTES) {
            let part = &mut piece[..expected.len()];
            self.read(flash, at, part)?;
            if part != expected {
                return Ok(false);
            }
            at += expected.len() as u32;
        }
        Ok(true)
    }

    /// Keeps `value` under `key`. When this returns, it survives a power cut.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Full`]: nothing changed. [`Error::Flash`]: the old value or
    /// the new one is there, and which one no longer changes.
    pub fn store<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: Key,
        value: &[u8],
    ) -> Result<(), Error> {
        self.store_parts(flash, key, &[value])
    }

    /// The same for a value in parts, for callers that have no room to put them together.
    ///
    /// # Errors
    /// As [`Log::store`].
    pub fn store_parts<F: NorFlash>(
        &mut self,
        flash: &mut F,
        key: Key,
        parts: &[&[u8]],
    ) -> Result<(), Error> {
        if parts.iter().map(|part| part.len()).sum::<usize>() > limits::VALUE_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        self.append(flash, Header::of_value(key.0, parts), parts)
    }

    /// Forgets the value of `key`. The old bytes stay in flash until both segments were reused:
    /// see [`Log::scrub`].
    ///
    /// # Errors
    /// As [`Log::store`].
    pub fn remove<F: NorFlash>(&mut self, flash: &mut F, key: Key) -> Result<(), Error> {
        self.refresh(flash)?;
        if self.offset_of(key).is_none() {
            return Ok(());
        }
        self.append(flash, Header::of_removal(key.0), &[])
    }

    /// Rewrites both segments, so that no old or removed value is left in flash.
    ///
    /// # Errors
    /// [`Error::Flash`] or [`Error::Damaged`].
    pub fn scrub<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), Error> {
        self.refresh(flash)?;
        for _ in 0..2 {
            self.compact(flash)?;
        }
        Ok(())
    }

    fn offset_of(&self, key: Key) -> Option<u32> {
        self.index.get(usize::from(key.0)).filter(|offset| **offset != 0).map(|o| u32::from(*o))
    }

    fn append<F: NorFlash>(
        &mut self,
        flash: &mut F,
        header: Header,
        parts: &[&[u8]],
    ) -> Result<(), Error> {
        self.make_room(flash, header.record_bytes())?;
        let at = self.tail;
        self.program_record(flash, u32::from(at), header, parts)?;
        self.tail = at + header.record_bytes() as u16;
        if let Some(slot) = self.index.get_mut(usize::from(header.key)) {
            *slot = if header.removed { 0 } else { at };
        }
        Ok(())
    }

    /// Compacts if a record of `bytes` has no room behind the last one.
    ///
    /// Not a part of its caller: compaction is deep, and must not stand on what a record needs.
    #[inline(never)]
    fn make_room<F: NorFlash>(&mut self, flash: &mut F, bytes: u32) -> Result<(), Error> {
        self.refresh(flash)?;
        if u32::from(self.tail) + bytes <= SEGMENT {
            return Ok(());
        }
        if self.live_bytes(flash)? + bytes > SEGMENT {
            return Err(Error::Full);
        }
        self.compact(flash)
    }

    /// Programs the end of the data first and the header last: a whole header vouches for all that
    /// was programmed before it.
    #[inline(never)]
    fn program_record<F: NorFlash>(
        &mut self,
        flash: &mut F,
        at: u32,
        header: Header,
        parts: &[&[u8]],
    ) -> Result<(), Error> {
        let mut piece = [0xFF; PIECE_BYTES];
        piece[..HEADER_BYTES as usize].copy_from_slice(&header.encode());
        let mut end = HEADER_BYTES as usize;
        let base = self.base(self.active);
        let mut place = base + at + PIECE_BYTES as u32;
        for part in parts {
            let (head, rest) = part.split_at(part.len().min(PIECE_BYTES - end));
            piece[end..end + head.len()].copy_from_slice(head);
            end += head.len();
            if !rest.is_empty() {
                self.program(flash, place, rest)?;
                place += rest.len() as u32;
            }
        }
        self.program(flash, base + at, &piece[..end])
    }

    /// Mounts if the index may be wrong.
    fn refresh<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), Error> {
        if self.is_mounted {
            return Ok(());
        }
        match self.look(flash)? {
            Tail::Torn if !mutants::on(Mutant::KeepTornTail) => self.compact(flash),
            _ => Ok(()),
        }
    }

    /// Fills the index from the segment that counts, and tells how it ends. Returns before anything is
    /// compacted: neither stands on the stack of the other.
    #[inline(never)]
    fn look<F: NorFlash>(&mut self, flash: &mut F) -> Result<Tail, Error> {
        let first = self.epoch_of(flash, 0)?;
        let second = self.epoch_of(flash, 1)?;
        (self.active, self.epoch) = match (first, second) {
            (Some(a), Some(b)) if b > a => (1, b),
            (Some(a), _) => (0, a),
            (None, Some(b)) => (1, b),
            (None, None) => return self.format(flash).map(|()| Tail::Clean),
        };
        let last = self.scan(flash)?;
        let sound = self.sound_end(flash, last.as_ref())?;
        let tail = self.judge_tail(flash, sound)?;
        self.is_mounted = true;
        Ok(tail)
    }

    /// Makes an empty log of a flash that holds none: blank, but for a torn segment header.
    fn format<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), Error> {
        for segment in 0..2 {
            let base = self.base(segment);
            if !blank(flash, base + SEGMENT_HEADER_BYTES, base + SEGMENT)? {
                return Err(Error::Damaged);
            }
        }
        let base = self.base(0);
        if !blank(flash, base, base + SEGMENT_HEADER_BYTES)? {
            flash.erase(base, base + SEGMENT).map_err(|_| Error::Flash)?;
        }
        flash.write(base, &segment_header(1)).map_err(|_| Error::Flash)?;
        self.index = [0; limits::KEYS];
        (self.active, self.epoch) = (0, 1);
        self.tail = SEGMENT_HEADER_BYTES as u16;
        self.is_mounted = true;
        Ok(())
    }

    /// Fills the index from the active segment; answers its last record.
    #[inline(never)]
    fn scan<F: NorFlash>(&mut self, flash: &mut F) -> Result<Option<Last>, Error> {
        self.index = [0; limits::KEYS];
        let mut at = SEGMENT_HEADER_BYTES;
        let mut last = None;
        while at + HEADER_BYTES <= SEGMENT {
            let Some(header) = self.header_at(flash, at)? else { break };
            if at + header.record_bytes() > SEGMENT {
                break;
            }
            if let Some(slot) = self.index.get_mut(usize::from(header.key)) {
                last = Some(Last { at, header, before: *slot });
                *slot = if header.removed { 0 } else { at as u16 };
            }
            at += header.record_bytes();
        }
        self.tail = at as u16;
        Ok(last)
    }

    /// Where the last sound record ends: the very last is the only one that a cut can tear, and the
    /// value before it counts then.
    #[inline(never)]
    fn sound_end<F: NorFlash>(&mut self, flash: &mut F, last: Option<&Last>) -> Result<u32, Error> {
        if let Some(Last { at, header, before }) = last
            && !mutants::on(Mutant::NoLastChecksum)
            && !self.data_matches(flash, *at, header)?
        {
            if let Some(slot) = self.index.get_mut(usize::from(header.key)) {
                *slot = *before;
            }
            return Ok(*at);
        }
        Ok(u32::from(self.tail))
    }

    /// Tells a clean end of the log from a torn one, and both from damage.
    #[inline(never)]
    fn judge_tail<F: NorFlash>(&mut self, flash: &mut F, at: u32) -> Result<Tail, Error> {
        let base = self.base(self.active);
        let window = (at + RECORD_BYTES_MAX).min(SEGMENT);
        if u32::from(self.tail) == at {
            let looked_at = if mutants::on(Mutant::NoBlankCheck) {
                (at + HEADER_BYTES).min(SEGMENT)
            } else {
                window
            };
            if blank(flash, base + at, base + looked_at)? {
                return Ok(Tail::Clean);
            }
        }
        if !blank(flash, base + window, base + SEGMENT)? {
            return Err(Error::Damaged);
        }
        Ok(Tail::Torn)
    }

    /// Bytes that the active segment would have after compaction.
    fn live_bytes<F: NorFlash>(&mut self, flash: &mut F) -> Result<u32, Error> {
        let mut bytes = SEGMENT_HEADER_BYTES;
        for key in 0..limits::KEYS as u8 {
            if let Some(offset) = self.offset_of(Key(key)) {
                bytes += self.header_at(flash, offset)?.ok_or(Error::Damaged)?.record_bytes();
            }
        }
        Ok(bytes)
    }

    /// Copies the live records into the other segment and makes that one active.
    #[inline(never)]
    fn compact<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), Error> {
        // Until the end the old segment stays the active one, so a failure means: read again.
        self.is_mounted = false;
        let target = self.active ^ 1;
        let base = self.base(target);
        let epoch = self.epoch.checked_add(1).ok_or(Error::Damaged)?;
        if !mutants::on(Mutant::NoErase) {
            flash.erase(base, base + SEGMENT).map_err(|_| Error::Flash)?;
        }
        if mutants::on(Mutant::HeaderFirst) {
            flash.write(base, &segment_header(epoch)).map_err(|_| Error::Flash)?;
        }
        let mut at = SEGMENT_HEADER_BYTES;
        for key in 0..limits::KEYS as u8 {
            let Some(offset) = self.offset_of(Key(key)) else { continue };
            let bytes = self.copy_record(flash, offset, base + at)?;
            if let Some(slot) = self.index.get_mut(usize::from(key)) {
                *slot = at as u16;
            }
            at += bytes;
        }
        if !mutants::on(Mutant::HeaderFirst) {
            flash.write(base, &segment_header(epoch)).map_err(|_| Error::Flash)?;
        }
        (self.active, self.epoch, self.tail) = (target, epoch, at as u16);
        self.is_mounted = true;
        Ok(())
    }

    /// Copies one record and answers its bytes; a record that does not match its checksum stops
    /// the compaction before the new segment is valid.
    fn copy_record<F: NorFlash>(&self, flash: &mut F, from: u32, to: u32) -> Result<u32, Error> {
        let header = self.header_at(flash, from)?.ok_or(Error::Damaged)?;
        let mut piece = [0; COPY_BYTES];
        let total = header.record_bytes();
        let mut crc = header.crc_start();
        let mut done = 0;
        while done < total {
            let bytes = (total - done).min(COPY_BYTES as u32) as usize;
            let part = &mut piece[..bytes];
            self.read(flash, from + done, part)?;
            let head_bytes = HEADER_BYTES.saturating_sub(done) as usize;
            crc = crc32(crc, part.get(head_bytes..).unwrap_or(&[]));
            flash.write(to + done, part).map_err(|_| Error::Flash)?;
            done += bytes as u32;
        }
        if crc == header.data_crc { Ok(total) } else { Err(Error::Damaged) }
    }

    fn data_matches<F: NorFlash>(
        &self,
        flash: &mut F,
        at: u32,
        header: &Header,
    ) -> Result<bool, Error> {
        let mut piece = [0; COPY_BYTES];
        let mut crc = header.crc_start();
        let mut done = 0;
        while done < u32::from(header.data_bytes) {
            let bytes = (u32::from(header.data_bytes) - done).min(COPY_BYTES as u32) as usize;
            let part = &mut piece[..bytes];
            self.read(flash, at + HEADER_BYTES + done, part)?;
            crc = crc32(crc, part);
            done += bytes as u32;
        }
        Ok(crc == header.data_crc)
    }

    fn header_at<F: NorFlash>(&self, flash: &mut F, at: u32) -> Result<Option<Header>, Error> {
        let mut bytes = [0; HEADER_BYTES as usize];
        self.read(flash, at, &mut bytes)?;
        Ok(Header::decode(&bytes))
    }

    fn epoch_of<F: NorFlash>(&self, flash: &mut F, segment: u8) -> Result<Option<u32>, Error> {
        let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
        flash.read(self.base(segment), &mut bytes).map_err(|_| Error::Flash)?;
        Ok(segment_epoch(&bytes))
    }

    fn base(&self, segment: u8) -> u32 {
        u32::from(segment) * SEGMENT
    }

    /// Reads from the active segment, never beyond it.
    fn read<F: NorFlash>(&self, flash: &mut F, at: u32, target: &mut [u8]) -> Result<(), Error> {
        if at + target.len() as u32 > SEGMENT {
            return Err(Error::Damaged);
        }
        flash.read(self.base(self.active) + at, target).map_err(|_| Error::Flash)
    }

    /// Programs, and distrusts the index if that fails.
    fn program<F: NorFlash>(&mut self, flash: &mut F, at: u32, bytes: &[u8]) -> Result<(), Error> {
        flash.write(at, bytes).map_err(|_| {
            self.is_mounted = mutants::on(Mutant::ErrorKeepsIndex);
            Error::Flash
        })
    }
}

/// Whether every byte from `from` up to `to` is erased.
fn blank<F: NorFlash>(flash: &mut F, from: u32, to: u32) -> Result<bool, Error> {
    let mut piece = [0; PIECE_BYTES];
    let mut at = from;
    while at < to {
        let part = &mut piece[..(to - at).min(PIECE_BYTES as u32) as usize];
        flash.read(at, part).map_err(|_| Error::Flash)?;
        if part.iter().any(|byte| *byte != 0xFF) {
            return Ok(false);
        }
        at += part.len() as u32;
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
