//! Unpacking and packing the records of a batch.
//!
//! Unpacking is a stream: a batch of a megabyte can say gigabytes, and whoever reads it
//! stops where it has had enough.

use std::io::{self, BufReader, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

pub(super) const NONE: i16 = 0;
const GZIP: i16 = 1;
const SNAPPY: i16 = 2;
const LZ4: i16 = 3;
const ZSTD: i16 = 4;

const LZ4_LEVEL: u32 = 4;
const ZSTD_LEVEL: i32 = 3;
/// How the blocks of a snappy stream begin (the format of xerial's snappy-java, version 1).
const XERIAL: &[u8; 16] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
const XERIAL_BLOCK: usize = 32 * 1024;
/// No byte of snappy stands for more than this: the densest element is 3 bytes for 64. What
/// says more is not snappy, and is not given the memory.
const SNAPPY_RATIO: usize = 32;

/// The unpacked records of a batch as a stream.
pub(super) fn unpack<'a>(codec: i16, packed: &'a [u8]) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match codec {
        NONE => Box::new(packed),
        GZIP => Box::new(BufReader::new(MultiGzDecoder::new(packed))),
        SNAPPY => Box::new(Snappy::new(packed)),
        LZ4 => Box::new(BufReader::new(lz4::Decoder::new(packed)?)),
        ZSTD => Box::new(BufReader::new(zstd::Decoder::with_buffer(packed)?)),
        _ => return Err(invalid("the codec is unknown")),
    })
}

/// Packs records in a codec.
pub(super) fn pack(codec: i16, records: &[u8]) -> io::Result<Vec<u8>> {
    match codec {
        NONE => Ok(records.to_vec()),
        GZIP => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(records)?;
            encoder.finish()
        }
        SNAPPY => {
            let mut packed = XERIAL.to_vec();
            let mut encoder = snap::raw::Encoder::new();
            for block in records.chunks(XERIAL_BLOCK) {
                let block = encoder.compress_vec(block).map_err(io::Error::other)?;
                let length = u32::try_from(block.len()).map_err(io::Error::other)?;
                packed.extend_from_slice(&length.to_be_bytes());
                packed.extend_from_slice(&block);
            }
            Ok(packed)
        }
        LZ4 => {
            let mut encoder = lz4::EncoderBuilder::new()
                .level(LZ4_LEVEL)
                .block_mode(lz4::BlockMode::Independent)
                .build(Vec::new())?;
            encoder.write_all(records)?;
            let (packed, ended) = encoder.finish();
            ended.map(|()| packed)
        }
        ZSTD => zstd::encode_all(records, ZSTD_LEVEL),
        _ => Err(invalid("the codec is unknown")),
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Blocks of snappy in xerial's framing, or one raw block without it.
struct Snappy<'a> {
    packed: &'a [u8],
    framed: bool,
    block: Vec<u8>,
    at: usize,
}

impl<'a> Snappy<'a> {
    fn new(packed: &'a [u8]) -> Self {
        let (packed, framed) = match packed.strip_prefix(XERIAL) {
            Some(blocks) => (blocks, true),
            None => (packed, false),
        };
        Self {
            packed,
            framed,
            block: Vec::new(),
            at: 0,
        }
    }

    fn next_block(&mut self) -> io::Result<()> {
        let short = || invalid("a snappy block is not there to its end");
        let block = if self.framed {
            let (length, left) = self.packed.split_first_chunk::<4>().ok_or_else(short)?;
            let length = u32::from_be_bytes(*length) as usize;
            let (block, left) = left.split_at_checked(length).ok_or_else(short)?;
            self.packed = left;
            block
        } else {
            std::mem::take(&mut self.packed)
        };
        let bad = |_| invalid("a snappy block cannot be unpacked");
        let promised = snap::raw::decompress_len(block).map_err(bad)?;
        if promised > block.len().saturating_mul(SNAPPY_RATIO) {
            return Err(invalid("a snappy block promises too much"));
        }
        self.block = snap::raw::Decoder::new()
            .decompress_vec(block)
            .map_err(bad)?;
        self.at = 0;
        Ok(())
    }
}

impl Read for Snappy<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if self.packed.is_empty() {
                return Ok(0);
            }
            self.next_block()?;
        }
        let read = (&self.block[self.at..]).read(into)?;
        self.at += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bytes::{Buf, Bytes, BytesMut};
    use kafka_protocol::compression::{
        Compressor, Decompressor, Gzip, Lz4, Snappy as TheirSnappy, Zstd,
    };

    fn unpacked(codec: i16, packed: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        unpack(codec, packed)?.read_to_end(&mut all)?;
        Ok(all)
    }

    #[test]
    fn every_codec_is_understood_by_another_implementation_and_understands_it() {
        let records: Vec<u8> = (0..100_000u32)
            .flat_map(|at| (at / 7).to_be_bytes())
            .collect();
        macro_rules! check {
            ($codec:expr, $theirs:ty) => {
                let packed = pack($codec, &records).unwrap();
                assert!(packed.len() < records.len());
                assert_eq!(unpacked($codec, &packed).unwrap(), records);
                let read = |buffer: &mut Bytes| Ok(buffer.copy_to_bytes(buffer.remaining()));
                let found = <$theirs as Decompressor<Bytes>>::decompress(
                    &mut Bytes::from(packed.clone()),
                    read,
                );
                assert_eq!(&found.unwrap()[..], &records[..]);
                let mut theirs = BytesMut::new();
                <$theirs as Compressor<BytesMut>>::compress(&mut theirs, |buffer| {
                    buffer.extend_from_slice(&records);
                    Ok(())
                })
                .unwrap();
                assert_eq!(unpacked($codec, &theirs).unwrap(), records);
                let half = &packed[..packed.len() / 2];
                let cut = unpacked($codec, half);
                assert!(cut.is_err() || cut.is_ok_and(|found| found.len() < records.len()));
            };
        }
        check!(GZIP, Gzip);
        check!(SNAPPY, TheirSnappy);
        check!(LZ4, Lz4);
        check!(ZSTD, Zstd);
        assert_eq!(unpacked(NONE, b"plain").unwrap(), b"plain");
        assert!(unpacked(5, b"").is_err());
    }

    #[test]
    fn raw_snappy_is_read_and_a_false_length_is_refused() {
        let raw = snap::raw::Encoder::new().compress_vec(b"raw").unwrap();
        assert_eq!(unpacked(SNAPPY, &raw).unwrap(), b"raw");
        // A block of five bytes that says it unpacks to four gigabytes.
        assert!(unpacked(SNAPPY, &[0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
    }
}
