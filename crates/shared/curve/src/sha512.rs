//! SHA-512 with its message schedule computed inside the block buffer: 200 bytes of state.
//!
//! The `sha2` crate's unrolled compression costs 27 KB of flash and 500 bytes more stack.

use zeroize::Zeroize;

use crate::limits::DIGEST_BYTES;

/// Bytes of one message block.
const BLOCK_BYTES: usize = 128;

/// A running hash. Wiped when dropped.
pub struct Sha512 {
    state: [u64; 8],
    /// The block being filled, as big-endian words; zero past `length`.
    block: [u64; 16],
    /// Bytes hashed so far. 64 bits count more than any caller can give.
    length: u64,
}

impl Sha512 {
    /// The hash of nothing yet.
    pub const fn new() -> Self {
        Self { state: INITIAL, block: [0; 16], length: 0 }
    }

    /// Appends `bytes` to the message.
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.push(*byte);
        }
    }

    /// Writes the digest of everything appended, and starts anew.
    pub fn finish(&mut self, digest: &mut [u8; DIGEST_BYTES]) {
        let bits = self.length << 3;
        let bits_high = self.length >> 61;
        self.push(0x80);
        // The length fills the last two words of a block.
        while self.length % BLOCK_BYTES as u64 != BLOCK_BYTES as u64 - 16 {
            self.push(0);
        }
        let [.., high, low] = &mut self.block;
        *high = bits_high;
        *low = bits;
        self.compress();
        for (chunk, word) in digest.chunks_exact_mut(8).zip(&self.state) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
        self.state = INITIAL;
        self.block.zeroize();
        self.length = 0;
    }

    fn push(&mut self, byte: u8) {
        let position = self.length as usize % BLOCK_BYTES;
        if let Some(word) = self.block.get_mut(position / 8) {
            *word |= u64::from(byte) << (56 - position % 8 * 8);
        }
        self.length += 1;
        if position == BLOCK_BYTES - 1 {
            self.compress();
            self.block = [0; 16];
        }
    }

    /// Mixes the block into the state; the block holds the last words of the schedule afterwards.
    ///
    /// # Source
    /// FIPS 180-4, section 6.4.2, with a 16-word circular schedule as in section 6.1.3.
    #[expect(
        clippy::indexing_slicing,
        reason = "every schedule index is masked to 0..16, the size of the array"
    )]
    #[inline(never)]
    fn compress(&mut self) {
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = self.state;
        let w = &mut self.block;
        for (t, constant) in ROUND.iter().enumerate() {
            if t >= 16 {
                let early = w[(t + 1) & 15];
                let late = w[(t + 14) & 15];
                let s0 = early.rotate_right(1) ^ early.rotate_right(8) ^ (early >> 7);
                let s1 = late.rotate_right(19) ^ late.rotate_right(61) ^ (late >> 6);
                w[t & 15] =
                    w[t & 15].wrapping_add(s0).wrapping_add(w[(t + 9) & 15]).wrapping_add(s1);
            }
            let sum1 = e.rotate_right(14) ^ e.rotate_right(18) ^ e.rotate_right(41);
            let choice = (e & f) ^ (!e & g);
            let t1 = h
                .wrapping_add(sum1)
                .wrapping_add(choice)
                .wrapping_add(*constant)
                .wrapping_add(w[t & 15]);
            let sum0 = a.rotate_right(28) ^ a.rotate_right(34) ^ a.rotate_right(39);
            let majority = (a & b) ^ (a & c) ^ (b & c);
            (h, g, f, e) = (g, f, e, d.wrapping_add(t1));
            (d, c, b, a) = (c, b, a, t1.wrapping_add(sum0.wrapping_add(majority)));
        }
        for (word, mixed) in self.state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *word = word.wrapping_add(mixed);
        }
    }
}

/// The digest of `head` and then `parts`. Its frame is the only one that holds a running hash.
#[inline(never)]
pub(crate) fn hash(head: &[&[u8]], parts: &[&[u8]], digest: &mut [u8; DIGEST_BYTES]) {
    let mut hash = Sha512::new();
    for part in head.iter().chain(parts) {
        hash.update(part);
    }
    hash.finish(digest);
}

