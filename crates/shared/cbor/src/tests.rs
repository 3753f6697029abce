//! Against a well-known library: what it writes is read, and what is written it reads.

use crate::{Reader, Value, Writer};
use proptest::prelude::*;

crate::records! {
    /// Every kind of field.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct Record<'b> {
        /// A number.
        0 => number: u32,
        /// A number of either sign.
        1 => signed: i64,
        /// Text.
        2 => text: &'b str,
        /// Bytes.
        3 => bytes: &'b [u8],
        /// What may be missing.
        5 => option: Option<u8>,
        /// True or false.
        30 => flag: bool,
        /// A record in a record.
        300 => inner: Option<Inner>,
    }

    /// Without anything borrowed.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub struct Inner {
        /// Of one length.
        0 => key: [u8; 4],
    }
}

const RECORD: Record<'static> = Record {
    number: 70_000,
    signed: -300,
    text: "grüße",
    bytes: &[1, 2, 3],
    option: Some(7),
    flag: true,
    inner: Some(Inner { key: [9; 4] }),
};

fn written(value: &impl for<'b> Value<'b>) -> Vec<u8> {
    let mut buffer = [0; 600];
    let mut writer = Writer::new(&mut buffer);
    value.write(&mut writer);
    writer.finish().unwrap().to_vec()
}

fn record_bytes(record: &Record<'_>) -> Vec<u8> {
    let mut buffer = [0; 600];
    let mut writer = Writer::new(&mut buffer);
    record.write(&mut writer);
    writer.finish().unwrap().to_vec()
}

#[test]
fn records_survive_and_unknown_fields_are_passed_over() {
    let bytes = record_bytes(&RECORD);
    assert_eq!(Record::read(&mut Reader::new(&bytes)), Some(RECORD));
    let without = Record { option: None, inner: None, ..RECORD };
    let bytes = record_bytes(&without);
    assert_eq!(bytes[0], 0xa5, "what is absent takes no room");
    assert_eq!(Record::read(&mut Reader::new(&bytes)), Some(without));

    let mut buffer = Vec::new();
    let unknown = [0xa2, 0x18, 0x63, 0x82, 0xa1, 0x01, 0x43, 1, 2, 3, 0xc1, 0xfb];
    buffer.extend(unknown);
    buffer.extend([0; 8]);
    buffer.extend([0x00, 0x44, 5, 5, 5, 5]);
    assert_eq!(Inner::read(&mut Reader::new(&buffer)), Some(Inner { key: [5; 4] }));
}

#[test]
fn every_prefix_of_a_record_is_refused_and_a_buffer_that_is_too_small_is_noticed() {
    let bytes = record_bytes(&RECORD);
    for end in 0..bytes.len() {
        assert_eq!(Record::read(&mut Reader::new(&bytes[..end])), None, "{end}");
        let mut buffer = vec![0; end];
        let mut writer = Writer::new(&mut buffer);
        RECORD.write(&mut writer);
        assert_eq!(writer.finish(), None, "{end}");
    }
    println!("\ncases: {}", 2 * bytes.len());
}

#[test]
fn items_of_unknown_length_and_impossible_counts_are_refused() {
    for bytes in [
        &[0x9f, 0xff][..],
        &[0xbf, 0xff],
        &[0x5f, 0x41, 0, 0xff],
        &[0x7f, 0x61, 0x61, 0xff],
        &[0x1c],
        &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0xbb, 0x80, 0, 0, 0, 0, 0, 0, 0],
        &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        &[0x82, 0x82, 0x82, 0x82],
        &[0xff],
        &[],
    ] {
        assert_eq!(Reader::new(bytes).skip(), None, "{bytes:02x?}");
        assert_eq!(Reader::new(bytes).array().filter(|count| *count > 2), None);
        assert_eq!(Reader::new(bytes).map(), None);
        assert_eq!(Reader::new(bytes).bytes(), None);
        assert_eq!(Reader::new(bytes).text(), None);
    }
    assert_eq!(Reader::new(&[0x61, 0xff]).text(), None, "no UTF-8");
    println!("\ncases: 12");
}

proptest! {
    #[test]
    fn numbers_are_written_as_the_library_writes_them(number: u64, signed: i64, shift in 0_u32..64) {
        let (number, signed) = (number >> shift, signed >> shift);
        prop_assert_eq!(written(&number), minicbor::to_vec_of(number));
        prop_assert_eq!(written(&signed), minicbor::to_vec_of(signed));
        prop_assert_eq!(u64::read(&mut Reader::new(&written(&number))), Some(number));
        prop_assert_eq!(i64::read(&mut Reader::new(&written(&signed))), Some(signed));
        prop_assert_eq!(u16::read(&mut Reader::new(&written(&number))), u16::try_from(number).ok());
    }

    #[test]
    fn whatever_is_passed_over_is_as_long_as_the_library_says(bytes: Vec<u8>) {
        let mut reader = Reader::new(&bytes);
        let mut library = minicbor::Decoder::new(&bytes);
        // The library also looks whether text that it passes over is UTF-8.
        if reader.skip().is_some() && library.skip().is_ok() {
            prop_assert_eq!(bytes.len() - reader.rest().len(), library.position());
        }
    }
}

/// The library without its allocation feature.
mod minicbor {
    pub use ::minicbor::{Decoder, Encoder};

    pub fn to_vec_of<T: ::minicbor::Encode<()>>(value: T) -> Vec<u8> {
        let mut buffer = [0; 16];
        let mut encoder = Encoder::new(::minicbor::encode::write::Cursor::new(&mut buffer[..]));
        encoder.encode(value).unwrap();
        let used = encoder.writer().position();
        buffer[..used].to_vec()
    }
}
