//! Applications out of the bank's file of loans and dispositions.
//!
//! The file also says how each loan ended. That column is never read: a decision must not know
//! what came after it.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use mesh_core::Result;

use crate::products::{Application, Money};
use mesh_runtime::Table;

// The bank's own names, written in two parts so that a copy of this domain under another name,
// made by replacing the old name, still reads the bank's file.
const APPLICATIONS: &str = concat!("lo", "an.asc");
const APPLICATION_ID: &str = concat!("lo", "an_id");
const DISPOSITIONS: &str = "disp.asc";

/// Every application in `dir`, in the order of their days.
///
/// # Errors
/// If a file is missing, a row is malformed, or an account has no owner.
pub fn read_applications(dir: &Path) -> Result<Vec<Application>> {
    let owners = read_owners(Table::open(
        dir,
        DISPOSITIONS,
        &["client_id", "account_id", "type"],
    )?)?;
    let applications = Table::open(
        dir,
        APPLICATIONS,
        &[
            APPLICATION_ID,
            "account_id",
            "date",
            "amount",
            "duration",
            "payments",
        ],
    )?;
    applications_of(applications, &owners)
}

/// The owner of each account in `table`; only an owner may take a loan.
///
/// # Errors
/// If a row is malformed or gives an account a second owner.
pub fn read_owners(mut table: Table) -> Result<HashMap<i64, i64>> {
    let mut owners = HashMap::new();
    while let Some(row) = table.next_row()? {
        let client_id = row.parse("client_id", "a whole number")?;
        let account_id = row.parse("account_id", "a whole number")?;
        match row.text("type")? {
            "OWNER" => {
                if owners.insert(account_id, client_id).is_some() {
                    return Err(row.refuse("type", "the only OWNER of the account"));
                }
            }
            "DISPONENT" => {}
            _ => return Err(row.refuse("type", "OWNER or DISPONENT")),
        }
    }
    Ok(owners)
}

/// The applications of `table`, by day and number.
///
/// # Errors
/// If a row is malformed, stands there twice, or its account has no owner in `owners`.
pub fn applications_of(mut table: Table, owners: &HashMap<i64, i64>) -> Result<Vec<Application>> {
    let mut applications = Vec::new();
    let mut seen = HashSet::new();
    while let Some(row) = table.next_row()? {
        let application_id = row.parse(APPLICATION_ID, "a whole number")?;
        if !seen.insert(application_id) {
            return Err(row.refuse(APPLICATION_ID, "a number that stands there once"));
        }
        let account_id = row.parse("account_id", "a whole number")?;
        let amount: Money = row.parse("amount", "an amount in CZK")?;
        let monthly_payment: Money = row.parse("payments", "an amount in CZK")?;
        for (column, money) in [("amount", amount), ("payments", monthly_payment)] {
            if money <= Money::ZERO {
                return Err(row.refuse(column, "an amount above 0"));
            }
        }
        applications.push(Application {
            application_id,
            account_id,
            client_id: *owners
                .get(&account_id)
                .ok_or_else(|| row.refuse("account_id", "an account with an owner in disp.asc"))?,
            applied_on: row.date("date")?,
            amount,
            duration_months: row.parse("duration", "a number of months")?,
            monthly_payment,
        });
    }
    applications.sort_by_key(|application| (application.applied_on, application.application_id));
    Ok(applications)
}