impl Default for Sha512 {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sha512 {
    fn drop(&mut self) {
        self.state.zeroize();
        self.block.zeroize();
    }
}

/// The state before the first block.
///
/// # Source
/// FIPS 180-4, section 5.3.5.
const INITIAL: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// The constant added in each round.
///
/// # Source
/// FIPS 180-4, section 4.2.3.
static ROUND: [u64; 80] = [
    0x428a_2f98_d728_ae22,
    0x7137_4491_23ef_65cd,
    0xb5c0_fbcf_ec4d_3b2f,
    0xe9b5_dba5_8189_dbbc,
    0x3956_c25b_f348_b538,
    0x59f1_11f1_b605_d019,
    0x923f_82a4_af19_4f9b,
    0xab1c_5ed5_da6d_8118,
    0xd807_aa98_a303_0242,
    0x1283_5b01_4570_6fbe,
    0x2431_85be_4ee4_b28c,
    0x550c_7dc3_d5ff_b4e2,
    0x72be_5d74_f27b_896f,
    0x80de_b1fe_3b16_96b1,
    0x9bdc_06a7_25c7_1235,
    0xc19b_f174_cf69_2694,
    0xe49b_69c1_9ef1_4ad2,
    0xefbe_4786_384f_25e3,
    0x0fc1_9dc6_8b8c_d5b5,
    0x240c_a1cc_77ac_9c65,
    0x2de9_2c6f_592b_0275,
    0x4a74_84aa_6ea6_e483,
    0x5cb0_a9dc_bd41_fbd4,
    0x76f9_88da_8311_53b5,
    0x983e_5152_ee66_dfab,
    0xa831_c66d_2db4_3210,
    0xb003_27c8_98fb_213f,
    0xbf59_7fc7_beef_0ee4,
    0xc6e0_0bf3_3da8_8fc2,
    0xd5a7_9147_930a_a725,
    0x06ca_6351_e003_826f,
    0x1429_2967_0a0e_6e70,
    0x27b7_0a85_46d2_2ffc,
    0x2e1b_2138_5c26_c926,
    0x4d2c_6dfc_5ac4_2aed,
    0x5338_0d13_9d95_b3df,
    0x650a_7354_8baf_63de,
    0x766a_0abb_3c77_b2a8,
    0x81c2_c92e_47ed_aee6,
    0x9272_2c85_1482_353b,
    0xa2bf_e8a1_4cf1_0364,
    0xa81a_664b_bc42_3001,
    0xc24b_8b70_d0f8_9791,
    0xc76c_51a3_0654_be30,
    0xd192_e819_d6ef_5218,
    0xd699_0624_5565_a910,
    0xf40e_3585_5771_202a,
    0x106a_a070_32bb_d1b8,
    0x19a4_c116_b8d2_d0c8,
    0x1e37_6c08_5141_ab53,
    0x2748_774c_df8e_eb99,
    0x34b0_bcb5_e19b_48a8,
    0x391c_0cb3_c5c9_5a63,
    0x4ed8_aa4a_e341_8acb,
    0x5b9c_ca4f_7763_e373,
    0x682e_6ff3_d6b2_b8a3,
    0x748f_82ee_5def_b2fc,
    0x78a5_636f_4317_2f60,
    0x84c8_7814_a1f0_ab72,
    0x8cc7_0208_1a64_39ec,
    0x90be_fffa_2363_1e28,
    0xa450_6ceb_de82_bde9,
    0xbef9_a3f7_b2c6_7915,
    0xc671_78f2_e372_532b,
    0xca27_3ece_ea26_619c,
    0xd186_b8c7_21c0_c207,
    0xeada_7dd6_cde0_eb1e,
    0xf57d_4f7f_ee6e_d178,
    0x06f0_67aa_7217_6fba,
    0x0a63_7dc5_a2c8_98a6,
    0x113f_9804_bef9_0dae,
    0x1b71_0b35_131c_471b,
    0x28db_77f5_2304_7d84,
    0x32ca_ab7b_40c7_2493,
    0x3c9e_be0a_15c9_bebc,
    0x431d_67c4_9c10_0d4c,
    0x4cc5_d4be_cb3e_42b6,
    0x597f_299c_fc65_7e2a,
    0x5fcb_6fab_3ad6_faec,
    0x6c44_198c_4a47_5817,
];

#[cfg(test)]
mod tests;
