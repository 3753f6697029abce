//! A bounded list in a message, without allocation: a slice to send, raw CBOR when received.

use minicbor::decode::{Decoder, Error};
use minicbor::encode::{self, Encoder, Write};
use minicbor::{Decode, Encode};

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

impl<'b, T: Copy + Decode<'b, ()>, const MAX: usize> Seq<'b, T, MAX> {
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
            Self::Raw { bytes, count } => {
                SeqIter::Raw { decoder: Decoder::new(bytes), left: *count }
            }
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
        decoder: Decoder<'b>,
        /// Items still to come.
        left: usize,
    },
}

impl<'b, T: Copy + Decode<'b, ()>> Iterator for SeqIter<'b, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self {
            Self::Items(items) => items.next().copied(),
            Self::Raw { decoder, left } => {
                *left = left.checked_sub(1)?;
                decoder.decode().ok()
            }
        }
    }
}

impl<'b, T: Copy + Encode<()> + Decode<'b, ()> + PartialEq, const MAX: usize> PartialEq
    for Seq<'b, T, MAX>
{
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'b, C, T: Copy + Encode<()> + Decode<'b, ()>, const MAX: usize> Encode<C> for Seq<'b, T, MAX> {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        if self.len() > MAX {
            return Err(encode::Error::message("too many items"));
        }
        e.array(self.len() as u64)?;
        for item in self.iter() {
            item.encode(e, &mut ())?;
        }
        Ok(())
    }
}

impl<'b, C, T: Copy + Decode<'b, ()>, const MAX: usize> Decode<'b, C> for Seq<'b, T, MAX> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Error> {
        let Some(count) = d.array()? else { return Err(Error::message("indefinite array")) };
        let count = usize::try_from(count).map_err(|_| Error::message("too many items"))?;
        if count > MAX {
            return Err(Error::message("too many items"));
        }
        let start = d.position();
        for _ in 0..count {
            d.decode::<T>()?;
        }
        match d.input().get(start..d.position()) {
            Some(bytes) => Ok(Self::Raw { bytes, count }),
            None => Err(Error::end_of_input()),
        }
    }
}
