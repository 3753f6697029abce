//! A bounded list in a message, without allocation: a slice to send, raw CBOR when received.

use wasmbed_cbor::{Reader, Value, Writer};

/// Up to `MAX` items of `T`: borrowed from the sender's memory, or from the received frame.
#[derive(Clone, Copy, Debug)]
pub enum Seq<'b, T, const MAX: usize> {
    /// Items to send. More than `MAX` are refused when encoded.
    Items(&'b [T]),
    /// The checked encoding of `count` items.
    Raw {
        /// CBOR items, one after the other, without the array header.
        bytes: &'b [u8],
        /// How many.
        count: usize,
    },
}

impl<'b, T: Copy + Value<'b>, const MAX: usize> Seq<'b, T, MAX> {
    /// Number of items.
    pub fn len(&self) -> usize {
        match self {
            Self::Items(items) => items.len(),
            Self::Raw { count, .. } => *count,
        }
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items in order.
    pub fn iter(&self) -> SeqIter<'b, T> {
        match self {
            Self::Items(items) => SeqIter::Items(items.iter()),
            Self::Raw { bytes, count } => SeqIter::Raw { reader: Reader::new(bytes), left: *count },
        }
    }
}

/// Iterator over a [`Seq`].
pub enum SeqIter<'b, T> {
    /// Over items in memory.
    Items(core::slice::Iter<'b, T>),
    /// Over received items, which were checked when the message was decoded.
    Raw {
        /// Stands before the next item.
        reader: Reader<'b>,
        /// Items still to come.
        left: usize,
    },
}

impl<'b, T: Copy + Value<'b>> Iterator for SeqIter<'b, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self {
            Self::Items(items) => items.next().copied(),
            Self::Raw { reader, left } => {
                *left = left.checked_sub(1)?;
                T::read(reader)
            }
        }
    }
}

impl<'b, T: Copy + Value<'b> + PartialEq, const MAX: usize> PartialEq for Seq<'b, T, MAX> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'b, T: Copy + Value<'b>, const MAX: usize> Value<'b> for Seq<'b, T, MAX> {
    fn read(reader: &mut Reader<'b>) -> Option<Self> {
        let count = reader.array().filter(|count| *count <= MAX)?;
        let before = reader.rest();
        for _ in 0..count {
            T::read(reader)?;
        }
        let bytes = before.get(..before.len() - reader.rest().len())?;
        Some(Self::Raw { bytes, count })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        if self.len() > MAX {
            return writer.refuse();
        }
        writer.array(self.len());
        for item in self.iter() {
            item.write(writer);
        }
    }
}
