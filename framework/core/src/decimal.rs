//! Decimal numbers whose precision and scale are part of their type.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// A decimal of `P` digits in all, `S` of them after the point, held exactly.
///
/// The scale is part of the type, so that amounts of different scale cannot be mixed and a
/// value that would need rounding is refused instead of rounded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal<const P: u8, const S: u8>(i128);

impl<const P: u8, const S: u8> Decimal<P, S> {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// The value `unscaled` / 10^S.
    ///
    /// # Errors
    /// If `unscaled` has more than `P` digits.
    pub fn from_unscaled(unscaled: i128) -> Result<Self> {
        fits(unscaled, P, S)?;
        Ok(Self(unscaled))
    }

    /// The value times 10^S.
    pub fn unscaled(self) -> i128 {
        self.0
    }

    /// The nearest `f64`, for statistics; never for money.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 10f64.powi(i32::from(S))
    }

    /// The sum.
    ///
    /// # Errors
    /// If it does not fit.
    pub fn checked_add(self, other: Self) -> Result<Self> {
        Self::from_unscaled(self.0.saturating_add(other.0))
    }

    /// The difference.
    ///
    /// # Errors
    /// If it does not fit.
    pub fn checked_sub(self, other: Self) -> Result<Self> {
        Self::from_unscaled(self.0.saturating_sub(other.0))
    }

    /// The value with its sign changed.
    pub fn negated(self) -> Self {
        Self(-self.0)
    }
}

impl<const P: u8, const S: u8> FromStr for Decimal<P, S> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        unscaled(text, P, S).map(Self)
    }
}

/// Reads a decimal of `precision` digits, `scale` of them after the point, as its value
/// times 10^`scale`.
///
/// # Errors
/// If the text is no such number, or would have to be rounded; the text is not told.
pub fn unscaled(text: &str, precision: u8, scale: u8) -> Result<i128> {
    let wrong = || {
        Error::invalid(format!(
            "not a number of the form of decimal({precision},{scale})"
        ))
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) {
        return Err(wrong());
    }
    let width = usize::from(scale);
    let (kept, dropped) = fraction.split_at(fraction.len().min(width));
    if dropped.bytes().any(|b| b != b'0') {
        return Err(Error::invalid(format!(
            "more than {scale} digits after the point do not fit decimal({precision},{scale})"
        )));
    }
    let padded = format!("{whole}{kept:0<width$}");
    let unscaled: i128 = padded.parse().map_err(|_| wrong())?;
    fits(unscaled, precision, scale)?;
    Ok(if negative { -unscaled } else { unscaled })
}

fn fits(unscaled: i128, precision: u8, scale: u8) -> Result<()> {
    let digits = unscaled
        .unsigned_abs()
        .checked_ilog10()
        .map_or(1, |d| d + 1);
    if digits > u32::from(precision) {
        return Err(Error::invalid(format!(
            "a number of {digits} digits does not fit decimal({precision},{scale})"
        )));
    }
    Ok(())
}

/// `unscaled` / 10^`scale` in digits, `scale` of them after the point.
pub(crate) fn digits(unscaled: i128, scale: u8) -> String {
    let power = 10u128.pow(u32::from(scale));
    let (whole, fraction) = (
        unscaled.unsigned_abs() / power,
        unscaled.unsigned_abs() % power,
    );
    let sign = if unscaled < 0 { "-" } else { "" };
    match usize::from(scale) {
        0 => format!("{sign}{whole}"),
        width => format!("{sign}{whole}.{fraction:0width$}"),
    }
}

impl<const P: u8, const S: u8> fmt::Display for Decimal<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&digits(self.0, S))
    }
}

impl<const P: u8, const S: u8> fmt::Debug for Decimal<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_refuse_what_does_not_fit() {
        type Money = Decimal<12, 2>;
        for (text, shown) in [
            ("0", "0.00"),
            ("-0.05", "-0.05"),
            ("1234.5", "1234.50"),
            ("9999999999.99", "9999999999.99"),
            ("7.100", "7.10"),
        ] {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), shown);
        }
        for wrong in [
            "",
            ".",
            "1.005",
            "10000000000.00",
            "1e3",
            "--1",
            "1,5",
            " 1",
        ] {
            assert!(wrong.parse::<Money>().is_err(), "{wrong}");
        }
        let sum = "0.10".parse::<Money>().unwrap();
        assert_eq!(sum.checked_add(sum).unwrap().to_string(), "0.20");
        assert_eq!("5".parse::<Decimal<3, 0>>().unwrap().to_string(), "5");
    }
}
