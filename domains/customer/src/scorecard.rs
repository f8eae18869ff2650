//! The scorecard: points for what a client's history, age and district show.
//!
//! It is a judgemental scorecard, set by experience and written down here whole, so that every
//! score can be explained line by line; docs/scorecard.md says by which method, and how it does. It
//! looks at nothing that lies after the day of the assessment, and never at how a loan ended.

use chrono::{Datelike, NaiveDate};
use mesh_core::{Decimal, Result};

use crate::history::{Observations, whole_months};
use crate::products::{
    CreditScoreBand as Band, CreditScoreComponents as Component,
    CreditScoreComponentsFactor as Factor, Profile,
};

/// The version of the tables below; to be raised with every change of them.
pub const VERSION: &str = "1.0.0";

/// Points of a client about whom nothing speaks for or against.
pub const BASE_POINTS: i32 = 300;

/// The scale of the points: so many points stand for [`SCALE_ODDS`], and [`DOUBLE_ODDS`] more for
/// twice the odds. The three are those of the worked example in N. Siddiqi, Credit Risk Scorecards
/// (Wiley, 2006), and fitted to nothing.
pub const SCALE_POINTS: i32 = 600;
/// Good clients to one bad client at [`SCALE_POINTS`].
pub const SCALE_ODDS: f64 = 50.0;
/// Points that double the odds.
pub const DOUBLE_ODDS: f64 = 20.0;

/// Months of history that a score needs.
pub const MIN_MONTHS: i32 = 3;
/// Transactions that a score needs.
pub const MIN_TRANSACTIONS: i32 = 12;
/// Days that the last transaction may lie back.
pub const MAX_SILENT_DAYS: i64 = 62;

/// The least points of the bands A, B and C; below is D.
pub const BANDS: [(i32, Band); 3] = [(620, Band::A), (550, Band::B), (480, Band::C)];

/// A line of a factor's table: from this value on (in the factor's unit), these points.
struct Line {
    from: i64,
    points: i32,
    reason: &'static str,
}

/// A factor's table: the last line whose bound is reached applies, else `below`.
struct Scale {
    factor: Factor,
    below: (i32, &'static str),
    lines: &'static [Line],
}

const fn line(from: i64, points: i32, reason: &'static str) -> Line {
    Line {
        from,
        points,
        reason,
    }
}

/// A long relationship shows more.
const HISTORY: Scale = Scale {
    factor: Factor::HistoryMonths,
    below: (0, "less than 6 months of history"),
    lines: &[
        line(6, 20, "6 months of history or more"),
        line(12, 45, "12 months of history or more"),
        line(24, 70, "24 months of history or more"),
    ],
};

/// Regular money coming in pays a loan back.
const INFLOW: Scale = Scale {
    factor: Factor::MonthlyInflow,
    below: (0, "less than 5,000 CZK come in per month"),
    lines: &[
        line(5_000, 30, "5,000 CZK or more come in per month"),
        line(10_000, 60, "10,000 CZK or more come in per month"),
        line(20_000, 85, "20,000 CZK or more come in per month"),
        line(35_000, 100, "35,000 CZK or more come in per month"),
    ],
};

/// Money that stays on the account is a reserve.
const AVERAGE_BALANCE: Scale = Scale {
    factor: Factor::AverageBalance,
    below: (0, "the balance is below 5,000 CZK on average"),
    lines: &[
        line(5_000, 30, "the balance is 5,000 CZK or more on average"),
        line(15_000, 60, "the balance is 15,000 CZK or more on average"),
        line(30_000, 85, "the balance is 30,000 CZK or more on average"),
        line(50_000, 110, "the balance is 50,000 CZK or more on average"),
    ],
};

/// How near the account came to being empty.
const MINIMUM_BALANCE: Scale = Scale {
    factor: Factor::MinimumBalance,
    below: (-40, "the balance fell below zero"),
    lines: &[
        line(0, 0, "the balance never fell below zero"),
        line(1_000, 20, "the balance never fell below 1,000 CZK"),
        line(10_000, 40, "the balance never fell below 10,000 CZK"),
    ],
};

/// Months in the red, each one.
const NEGATIVE_MONTHS: Scale = Scale {
    factor: Factor::NegativeMonths,
    below: (30, "no month with a negative balance"),
    lines: &[
        line(1, -30, "one month with a negative balance"),
        line(2, -80, "two or more months with a negative balance"),
    ],
};

/// The bank had to charge for a negative balance.
const PENALTY: Scale = Scale {
    factor: Factor::PenaltyInterest,
    below: (30, "no penalty interest"),
    lines: &[
        line(1, -40, "penalty interest once"),
        line(2, -100, "penalty interest twice or more"),
    ],
};

/// Experience with money; a high age never costs points.
const AGE: Scale = Scale {
    factor: Factor::Age,
    below: (0, "younger than 21"),
    lines: &[line(21, 15, "21 or older"), line(30, 25, "30 or older")],
};

/// How easily lost work is found again.
const UNEMPLOYMENT: Scale = Scale {
    factor: Factor::DistrictUnemployment,
    below: (20, "unemployment in the district is below 2 percent"),
    lines: &[
        line(2, 10, "unemployment in the district is 2 percent or more"),
        line(5, 0, "unemployment in the district is 5 percent or more"),
    ],
};
/// Points where no figure is known on the day: neither for nor against.
const UNEMPLOYMENT_UNKNOWN: (i32, &str) = (
    10,
    "no unemployment figure of the district was known on the day",
);

/// Points, band and the components that explain them.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Base points and components together, from 0 to 1000.
    pub points: i32,
    /// The band that they fall into.
    pub band: Band,
    /// One line for each factor.
    pub components: Vec<Component>,
}

