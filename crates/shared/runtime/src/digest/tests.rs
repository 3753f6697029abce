//! Against a general hash, at every length around two blocks.

use sha2::{Digest, Sha256};

use super::{BLOCK_BYTES, BlockHash};

#[test]
fn every_length_has_the_digest_of_a_general_hash() {
    let bytes: Vec<u8> = (0..400).map(|index| (index * 7) as u8).collect();
    for length in 0..=bytes.len() {
        let bytes = &bytes[..length];
        let last = length / BLOCK_BYTES * BLOCK_BYTES;
        let mut hash = BlockHash::START;
        bytes[..last].chunks(BLOCK_BYTES * 2).for_each(|piece| hash.update(piece));
        let digest = hash.finish(&bytes[last..], length as u32);
        assert_eq!(digest[..], Sha256::digest(bytes)[..], "{length}");
    }
    println!("\ncases: {}", bytes.len() + 1);
}
