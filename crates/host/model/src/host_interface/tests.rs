//! Bits and names of the host interface.

use super::{bit, names};

#[test]
fn every_name_is_that_of_its_bit() {
    let all = names(u32::MAX);
    assert_eq!((all.first(), all.last()), (Some(&"log"), Some(&"wasi")));
    for name in &all {
        assert_eq!(names(bit(name).unwrap()), [*name]);
    }
    assert_eq!(names(0), [""; 0]);
    assert_eq!(bit("unheard-of"), None);
    println!("\ncases: {}", all.len() + 3);
}
