//! Values as PostgreSQL writes them.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};

/// A float in the shortest form that reads back the same, with an exponent where PostgreSQL
/// has one: below 1e-4 and from `10^digits` on (15 digits, or 6 for float4).
pub(super) fn float(shortest: &str, digits: i32, out: &mut String) {
    let (sign, magnitude) = match shortest.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", shortest),
    };
    match magnitude {
        "NaN" => return out.push_str("NaN"),
        "inf" => {
            out.push_str(sign);
            return out.push_str("Infinity");
        }
        _ => {}
    }
    // Rust's `{:e}` is `d.ddde±x`, always the shortest digits.
    let Some((mantissa, exponent)) = magnitude.split_once('e') else {
        return out.push_str(shortest);
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let plain = mantissa.replace('.', "");
    out.push_str(sign);
    if !(-4..digits).contains(&exponent) {
        out.push_str(mantissa);
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing to a text cannot fail.
        let _ = write!(out, "e{sign}{:02}", exponent.abs());
    } else if exponent < 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n(
            '0',
            exponent.unsigned_abs() as usize - 1,
        ));
        out.push_str(&plain);
    } else {
        let whole = exponent.unsigned_abs() as usize + 1;
        if plain.len() <= whole {
            out.push_str(&plain);
            out.extend(std::iter::repeat_n('0', whole - plain.len()));
        } else {
            out.push_str(&plain[..whole]);
            out.push('.');
            out.push_str(&plain[whole..]);
        }
    }
}

/// A decimal from its digits without a point.
pub(super) fn decimal(unscaled: &str, scale: i8, out: &mut String) {
    let (sign, digits) = match unscaled.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", unscaled),
    };
    out.push_str(sign);
    match usize::try_from(scale) {
        Ok(0) => out.push_str(digits),
        Ok(scale) if digits.len() > scale => {
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            out.push_str(whole);
            out.push('.');
            out.push_str(fraction);
        }
        Ok(scale) => {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', scale - digits.len()));
            out.push_str(digits);
        }
        Err(_) => {
            out.push_str(digits);
            if digits != "0" {
                out.extend(std::iter::repeat_n('0', usize::from(scale.unsigned_abs())));
            }
        }
    }
}

/// `2001-02-03`, or `0044-03-15 BC` at its end for years before 1.
fn date(value: &NaiveDateTime, out: &mut String) -> bool {
    let year = value.year();
    let before = year <= 0;
    let year = if before { 1 - year } else { year };
    let _ = write!(out, "{year:04}-{:02}-{:02}", value.month(), value.day());
    before
}

fn clock(value: &impl Timelike, out: &mut String) {
    let _ = write!(
        out,
        "{:02}:{:02}:{:02}",
        value.hour(),
        value.minute(),
        value.second()
    );
    fraction(u64::from(value.nanosecond() / 1_000 % 1_000_000), out);
}

/// Microseconds as the digits after a point, as few as there are.
fn fraction(micros: u64, out: &mut String) {
    if micros > 0 {
        let digits = format!(".{micros:06}");
        out.push_str(digits.trim_end_matches('0'));
    }
}

/// A date from its days since 1970; nothing if it is out of range.
pub(super) fn days(days: i64, out: &mut String) -> Option<()> {
    let instant = DateTime::from_timestamp(days.checked_mul(86_400)?, 0)?;
    if date(&instant.naive_utc(), out) {
        out.push_str(" BC");
    }
    Some(())
}

/// A timestamp from its microseconds since 1970, with its zone, which is UTC, or without.
pub(super) fn instant(micros: i64, zone: bool, out: &mut String) -> Option<()> {
    let instant = DateTime::from_timestamp_micros(micros)?.naive_utc();
    let before = date(&instant, out);
    out.push(' ');
    clock(&instant, out);
    if zone {
        out.push_str("+00");
    }
    if before {
        out.push_str(" BC");
    }
    Some(())
}

