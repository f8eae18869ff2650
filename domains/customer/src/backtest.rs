//! The back-test: loans with a known end, scored as of the day they were granted.
//!
//! This is the one place that reads how loans ended. The domain's process never calls it, and no
//! points follow from it; docs/scorecard.md has what it found.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write as _};
use std::path::Path;

use chrono::{Datelike, NaiveDate};
use mesh_core::{Error, ErrorKind, Result};
use mesh_runtime::{Row, Table};

use crate::clients::read_profiles;
use crate::history::{observe, whole_months};
use crate::measures::{
    Confusion, Scored, auc_by_curve, auc_by_pairs, auc_error, confusion, divergence, gini,
    kolmogorov_smirnov, weights_of_evidence,
};
use crate::products::inputs::{
    HistoryEntry, HistoryEntryPurpose as Purpose, HistoryEntrySource as Source,
};
use crate::products::{CreditScoreBand as Band, Money, Profile, ProfileAccountsRole as Role};
use crate::scorecard::{probability_of_bad, score};

/// Loans granted from this year on are tested on; the histories of earlier ones are not whole.
pub const TESTED_FROM: i32 = 1997;
/// The points below which the bank declines, and below which a person decides.
pub const THRESHOLDS: [i32; 2] = [480, 550];

/// A loan of the bank's file and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The account it was paid to.
    pub account_id: i64,
    /// The day it was granted.
    pub granted_on: NaiveDate,
    /// B (finished, not paid) or D (running, in debt), and not A or C.
    pub bad: bool,
}

/// A loan of the test with its score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The points, and how it ended.
    pub scored: Scored,
    /// The band of the points.
    pub band: Band,
}

/// The loans in `dir` with their ends, in the order of the file.
///
/// # Errors
/// If the file is missing or a row is malformed, by file, line and field.
pub fn read_ends(dir: &Path) -> Result<Vec<Ended>> {
    let mut table = Table::open(dir, "loan.asc", &["account_id", "date", "status"])?;
    let mut ends = Vec::new();
    while let Some(row) = table.next_row()? {
        ends.push(Ended {
            account_id: row.parse("account_id", "a whole number")?,
            granted_on: row.date("date")?,
            bad: match row.text("status")? {
                "A" | "C" => false,
                "B" | "D" => true,
                _ => return Err(row.refuse("status", "A, B, C or D")),
            },
        });
    }
    Ok(ends)
}

/// The bookings in `dir` on these accounts, of all files whose names begin with `trans`.
///
/// # Errors
/// If the folder cannot be read, or a row is malformed.
pub fn read_histories(
    dir: &Path,
    wanted: impl Fn(i64) -> bool,
) -> Result<HashMap<i64, Vec<HistoryEntry>>> {
    let unreadable = |error: std::io::Error| {
        Error::new(ErrorKind::FailedPrecondition, "a folder cannot be read")
            .with("folder", dir.display())
            .mend("name the folder of the bank's files")
            .because(error)
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        files.extend(name.to_str().map(str::to_owned));
    }
    files.retain(|name| name.starts_with("trans"));
    files.sort();
    let mut histories: HashMap<i64, Vec<HistoryEntry>> = HashMap::new();
    for file in files {
        let columns = ["account_id", "date", "type", "amount", "k_symbol"];
        let mut table = Table::open(dir, &file, &columns)?;
        while let Some(row) = table.next_row()? {
            let account_id = row.parse("account_id", "a whole number")?;
            if wanted(account_id) {
                let booking = booking(&row, account_id)?;
                histories.entry(account_id).or_default().push(booking);
            }
        }
    }
    Ok(histories)
}

