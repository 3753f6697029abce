//! Flash in memory, for software devices and for tests: programs clear bits only, and power can be
//! cut at any byte of a program and inside an erase.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// Points at which one erase can be cut.
const ERASE_STEPS: u64 = 8;

/// What a cut leaves of the operation that it interrupts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tear {
    /// The part before the cut, and random bits of the byte at the cut.
    Ordered,
    /// Programs: any bits of the whole program, or its end first.
    ScatteredProgram,
    /// Erases: random bits, random bytes, or the end first.
    ScatteredErase,
}

/// A flash in memory.
#[derive(Clone, Debug)]
pub struct RamFlash<const ERASE: usize = 4096> {
    bytes: Vec<u8>,
    /// Steps until the power goes; `None` means never.
    cut_in: Option<u64>,
    tear: Tear,
    random: u64,
    dead: bool,
    steps: u64,
    programmed_twice: bool,
}

/// Why the flash did nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RamError {
    /// Beyond the end, or an erase that is not on segment borders.
    OutOfBounds,
    /// The power is off.
    PowerCut,
}

impl NorFlashError for RamError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::PowerCut => NorFlashErrorKind::Other,
        }
    }
}

impl<const ERASE: usize> RamFlash<ERASE> {
    /// A blank flash.
    pub fn new(capacity_bytes: usize) -> Self {
        Self::from_bytes(vec![0xFF; capacity_bytes])
    }

    /// A flash that holds `bytes`.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            cut_in: None,
            tear: Tear::Ordered,
            random: 1,
            dead: false,
            steps: 0,
            programmed_twice: false,
        }
    }

    /// What is in the flash now.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, to damage it.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Steps so far: two for each programmed byte and one more for each program, nine an erase.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Cuts the power after `steps` more steps; `seed` chooses what is left of the operation.
    pub fn cut_after(&mut self, steps: u64, tear: Tear, seed: u64) {
        self.cut_in = Some(steps);
        self.tear = tear;
        self.random = seed | 1;
    }

    /// Whether the power was cut.
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    /// Brings the power back, and forgets a cut that did not happen yet.
    pub fn power_on(&mut self) {
        self.dead = false;
        self.cut_in = None;
    }

    /// Whether any byte was ever programmed twice without an erase between.
    pub fn programmed_twice(&self) -> bool {
        self.programmed_twice
    }

    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Takes `steps` steps; answers how many happened before the power went, if it does.
    fn take_steps(&mut self, steps: u64) -> Result<Option<u64>, RamError> {
        if self.dead {
            return Err(RamError::PowerCut);
        }
        match self.cut_in {
            Some(left) if left < steps => {
                self.dead = true;
                self.steps += left;
                Ok(Some(left))
            }
            Some(left) => {
                self.cut_in = Some(left - steps);
                self.steps += steps;
                Ok(None)
            }
            None => {
                self.steps += steps;
                Ok(None)
            }
        }
    }

    fn tear_program(&mut self, at: usize, data: &[u8], done: u64) {
        let whole = (done / 2) as usize;
        let scattered = self.tear == Tear::ScatteredProgram && done > 0;
        if !scattered {
            for (offset, byte) in data.iter().enumerate().take(whole) {
                self.bytes[at + offset] &= byte;
            }
            if done % 2 == 1 {
                let mask = self.next_random() as u8;
                self.bytes[at + whole] &= data[whole] | mask;
            }
        } else if self.next_random().is_multiple_of(3) {
            let first = data.len() - whole.min(data.len());
            for (offset, byte) in data.iter().enumerate().skip(first) {
                self.bytes[at + offset] &= byte;
            }
        } else {
            for (offset, byte) in data.iter().enumerate() {
                let mask = (self.next_random() >> 11) as u8;
                self.bytes[at + offset] &= byte | mask;
            }
        }
    }

    fn tear_erase(&mut self, from: usize, to: usize, done: u64) {
        let bytes = to - from;
        let border = bytes * done as usize / ERASE_STEPS as usize;
        if self.tear != Tear::ScatteredErase {
            self.bytes[from..from + border].fill(0xFF);
            return;
        }
        match self.next_random() % 3 {
            0 => self.bytes[to - border..to].fill(0xFF),
            1 => {
                for at in from..to {
                    let mask = (self.next_random() >> 9) as u8;
                    self.bytes[at] |= mask;
                }
            }
            _ => {
                for at in from..to {
                    if (self.next_random() >> 17) & 7 < done {
                        self.bytes[at] = 0xFF;
                    }
                }
            }
        }
    }
}

impl<const ERASE: usize> ErrorType for RamFlash<ERASE> {
    type Error = RamError;
}

impl<const ERASE: usize> ReadNorFlash for RamFlash<ERASE> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), RamError> {
        if self.dead {
            return Err(RamError::PowerCut);
        }
        let from = offset as usize;
        let source = self.bytes.get(from..from + bytes.len()).ok_or(RamError::OutOfBounds)?;
        bytes.copy_from_slice(source);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const ERASE: usize> NorFlash for RamFlash<ERASE> {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), RamError> {
        let (from, to) = (from as usize, to as usize);
        if from > to
            || to > self.bytes.len()
            || !from.is_multiple_of(ERASE)
            || !to.is_multiple_of(ERASE)
        {
            return Err(RamError::OutOfBounds);
        }
        if let Some(done) = self.take_steps(ERASE_STEPS + 1)? {
            self.tear_erase(from, to, done);
            return Err(RamError::PowerCut);
        }
        self.bytes[from..to].fill(0xFF);
        Ok(())
    }

    fn write(&mut self, offset: u32, data: &[u8]) -> Result<(), RamError> {
        let at = offset as usize;
        let target = self.bytes.get(at..at + data.len()).ok_or(RamError::OutOfBounds)?;
        self.programmed_twice |= target.iter().any(|byte| *byte != 0xFF);
        if let Some(done) = self.take_steps(2 * data.len() as u64 + 1)? {
            self.tear_program(at, data, done);
            return Err(RamError::PowerCut);
        }
        for (byte, new) in self.bytes[at..].iter_mut().zip(data) {
            *byte &= new;
        }
        Ok(())
    }
}
