//! Tables with one fault each are refused; sound ones begin with their contents.
use super::*;
use wasmbed_image::{FORMAT_LOWERED_V1, FunctionRecord, Header, TableRecord};

const TABLE: TableRecord = TableRecord { elements: 3, elements_max: 4, items_offset: 2, items: 2 };

/// Two tables, one data segment of one byte, one element segment, two functions.
fn image(change: impl FnOnce(&mut Header, &mut [TableRecord; 2], &mut [u32; 4])) -> Vec<u8> {
    let mut header = Header {
        format: FORMAT_LOWERED_V1,
        functions: 2,
        item_bytes: 6,
        tables: 2,
        data_segments: 1,
        element_segments: 1,
        state_words: 1 + 2 + 5,
        entry: NO_FUNCTION,
        start: NO_FUNCTION,
        ..Header::default()
    };
    let mut tables =
        [TableRecord { elements: 1, elements_max: 1, ..TableRecord::default() }, TABLE];
    let mut heads = [0, 1, 4, 1];
    change(&mut header, &mut tables, &mut heads);
    let mut bytes = header.encode().to_vec();
    let record = FunctionRecord { code_offset: 0, type_number: 0 };
    bytes.extend([record.encode().to_le_bytes(); 2].concat());
    bytes.extend(tables.into_iter().flat_map(TableRecord::encode));
    bytes.extend(heads.into_iter().flat_map(u32::to_le_bytes));
    for item in [7, NO_FUNCTION, 1] {
        bytes.extend(item.to_le_bytes());
    }
    bytes
}

#[track_caller]
fn check(is_sound: bool, change: impl FnOnce(&mut Header, &mut [TableRecord; 2], &mut [u32; 4])) {
    let bytes = image(change);
    let expected = if is_sound { Ok(()) } else { Err(LoadError::Inconsistent) };
    assert_eq!(super::check(&Image::parse(&bytes).unwrap()), expected);
}

#[test]
fn what_contradicts_itself_is_refused() {
    check(true, |_, _, _| {});
    check(false, |header, _, _| header.state_words = 7);
    check(false, |_, tables, _| tables[1].elements = 5);
    check(false, |_, tables, _| tables[1].elements = 1);
    check(false, |_, tables, _| tables[1].elements_max = u32::MAX);
    // The function 7 does not exist.
    check(false, |_, tables, _| tables[1].items_offset = 0);
    check(false, |_, tables, _| tables[1].items_offset = 4);
    check(false, |_, tables, _| tables[1].items_offset = u32::MAX);
    check(false, |_, tables, _| tables[1].items = u32::MAX);
    check(false, |_, _, heads| heads[1] = 7);
    check(false, |_, _, heads| heads[0] = u32::MAX);
    check(false, |_, _, heads| heads[2] = 0);
    check(false, |_, _, heads| heads[3] = 2);
    check(false, |_, _, heads| heads[3] = u32::MAX);
}

#[test]
fn tables_begin_with_their_contents_and_stay_in_their_bounds() {
    let bytes = image(|_, _, _| {});
    let image = Image::parse(&bytes).unwrap();
    let mut state = vec![0; 8 * 4];
    fill(&image, &mut state);
    let table = Table::find(&image, &state, 1).unwrap();
    assert_eq!(
        [0, 1, 2, 3].map(|index| table.element(&state, index)),
        [Some(0), Some(2), Some(0), None]
    );
    assert!(Table::find(&image, &state, 2).is_none());
    // More than there is room for is left out.
    table.fill(&mut state, 3, 9, 5);
    table.write(&mut state, 4, &[0; 6]);
    table.copy(&mut state, 3, table, 0, 9);
    table.resize(&mut state, 9);
    let table = Table::find(&image, &state, 1).unwrap();
    assert_eq!((table.elements, table.element(&state, 3)), (4, Some(5)));
    let other = Table::find(&image, &state, 0).unwrap();
    assert_eq!((other.elements, other.element(&state, 0)), (1, Some(0)));
    set_dropped(&mut state, 1);
    assert_eq!([is_dropped(&state, 0), is_dropped(&state, 1)], [false, true]);
}
