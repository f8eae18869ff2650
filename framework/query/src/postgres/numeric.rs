//! The binary form of `numeric`: digits of base 10,000 with the weight of the first.

use bytes::{Buf, BufMut, Bytes, BytesMut};

const NEGATIVE: u16 = 0x4000;

/// Writes a decimal from its digits without a point.
pub(super) fn write(unscaled: &str, scale: i8, out: &mut BytesMut) {
    let (sign, digits) = match unscaled.strip_prefix('-') {
        Some(digits) => (NEGATIVE, digits),
        None => (0, unscaled),
    };
    let shown = u16::try_from(scale).unwrap_or_default();
    // Filled with zeros to groups of four on both sides of the point.
    let mut text = digits.to_owned();
    let mut after = usize::from(shown);
    if scale < 0 {
        text.extend(std::iter::repeat_n('0', usize::from(scale.unsigned_abs())));
    }
    while after % 4 != 0 {
        text.push('0');
        after += 1;
    }
    let before = text.len().saturating_sub(after).next_multiple_of(4);
    let text = format!("{text:0>width$}", width = before + after);
    let groups: Vec<u16> = text
        .as_bytes()
        .chunks(4)
        .map(|four| {
            four.iter()
                .fold(0, |all, digit| all * 10 + u16::from(digit - b'0'))
        })
        .collect();
    let leading = groups.iter().take_while(|group| **group == 0).count();
    let trailing = groups.iter().rev().take_while(|group| **group == 0).count();
    let kept = match leading == groups.len() {
        true => &[][..],
        false => &groups[leading..groups.len() - trailing],
    };
    let weight = if kept.is_empty() {
        0
    } else {
        // The group before the point weighs nothing.
        (before / 4) as i16 - 1 - leading as i16
    };
    out.put_u16(kept.len() as u16);
    out.put_i16(weight);
    out.put_u16(if kept.is_empty() { 0 } else { sign });
    out.put_u16(shown);
    for group in kept {
        out.put_u16(*group);
    }
}

/// Reads one as digits with a point; nothing for what is none, or no number.
pub(super) fn read(mut bytes: Bytes) -> Option<String> {
    let count = usize::from(bytes.try_get_u16().ok()?);
    let weight = i32::from(bytes.try_get_i16().ok()?);
    let sign = bytes.try_get_u16().ok()?;
    let shown = usize::from(bytes.try_get_u16().ok()?);
    if bytes.len() != count * 2 || !matches!(sign, 0 | NEGATIVE) || weight.abs() > 20 || shown > 80
    {
        return None;
    }
    let mut groups = Vec::with_capacity(count);
    for _ in 0..count {
        let group = bytes.try_get_u16().ok().filter(|group| *group < 10_000)?;
        groups.push(group);
    }
    let group = |at: i32| {
        let group = usize::try_from(at).ok().and_then(|at| groups.get(at));
        format!("{:04}", group.copied().unwrap_or_default())
    };
    let whole: String = (0..=weight).map(group).collect();
    let fraction: String = (0..shown.div_ceil(4) as i32)
        .map(|at| group(weight + 1 + at))
        .collect();
    let whole = whole.trim_start_matches('0');
    let mut text = String::new();
    if sign == NEGATIVE {
        text.push('-');
    }
    text.push_str(if whole.is_empty() { "0" } else { whole });
    if shown > 0 {
        text.push('.');
        text.push_str(&fraction[..shown]);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn decimals_are_written_as_postgres_does_and_read_back() {
        for (digits, scale, groups, weight, text) in [
            ("0", 2, &[][..], 0, "0.00"),
            ("12345", 2, &[123, 4500], 0, "123.45"),
            ("-5", 2, &[500], -1, "-0.05"),
            ("10000", 0, &[1], 1, "10000"),
            ("123456789", 4, &[1, 2345, 6789], 1, "12345.6789"),
            ("1", 5, &[1000], -2, "0.00001"),
            ("7", -2, &[700], 0, "700"),
            (
                "99999999999999999999999999999999999999",
                0,
                &[99, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999, 9999],
                9,
                "99999999999999999999999999999999999999",
            ),
        ] {
            let mut out = BytesMut::new();
            write(digits, scale, &mut out);
            let bytes = out.freeze();
            let mut read_back = bytes.clone();
            assert_eq!(read_back.get_u16() as usize, groups.len(), "{text}");
            assert_eq!(read_back.get_i16(), weight, "{text}");
            assert_eq!(read_back.get_u16() == NEGATIVE, text.starts_with('-'));
            assert_eq!(i32::from(read_back.get_u16()), i32::from(scale.max(0)));
            for group in groups {
                assert_eq!(read_back.get_u16(), *group, "{text}");
            }
            assert_eq!(read(bytes).unwrap(), text);
        }
        for bad in [
            &b"\0\x01\0\0\0\0\0\0"[..],
            b"\0\0\0\0\xc0\0\0\0",
            b"\0\x01\0\0\0\0\0\0\x27\x10",
            b"\0",
        ] {
            assert!(read(Bytes::copy_from_slice(bad)).is_none());
        }
    }
}