/// A time of day from its microseconds.
pub(super) fn time(micros: i64, out: &mut String) -> Option<()> {
    let micros = u64::try_from(micros).ok()?;
    let seconds = micros / 1_000_000;
    let _ = write!(
        out,
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    fraction(micros % 1_000_000, out);
    Some(())
}

/// An interval as in `IntervalStyle = postgres`.
pub(super) fn interval(months: i32, days: i32, micros: i64, out: &mut String) {
    let begin = out.len();
    let part = |number: i32, word: &str, out: &mut String| {
        if number != 0 {
            if out.len() > begin {
                out.push(' ');
            }
            let plural = if number == 1 { "" } else { "s" };
            let _ = write!(out, "{number} {word}{plural}");
        }
    };
    part(months / 12, "year", out);
    part(months % 12, "mon", out);
    part(days, "day", out);
    if micros != 0 || out.len() == begin {
        if out.len() > begin {
            out.push(' ');
        }
        if micros < 0 {
            out.push('-');
        }
        let micros = micros.unsigned_abs();
        let seconds = micros / 1_000_000;
        let _ = write!(
            out,
            "{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
        fraction(micros % 1_000_000, out);
    }
}

/// Bytes as `bytea_output = hex` has them.
pub(super) fn bytea(bytes: &[u8], out: &mut String) {
    out.push_str("\\x");
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

/// An item of an array, in quotes where it could be misread.
pub(super) fn item(text: &str, out: &mut String) {
    let plain = !text.is_empty()
        && !text.eq_ignore_ascii_case("null")
        && !text
            .chars()
            .any(|c| c.is_whitespace() || matches!(c, '{' | '}' | ',' | '"' | '\\'));
    if plain {
        return out.push_str(text);
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn written(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn floats_are_written_as_postgres_does() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (100.0, "100"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123_456_789_012_345.0, "123456789012345"),
            (1e15, "1e+15"),
            (1.25e300, "1.25e+300"),
            (-2.5e-7, "-2.5e-07"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            let text = written(|out| float(&format!("{value:e}"), 15, out));
            assert_eq!(text, expected);
        }
        for (value, expected) in [(0.1_f32, "0.1"), (1e6, "1e+06"), (123_456.0, "123456")] {
            let text = written(|out| float(&format!("{value:e}"), 6, out));
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn decimals_dates_times_and_intervals_are_written_as_postgres_does() {
        for (digits, scale, expected) in [
            ("12345", 2, "123.45"),
            ("-5", 2, "-0.05"),
            ("0", 2, "0.00"),
            ("7", 0, "7"),
            ("7", -2, "700"),
            ("0", -2, "0"),
        ] {
            assert_eq!(written(|out| decimal(digits, scale, out)), expected);
        }
        for (value, expected) in [
            (0, "1970-01-01"),
            (11_356, "2001-02-03"),
            (-735_160, "0044-03-15 BC"),
            (-719_162, "0001-01-01"),
            (-719_163, "0001-12-31 BC"),
        ] {
            assert_eq!(written(|out| days(value, out).unwrap()), expected);
        }
        let at = 1_700_000_000_000_003;
        let text = written(|out| instant(at, true, out).unwrap());
        assert_eq!(text, "2023-11-14 22:13:20.000003+00");
        let text = written(|out| instant(at - 3, false, out).unwrap());
        assert_eq!(text, "2023-11-14 22:13:20");
        let text = written(|out| time(30_600_500_000, out).unwrap());
        assert_eq!(text, "08:30:00.5");
        for ((months, days, micros), expected) in [
            ((14, 3, 0), "1 year 2 mons 3 days"),
            ((0, 1, -3_600_500_000), "1 day -01:00:00.5"),
            ((0, 0, 0), "00:00:00"),
        ] {
            assert_eq!(written(|out| interval(months, days, micros, out)), expected);
        }
        assert_eq!(written(|out| bytea(b"\x00\xffA", out)), "\\x00ff41");
        for (text, expected) in [
            ("a", "a"),
            ("b,\"c\"", "\"b,\\\"c\\\"\""),
            ("", "\"\""),
            ("NULL", "\"NULL\""),
        ] {
            assert_eq!(written(|out| item(text, out)), expected);
        }
    }
}
