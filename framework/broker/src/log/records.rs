//! The only place that looks behind a batch header, record by record: to see at produce that
//! they are records, to find the one that a question about time means, and to compact.

use std::io::{self, Read};

use super::batch::{BatchHeader, HEADER_LEN};
use super::codec;

/// What the records of a batch may unpack to, for whoever has to keep them.
const UNPACKED_MAX: u64 = 256 << 20;

/// A record's time and offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimedOffset {
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
}

/// One record of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) attributes: u8,
    pub(super) timestamp: i64,
    pub(super) offset: i64,
    pub(super) key: Option<&'a [u8]>,
    pub(super) has_value: bool,
    /// From the length of the key on: what does not change when times and offsets do.
    pub(super) rest: &'a [u8],
    /// The last of it: from the count of the headers on.
    headers: &'a [u8],
}

impl Record<'_> {
    /// Whether its headers are there, and nothing behind them.
    fn is_whole(&self) -> bool {
        let mut left = self.headers;
        let Some(count) = varint(&mut left).filter(|count| *count >= 0) else {
            return false;
        };
        for _ in 0..count {
            // A header's key is never absent.
            let (Some(Some(_)), Some(_)) = (blob(&mut left), blob(&mut left)) else {
                return false;
            };
        }
        left.is_empty()
    }
}

/// Why the records of a batch are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// They are not records, or not as many as the header says.
    Unreadable,
    /// Their offsets are not 0, 1, 2 and so on.
    OutOfLine,
    WithoutKey,
}

/// Checks the records of a batch that begins at offset 0: that they can be read, that their
/// offsets follow one another, and that all have a key where they must. What is not
/// compressed is looked at where it is, without a copy.
pub(super) fn check(header: &BatchHeader, batch: &[u8], with_keys: bool) -> Result<(), Fault> {
    let look = |record: Record<'_>, at: i64| {
        if !record.is_whole() {
            Err(Fault::Unreadable)
        } else if record.offset != at {
            Err(Fault::OutOfLine)
        } else if with_keys && record.key.is_none() {
            Err(Fault::WithoutKey)
        } else {
            Ok(())
        }
    };
    let unreadable = || Fault::Unreadable;
    let count = i64::from(header.record_count);
    if header.codec() == codec::NONE {
        let mut left = batch.get(HEADER_LEN..).ok_or_else(unreadable)?;
        for at in 0..count {
            let body = sized(&mut left).ok_or_else(unreadable)?;
            look(parse(header, body).ok_or_else(unreadable)?, at)?;
        }
        return match left.is_empty() {
            true => Ok(()),
            false => Err(Fault::Unreadable),
        };
    }
    let mut records = Records::of(batch).map_err(|_| Fault::Unreadable)?;
    for at in 0..count {
        let record = records.next().map_err(|_| Fault::Unreadable)?;
        look(record.ok_or_else(unreadable)?, at)?;
    }
    Ok(())
}

/// The records of a batch, unpacked one after the other.
pub(super) struct Records<'a> {
    header: BatchHeader,
    left: i32,
    allowed: u64,
    source: Box<dyn Read + 'a>,
    body: Vec<u8>,
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a record cannot be read")
}

impl<'a> Records<'a> {
    /// The records of a whole batch.
    pub(super) fn of(batch: &'a [u8]) -> io::Result<Self> {
        let header = BatchHeader::parse(batch).ok_or_else(malformed)?;
        let source: Box<dyn Read + 'a> = match header.record_count {
            // Compaction leaves batches without records, and without a codec's frame.
            0 => Box::new(io::empty()),
            _ => codec::unpack(header.codec(), &batch[HEADER_LEN..])?,
        };
        Ok(Self {
            header,
            left: header.record_count,
            allowed: UNPACKED_MAX,
            source,
            body: Vec::new(),
        })
    }

    /// The next record; `None` behind the last that the header promises.
    pub(super) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        if self.left <= 0 {
            return Ok(None);
        }
        self.left -= 1;
        let length = self.length()?;
        self.allowed = self.allowed.checked_sub(length).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the batch unpacks to more than can be worked on",
            )
        })?;
        self.body.clear();
        (&mut self.source)
            .take(length)
            .read_to_end(&mut self.body)?;
        if self.body.len() as u64 != length {
            return Err(malformed());
        }
        parse(&self.header, &self.body)
            .map(Some)
            .ok_or_else(malformed)
    }

    fn length(&mut self) -> io::Result<u64> {
        let mut bytes = [0; 10];
        for at in 0..bytes.len() {
            self.source.read_exact(&mut bytes[at..=at])?;
            if bytes[at] & 0x80 == 0 {
                let length = varint(&mut &bytes[..=at]);
                return length
                    .and_then(|length| u64::try_from(length).ok())
                    .ok_or_else(malformed);
            }
        }
        Err(malformed())
    }
}

fn parse<'b>(header: &BatchHeader, body: &'b [u8]) -> Option<Record<'b>> {
    let (attributes, mut body) = body.split_first()?;
    let timestamp = varint(&mut body)?;
    let timestamp = match header.is_log_append_time() {
        true => header.max_timestamp,
        false => header.base_timestamp.checked_add(timestamp)?,
    };
    let offset = header.base_offset.checked_add(varint(&mut body)?)?;
    let rest = body;
    let key = blob(&mut body)?;
    let value = blob(&mut body)?;
    Some(Record {
        attributes: *attributes,
        timestamp,
        offset,
        key,
        has_value: value.is_some(),
        rest,
        headers: body,
    })
}

/// Bytes behind their length.
fn sized<'b>(from: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = varint(from)?;
    take(from, length)
}

/// Bytes behind their length; a negative one stands for none.
fn blob<'b>(from: &mut &'b [u8]) -> Option<Option<&'b [u8]>> {
    match varint(from)? {
        ..0 => Some(None),
        length => take(from, length).map(Some),
    }
}

fn take<'b>(from: &mut &'b [u8], length: i64) -> Option<&'b [u8]> {
    let (found, left) = from.split_at_checked(usize::try_from(length).ok()?)?;
    *from = left;
    Some(found)
}

/// The first record of the batch at `from` or behind it whose timestamp is `target` or
/// later. `None` when there is none, or when the records cannot be unpacked.
pub(crate) fn first_at_or_after(batch: &[u8], target: i64, from: i64) -> Option<TimedOffset> {
    let mut records = Records::of(batch).ok()?;
    while let Some(record) = records.next().ok()? {
        if record.timestamp >= target && record.offset >= from {
            return Some(TimedOffset {
                timestamp: record.timestamp,
                offset: record.offset,
            });
        }
    }
    None
}

/// The places in the batch of the first `most` records without a key.
pub(super) fn without_key(batch: &[u8], most: usize) -> io::Result<Vec<i32>> {
    let mut records = Records::of(batch)?;
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(record) = records.next()? {
        if record.key.is_none() {
            found.push(at);
            if found.len() == most {
                break;
            }
        }
        at += 1;
    }
    Ok(found)
}

/// A zig-zag variable length integer of at most ten bytes.
pub(super) fn varint(from: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (byte, left) = from.split_first()?;
        *from = left;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(((value >> 1) as i64) ^ -((value & 1) as i64));
        }
    }
    None
}

/// Writes a number as [`varint`] reads it.
pub(super) fn put_varint(into: &mut Vec<u8>, number: i64) {
    let mut value = ((number << 1) ^ (number >> 63)) as u64;
    while value >= 0x80 {
        into.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for number in [0, 1, -1, 63, 64, -64, -65, 1 << 40, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, number);
            assert_eq!(varint(&mut &bytes[..]), Some(number));
        }
    }
}
