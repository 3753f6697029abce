//! The table of imports agrees with itself.
use super::*;

#[test]
fn every_import_is_found_by_its_number_and_by_its_name() {
    for import in &IMPORTS {
        assert_eq!(import_by_number(import.number), Some(import));
        assert_eq!(import_by_name(import.module, import.name), Some(import));
        let words: u16 = import.params.iter().map(|param| param.words()).sum();
        assert!(usize::from(words) <= ARGUMENT_WORDS_MAX);
        assert_eq!(need_of(import.number).unwrap().argument_words(), words.into());
    }
    for number in 0..=200 {
        let need = import_by_number(number).map(|import| import.capability);
        let bits = |one: Option<Capability>| one.map_or(0, Capability::bit);
        match (need, need_of(number)) {
            (Some(one), Some(need)) => {
                assert!(need.is_met_by(bits(one)), "{number}");
                assert_eq!(need.is_met_by(!bits(one)), one.is_none(), "{number}");
            }
            (None, None) => {}
            (one, need) => panic!("{number}: {one:?} {need:?}"),
        }
    }
    assert_eq!(import_by_number(0), None);
    assert_eq!(import_by_name("env", "log"), None);
}

#[test]
fn every_capability_is_found_by_its_name() {
    for (index, capability) in Capability::ALL.into_iter().enumerate() {
        assert_eq!(capability.bit(), 1 << index);
        assert_eq!(Capability::by_name(capability.name()), Some(capability));
    }
    assert_eq!(Capability::by_name("Log"), None);
}
