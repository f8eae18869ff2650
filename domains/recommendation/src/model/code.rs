//! Numbers as a short text: whole numbers as zigzag LEB128 (Protocol Buffers, "Encoding"), reals
//! as IEEE 754 `binary32`, the bytes in base64url without padding (RFC 4648, section 5).

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Writes numbers.
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// For about `count` numbers, most of them of four bytes at most.
    pub(super) fn for_numbers(count: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(4 * count),
        }
    }

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
        let mut text = Vec::with_capacity(self.bytes.len().div_ceil(3) * 4);
        for chunk in self.bytes.chunks(3) {
            let bits = chunk
                .iter()
                .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
                << (8 * (3 - chunk.len()));
            for place in 0..=chunk.len() {
                let digit = bits >> (18 - 6 * place) & 63;
                text.push(DIGITS[digit as usize]);
            }
        }
        // All of it is ASCII, so nothing is replaced.
        String::from_utf8_lossy(&text).into_owned()
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
        let mut chunks = text.as_bytes().chunks_exact(4);
        // What is no digit has bits that no digit has, so one look at the end is enough.
        let mut all = 0;
        for chunk in &mut chunks {
            let [a, b, c, d] = [0, 1, 2, 3].map(|at| VALUES[usize::from(chunk[at])]);
            all |= a | b | c | d;
            let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
            let [_, first, second, third] = bits.to_be_bytes();
            bytes.extend_from_slice(&[first, second, third]);
        }
        let rest = chunks.remainder();
        if rest.len() == 1 {
            return Err(CUT);
        }
        let mut bits = 0_u32;
        for digit in rest {
            let value = VALUES[usize::from(*digit)];
            all |= value;
            bits = bits << 6 | u32::from(value);
        }
        if !rest.is_empty() {
            bits <<= 6 * (4 - rest.len());
            bytes.extend_from_slice(&bits.to_be_bytes()[1..rest.len()]);
        }
        match all < 64 {
            true => Ok(Self { bytes, at: 0 }),
            false => Err("a text of numbers holds another character"),
        }
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

/// The value of each digit; 255 for what is none.
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut at = 0;
    while at < DIGITS.len() {
        values[DIGITS[at] as usize] = at as u8;
        at += 1;
    }
    values
};
