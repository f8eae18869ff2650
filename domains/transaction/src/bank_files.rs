//! Accounts and transactions out of the bank's files.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use mesh_core::{Error, ErrorKind, Result};

use crate::codes;
use crate::ledger::{LENDING_FUND, PAYOUT_IDS_FROM};
use crate::products::{
    Account, AccountStatus, LedgerEntry, LedgerEntryDirection, LedgerEntrySource, Money,
};
use mesh_runtime::{Place, Row, Table};

const ACCOUNTS: &str = "account.asc";
const DISPOSITIONS: &str = "disp.asc";
const ENTRY_COLUMNS: [&str; 10] = [
    "trans_id",
    "account_id",
    "date",
    "type",
    "operation",
    "amount",
    "balance",
    "k_symbol",
    "bank",
    "account",
];

/// Every account in `dir`, without transactions yet, ordered by number.
///
/// # Errors
/// If a file is missing, a row is malformed, or an account has not exactly one owner.
pub fn read_accounts(dir: &Path) -> Result<Vec<Account>> {
    let users = read_users(Table::open(
        dir,
        DISPOSITIONS,
        &["client_id", "account_id", "type"],
    )?)?;
    let accounts = Table::open(
        dir,
        ACCOUNTS,
        &["account_id", "district_id", "frequency", "date"],
    )?;
    accounts_of(accounts, &users)
}

/// Who may use an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users {
    /// The client that owns it.
    pub owner: Option<i64>,
    /// The client that may use it besides.
    pub disponent: Option<i64>,
}

/// The users of each account in `table`.
///
/// # Errors
/// If a row is malformed, or gives an account a second owner or a second disponent.
pub fn read_users(mut table: Table) -> Result<HashMap<i64, Users>> {
    let mut users: HashMap<i64, Users> = HashMap::new();
    while let Some(row) = table.next_row()? {
        let client_id = row.parse("client_id", "a whole number")?;
        let account = users
            .entry(row.parse("account_id", "a whole number")?)
            .or_default();
        let place = match row.text("type")? {
            "OWNER" => &mut account.owner,
            "DISPONENT" => &mut account.disponent,
            _ => return Err(row.refuse("type", "OWNER or DISPONENT")),
        };
        if place.replace(client_id).is_some() {
            return Err(row.refuse("type", "the only one of its kind for the account"));
        }
    }
    Ok(users)
}

/// The accounts of `table`, ordered by number.
///
/// # Errors
/// If a row is malformed, stands there twice, or its account has no owner in `users`.
pub fn accounts_of(mut table: Table, users: &HashMap<i64, Users>) -> Result<Vec<Account>> {
    let mut accounts = Vec::new();
    let mut seen = HashSet::new();
    while let Some(row) = table.next_row()? {
        let account_id = row.parse("account_id", "a whole number")?;
        if !seen.insert(account_id) {
            return Err(row.refuse("account_id", "a number that stands there once"));
        }
        if account_id == LENDING_FUND {
            return Err(row.refuse("account_id", "a number that is not the lending fund's"));
        }
        let user = users.get(&account_id);
        let owner = user
            .and_then(|user| user.owner)
            .ok_or_else(|| row.refuse("account_id", "an account with an owner in disp.asc"))?;
        accounts.push(Account {
            account_id,
            district_id: row.parse("district_id", "a whole number")?,
            statement_frequency: codes::frequency(row.text("frequency")?)
                .ok_or_else(|| row.refuse("frequency", "a known statement frequency"))?,
            opened_on: row.date("date")?,
            owner_client_id: owner,
            disponent_client_id: user.and_then(|user| user.disponent),
            balance: Money::ZERO,
            transaction_count: 0,
            last_booked_on: None,
            status: AccountStatus::Unused,
        });
    }
    accounts.sort_by_key(|account| account.account_id);
    Ok(accounts)
}

/// An imported transaction and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The transaction.
    pub entry: LedgerEntry,
    /// Its row.
    pub place: Place,
}

/// Reads one row of a transaction file.
///
/// # Errors
/// If a field is malformed or holds a code that is not known.
pub fn read_entry(row: &Row<'_>) -> Result<Imported> {
    let transaction_id: i64 = row.parse("trans_id", "a whole number")?;
    if !(1..PAYOUT_IDS_FROM).contains(&transaction_id) {
        return Err(row.refuse("trans_id", "a positive number below those of loan payouts"));
    }
    let direction = codes::direction(row.text("type")?)
        .ok_or_else(|| row.refuse("type", "a known type of transaction"))?;
    let amount: Money = row.parse(
        "amount",
        "an amount with at most two digits after the point",
    )?;
    if amount < Money::ZERO {
        return Err(row.refuse("amount", "an amount without a sign"));
    }
    let (counterparty_bank, counterparty_account) = counterparty(row)?;
    Ok(Imported {
        entry: LedgerEntry {
            transaction_id,
            account_id: row.parse("account_id", "a whole number")?,
            booked_on: row.date("date")?,
            direction,
            operation: codes::operation(row.text("operation")?)
                .ok_or_else(|| row.refuse("operation", "a known operation or blank"))?,
            amount,
            signed_amount: match direction {
                LedgerEntryDirection::Credit => amount,
                LedgerEntryDirection::Debit => amount.negated(),
            },
            reported_balance: Some(row.parse(
                "balance",
                "an amount with at most two digits after the point",
            )?),
            purpose: codes::purpose(row.text("k_symbol")?)
                .ok_or_else(|| row.refuse("k_symbol", "a known symbol or blank"))?,
            counterparty_bank,
            counterparty_account,
            source: LedgerEntrySource::Import,
            payment_id: None,
            payment_kind: None,
            reference: None,
        },
        place: row.place(),
    })
}

