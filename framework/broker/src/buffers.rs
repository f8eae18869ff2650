//! Buffers for record batches on their way from a file to a socket. They are used again and
//! again: a fresh one of a megabyte costs more to clear and to map than to fill.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::sync::lock;

/// Sizes of kept buffers; a request takes the smallest that suffices.
const CLASSES: [usize; 5] = [64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20];
/// Reads of fewer bytes get a buffer of their own.
const KEPT_FROM: usize = 16 << 10;
/// Bytes kept of each class.
const KEPT_BYTES: usize = 4 << 20;

type Kept = Mutex<Vec<Vec<u8>>>;

/// The buffers that are not in use.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Arc<[Kept; CLASSES.len()]>);

impl Buffers {
    /// A buffer of `len` bytes, whatever they are.
    pub(crate) fn take(&self, len: usize) -> Buffer {
        let class = CLASSES.iter().position(|size| *size >= len);
        let class = class.filter(|_| len >= KEPT_FROM);
        let Some(class) = class else {
            return Buffer {
                bytes: vec![0; len],
                len,
                home: None,
            };
        };
        let kept = lock(&self.0[class]).pop();
        Buffer {
            bytes: kept.unwrap_or_else(|| vec![0; CLASSES[class]]),
            len,
            home: Some((Arc::clone(&self.0), class)),
        }
    }
}

/// A buffer in use; it goes back when the last slice of it is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    len: usize,
    home: Option<(Arc<[Kept; CLASSES.len()]>, usize)>,
}

impl Buffer {
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }

    /// Shares the buffer.
    pub(crate) fn freeze(self) -> Bytes {
        match &self.home {
            None => {
                let mut this = self;
                Bytes::from(std::mem::take(&mut this.bytes))
            }
            Some(_) => Bytes::from_owner(self),
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some((home, class)) = self.home.take() {
            let mut kept = lock(&home[class]);
            if (kept.len() + 1) * CLASSES[class] <= KEPT_BYTES {
                kept.push(std::mem::take(&mut self.bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_last_slice_is_gone() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take(100_000);
        buffer.bytes_mut().fill(7);
        let place = buffer.as_ref().as_ptr();
        let all = buffer.freeze();
        let slice = all.slice(50_000..);
        drop(all);
        let other = buffers.take(100_000);
        assert_ne!(other.as_ref().as_ptr(), place, "a slice is in use");
        assert_eq!(slice[..], vec![7; 50_000]);
        drop(slice);
        let again = buffers.take(70_000);
        assert_eq!(
            (again.as_ref().as_ptr(), again.as_ref().len()),
            (place, 70_000)
        );
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let buffers = Buffers::default();
        let many: Vec<Buffer> = (0..100).map(|_| buffers.take(1 << 20)).collect();
        drop(many);
        assert_eq!(lock(&buffers.0[4]).len() * CLASSES[4], KEPT_BYTES);
        for len in [0, 1, KEPT_FROM - 1, (1 << 20) + 1] {
            assert_eq!(buffers.take(len).freeze().len(), len);
        }
        assert!((0..4).all(|class| lock(&buffers.0[class]).is_empty()));
    }
}
