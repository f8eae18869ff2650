//! The header of a request, walked before it is decoded as the body is.

use super::Walk;

/// Bytes of API key, version and correlation id.
const HEAD: usize = 8;
/// Kafka has no tagged field in a header yet.
const MOST_TAGS: usize = 16;

/// Walks a header of this version at the start of a frame; an error says that it is not whole.
pub(in crate::api) fn check_header(version: i16, frame: &[u8]) -> Result<(), String> {
    let mut walk = Walk {
        left: frame,
        version,
        // The client id is written as before, also where tagged fields follow it.
        flexible: false,
        allowed: MOST_TAGS,
    };
    match walk.header() {
        Some(()) => Ok(()),
        None => Err("the header is not whole, or has too many tagged fields".to_owned()),
    }
}

impl Walk<'_> {
    fn header(&mut self) -> Option<()> {
        self.skip(HEAD)?;
        if self.version >= 1 {
            let client_id = self.length(true)?;
            self.skip(client_id.unwrap_or(0))?;
        }
        match self.version {
            2.. => self.tags(),
            _ => Some(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_a_bounded_number_of_tagged_fields() {
        for client_id in [&[0, 1, b'c'][..], &[0xff, 0xff]] {
            let mut frame = vec![0; HEAD];
            frame.extend_from_slice(client_id);
            assert!(check_header(1, &frame).is_ok());
            assert!(check_header(2, &frame).is_err(), "no tagged fields at all");
            for (tags, fits) in [(0, true), (MOST_TAGS, true), (MOST_TAGS + 1, false)] {
                let mut frame = frame.clone();
                frame.push(tags as u8);
                for tag in 0..tags {
                    frame.extend_from_slice(&[tag as u8, 1, 7]);
                }
                assert_eq!(check_header(2, &frame).is_ok(), fits, "{tags}");
            }
        }
        assert!(check_header(1, &[0; HEAD + 1]).is_err());
    }
}
