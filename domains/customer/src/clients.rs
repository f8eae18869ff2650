//! Clients of the bank's files `client.asc`, `district.asc` and `disp.asc`, joined to profiles.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use chrono::NaiveDate;
use mesh_core::{Decimal, Result};

use crate::products::{Money, Profile, ProfileAccounts, ProfileAccountsRole, ProfileGender};
use mesh_runtime::{Row, Table};

const CLIENTS: &str = "client.asc";
const DISTRICTS: &str = "district.asc";
const DISPOSITIONS: &str = "disp.asc";

/// A district with the figures that a profile shows.
#[derive(Debug, Clone, PartialEq)]
pub struct District {
    /// Its name.
    pub name: String,
    /// The region it belongs to.
    pub region: String,
    /// The average monthly salary in CZK.
    pub average_salary: Money,
    /// Unemployment in 1995 in percent; `None` where the file says `?`.
    pub unemployment_1995: Option<Decimal<5, 2>>,
    /// Unemployment in 1996 in percent; `None` where the file says `?`.
    pub unemployment_1996: Option<Decimal<5, 2>>,
    /// Which field says `?`.
    pub note: Option<String>,
}

/// The profile of every client in `dir`, ordered by client.
///
/// # Errors
/// If a file is missing, or a row is not what the files of this bank hold; the error names
/// file, line and field.
pub fn read_profiles(dir: &Path) -> Result<Vec<Profile>> {
    let districts = open_districts(dir)?;
    let mut accounts = read_dispositions(Table::open(
        dir,
        DISPOSITIONS,
        &["client_id", "account_id", "type"],
    )?)?;
    let clients = Table::open(dir, CLIENTS, &["client_id", "birth_number", "district_id"])?;
    read_clients(clients, &districts, &mut accounts)
}

/// The districts in `dir` by number.
///
/// # Errors
/// If the file is missing, or as [`read_districts`].
pub fn open_districts(dir: &Path) -> Result<HashMap<i32, District>> {
    let columns = ["A1", "A2", "A3", "A11", "A12", "A13"];
    read_districts(Table::open(dir, DISTRICTS, &columns)?)
}

/// The clients of `table` as profiles, ordered by client.
///
/// # Errors
/// If a row is malformed, stands there twice, or names a district that is not known.
pub fn read_clients(
    mut table: Table,
    districts: &HashMap<i32, District>,
    accounts: &mut HashMap<i64, Vec<ProfileAccounts>>,
) -> Result<Vec<Profile>> {
    let mut profiles = BTreeMap::new();
    while let Some(row) = table.next_row()? {
        let client_id: i64 = row.parse("client_id", "a whole number")?;
        let (birth_date, gender) = birth_number(&row, "birth_number")?;
        let district_id: i32 = row.parse("district_id", "a whole number")?;
        let district = districts
            .get(&district_id)
            .ok_or_else(|| row.refuse("district_id", "a district of district.asc"))?;
        let mut accounts = accounts.remove(&client_id).unwrap_or_default();
        accounts.sort_by_key(|account| account.account_id);
        let profile = Profile {
            client_id,
            birth_date,
            gender,
            district_id,
            district_name: district.name.clone(),
            region: district.region.clone(),
            district_average_salary: district.average_salary,
            district_unemployment_1995: district.unemployment_1995,
            district_unemployment_1996: district.unemployment_1996,
            accounts,
            data_note: district.note.clone(),
        };
        if profiles.insert(client_id, profile).is_some() {
            return Err(row.refuse("client_id", "a number that stands there once"));
        }
    }
    Ok(profiles.into_values().collect())
}

/// Day of birth and gender out of a Czech birth number `YYMMDD`: 50 is added to a woman's
/// month, and all clients of this bank were born in the 1900s (README of the PKDD'99 data).
fn birth_number(row: &Row<'_>, column: &'static str) -> Result<(NaiveDate, ProfileGender)> {
    let expected = "a birth number of the form YYMMDD, the month raised by 50 for women";
    let text = row.text(column)?;
    if text.len() != 6 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(row.refuse(column, expected));
    }
    let number: u32 = row.parse(column, expected)?;
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    let (month, gender) = match month {
        51.. => (month - 50, ProfileGender::Female),
        _ => (month, ProfileGender::Male),
    };
    i32::try_from(1900 + year)
        .ok()
        .and_then(|year| NaiveDate::from_ymd_opt(year, month, day))
        .map(|date| (date, gender))
        .ok_or_else(|| row.refuse(column, expected))
}

/// The districts of `table` by number.
///
/// # Errors
/// If a row is malformed or stands there twice.
pub fn read_districts(mut table: Table) -> Result<HashMap<i32, District>> {
    let mut districts = HashMap::new();
    while let Some(row) = table.next_row()? {
        let id: i32 = row.parse("A1", "a whole number")?;
        let mut unknown = Vec::new();
        let unemployment_1995 = percent(&row, "A12", &mut unknown)?;
        let unemployment_1996 = percent(&row, "A13", &mut unknown)?;
        let note = (!unknown.is_empty()).then(|| {
            format!(
                "{DISTRICTS} says `?` in {} of district {id}",
                unknown.join(" and ")
            )
        });
        let district = District {
            name: row.text("A2")?.to_owned(),
            region: row.text("A3")?.to_owned(),
            average_salary: row.parse("A11", "an amount in CZK")?,
            unemployment_1995,
            unemployment_1996,
            note,
        };
        if districts.insert(id, district).is_some() {
            return Err(row.refuse("A1", "a number that stands there once"));
        }
    }
    Ok(districts)
}

fn percent(
    row: &Row<'_>,
    column: &'static str,
    unknown: &mut Vec<&'static str>,
) -> Result<Option<Decimal<5, 2>>> {
    if row.text(column)? == "?" {
        unknown.push(column);
        return Ok(None);
    }
    row.parse(column, "a rate in percent, or ? for unknown")
        .map(Some)
}

/// The accounts that each client of `table` may use.
///
/// # Errors
/// If a row is malformed or gives a client the same account twice.
pub fn read_dispositions(mut table: Table) -> Result<HashMap<i64, Vec<ProfileAccounts>>> {
    let mut accounts: HashMap<i64, Vec<ProfileAccounts>> = HashMap::new();
    let mut seen = HashSet::new();
    while let Some(row) = table.next_row()? {
        let client_id: i64 = row.parse("client_id", "a whole number")?;
        let account_id: i64 = row.parse("account_id", "a whole number")?;
        let role = match row.text("type")? {
            "OWNER" => ProfileAccountsRole::Owner,
            "DISPONENT" => ProfileAccountsRole::Disponent,
            _ => return Err(row.refuse("type", "OWNER or DISPONENT")),
        };
        if !seen.insert((client_id, account_id)) {
            return Err(row.refuse(
                "account_id",
                "an account that stands there once for its client",
            ));
        }
        accounts
            .entry(client_id)
            .or_default()
            .push(ProfileAccounts { account_id, role });
    }
    Ok(accounts)
}
