//! Numbers as a short text: whole numbers as zigzag LEB128 (Protocol Buffers, "Encoding"), reals
//! as IEEE 754 `binary32`, the bytes in base64url without padding (RFC 4648, section 5).

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Writes numbers.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn whole(&mut self, number: i64) {
        let mut rest = ((number << 1) ^ (number >> 63)) as u64;
        while rest >= 0x80 {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
    }

    pub(super) fn real(&mut self, number: f32) {
        self.bytes.extend(number.to_le_bytes());
    }

    pub(super) fn into_text(self) -> String {
        let mut text = String::with_capacity(self.bytes.len().div_ceil(3) * 4);
        for chunk in self.bytes.chunks(3) {
            let bits = chunk
                .iter()
                .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
                << (8 * (3 - chunk.len()));
            for place in 0..=chunk.len() {
                let digit = bits >> (18 - 6 * place) & 63;
                text.push(char::from(DIGITS[digit as usize]));
            }
        }
        text
    }
}

/// Reads what [`Writer`] wrote.
pub(super) struct Reader {
    bytes: Vec<u8>,
    at: usize,
}

const CUT: &str = "a text of numbers is cut off";

impl Reader {
    pub(super) fn new(text: &str) -> Result<Self, &'static str> {
        let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
        for chunk in text.as_bytes().chunks(4) {
            if chunk.len() == 1 {
                return Err(CUT);
            }
            let mut bits = 0_u32;
            for digit in chunk {
                bits = bits << 6 | value(*digit)?;
            }
            bits <<= 6 * (4 - chunk.len());
            bytes.extend(&bits.to_be_bytes()[1..chunk.len()]);
        }
        Ok(Self { bytes, at: 0 })
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        let byte = *self.bytes.get(self.at).ok_or(CUT)?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn whole(&mut self) -> Result<i64, &'static str> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err("a whole number is too long")
    }

    pub(super) fn real(&mut self) -> Result<f32, &'static str> {
        let end = self.at + 4;
        let bytes = self.bytes.get(self.at..end).ok_or(CUT)?;
        self.at = end;
        bytes.try_into().map(f32::from_le_bytes).map_err(|_| CUT)
    }

    /// A number of things to come, each of a byte at least.
    pub(super) fn length(&mut self) -> Result<usize, &'static str> {
        let number = usize::try_from(self.whole()?).map_err(|_| "a length is negative")?;
        match number <= self.bytes.len() - self.at {
            true => Ok(number),
            false => Err(CUT),
        }
    }

    pub(super) fn end(&self) -> Result<(), &'static str> {
        match self.at == self.bytes.len() {
            true => Ok(()),
            false => Err("a text of numbers is too long"),
        }
    }
}

fn value(digit: u8) -> Result<u32, &'static str> {
    Ok(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return Err("a text of numbers holds another character"),
    }))
}
