//! Responses as a list of byte slices, so that record batches go from the file's buffer to
//! the socket without being copied into the response.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::buf::UninitSlice;
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::protocol::buf::ByteBufMut;
use kafka_protocol::protocol::{Encodable, HeaderVersion};

/// Below this size copying is cheaper than one more slice.
const SHARE_FROM: usize = 2048;

/// A response frame, length included.
#[derive(Debug, Default)]
pub(crate) struct Frame(VecDeque<Bytes>);

impl Frame {
    /// A frame of bytes that are no Kafka response.
    pub(crate) fn of(bytes: Bytes) -> Self {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut parts = VecDeque::from([Bytes::copy_from_slice(&len), bytes]);
        parts.retain(|part| !part.is_empty());
        Self(parts)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    /// Its bytes, in slices.
    pub(crate) fn into_parts(self) -> VecDeque<Bytes> {
        self.0
    }
}

/// The buffer that responses are encoded into. It knows the record batches of the response
/// by their address and takes them as they are instead of copying them.
struct Rope {
    done: Vec<Bytes>,
    done_len: usize,
    current: BytesMut,
    shared: Vec<Bytes>,
}

// SAFETY: all writing goes to `current`, whose own implementation keeps the contract:
// `chunk_mut` and `advance_mut` are its methods and nothing comes between them.
unsafe impl BufMut for Rope {
    fn remaining_mut(&self) -> usize {
        self.current.remaining_mut()
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        // SAFETY: the caller upholds the contract for `current`'s chunk.
        unsafe { self.current.advance_mut(count) }
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        self.current.chunk_mut()
    }

    fn put_slice(&mut self, source: &[u8]) {
        // Every number of a response comes this way, too.
        if source.len() < SHARE_FROM {
            return self.current.put_slice(source);
        }
        let same =
            |bytes: &&Bytes| bytes.as_ptr() == source.as_ptr() && bytes.len() == source.len();
        match self.shared.iter().find(same) {
            Some(bytes) => {
                let bytes = bytes.clone();
                let before = self.current.split().freeze();
                self.done_len += before.len() + bytes.len();
                self.done.extend([before, bytes]);
            }
            None => self.current.put_slice(source),
        }
    }
}

impl ByteBufMut for Rope {
    fn offset(&self) -> usize {
        self.done_len + self.current.len()
    }

    fn seek(&mut self, offset: usize) {
        self.current.resize(offset.saturating_sub(self.done_len), 0);
    }

    fn range(&mut self, range: Range<usize>) -> &mut [u8] {
        &mut self.current[range.start - self.done_len..range.end - self.done_len]
    }
}

/// Encodes a response; `shared` are byte strings in it that need not be copied.
pub(crate) fn encode<R: Encodable + HeaderVersion>(
    response: &R,
    correlation_id: i32,
    version: i16,
    shared: Vec<Bytes>,
) -> Result<Frame, String> {
    let mut rope = Rope {
        done: Vec::new(),
        done_len: 0,
        current: BytesMut::with_capacity(512),
        shared,
    };
    rope.put_i32(0);
    rope.put_i32(correlation_id);
    if R::header_version(version) >= 1 {
        rope.put_u8(0);
    }
    response
        .encode(&mut rope, version)
        .map_err(|error| error.to_string())?;
    let len = i32::try_from(rope.offset() - 4).map_err(|error| error.to_string())?;
    let mut parts: VecDeque<Bytes> = VecDeque::with_capacity(rope.done.len() + 1);
    // The length stands at the very start: in the first part, which is never shared.
    let mut first = match rope.done.is_empty() {
        true => std::mem::take(&mut rope.current),
        false => match rope.done.remove(0).try_into_mut() {
            Ok(first) => first,
            Err(first) => BytesMut::from(&first[..]),
        },
    };
    first[..4].copy_from_slice(&len.to_be_bytes());
    parts.push_back(first.freeze());
    parts.extend(rope.done);
    parts.push_back(rope.current.freeze());
    parts.retain(|part| !part.is_empty());
    Ok(Frame(parts))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Buf;
    use kafka_protocol::messages::FetchResponse;
    use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
    use kafka_protocol::protocol::Decodable;

    use super::*;

    #[test]
    fn a_rope_holds_what_a_flat_buffer_would() {
        let large = Bytes::from(vec![7u8; 10_000]);
        let small = Bytes::from_static(b"small");
        let partition =
            |records: &Bytes| PartitionData::default().with_records(Some(records.clone()));
        let response = FetchResponse::default().with_responses(vec![
            FetchableTopicResponse::default().with_partitions(vec![
                partition(&large),
                partition(&small),
                partition(&large),
            ]),
        ]);
        for version in [4, 11, 12, 16] {
            let frame = encode(&response, 99, version, vec![large.clone(), small.clone()]).unwrap();
            assert!(frame.0.len() > 3, "large parts are shared");
            let len = frame.len();
            let bytes: Vec<u8> = frame.into_parts().into_iter().flatten().collect();
            assert_eq!(bytes.len(), len);
            let mut bytes = Bytes::from(bytes);
            assert_eq!(bytes.get_i32() as usize, bytes.len());
            assert_eq!(bytes.get_i32(), 99);
            if FetchResponse::header_version(version) >= 1 {
                assert_eq!(bytes.get_u8(), 0);
            }
            let decoded = FetchResponse::decode(&mut bytes, version).unwrap();
            assert_eq!(
                decoded.responses[0].partitions[2].records,
                Some(large.clone())
            );
            assert!(bytes.is_empty());
        }
    }
}
