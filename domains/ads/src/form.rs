//! The form of the advertising report: its columns, and what may stand in each.
//!
//! A row is read strictly: whatever is not of this form is a [`Fault`] that names the column and
//! what should stand there, never what does.

use std::fmt;

use chrono::NaiveDate;
use mesh_core::EventId;
use mesh_core::decimal::unscaled;
use uuid::Uuid;

use crate::products::{AdGender, Money};

/// The columns of the report, in the order of its header.
pub const COLUMNS: [&str; 15] = [
    "ad_id",
    "reporting_start",
    "reporting_end",
    "campaign_id",
    "fb_campaign_id",
    "age",
    "gender",
    "interest1",
    "interest2",
    "interest3",
    "impressions",
    "clicks",
    "spent",
    "total_conversion",
    "approved_conversion",
];

/// The one column that a row may have lost: nothing is decided by it.
pub const MAY_BE_LOST: &str = "fb_campaign_id";

/// The place of `column` in the header.
pub fn place(column: &str) -> Option<usize> {
    COLUMNS.iter().position(|name| *name == column)
}

/// What may stand in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A whole number from 1 on.
    Number,
    /// A whole number from 0 on.
    Count,
    /// An amount of money, in whole cents up to the noise of a 32-bit float.
    Amount,
    /// A day of the form DD/MM/YYYY.
    Day,
    /// A range of ages, such as 30-34, or 65+.
    AgeBand,
    /// F or M.
    Gender,
    /// Nothing.
    Empty,
}

impl Form {
    /// The form that a declaration calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "number" => Self::Number,
            "count" => Self::Count,
            "amount" => Self::Amount,
            "day" => Self::Day,
            "age_band" => Self::AgeBand,
            "gender" => Self::Gender,
            "empty" => Self::Empty,
            _ => return None,
        })
    }

    /// The form of the cells under the column at `place` of the header.
    pub fn of_column(place: usize) -> Self {
        match place {
            1 | 2 => Self::Day,
            5 => Self::AgeBand,
            6 => Self::Gender,
            11 | 13 | 14 => Self::Count,
            12 => Self::Amount,
            _ => Self::Number,
        }
    }

    /// Whether `cell` is of this form.
    pub fn holds(self, cell: &str) -> bool {
        match self {
            Self::Number => number(cell).is_some_and(|number| number > 0),
            Self::Count => number(cell).is_some(),
            Self::Amount => amount(cell).is_some(),
            Self::Day => day(cell).is_some(),
            Self::AgeBand => age_band(cell),
            Self::Gender => gender(cell).is_some(),
            Self::Empty => cell.is_empty(),
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Number => "a whole number from 1 on",
            Self::Count => "a whole number from 0 on",
            Self::Amount => "an amount from 0 on in whole cents",
            Self::Day => "a day of the form DD/MM/YYYY",
            Self::AgeBand => "a range of ages such as 30-34 or 65+",
            Self::Gender => "F or M",
            Self::Empty => "nothing",
        }
    }
}

/// Why a row is not what the form says; it holds no value of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The column.
    pub field: &'static str,
    /// What should stand there.
    pub expected: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the field is not {}", self.expected)
    }
}

/// A row of the report: what an ad brought on a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Reported {
    /// The ad.
    pub ad_id: i64,
    /// The day (UTC).
    pub day: NaiveDate,
    /// The campaign of the ad.
    pub campaign_id: i64,
    /// The network's number of the campaign; `None` where the row has lost it.
    pub fb_campaign_id: Option<i64>,
    /// The ages that the ad is aimed at.
    pub age_band: String,
    /// The gender that the ad is aimed at.
    pub gender: AdGender,
    /// Codes of the interests that it is aimed at.
    pub interests: [i32; 3],
    /// Times shown.
    pub shown: i64,
    /// Clicks.
    pub clicks: i64,
    /// What was paid.
    pub spend: Money,
    /// Enquiries.
    pub enquiries: i64,
    /// Purchases.
    pub approved: i64,
}

impl Reported {
    /// The id of these figures: the same whether the network's number of the campaign is known
    /// or lost, so that a row that was mended by its publisher is known as the one that was
    /// repaired here.
    pub fn figures_id(&self) -> Uuid {
        let parts = [
            "ads.report".to_owned(),
            self.ad_id.to_string(),
            self.day.to_string(),
            self.campaign_id.to_string(),
            self.age_band.clone(),
            self.gender.as_str().to_owned(),
            self.interests.map(|code| code.to_string()).join(","),
            self.shown.to_string(),
            self.clicks.to_string(),
            self.spend.to_string(),
            self.enquiries.to_string(),
            self.approved.to_string(),
        ];
        EventId::derived(&parts.each_ref().map(String::as_str)).0
    }

