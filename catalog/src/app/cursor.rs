//! Cursors: where a list goes on. They name the last entry given out, not a count, so that
//! entries which come or go between two pages neither repeat nor hide another.

use mesh_core::{Error, Result};
use uuid::Uuid;

/// The namespace of list fingerprints (UUID version 5).
const LISTS: Uuid = Uuid::from_u128(0x1f0c_6a53_9d2e_5b77_8a41_c3e9_07d2_64bb);

/// The number of characters of a list's fingerprint that a cursor carries.
const SHORT: usize = 12;

/// The cursor that goes on after `last` in the list that `list` describes.
pub(super) fn write(list: &str, last: &str) -> String {
    format!("{}.{last}", fingerprint(list))
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The last entry given out.
///
/// # Errors
/// If `cursor` was not handed out for the list that `list` describes.
pub(super) fn read(list: &str, cursor: &str) -> Result<String> {
    let text = decode(cursor)
        .ok_or_else(|| Error::invalid("the cursor is none that was handed out here"))?;
    match text.split_once('.') {
        Some((seen, last)) if seen == fingerprint(list) => Ok(last.to_owned()),
        _ => Err(Error::invalid("the cursor belongs to another list")),
    }
}

fn fingerprint(list: &str) -> String {
    let mut text = Uuid::new_v5(&LISTS, list.as_bytes()).simple().to_string();
    text.truncate(SHORT);
    text
}

fn decode(cursor: &str) -> Option<String> {
    let digits = cursor.as_bytes();
    let bytes = digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => {
                let value = |digit: u8| (digit as char).to_digit(16);
                u8::try_from(value(*high)? * 16 + value(*low)?).ok()
            }
            _ => None,
        })
        .collect::<Option<Vec<u8>>>()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_cursor_holds_for_its_own_list_only() {
        let cursor = write("domain=loan", "loan.decisions");
        assert_eq!(read("domain=loan", &cursor).unwrap(), "loan.decisions");
        for (list, cursor) in [
            ("domain=ads", cursor.as_str()),
            ("domain=loan", "zz"),
            ("domain=loan", "é"),
            ("domain=loan", "ff"),
            ("domain=loan", "6"),
            ("domain=loan", ""),
        ] {
            assert!(read(list, cursor).is_err(), "{list} {cursor}");
        }
    }
}
