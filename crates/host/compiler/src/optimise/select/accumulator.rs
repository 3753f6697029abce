//! What the accumulator is known to hold: names of equal values.
use crate::optimise::body::{Arg, Place, Word};
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Name {
    Word(Word),
    Constant(u32),
}

/// Names of the accumulator's low and high word.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Accumulator {
    names: [BTreeSet<Name>; 2],
}

impl Accumulator {
    /// It holds a place's value, and nothing else is known.
    pub(super) fn holding(place: Place) -> Accumulator {
        let mut accumulator = Accumulator::default();
        accumulator.alias(place);
        accumulator
    }

    pub(super) fn of_constant(value: u64, words: u8) -> Accumulator {
        let mut accumulator = Accumulator::default();
        for (index, names) in accumulator.names.iter_mut().enumerate().take(words.into()) {
            names.insert(Name::Constant((value >> (32 * index)) as u32));
        }
        accumulator
    }

    pub(super) fn has(&self, arg: Arg, words: u8) -> bool {
        let mut names = self.names.iter().enumerate().take(words.into());
        match arg {
            Arg::None => false,
            Arg::Place(place) => {
                names.all(|(index, names)| names.contains(&Name::Word(place.word + index as Word)))
            }
            Arg::Constant(value) => names.all(|(index, names)| {
                names.contains(&Name::Constant((value >> (32 * index)) as u32))
            }),
        }
    }

    /// A place has become a copy of the accumulator.
    pub(super) fn alias(&mut self, place: Place) {
        for (names, word) in self.names.iter_mut().zip(place.words()) {
            names.insert(Name::Word(word));
        }
    }

    /// A place has another value now.
    pub(super) fn forget(&mut self, place: Place) {
        self.keep(|word| !place.has(word));
    }

    pub(super) fn keep(&mut self, is_kept: impl Fn(Word) -> bool) {
        for names in &mut self.names {
            names.retain(|name| match name {
                Name::Word(word) => is_kept(*word),
                Name::Constant(_) => true,
            });
        }
    }

    /// What both hold.
    pub(super) fn common(&self, other: &Accumulator) -> Accumulator {
        let both = |index: usize| &self.names[index] & &other.names[index];
        Accumulator { names: [both(0), both(1)] }
    }
}