/// The other side. Cash and card rows have none: the bank is blank and the account blank or 0.
fn counterparty(row: &Row<'_>) -> Result<(Option<String>, Option<i64>)> {
    let bank = row.text("bank")?;
    let account: i64 = match row.text("account")? {
        "" => 0,
        _ => row.parse("account", "a whole number or blank")?,
    };
    match (bank, account) {
        ("", 0) => Ok((None, None)),
        ("", _) => Err(row.refuse("bank", "a bank code where an account stands beside it")),
        (_, 0) => Err(row.refuse("account", "an account number where a bank stands beside it")),
        (bank, account) if bank.len() == 2 => Ok((Some(bank.to_owned()), Some(account))),
        _ => Err(row.refuse("bank", "a code of two letters")),
    }
}

/// The transaction files of `dir`, `trans*.asc` or `.csv`, plain or gzip, by name.
///
/// # Errors
/// If the directory cannot be read or holds none.
pub fn entry_files(dir: &Path) -> Result<Vec<String>> {
    let listed = std::fs::read_dir(dir).and_then(|entries| {
        entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<std::io::Result<Vec<String>>>()
    });
    let mut files = listed.map_err(|error| {
        Error::new(
            ErrorKind::FailedPrecondition,
            "the source directory cannot be read",
        )
        .with("directory", dir.display())
        .mend("name a directory that this process may read")
        .because(error)
    })?;
    files.retain(|file| {
        let plain = file.strip_suffix(".gz").unwrap_or(file);
        file.starts_with("trans") && (plain.ends_with(".asc") || plain.ends_with(".csv"))
    });
    files.sort();
    if files.is_empty() {
        return Err(Error::not_found("a file of the bank is missing")
            .with("file", dir.join("trans_*.asc.gz").display())
            .mend("put the bank's transaction files into the source directory, named trans_*.asc.gz or trans_*.csv.gz"));
    }
    Ok(files)
}

/// A place in the transaction files, kept open between batches.
pub struct Cursor {
    dir: PathBuf,
    position: u64,
    total: u64,
    waiting: VecDeque<String>,
    table: Option<Table>,
    seen: HashSet<i64>,
}

impl Cursor {
    /// Opens the files of `dir` behind their first `position` rows.
    ///
    /// # Errors
    /// If a file cannot be read, or there are fewer rows than `position`.
    pub fn open(dir: &Path, position: u64) -> Result<Self> {
        let files = entry_files(dir)?;
        let mut total = 0;
        for file in &files {
            let mut table = Table::open(dir, file, &ENTRY_COLUMNS)?;
            while table.next_row()?.is_some() {
                total += 1;
            }
        }
        let mut cursor = Self {
            dir: dir.to_owned(),
            position: 0,
            total,
            waiting: files.into(),
            table: None,
            seen: HashSet::new(),
        };
        while cursor.position < position {
            if cursor.next_entry()?.is_none() {
                return Err(Error::new(
                    ErrorKind::FailedPrecondition,
                    "the transaction files have become shorter since they were read in part",
                )
                .with("directory", dir.display())
                .with("rows", total)
                .with("rows_read", position)
                .mend("put the files back, or start with an empty data directory"));
            }
        }
        Ok(cursor)
    }

    /// Rows read so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Rows of all files.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The next transaction; `None` behind the last.
    ///
    /// # Errors
    /// If a row is malformed or its number has stood there before.
    pub fn next_entry(&mut self) -> Result<Option<Imported>> {
        loop {
            if self.table.is_none() {
                let Some(file) = self.waiting.pop_front() else {
                    return Ok(None);
                };
                self.table = Some(Table::open(&self.dir, &file, &ENTRY_COLUMNS)?);
            }
            let row = match &mut self.table {
                Some(table) => table.next_row()?,
                None => None,
            };
            let Some(row) = row else {
                self.table = None;
                continue;
            };
            let imported = read_entry(&row)?;
            if !self.seen.insert(imported.entry.transaction_id) {
                return Err(imported.place.refuse(
                    "trans_id",
                    "a number that stands once in all transaction files",
                ));
            }
            self.position += 1;
            return Ok(Some(imported));
        }
    }
}
