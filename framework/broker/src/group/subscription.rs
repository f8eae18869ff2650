//! The topics that a consumer says it subscribes to: the start of its metadata in the
//! consumer protocol, which the broker otherwise passes on unread.

use bytes::{Buf, Bytes};

/// The topics in a consumer's metadata; `None` when it is not in the consumer protocol.
pub(super) fn topics(metadata: &Bytes) -> Option<Vec<String>> {
    let mut left = metadata.clone();
    let _version = left.try_get_i16().ok()?;
    let count = usize::try_from(left.try_get_i32().ok()?).ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let len = usize::try_from(left.try_get_i16().ok()?).ok()?;
        if len > left.remaining() {
            return None;
        }
        let name = left.split_to(len);
        topics.push(std::str::from_utf8(&name).ok()?.to_owned());
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_and_nonsense_is_not() {
        let good = Bytes::from_static(b"\0\x01\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff");
        assert_eq!(topics(&good), Some(vec!["a".to_owned(), "bc".to_owned()]));
        assert_eq!(topics(&Bytes::from_static(b"\0\0\0\0\0\0")), Some(vec![]));
        assert_eq!(topics(&Bytes::from_static(b"about range")), None);
        assert_eq!(topics(&good.slice(..good.len() - 6)), None);
        assert_eq!(topics(&Bytes::new()), None);
    }
}
