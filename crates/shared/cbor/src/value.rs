//! What can be a field of a record.

use crate::reader::Reader;
use crate::writer::Writer;

/// A type with one form in CBOR.
pub trait Value<'b>: Sized {
    /// The value of a field that a record lacks; only optional ones have one.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether a record leaves the field out.
    fn is_absent(&self) -> bool {
        false
    }

    /// Takes a value. `None` if something else comes, or the bytes end.
    fn read(reader: &mut Reader<'b>) -> Option<Self>;

    /// Appends the value.
    fn write(&self, writer: &mut Writer<'_>);
}

macro_rules! integers {
    ($($ty:ty: $read:ident as $wide:ty,)*) => {
        $(impl<'b> Value<'b> for $ty {
            fn read(reader: &mut Reader<'b>) -> Option<Self> {
                reader.$read()?.try_into().ok()
            }

            fn write(&self, writer: &mut Writer<'_>) {
                writer.$read(<$wide>::from(*self));
            }
        })*
    };
}

integers! {
    u8: unsigned as u64,
    u16: unsigned as u64,
    u32: unsigned as u64,
    u64: unsigned as u64,
    i32: signed as i64,
    i64: signed as i64,
}

impl<'b> Value<'b> for bool {
    fn read(reader: &mut Reader<'b>) -> Option<Self> {
        reader.boolean()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.boolean(*self);
    }
}

impl<'b> Value<'b> for &'b str {
    fn read(reader: &mut Reader<'b>) -> Option<Self> {
        reader.text()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.text(self);
    }
}

/// As a byte string.
impl<'b> Value<'b> for &'b [u8] {
    fn read(reader: &mut Reader<'b>) -> Option<Self> {
        reader.bytes()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(self);
    }
}

/// As a byte string of that length.
impl<'b, const BYTES: usize> Value<'b> for [u8; BYTES] {
    fn read(reader: &mut Reader<'b>) -> Option<Self> {
        reader.bytes()?.try_into().ok()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(self);
    }
}

/// Left out of a record, and null elsewhere.
impl<'b, T: Value<'b>> Value<'b> for Option<T> {
    fn absent() -> Option<Self> {
        Some(None)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn read(reader: &mut Reader<'b>) -> Option<Self> {
        if reader.null() { Some(None) } else { T::read(reader).map(Some) }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        match self {
            Some(value) => value.write(writer),
            None => writer.null(),
        }
    }
}