    /// The ad set of the ad: the report names none, and almost every ad of it ran on one day
    /// only, so those who are aimed at the same people learn from each other.
    pub fn ad_set(&self) -> String {
        format!("{} {}", self.age_band, self.gender.as_str())
    }
}

/// Reads a row; `None` in a cell means that a declared repair knows it to be lost.
///
/// # Errors
/// The first column, in the order of the header, that is not what the form says.
pub fn read(cells: &[Option<&str>]) -> Result<Reported, Fault> {
    if cells.len() < COLUMNS.len() {
        return Err(Fault {
            field: COLUMNS[cells.len()],
            expected: "there: the row has too few cells",
        });
    }
    if cells.len() > COLUMNS.len() {
        return Err(Fault {
            field: "surplus",
            expected: "empty: the row has more cells than the header",
        });
    }
    for (place, cell) in cells.iter().enumerate() {
        let form = Form::of_column(place);
        let sound = match cell {
            Some(cell) => form.holds(cell),
            None => COLUMNS[place] == MAY_BE_LOST,
        };
        if !sound {
            return Err(fault(place, form.expected()));
        }
    }
    let whole = |place: usize| {
        cells[place]
            .and_then(number)
            .ok_or_else(|| fault(place, "a whole number"))
    };
    let code = |place: usize| {
        i32::try_from(whole(place)?).map_err(|_| fault(place, "a code below 2147483648"))
    };
    let start = cells[1].and_then(day).ok_or_else(|| fault(1, "a day"))?;
    if cells[2].and_then(day) != Some(start) {
        return Err(fault(
            2,
            "the day of reporting_start: a row is about one day",
        ));
    }
    let reported = Reported {
        ad_id: whole(0)?,
        day: start,
        campaign_id: whole(3)?,
        fb_campaign_id: cells[4].and_then(number),
        age_band: cells[5].unwrap_or_default().to_owned(),
        gender: cells[6]
            .and_then(gender)
            .ok_or_else(|| fault(6, "F or M"))?,
        interests: [code(7)?, code(8)?, code(9)?],
        shown: whole(10)?,
        clicks: whole(11)?,
        spend: cells[12]
            .and_then(amount)
            .ok_or_else(|| fault(12, "an amount"))?,
        enquiries: whole(13)?,
        approved: whole(14)?,
    };
    if reported.clicks > reported.shown {
        return Err(fault(11, "at most the impressions"));
    }
    if reported.approved > reported.enquiries {
        return Err(fault(14, "at most total_conversion"));
    }
    Ok(reported)
}

fn fault(place: usize, expected: &'static str) -> Fault {
    Fault {
        field: COLUMNS[place],
        expected,
    }
}

fn number(cell: &str) -> Option<i64> {
    // 15 digits are more than any count of a report, and exact in a double.
    let plain = (1..=15).contains(&cell.len()) && cell.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| cell.parse().ok()).flatten()
}

/// An amount in cents. The report was written from 32-bit floats, so 1.43 stands there as
/// 1.429999948: up to 0.00005 from whole cents is taken for noise, more is refused.
fn amount(cell: &str) -> Option<Money> {
    const CENT: i128 = 10_000_000;
    const NOISE: i128 = 50_000;
    if cell.starts_with(['-', '+']) {
        return None;
    }
    let exact = unscaled(cell, 18, 9).ok()?;
    let cents = (exact + CENT / 2) / CENT;
    if (exact - cents * CENT).abs() > NOISE {
        return None;
    }
    Money::from_unscaled(cents).ok()
}

/// The day in `cell`, DD/MM/YYYY.
pub fn day(cell: &str) -> Option<NaiveDate> {
    let shape = cell.len() == 10
        && cell.bytes().enumerate().all(|(at, byte)| match at {
            2 | 5 => byte == b'/',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return None;
    }
    let (day, month, year) = (cell[..2].parse(), cell[3..5].parse(), cell[6..].parse());
    NaiveDate::from_ymd_opt(year.ok()?, month.ok()?, day.ok()?)
}

/// Whether `text` is a range of ages: two numbers of two digits, the first the lower, or 65+.
pub fn age_band(text: &str) -> bool {
    let age = |text: &str| {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u8>().ok())
            .flatten()
    };
    match (text.strip_suffix('+'), text.split_once('-')) {
        (Some(from), _) => age(from).is_some(),
        (None, Some((from, to))) => age(from).zip(age(to)).is_some_and(|(from, to)| from <= to),
        (None, None) => false,
    }
}

fn gender(cell: &str) -> Option<AdGender> {
    cell.parse().ok()
}
