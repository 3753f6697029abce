//! What a script expects of a call.

use wast::WastRet;
use wast::core::{NanPattern, WastRetCore};

/// What a script expects of a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expected {
    /// It returns, whatever it gives.
    Return,
    /// It returns these words.
    Results(Vec<Word>),
    /// It traps with a message that begins so.
    Trap(String),
    /// It uses up its stack.
    Exhaustion,
}

/// A word of a result.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Word {
    /// The bits under the mask are these.
    Bits {
        /// Bits that are compared.
        mask: u32,
        /// What they are.
        value: u32,
    },
    /// Anything but null.
    NotNull,
}

impl Word {
    /// All bits are these.
    pub fn exact(value: u32) -> Word {
        Word::Bits { mask: u32::MAX, value }
    }

    /// Whether `word` is as expected.
    pub fn matches(self, word: u32) -> bool {
        match self {
            Word::Bits { mask, value } => word & mask == value,
            Word::NotNull => word != 0,
        }
    }
}

impl Expected {
    /// The results of an assertion, if they all have a meaning here.
    pub fn results(results: &[WastRet<'_>]) -> Option<Expected> {
        let mut words = Vec::new();
        for result in results {
            let WastRet::Core(result) = result else { return None };
            push(result, &mut words)?;
        }
        Some(Expected::Results(words))
    }
}

fn push(result: &WastRetCore<'_>, words: &mut Vec<Word>) -> Option<()> {
    let long = |value: u64| [Word::exact(value as u32), Word::exact((value >> 32) as u32)];
    match result {
        WastRetCore::I32(value) => words.push(Word::exact(*value as u32)),
        WastRetCore::I64(value) => words.extend(long(*value as u64)),
        WastRetCore::F32(pattern) => words.push(match pattern {
            NanPattern::Value(value) => Word::exact(value.bits),
            // The sign of a NaN is free; the quiet bit is set, and of a canonical one no other.
            NanPattern::CanonicalNan => Word::Bits { mask: 0x7fff_ffff, value: 0x7fc0_0000 },
            NanPattern::ArithmeticNan => Word::Bits { mask: 0x7fc0_0000, value: 0x7fc0_0000 },
        }),
        WastRetCore::F64(pattern) => words.extend(match pattern {
            NanPattern::Value(value) => long(value.bits),
            NanPattern::CanonicalNan => {
                [Word::exact(0), Word::Bits { mask: 0x7fff_ffff, value: 0x7ff8_0000 }]
            }
            NanPattern::ArithmeticNan => [
                Word::Bits { mask: 0, value: 0 },
                Word::Bits { mask: 0x7ff8_0000, value: 0x7ff8_0000 },
            ],
        }),
        WastRetCore::RefNull(_) => words.push(Word::exact(0)),
        WastRetCore::RefExtern(Some(number)) => words.push(Word::exact(number + 1)),
        WastRetCore::RefExtern(None) | WastRetCore::RefFunc(_) => words.push(Word::NotNull),
        _ => return None,
    }
    Some(())
}
