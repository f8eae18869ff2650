//! The type of a column out of the texts of its values.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use mesh_core::contract::{TimeUnit, Type};

use crate::draft::{are_symbols, integer, symbols, text};
use crate::personal::{self, Pattern};

/// Up to how many values of a column are compared to tell whether all differ.
const COMPARED: usize = 100_000;
/// The most symbols of an inferred enumeration.
const MOST_SYMBOLS: usize = 20;
/// Rows with a value from which on an enumeration is inferred.
const ENUM_ROWS: u64 = 50;
/// The largest scale taken for money, and so for a decimal.
const MONEY_SCALE: usize = 4;

/// What is known of the values of a column.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    /// Rows that have a value.
    pub(crate) values: u64,
    /// Rows without one.
    pub(crate) missing: u64,
    uuid: u64,
    boolean: u64,
    integer: u64,
    float: u64,
    date: u64,
    timestamp: u64,
    /// Timestamps that name no time zone.
    zoneless: u64,
    /// Timestamps with more than thousandths of a second.
    fine: u64,
    /// Dates in another order than year, month, day.
    other_date: u64,
    /// Numbers with zeros before them, which are codes.
    zero_led: u64,
    fits_32: bool,
    scale: Option<(usize, usize)>,
    whole_digits: usize,
    distinct: BTreeSet<String>,
    many: bool,
    seen: HashSet<u64>,
    repeated: bool,
    patterns: [u64; Pattern::ALL.len()],
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            values: 0,
            missing: 0,
            uuid: 0,
            boolean: 0,
            integer: 0,
            float: 0,
            date: 0,
            timestamp: 0,
            zoneless: 0,
            fine: 0,
            other_date: 0,
            zero_led: 0,
            fits_32: true,
            scale: None,
            whole_digits: 0,
            distinct: BTreeSet::new(),
            many: false,
            seen: HashSet::new(),
            repeated: false,
            patterns: [0; Pattern::ALL.len()],
        }
    }
}

/// Whether a CSV field stands for no value.
pub(crate) fn is_missing(value: &str) -> bool {
    matches!(value.trim(), "" | "NULL" | "null" | "\\N")
}

/// A number in plain notation: digits, one point, and maybe an exponent.
struct Number<'a> {
    whole: &'a str,
    /// The digits after the point, if there is one.
    fraction: Option<&'a str>,
    exponent: bool,
}

fn number(value: &str) -> Option<Number<'_>> {
    let unsigned = value.strip_prefix('-').unwrap_or(value);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, power)) => {
            let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
            if digits.is_empty() || digits.len() > 3 || !all_digits(digits) {
                return None;
            }
            (mantissa, true)
        }
        None => (unsigned, false),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = whole.len() + fraction.map_or(0, str::len);
    let sound = digits > 0 && all_digits(whole) && fraction.is_none_or(all_digits);
    sound.then_some(Number {
        whole,
        fraction,
        exponent,
    })
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// What a text says about time: whether it names a zone, and the digits of its fraction.
fn timestamp(value: &str) -> Option<(bool, usize)> {
    // The shortest is `2024-01-01 00:00`.
    if value.len() < 16 || !value.is_ascii() || value.as_bytes()[4] != b'-' {
        return None;
    }
    let fraction = value.get(19..).and_then(|rest| rest.strip_prefix('.'));
    let digits = fraction.map_or(0, |rest| {
        rest.bytes().take_while(u8::is_ascii_digit).count()
    });
    if DateTime::parse_from_rfc3339(value).is_ok() {
        return Some((true, digits));
    }
    for format in [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ] {
        if NaiveDateTime::parse_from_str(value, format).is_ok() {
            return Some((false, digits));
        }
    }
    let spaced = value.replacen(" UTC", "Z", 1);
    if DateTime::parse_from_rfc3339(&spaced).is_ok() {
        return Some((true, digits));
    }
    ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z"]
        .iter()
        .any(|format| DateTime::parse_from_str(value, format).is_ok())
        .then_some((true, digits))
}

fn is_date(value: &str) -> bool {
    value.len() == 10
        && value.as_bytes()[4] == b'-'
        && NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok()
}

