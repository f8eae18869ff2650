//! The decision rules: a plain function of the application and of what was looked up.
//!
//! Whatever speaks against a loan for certain declines it; whatever leaves a doubt refers it to
//! a person; only an application without either is approved. All reasons of the outcome are
//! named, in the order of the rules.

use crate::products::{
    Application, DecisionObserved as Observed, DecisionOutcome as Outcome, Money,
};

/// The version of the rules and limits below; to be raised with every change of them.
pub const VERSION: &str = "1.0.0";

/// The least age of an applicant, in years.
pub const MIN_AGE: i32 = 18;
/// Months of history that a decision by rule needs.
pub const MIN_MONTHS: i32 = 3;
/// Transactions that a decision by rule needs.
pub const MIN_TRANSACTIONS: i32 = 12;
/// Days that the last transaction may lie back.
pub const MAX_SILENT_DAYS: i32 = 62;
/// Below these points an application is declined.
pub const DECLINE_BELOW: i32 = 480;
/// Below these points an application is referred.
pub const REFER_BELOW: i32 = 550;
/// The monthly payment may take at most this part of the monthly inflow, in percent.
pub const MAX_PAYMENT_PERCENT: i128 = 40;
/// Above this part a person looks at it.
pub const STRETCHED_PAYMENT_PERCENT: i128 = 30;
/// Payment and commitments together may take at most this part of the inflow, in percent.
pub const MAX_COMMITTED_PERCENT: i128 = 65;
/// Above this part a person looks at it.
pub const STRETCHED_COMMITTED_PERCENT: i128 = 50;
/// Amounts above this, in CZK, are decided by a person.
pub const LARGE_AMOUNT: i128 = 400_000;

/// Why an application was decided as it was; the texts stand in the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The score is high enough.
    ScoreSufficient,
    /// The payment fits the inflow.
    PaymentAffordable,
    /// The applicant is a minor.
    UnderAge,
    /// The applicant's profile does not name the account as owned.
    NotAccountOwner,
    /// The score is too low.
    LowScore,
    /// The payment takes too much of the inflow.
    PaymentUnaffordable,
    /// Payment and commitments together take too much of the inflow.
    CommitmentsTooHigh,
    /// The history does not allow a decision by rule.
    InsufficientHistory,
    /// The history is too short.
    ShortHistory,
    /// There are too few transactions.
    FewTransactions,
    /// The last transaction is too long ago.
    NoRecentTransactions,
    /// The score is between decline and approval.
    BorderlineScore,
    /// The payment takes much of the inflow.
    PaymentStretched,
    /// Payment and commitments together take much of the inflow.
    CommitmentsStretched,
    /// The amount is too large for a decision by rule.
    LargeAmount,
}

impl Reason {
    /// The code as it stands in the product.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScoreSufficient => "SCORE_SUFFICIENT",
            Self::PaymentAffordable => "PAYMENT_AFFORDABLE",
            Self::UnderAge => "UNDER_AGE",
            Self::NotAccountOwner => "NOT_ACCOUNT_OWNER",
            Self::LowScore => "LOW_SCORE",
            Self::PaymentUnaffordable => "PAYMENT_UNAFFORDABLE",
            Self::CommitmentsTooHigh => "COMMITMENTS_TOO_HIGH",
            Self::InsufficientHistory => "INSUFFICIENT_HISTORY",
            Self::ShortHistory => "SHORT_HISTORY",
            Self::FewTransactions => "FEW_TRANSACTIONS",
            Self::NoRecentTransactions => "NO_RECENT_TRANSACTIONS",
            Self::BorderlineScore => "BORDERLINE_SCORE",
            Self::PaymentStretched => "PAYMENT_STRETCHED",
            Self::CommitmentsStretched => "COMMITMENTS_STRETCHED",
            Self::LargeAmount => "LARGE_AMOUNT",
        }
    }
}

/// Decides on an application by what was `seen`: the outcome and its reasons, never none.
pub fn decide(application: &Application, seen: &Observed) -> (Outcome, Vec<Reason>) {
    let of = |rules: &[(bool, Reason)]| -> Vec<Reason> {
        rules
            .iter()
            .filter(|(applies, _)| *applies)
            .map(|(_, reason)| *reason)
            .collect()
    };

    let barred = of(&[
        (seen.age_years < MIN_AGE, Reason::UnderAge),
        (!seen.owns_account, Reason::NotAccountOwner),
    ]);
    if !barred.is_empty() {
        return (Outcome::Declined, barred);
    }

    let lacking = of(&[
        (seen.history_months < MIN_MONTHS, Reason::ShortHistory),
        (
            seen.history_transactions < MIN_TRANSACTIONS,
            Reason::FewTransactions,
        ),
        (
            seen.days_since_last
                .is_none_or(|days| days > MAX_SILENT_DAYS),
            Reason::NoRecentTransactions,
        ),
    ]);
    if !lacking.is_empty() {
        let reasons = std::iter::once(Reason::InsufficientHistory).chain(lacking);
        return (Outcome::Referred, reasons.collect());
    }

    let payment = application.monthly_payment.unscaled();
    let committed = payment + seen.monthly_commitments.unscaled();
    let takes_more =
        |part: i128, percent: i128| part * 100 > seen.monthly_inflow.unscaled() * percent;
    // No score is the lowest score.
    let score_below = |least: i32| seen.score_points.is_none_or(|points| points < least);
    let against = of(&[
        (score_below(DECLINE_BELOW), Reason::LowScore),
        (
            takes_more(payment, MAX_PAYMENT_PERCENT),
            Reason::PaymentUnaffordable,
        ),
        (
            takes_more(committed, MAX_COMMITTED_PERCENT),
            Reason::CommitmentsTooHigh,
        ),
    ]);
    if !against.is_empty() {
        return (Outcome::Declined, against);
    }

    let doubts = of(&[
        (score_below(REFER_BELOW), Reason::BorderlineScore),
        (
            takes_more(payment, STRETCHED_PAYMENT_PERCENT),
            Reason::PaymentStretched,
        ),
        (
            takes_more(committed, STRETCHED_COMMITTED_PERCENT),
            Reason::CommitmentsStretched,
        ),
        (is_large(application.amount), Reason::LargeAmount),
    ]);
    if !doubts.is_empty() {
        return (Outcome::Referred, doubts);
    }
    let reasons = vec![Reason::ScoreSufficient, Reason::PaymentAffordable];
    (Outcome::Approved, reasons)
}

fn is_large(amount: Money) -> bool {
    amount.unscaled() > LARGE_AMOUNT * 100
}