type Observed = Decimal<16, 2>;

impl Scale {
    fn apply(&self, observed: Observed) -> Component {
        let reached = self
            .lines
            .iter()
            .rev()
            .find(|line| observed.unscaled() >= i128::from(line.from) * 100);
        let (points, reason) = reached.map_or(self.below, |line| (line.points, line.reason));
        Component {
            factor: self.factor,
            points,
            observed: Some(observed),
            reason: reason.to_owned(),
        }
    }
}

/// The logarithm of the odds (good to bad) that points stand for.
pub fn log_odds(points: i32) -> f64 {
    let doublings = f64::from(points - SCALE_POINTS) / DOUBLE_ODDS;
    SCALE_ODDS.ln() + doublings * std::f64::consts::LN_2
}

/// The probability of a bad end that points stand for, from 0 to 1.
pub fn probability_of_bad(points: i32) -> f64 {
    1.0 / (1.0 + log_odds(points).exp())
}

/// Scores a client as of a day.
///
/// # Errors
/// If an observation does not fit its decimal type.
pub fn score(profile: &Profile, seen: &Observations, as_of: NaiveDate) -> Result<Score> {
    let count = |value: i32| Observed::from_unscaled(i128::from(value) * 100);
    let money = |value: crate::products::Money| Observed::from_unscaled(value.unscaled());
    let age = whole_months(profile.birth_date, as_of) / 12;
    let unemployment = match unemployment_known_on(profile, as_of) {
        Some(rate) => UNEMPLOYMENT.apply(Observed::from_unscaled(rate.unscaled())?),
        None => Component {
            factor: UNEMPLOYMENT.factor,
            points: UNEMPLOYMENT_UNKNOWN.0,
            observed: None,
            reason: UNEMPLOYMENT_UNKNOWN.1.to_owned(),
        },
    };
    let components = vec![
        HISTORY.apply(count(seen.months)?),
        INFLOW.apply(money(seen.monthly_inflow)?),
        AVERAGE_BALANCE.apply(money(seen.average_balance)?),
        MINIMUM_BALANCE.apply(money(seen.minimum_balance)?),
        NEGATIVE_MONTHS.apply(count(seen.negative_months)?),
        PENALTY.apply(count(seen.penalties)?),
        AGE.apply(count(i32::try_from(age).unwrap_or(i32::MAX))?),
        unemployment,
    ];
    let earned: i32 = components.iter().map(|component| component.points).sum();
    let points = (BASE_POINTS + earned).clamp(0, 1000);
    let band = if has_enough_history(seen, as_of) {
        BANDS
            .iter()
            .find(|(least, _)| points >= *least)
            .map_or(Band::D, |(_, band)| *band)
    } else {
        Band::Unscored
    };
    Ok(Score {
        points,
        band,
        components,
    })
}

/// Whether the history is long, dense and recent enough for its points to mean anything.
fn has_enough_history(seen: &Observations, as_of: NaiveDate) -> bool {
    seen.months >= MIN_MONTHS
        && seen.count >= MIN_TRANSACTIONS
        && seen
            .last_booked_on
            .is_some_and(|last| as_of.signed_duration_since(last).num_days() <= MAX_SILENT_DAYS)
}

/// The newest unemployment rate of the district that was known on `as_of`: a year's figure
/// counts from the next year on.
fn unemployment_known_on(profile: &Profile, as_of: NaiveDate) -> Option<Decimal<5, 2>> {
    let of_1995 = profile.district_unemployment_1995;
    match as_of.year() {
        ..=1995 => None,
        1996 => of_1995,
        _ => profile.district_unemployment_1996.or(of_1995),
    }
}
