//! Source maps: what is written is read back, and what is damaged is refused or read, never worse.

use super::{SourceMap, SourceMapError};

fn map() -> SourceMap {
    SourceMap::new(vec![
        (0, 100),
        (3, 102),
        (9, 90),
        (200, 1 << 20),
        (70_000, u32::MAX),
        (70_001, 0),
    ])
}

#[test]
fn code_leads_to_the_operator_it_came_from() {
    let map = map();
    let cases = [
        (0, 100),
        (2, 100),
        (3, 102),
        (8, 102),
        (9, 90),
        (199, 90),
        (200, 1 << 20),
        (70_000, u32::MAX),
        (u32::MAX, 0),
    ];
    for (code, module) in cases {
        assert_eq!(map.module_offset(code), Some(module), "code at {code}");
    }
    assert_eq!(SourceMap::default().module_offset(0), None);
    assert_eq!(SourceMap::new(vec![(4, 1)]).module_offset(3), None);
    println!("\ncases: {}", cases.len() + 2);
}

#[test]
fn a_map_survives_being_stored() {
    let bytes = map().encode();
    assert_eq!(SourceMap::decode(&bytes), Ok(map()));
    assert_eq!(SourceMap::decode(&SourceMap::default().encode()), Ok(SourceMap::default()));
    assert!(bytes.len() < 36, "{} bytes", bytes.len());
    println!("\ncases: 2");
}

#[test]
fn damaged_bytes_are_refused_or_read_and_written_alike() {
    assert_eq!(SourceMap::decode(b""), Err(SourceMapError::Magic));
    assert_eq!(SourceMap::decode(b"wsm2"), Err(SourceMapError::Magic));
    let bytes = map().encode();
    let mut cases = 2;
    for position in 0..bytes.len() {
        let mut versions = vec![bytes[..position].to_vec()];
        versions.extend((0..=255).map(|value| {
            let mut changed = bytes.clone();
            changed[position] = value;
            changed
        }));
        for version in versions {
            cases += 1;
            if let Ok(map) = SourceMap::decode(&version) {
                assert_eq!(SourceMap::decode(&map.encode()), Ok(map));
            }
        }
    }
    println!("\ncases: {cases}");
}
