//! The newest offset of each key in the range that is cleaned.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use aws_lc_rs::digest::{SHA256, digest};

/// Bytes of a key's digest. Two keys are taken for one with a probability of 2^-128.
const DIGEST_LEN: usize = 16;
/// What an entry takes in the table: digest, offset and a byte of the table's own.
const ENTRY_BYTES: usize = DIGEST_LEN + 8 + 1;

type Digest = [u8; DIGEST_LEN];

/// The table's hash of a digest, which is as random as a hash can be.
#[derive(Debug, Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A key's digest on the way into the table; writes no length before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hashed(Digest);

impl std::hash::Hash for Hashed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

/// Keys, as digests of 16 bytes, and their newest offsets; of bounded size.
#[derive(Debug)]
pub(super) struct OffsetMap {
    offsets: HashMap<Hashed, i64, BuildHasherDefault<FirstBytes>>,
    most: usize,
}

impl OffsetMap {
    /// A map that takes about `bytes` of memory at most, and one key in any case; `expected`
    /// is how many keys there can be.
    pub(super) fn new(bytes: usize, expected: usize) -> Self {
        // The table grows in powers of two and is filled to seven eighths.
        let slots = bytes / ENTRY_BYTES;
        let slots = match slots {
            0 => 0,
            some => 1 << some.ilog2(),
        };
        let most = (slots / 8 * 7).max(1);
        Self {
            // At once: growing would need the old and the new table beside each other.
            offsets: HashMap::with_capacity_and_hasher(
                expected.min(most),
                BuildHasherDefault::default(),
            ),
            most,
        }
    }

    fn hashed(key: &[u8]) -> Hashed {
        let mut short = [0; DIGEST_LEN];
        short.copy_from_slice(&digest(&SHA256, key).as_ref()[..DIGEST_LEN]);
        Hashed(short)
    }

    /// Takes a key with an offset larger than all before; `false` when there is no room.
    pub(super) fn put(&mut self, key: &[u8], offset: i64) -> bool {
        let key = Self::hashed(key);
        if self.offsets.len() >= self.most && !self.offsets.contains_key(&key) {
            return false;
        }
        self.offsets.insert(key, offset);
        true
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<i64> {
        self.offsets.get(&Self::hashed(key)).copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_full_map_takes_no_more_keys_but_newer_offsets() {
        let mut map = OffsetMap::new(16 * ENTRY_BYTES, usize::MAX);
        for at in 0..14i64 {
            assert!(map.put(&at.to_be_bytes(), at));
        }
        assert!(!map.put(b"one more", 20));
        assert!(map.put(&3i64.to_be_bytes(), 21));
        assert_eq!(map.get(&3i64.to_be_bytes()), Some(21));
        assert_eq!(map.get(&4i64.to_be_bytes()), Some(4));
        assert_eq!(map.get(b"one more"), None);
        let mut least = OffsetMap::new(0, 100);
        assert!(least.put(b"a", 1) && !least.put(b"b", 2));
    }
}
