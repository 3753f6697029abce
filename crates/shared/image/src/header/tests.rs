//! A body splits into its sections; a malformed one is refused without harm.
use super::*;
use std::vec;
use std::vec::Vec;

fn example() -> Vec<u8> {
    let header = Header {
        format: FORMAT_LOWERED_V1,
        has_byte_pages: true,
        code_bytes: 3,
        data_bytes: 10,
        functions: 1,
        imports: 1,
        table_elements: 2,
        global_words: 1,
        memory_bytes: 16,
        memory_bytes_max: 32,
        stack_bytes: 64,
        entry: 0,
        start: NO_FUNCTION,
        state_words: 1 + 1 + 3,
        item_bytes: 6,
        tables: 1,
        data_segments: 1,
        element_segments: 1,
        recursion_depth: 7,
    };
    let mut bytes = header.encode().to_vec();
    bytes.extend(4u16.to_le_bytes());
    bytes.extend(FunctionRecord { code_offset: 0, type_number: 9 }.encode().to_le_bytes());
    bytes.extend(0u16.to_le_bytes());
    bytes.extend(NO_FUNCTION.to_le_bytes());
    bytes.extend(0x0102_0304u32.to_le_bytes());
    bytes.extend([8, 0, 0, 0, 2, 0, 0, 0, b'h', b'i']);
    let table = TableRecord { elements: 2, elements_max: 3, items_offset: 0, items: 1 };
    bytes.extend(table.encode());
    bytes.extend([2, 0, 0, 0, 4, 0, 0, 0]);
    bytes.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    bytes.extend([0, 0, b'd', b'a', b't', b'a']);
    bytes.extend([1, 2, 3]);
    bytes
}

#[test]
fn the_sections_are_found() {
    let bytes = example();
    let image = Image::parse(&bytes).unwrap();
    assert_eq!(image.header.image_bytes(), bytes.len() as u64);
    assert_eq!(image.header.arena_bytes(), 64 + 4 + 20 + 32);
    assert_eq!(image.header.memory_offset(), 64 + 4 + 20);
    assert_eq!(image.header.dropped_words(), 1);
    let table = image.table(0).unwrap();
    assert_eq!((table.elements, table.elements_max), (2, 3));
    assert_eq!((image.table_items(&table), image.table(1)), (Some(&[0, 0][..]), None));
    assert_eq!((image.data_segment(0), image.data_segment(1)), (Some(&b"data"[..]), None));
    assert_eq!((image.element_segment(0), image.element_segment(1)), (Some(&[0, 0][..]), None));
    assert_eq!(image.header.page_bytes(), 1);
    assert_eq!((image.import(0), image.import(1)), (Some(4), None));
    let record = FunctionRecord { code_offset: 0, type_number: 9 };
    assert_eq!((image.function(0), image.function(1)), (Some(record), None));
    assert_eq!(image.table_element(1), Some(NO_FUNCTION));
    assert_eq!(image.table_element(2), None);
    assert_eq!(image.globals(), [4, 3, 2, 1]);
    assert_eq!(image.segments().collect::<Vec<_>>(), vec![Ok((8, &b"hi"[..]))]);
    assert_eq!(image.code(), [1, 2, 3]);
    assert_eq!(image.header.encode(), bytes[..Header::BYTES]);
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let mut bytes = example();
    for length in 0..bytes.len() {
        assert!(Image::parse(&bytes[..length]).is_err());
    }
    bytes.push(0);
    assert!(matches!(Image::parse(&bytes), Err(ImageError::Length { .. })));
}

#[test]
fn every_changed_byte_is_refused_or_read_within_bounds() {
    let bytes = example();
    for index in 0..bytes.len() {
        for value in 0..=255 {
            let mut changed = bytes.clone();
            changed[index] = value;
            if let Ok(image) = Image::parse(&changed) {
                assert!(image.segments().count() <= 2);
                assert_eq!(image.code().len(), 3);
            }
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    let change = |offset: usize, value: u8| {
        let mut bytes = example();
        bytes[offset] = value;
        Image::parse(&bytes).map(|_| ())
    };
    assert_eq!(change(0, 0), Err(ImageError::Magic));
    assert_eq!(change(4, 1), Err(ImageError::Version { version: 1 }));
    assert_eq!(change(5, 2), Err(ImageError::Format { format: 2 }));
    assert_eq!(change(6, 3), Err(ImageError::Flags { flags: 3 }));
    assert_eq!(change(0x24, 1), Err(ImageError::Inconsistent));
    assert!(matches!(change(0x0b, 1), Err(ImageError::CodeTooLarge { .. })));
}
