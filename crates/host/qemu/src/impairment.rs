//! What a bad line does to what passes it: it loses, doubles, garbles and delays.
//!
//! A unit is what is harmed as one: a frame of a cable, a byte of a serial line. Nothing overtakes.
//! Pure: the time is an argument and all chance comes from the seed, so a run can be repeated: the same
//! units in the same order meet the same fate. Left out: a cable that is out, which ends a session.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::LINE_DELAYED_BYTES_MAX;

#[cfg(test)]
mod tests;

/// The certain event, in parts per million.
pub const CERTAIN_PPM: u32 = 1_000_000;

/// A direction of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// From the device.
    Up,
    /// To the device.
    Down,
}

/// Ways on which nothing passes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Partition {
    /// Both are open.
    #[default]
    None,
    /// Nothing comes from the device.
    Up,
    /// Nothing reaches the device.
    Down,
    /// Nothing passes at all.
    Both,
}

impl Partition {
    fn cuts(self, way: Way) -> bool {
        matches!((self, way), (Self::Both, _) | (Self::Up, Way::Up) | (Self::Down, Way::Down))
    }
}

/// How bad a line is, on each way alike. By default it is perfect.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Impairment {
    /// Units lost, of a million.
    pub loss_ppm: u32,
    /// Units that come twice, of a million.
    pub duplicate_ppm: u32,
    /// Units that come with one bit changed, of a million.
    pub corrupt_ppm: u32,
    /// Time that a unit is under way.
    pub delay: Duration,
    /// By how much that time is longer or shorter, at most.
    pub jitter: Duration,
    /// Ways on which nothing passes.
    pub partition: Partition,
    /// What decides which units are meant.
    pub seed: u64,
}

/// What a line did to units that were put on it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Harm {
    /// They never arrive.
    pub lost: u64,
    /// They arrive twice.
    pub doubled: u64,
    /// They arrive with one bit changed.
    pub garbled: u64,
}

/// What passes as one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unit {
    Frame,
    Byte,
}

/// One way of a line, and what is under way on it.
#[derive(Debug)]
pub(crate) struct Lane {
    way: Way,
    unit: Unit,
    impairment: Impairment,
    fate: Random,
    /// Apart from the other, so that the fate of bytes does not depend on how they were cut up.
    timing: Random,
    waiting: VecDeque<(Duration, Vec<u8>)>,
    waiting_bytes: usize,
    last_due: Duration,
}

impl Lane {
    pub(crate) fn new(way: Way, unit: Unit, impairment: Impairment) -> Self {
        let mut lane = Self {
            way,
            unit,
            impairment,
            fate: Random(0),
            timing: Random(0),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            last_due: Duration::ZERO,
        };
        lane.sow();
        lane
    }

    fn sow(&mut self) {
        let mut seeds = Random(self.impairment.seed ^ self.way as u64);
        (self.fate, self.timing) = (Random(seeds.next()), Random(seeds.next()));
    }

    /// Makes the line better or worse from now on; what is under way stays so.
    pub(crate) fn set(&mut self, impairment: Impairment) {
        let is_sown_anew = impairment.seed != self.impairment.seed;
        self.impairment = impairment;
        if is_sown_anew {
            self.sow();
        }
    }

    /// Forgets what is under way.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    /// Puts a frame, or a piece of some bytes, on the line.
    pub(crate) fn push(&mut self, now: Duration, piece: &[u8]) -> Harm {
        let mut harm = Harm::default();
        let mut passing = Vec::with_capacity(piece.len());
        match self.unit {
            Unit::Frame => self.pass(piece, &mut harm, |copy| passing.push(copy.to_vec())),
            Unit::Byte => {
                let mut bytes = Vec::with_capacity(piece.len());
                for byte in piece.chunks(1) {
                    self.pass(byte, &mut harm, |copy| bytes.extend_from_slice(copy));
                }
                passing.push(bytes);
            }
        }
        for bytes in passing {
            if bytes.is_empty() {
                continue;
            }
            if self.waiting_bytes + bytes.len() > LINE_DELAYED_BYTES_MAX {
                harm.lost += if self.unit == Unit::Byte { bytes.len() as u64 } else { 1 };
                continue;
            }
            self.waiting_bytes += bytes.len();
            self.last_due = self.due(now);
            self.waiting.push_back((self.last_due, bytes));
        }
        harm
    }

    /// Decides what becomes of one unit.
    fn pass(&mut self, unit: &[u8], harm: &mut Harm, mut sink: impl FnMut(&[u8])) {
        let Impairment { loss_ppm, duplicate_ppm, corrupt_ppm, partition, .. } = self.impairment;
        if loss_ppm == 0 && duplicate_ppm == 0 && corrupt_ppm == 0 {
            if partition.cuts(self.way) {
                harm.lost += 1
            } else {
                sink(unit)
            }
            return;
        }
        // All are drawn for each unit: the fate of later ones does not depend on what is switched on.
        let mut happens = |ppm: u32| self.fate.below(CERTAIN_PPM.into()) < ppm.into();
        let (is_lost, is_doubled) = (happens(loss_ppm), happens(duplicate_ppm));
        let (is_garbled, place) = (happens(corrupt_ppm), self.fate.next());
        if is_lost || partition.cuts(self.way) {
            harm.lost += 1;
            return;
        }
        harm.doubled += u64::from(is_doubled);
        harm.garbled += u64::from(is_garbled);
        let mut bytes = unit.to_vec();
        if is_garbled {
            let index = (place / 8) as usize % bytes.len().max(1);
            bytes.iter_mut().skip(index).take(1).for_each(|byte| *byte ^= 1 << (place % 8));
        }
        (0..=u8::from(is_doubled)).for_each(|_| sink(&bytes));
    }

    fn due(&mut self, now: Duration) -> Duration {
        let Impairment { delay, jitter, .. } = self.impairment;
        let spread = jitter.as_micros() as u64;
        let offset = Duration::from_micros(self.timing.below(2 * spread + 1));
        (now + delay + offset).saturating_sub(jitter).max(now).max(self.last_due)
    }

    /// What has arrived by now, first things first.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<Vec<u8>> {
        let (_, bytes) = self.waiting.pop_front_if(|(due, _)| *due <= now)?;
        self.waiting_bytes -= bytes.len();
        Some(bytes)
    }

    /// When the next arrives, if anything is under way.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.waiting.front().map(|(due, _)| *due)
    }
}

/// SplitMix64: small, and good enough to harm a line; never for secrets.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
