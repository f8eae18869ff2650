//! The keys that a build has met.

use std::hash::{BuildHasher, RandomState};

/// Words of a block, which is one line of a processor's cache.
const WORDS: usize = 8;
const BLOCK_BITS: u64 = 512;
/// Bits set for a key.
const MARKS: u32 = 6;
/// For each key, so that about one new key in a hundred is taken for an old one.
const BITS_A_KEY: u64 = 10;
/// Beyond what this holds, it says less and less.
const MOST_BYTES: u64 = 16 << 20;

/// A filter (Bloom 1970; blocked: Putze, Sanders and Singler 2007) of the keys that were put
/// into a table since it was empty: a key that it does not know is new, and need not be
/// looked for among the rows. A build meets hardly any others.
pub(crate) struct Seen {
    blocks: Vec<[u64; WORDS]>,
    hasher: RandomState,
}

impl Seen {
    /// For about `keys` keys.
    pub(crate) fn new(keys: u64) -> Self {
        let bits = keys.saturating_mul(BITS_A_KEY).min(MOST_BYTES * 8);
        let blocks = usize::try_from(bits.div_ceil(BLOCK_BITS)).unwrap_or(1);
        Self {
            blocks: vec![[0; WORDS]; blocks.max(1)],
            hasher: RandomState::new(),
        }
    }

    /// Adds a row's key; `false` if it was surely not there.
    pub(crate) fn meet(&mut self, key: &[u8]) -> bool {
        let hash = self.hasher.hash_one(key);
        // The upper half chooses the block, the lower the bits in it.
        let at = ((hash >> 32) * self.blocks.len() as u64) >> 32;
        let Some(block) = self.blocks.get_mut(at as usize) else {
            return true;
        };
        let (mut known, mut bits) = (true, hash as u32);
        for _ in 0..MARKS {
            let bit = bits >> 23;
            bits = bits.wrapping_mul(0x9e37_79b1);
            let mask = 1 << (bit % 64);
            let word = &mut block[(bit / 64) as usize % WORDS];
            known &= *word & mask != 0;
            *word |= mask;
        }
        known
    }
}