/// A booking, in the codes of either of the bank's files, as far as a score looks at it.
fn booking(row: &Row<'_>, account_id: i64) -> Result<HistoryEntry> {
    let amount: Money = row.parse("amount", "an amount in CZK")?;
    Ok(HistoryEntry {
        account_id,
        booked_on: row.date("date")?,
        signed_amount: match row.text("type")? {
            "PRIJEM" | "credit" => amount,
            "VYDAJ" | "VYBER" | "withdrawal" | "withdrawal in cash" => amount.negated(),
            _ => return Err(row.refuse("type", "a known type of transaction")),
        },
        purpose: match row.text("k_symbol")? {
            "UROK" | "interest credited" => Some(Purpose::Interest),
            "SANKC. UROK" | "sanction interest if negative balance" => {
                Some(Purpose::PenaltyInterest)
            }
            _ => None,
        },
        source: Source::Import,
    })
}

/// The loans in `dir` granted from [`TESTED_FROM`] on, each scored as of its day.
///
/// # Errors
/// As [`read_ends`] and [`read_histories`]; or if an account has no owner.
pub fn run(dir: &Path) -> Result<Vec<Case>> {
    let mut ends = read_ends(dir)?;
    ends.retain(|loan| loan.granted_on.year() >= TESTED_FROM);
    let profiles = read_profiles(dir)?;
    let owners = owners(&profiles);
    let histories = read_histories(dir, |account| {
        ends.iter().any(|loan| loan.account_id == account)
    })?;
    let mut cases = Vec::with_capacity(ends.len());
    for loan in &ends {
        let profile = owner(&owners, loan)?;
        let history = histories
            .get(&loan.account_id)
            .map_or(&[][..], Vec::as_slice);
        let seen = observe(history, loan.granted_on)?;
        let score = score(profile, &seen, loan.granted_on)?;
        cases.push(Case {
            scored: Scored {
                points: score.points,
                bad: loan.bad,
            },
            band: score.band,
        });
    }
    Ok(cases)
}

fn owners(profiles: &[Profile]) -> HashMap<i64, &Profile> {
    let accounts = profiles.iter().flat_map(|profile| {
        let owned = profile
            .accounts
            .iter()
            .filter(|one| one.role == Role::Owner);
        owned.map(move |account| (account.account_id, profile))
    });
    accounts.collect()
}

fn owner<'a>(owners: &HashMap<i64, &'a Profile>, loan: &Ended) -> Result<&'a Profile> {
    owners.get(&loan.account_id).copied().ok_or_else(|| {
        Error::invalid("the account of a loan has no owner")
            .with("file", "disp.asc")
            .with("account_id", loan.account_id)
            .mend("use loan.asc and disp.asc of the same delivery")
    })
}

/// A factor on the loans before [`TESTED_FROM`], where it is known for all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The factor.
    pub factor: &'static str,
    /// Good and bad loans in each cell of the scorecard's table.
    pub cells: Vec<(&'static str, u64, u64)>,
}

impl Evidence {
    /// The counts of one kind.
    fn counts(&self, bad: bool) -> Vec<u64> {
        let pick = |cell: &(&str, u64, u64)| if bad { cell.2 } else { cell.1 };
        self.cells.iter().map(pick).collect()
    }

    /// The information value.
    pub fn information_value(&self) -> f64 {
        divergence(&self.counts(false), &self.counts(true))
    }
}

/// Age and unemployment on the loans in `dir` before [`TESTED_FROM`], in the scorecard's cells.
/// The unemployment is that of 1995, the earliest figure there is, whatever the loan's year.
///
/// # Errors
/// As [`run`].
pub fn evidence(dir: &Path) -> Result<Vec<Evidence>> {
    let profiles = read_profiles(dir)?;
    let owners = owners(&profiles);
    let mut age = [("below 21", 0, 0), ("21 to 29", 0, 0), ("30 or more", 0, 0)];
    let mut unemployment = [
        ("below 2 %", 0, 0),
        ("2 to 5 %", 0, 0),
        ("5 % or more", 0, 0),
    ];
    let mut ends = read_ends(dir)?;
    ends.retain(|loan| loan.granted_on.year() < TESTED_FROM);
    for loan in &ends {
        let profile = owner(&owners, loan)?;
        let years = whole_months(profile.birth_date, loan.granted_on) / 12;
        count(
            &mut age[usize::from(years >= 21) + usize::from(years >= 30)],
            loan.bad,
        );
        if let Some(rate) = profile.district_unemployment_1995 {
            let cell = usize::from(rate.unscaled() >= 200) + usize::from(rate.unscaled() >= 500);
            count(&mut unemployment[cell], loan.bad);
        }
    }
    Ok(vec![
        Evidence {
            factor: "age",
            cells: age.to_vec(),
        },
        Evidence {
            factor: "unemployment in the district",
            cells: unemployment.to_vec(),
        },
    ])
}

