//! Check values of both checksums.

use super::{crc16, crc32};

#[test]
fn checksums_of_the_digits_are_the_published_check_values() {
    assert_eq!(crc32(0, b"123456789"), 0xCBF4_3926);
    assert_eq!(crc16(b"123456789"), 0x29B1);
}

#[test]
fn a_checksum_in_parts_equals_the_one_of_the_whole() {
    let bytes: Vec<u8> = (0..=255).collect();
    for cut in 0..bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(crc32(crc32(0, head), tail), crc32(0, &bytes));
    }
    println!("\ncases: {}\n", bytes.len());
}
