//! Distinguished names of certificates in the text form of RFC 2253, as Java's
//! `X500Principal.getName` writes them and Kafka's principals hold them.

use std::fmt::Write;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const TELETEX: u8 = 0x14;
const IA5: u8 = 0x16;
const UNIVERSAL: u8 = 0x1c;
const BMP: u8 = 0x1e;

/// The text of a name, given the contents of its DER sequence; `None` when it is not one.
pub(crate) fn distinguished(contents: &[u8]) -> Option<String> {
    let mut sets = Vec::new();
    let mut rest = contents;
    while !rest.is_empty() {
        let (tag, set, after) = element(rest)?;
        rest = after;
        (tag == SET).then_some(())?;
        sets.push(relative(set)?);
    }
    // RFC 2253 begins with what stands last in the certificate.
    sets.reverse();
    Some(sets.join(","))
}

fn relative(mut set: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    while !set.is_empty() {
        let (tag, pair, after) = element(set)?;
        set = after;
        (tag == SEQUENCE).then_some(())?;
        let (tag, oid, value) = element(pair)?;
        (tag == OID).then_some(())?;
        parts.push(attribute(oid, value)?);
    }
    (!parts.is_empty()).then(|| parts.join("+"))
}

fn attribute(oid: &[u8], value: &[u8]) -> Option<String> {
    let keyword = match oid {
        [0x55, 0x04, 3] => Some("CN"),
        [0x55, 0x04, 6] => Some("C"),
        [0x55, 0x04, 7] => Some("L"),
        [0x55, 0x04, 8] => Some("ST"),
        [0x55, 0x04, 9] => Some("STREET"),
        [0x55, 0x04, 10] => Some("O"),
        [0x55, 0x04, 11] => Some("OU"),
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 25] => Some("DC"),
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 1] => Some("UID"),
        _ => None,
    };
    let (tag, bytes, after) = element(value)?;
    after.is_empty().then_some(())?;
    match (keyword, text(tag, bytes)) {
        (Some(keyword), Some(text)) => Some(format!("{keyword}={}", escaped(&text))),
        // What has no keyword or is no text is written as its encoding.
        (keyword, _) => {
            let name = match keyword {
                Some(keyword) => keyword.to_owned(),
                None => dotted(oid)?,
            };
            let mut written = format!("{name}=#");
            for byte in value {
                write!(written, "{byte:02x}").ok()?;
            }
            Some(written)
        }
    }
}

fn text(tag: u8, bytes: &[u8]) -> Option<String> {
    match tag {
        UTF8 | PRINTABLE | IA5 => std::str::from_utf8(bytes).ok().map(str::to_owned),
        TELETEX => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        BMP if bytes.len().is_multiple_of(2) => {
            let units = bytes
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        UNIVERSAL if bytes.len().is_multiple_of(4) => bytes
            .chunks_exact(4)
            .map(|four| char::from_u32(u32::from_be_bytes([four[0], four[1], four[2], four[3]])))
            .collect(),
        _ => None,
    }
}

fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut written = String::with_capacity(text.len());
    for (at, character) in text.chars().enumerate() {
        let special = match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            '#' => at == 0,
            ' ' => at == 0 || at == last,
            _ => false,
        };
        if special {
            written.push('\\');
        }
        written.push(character);
    }
    written
}

fn dotted(oid: &[u8]) -> Option<String> {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number = 0u64;
    for byte in oid {
        number = number.checked_mul(128)? | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(number);
            number = 0;
        }
    }
    let (first, rest) = numbers.split_first()?;
    let root = (first / 40).min(2);
    let mut written = format!("{root}.{}", first - root * 40);
    for number in rest {
        write!(written, ".{number}").ok()?;
    }
    Some(written)
}

/// The first DER element: its tag, its contents, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (len, rest) = match usize::from(*first) {
        len @ ..0x80 => (len, rest),
        long => {
            let count = long & 0x7f;
            (1..=4).contains(&count).then_some(())?;
            let (digits, rest) = rest.split_at_checked(count)?;
            let len = digits
                .iter()
                .fold(0usize, |len, digit| (len << 8) | usize::from(*digit));
            (len, rest)
        }
    };
    let (contents, after) = rest.split_at_checked(len)?;
    Some((*tag, contents, after))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag, contents.len() as u8];
        bytes.extend_from_slice(contents);
        bytes
    }

    fn part(oid: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        let pair = [tlv(OID, oid), tlv(tag, value)].concat();
        tlv(SET, &tlv(SEQUENCE, &pair))
    }

    #[test]
    fn names_are_written_as_java_does() {
        let name = [
            part(&[0x55, 4, 6], PRINTABLE, b"CH"),
            part(&[0x55, 4, 10], UTF8, "Bär, Söhne".as_bytes()),
            part(&[0x55, 4, 3], UTF8, b" #1 "),
        ]
        .concat();
        assert_eq!(
            distinguished(&name).unwrap(),
            "CN=\\ #1\\ ,O=Bär\\, Söhne,C=CH"
        );
        let mail = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01];
        assert_eq!(
            distinguished(&part(&mail, IA5, b"a@b")).unwrap(),
            "1.2.840.113549.1.9.1=#1603614062"
        );
        assert_eq!(
            distinguished(&part(&[0x55, 4, 3], BMP, &[0, b'a', 0, b'b'])).unwrap(),
            "CN=ab"
        );
        assert_eq!(distinguished(&[]).unwrap(), "");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let sound = part(&[0x55, 4, 3], UTF8, b"x");
        for cut in 1..sound.len() {
            assert!(distinguished(&sound[..cut]).is_none(), "{cut}");
        }
        assert!(distinguished(&tlv(SEQUENCE, &[])).is_none());
    }
}