fn count(cell: &mut (&str, u64, u64), bad: bool) {
    match bad {
        false => cell.1 += 1,
        true => cell.2 += 1,
    }
}

/// The report on cases and evidence, for people.
///
/// # Errors
/// If there are not both good and bad loans.
pub fn report(cases: &[Case], evidence: &[Evidence]) -> Result<String> {
    let scored: Vec<Scored> = cases.iter().map(|case| case.scored).collect();
    let bads = scored.iter().filter(|one| one.bad).count();
    let goods = scored.len() - bads;
    let one_sided =
        || Error::invalid("the loans all ended alike").mend("use the bank's whole file of loans");
    let by_pairs = auc_by_pairs(&scored).ok_or_else(one_sided)?;
    let by_curve = auc_by_curve(&scored).ok_or_else(one_sided)?;
    let (distance, at) = kolmogorov_smirnov(&scored).ok_or_else(one_sided)?;
    let mut text = String::new();
    write_report(&mut text, cases, evidence, |text| {
        writeln!(text, "loans {}, good {goods}, bad {bads}", scored.len())?;
        writeln!(
            text,
            "AUC {by_pairs:.4} by pairs, {by_curve:.4} by the curve, standard error {:.4}",
            auc_error(by_pairs, bads, goods)
        )?;
        writeln!(text, "Gini {:.4}", gini(by_pairs))?;
        writeln!(text, "KS {distance:.4}, up to {at} points")?;
        for threshold in THRESHOLDS {
            let table: Confusion = confusion(&scored, threshold);
            writeln!(
                text,
                "from {threshold} points on: good {}, bad {}; below: good {}, bad {}",
                table.accepted_good, table.accepted_bad, table.refused_good, table.refused_bad
            )?;
        }
        Ok(())
    })
    .map_err(|error| Error::internal("the report cannot be written").because(error))?;
    Ok(text)
}

fn write_report(
    text: &mut String,
    cases: &[Case],
    evidence: &[Evidence],
    head: impl FnOnce(&mut String) -> fmt::Result,
) -> fmt::Result {
    head(text)?;
    let expected = |cases: &[&Case]| -> f64 {
        cases
            .iter()
            .map(|case| probability_of_bad(case.scored.points))
            .sum()
    };
    let all: Vec<&Case> = cases.iter().collect();
    writeln!(text, "bad by the scale {:.1}", expected(&all))?;
    let mut bands: BTreeMap<Band, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        bands.entry(case.band).or_default().push(case);
    }
    for (band, cases) in bands {
        let bad = cases.iter().filter(|case| case.scored.bad).count();
        writeln!(
            text,
            "band {band}: loans {}, bad {bad}, by the scale {:.1}",
            cases.len(),
            expected(&cases)
        )?;
    }
    for one in evidence {
        writeln!(
            text,
            "{} on loans before {TESTED_FROM}: information value {:.3}",
            one.factor,
            one.information_value()
        )?;
        let weights = weights_of_evidence(&one.counts(false), &one.counts(true));
        for ((cell, good, bad), weight) in one.cells.iter().zip(weights) {
            writeln!(
                text,
                "  {cell}: good {good}, bad {bad}, weight of evidence {weight:+.2}"
            )?;
        }
    }
    Ok(())
}