/// `31.12.2024`, `12/31/2024`, `31-12-2024`.
fn is_other_date(value: &str) -> bool {
    let parts: Vec<&str> = value.split(['.', '/', '-']).collect();
    matches!(parts.as_slice(), [a, b, year]
        if all_digits(a) && all_digits(b) && all_digits(year)
            && (1..=2).contains(&a.len()) && (1..=2).contains(&b.len()) && year.len() == 4)
}

/// The type of a column, and what there is to say about it.
pub(crate) struct Inferred {
    pub(crate) ty: Type,
    pub(crate) notes: Vec<String>,
}

impl Profile {
    /// Takes one more value, as text.
    pub(crate) fn add(&mut self, value: &str) {
        self.values += 1;
        self.compare(value);
        for (count, pattern) in self.patterns.iter_mut().zip(Pattern::ALL) {
            // A pattern that missed too often is not tried on the rest.
            if *count * 10 + 20 >= self.values * 9 && pattern.fits(value) {
                *count += 1;
            }
        }
        if uuid::Uuid::try_parse(value).is_ok_and(|_| value.len() == 36) {
            self.uuid += 1;
        } else if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") {
            self.boolean += 1;
        } else if let Some(number) = number(value) {
            self.add_number(value, &number);
        } else if is_date(value) {
            self.date += 1;
        } else if let Some((zone, digits)) = timestamp(value) {
            self.timestamp += 1;
            self.zoneless += u64::from(!zone);
            self.fine += u64::from(digits > 3);
        } else if is_other_date(value) {
            self.other_date += 1;
        }
    }

    /// Takes one more value that is text by its nature, so that digits in it are no number.
    pub(crate) fn add_text(&mut self, value: &str) {
        let (boolean, integer, float) = (self.boolean, self.integer, self.float);
        self.add(value);
        (self.boolean, self.integer, self.float) = (boolean, integer, float);
    }

    fn add_number(&mut self, value: &str, number: &Number<'_>) {
        if number.whole.len() > 1 && number.whole.starts_with('0') {
            self.zero_led += 1;
        }
        match number.fraction {
            None if !number.exponent => {
                if let Ok(whole) = value.parse::<i64>() {
                    self.integer += 1;
                    self.fits_32 &= i32::try_from(whole).is_ok();
                }
                // An integer beyond 64 bits is no number that the mesh holds exactly.
            }
            fraction => {
                self.float += 1;
                let digits = fraction.map_or(0, str::len);
                // An exponent says that the digits are not a fixed scale.
                let digits = if number.exponent { usize::MAX } else { digits };
                let (least, most) = self.scale.unwrap_or((digits, digits));
                self.scale = Some((least.min(digits), most.max(digits)));
                self.whole_digits = self.whole_digits.max(number.whole.len());
            }
        }
    }

    fn compare(&mut self, value: &str) {
        if !self.many {
            if value.len() > 40 {
                self.many = true;
            } else if !self.distinct.contains(value) {
                self.many = self.distinct.len() == MOST_SYMBOLS;
                self.distinct.insert(value.to_owned());
            }
            if self.many {
                self.distinct.clear();
            }
        }
        if !self.repeated && self.seen.len() < COMPARED {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            self.repeated = !self.seen.insert(hasher.finish());
        }
        if self.repeated {
            self.seen = HashSet::new();
        }
    }

    /// Whether the values are neither numbers nor times nor any other special text.
    pub(crate) fn is_plain_text(&self) -> bool {
        self.uuid + self.boolean + self.integer + self.float + self.date + self.timestamp == 0
            && self.other_date == 0
            && self.pattern().is_none()
    }

    /// Whether some value came more than once.
    pub(crate) fn repeats(&self) -> bool {
        self.repeated
    }

    /// Whether there are several values, all different, and no row without.
    pub(crate) fn is_unique(&self) -> bool {
        !self.repeated && self.values > 1 && self.missing == 0
    }

    /// What nearly all values look like.
    pub(crate) fn pattern(&self) -> Option<Pattern> {
        let found = self
            .patterns
            .iter()
            .zip(Pattern::ALL)
            .find(|(count, pattern)| {
                let needed = match pattern {
                    // One number in ten has a right check digit by chance.
                    Pattern::Card => self.values.max(3),
                    _ => (self.values * 9).div_ceil(10).max(1),
                };
                **count >= needed
            });
        found.map(|(_, pattern)| pattern)
    }

    /// The type that fits all values of the column called `name` of the record `record`.
    pub(crate) fn infer(&self, name: &str, record: &str) -> Inferred {
        let mut notes = Vec::new();
        let all = |count: u64| count == self.values;
        let ty = if self.values == 0 {
            notes.push("no row has a value: taken as text".into());
            text()
        } else if all(self.uuid) {
            Type::Uuid
        } else if all(self.boolean) {
            Type::Boolean
        } else if all(self.integer + self.float) {
            self.infer_number(name, &mut notes)
        } else if all(self.date) {
            Type::Date
        } else if all(self.timestamp) {
            if self.zoneless > 0 {
                notes.push("the times name no zone: taken as UTC".into());
            }
            Type::Timestamp(if self.fine > 0 {
                TimeUnit::Micros
            } else {
                TimeUnit::Millis
            })
        } else {
            // Values that may be of persons are never listed as the symbols of an enumeration.
            let guess = personal::guess(name, &text(), record, self.pattern());
            let listed = guess.is_none_or(|(what, _)| what == personal::TRAIT);
            self.infer_text(listed, &mut notes)
        };
        Inferred { ty, notes }
    }

    fn infer_number(&self, name: &str, notes: &mut Vec<String>) -> Type {
        if self.zero_led > 0 {
            notes.push("numbers with zeros before them are codes: taken as text".into());
            return text();
        }
        if self.float == 0 {
            // Identifiers grow beyond what a sample shows.
            let identifier = ["id", "key", "no", "number", "num"]
                .iter()
                .any(|word| name == *word || name.ends_with(&format!("_{word}")));
            return integer(!self.fits_32 || identifier);
        }
        match self.scale {
            Some((least, most))
                if self.integer == 0 && least == most && (1..=MONEY_SCALE).contains(&most) =>
            {
                // A precision cannot grow within a major version, so there is room for it.
                let precision = (self.whole_digits + most + 3).clamp(12, 38);
                if self.whole_digits + most > 38 {
                    return Type::Float64;
                }
                notes.push(format!(
                    "every value has {most} digits after the point: taken as decimal({precision},{most}), with room for larger ones"
                ));
                Type::Decimal {
                    precision: precision as u8,
                    scale: most as u8,
                }
            }
            _ => Type::Float64,
        }
    }

    fn infer_text(&self, listed: bool, notes: &mut Vec<String>) -> Type {
        if self.other_date > 0 && self.other_date == self.values {
            notes.push(
                "the dates are not written as year-month-day: taken as text; write 2024-12-31 to have dates"
                    .into(),
            );
            return text();
        }
        for (what, count) in [
            ("numbers", self.integer + self.float),
            ("dates", self.date),
            ("times", self.timestamp),
        ] {
            // Some, but not all: worth a word, because one bad row hides a type.
            if count * 10 >= self.values * 9 {
                notes.push(format!(
                    "{count} of {} values are {what}, the others are not: taken as text",
                    self.values
                ));
            }
        }
        let shouting = |value: &String| {
            value.starts_with(|c: char| c.is_ascii_uppercase())
                && !value.chars().any(|c| c.is_ascii_lowercase())
        };
        let few = listed
            && !self.many
            && self.values >= ENUM_ROWS
            && self.distinct.len() as u64 * 5 <= self.values
            && self.distinct.len() > 1;
        if few
            && self.distinct.iter().all(shouting)
            && are_symbols(self.distinct.iter().map(String::as_str))
        {
            notes.push(format!(
                "{} values come again and again: taken as an enumeration; add those that the rows did not show",
                self.distinct.len()
            ));
            return symbols(self.distinct.iter().map(|value| (value.clone(), None)));
        }
        text()
    }
}
