//! Takes values off the front of some bytes.

/// Kinds of items, as in the upper three bits of the first byte.
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;

/// What is left to be read. Every function answers `None` if something else comes next, or the
/// bytes end; what was taken by then is lost.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    /// Stands before the first of `bytes`.
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub const fn rest(&self) -> &'b [u8] {
        self.rest
    }

    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// Kind and number of the next item; for a simple value the number is what follows it.
    #[inline(never)]
    fn head(&mut self) -> Option<(u8, u64)> {
        let first = *self.take(1)?.first()?;
        let number = match first & 0x1f {
            small @ 0..=23 => u64::from(small),
            long @ 24..=27 => {
                let bytes = self.take(1 << (long - 24))?;
                bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
            _ => return None,
        };
        Some((first >> 5, number))
    }

    #[inline(never)]
    fn number_of(&mut self, kind: u8) -> Option<u64> {
        let (found, number) = self.head()?;
        (found == kind).then_some(number)
    }

    /// A number from 0 on.
    pub fn unsigned(&mut self) -> Option<u64> {
        self.number_of(UNSIGNED)
    }

    /// A number of either sign.
    #[inline(never)]
    pub fn signed(&mut self) -> Option<i64> {
        let (kind, number) = self.head()?;
        let number = i64::try_from(number).ok()?;
        match kind {
            UNSIGNED => Some(number),
            NEGATIVE => Some(-1 - number),
            _ => None,
        }
    }

    #[inline(never)]
    fn string(&mut self, kind: u8) -> Option<&'b [u8]> {
        let count = self.number_of(kind)?;
        self.take(usize::try_from(count).ok()?)
    }

    /// Bytes.
    pub fn bytes(&mut self) -> Option<&'b [u8]> {
        self.string(BYTES)
    }

    /// Text, which is UTF-8.
    #[inline(never)]
    pub fn text(&mut self) -> Option<&'b str> {
        core::str::from_utf8(self.string(TEXT)?).ok()
    }

    #[inline(never)]
    fn count_of(&mut self, kind: u8) -> Option<usize> {
        let count = usize::try_from(self.number_of(kind)?).ok()?;
        // Each item takes a byte, so a larger count cannot be true.
        (count <= self.rest.len()).then_some(count)
    }

    /// Count of the items that follow.
    pub fn array(&mut self) -> Option<usize> {
        self.count_of(ARRAY)
    }

    /// Count of the pairs that follow.
    pub fn map(&mut self) -> Option<usize> {
        self.count_of(MAP)
    }

    /// True or false.
    pub fn boolean(&mut self) -> Option<bool> {
        match *self.take(1)?.first()? {
            FALSE => Some(false),
            TRUE => Some(true),
            _ => None,
        }
    }

    /// Whether null comes next, which is then taken.
    pub fn null(&mut self) -> bool {
        let is_null = self.rest.first() == Some(&NULL);
        if is_null {
            self.take(1);
        }
        is_null
    }

    /// Passes over one item, whatever it is.
    #[inline(never)]
    pub fn skip(&mut self) -> Option<()> {
        let mut left: usize = 1;
        while left > 0 {
            let (kind, number) = self.head()?;
            left -= 1;
            let count = usize::try_from(number).ok();
            let inner = match kind {
                BYTES | TEXT => {
                    self.take(count?)?;
                    0
                }
                ARRAY => count?,
                MAP => count?.checked_mul(2)?,
                TAG => 1,
                _ => 0,
            };
            left = left.checked_add(inner)?;
            if left > self.rest.len() {
                return None;
            }
        }
        Some(())
    }
}
