//! The sources: accounts, then transactions, then each account with its final balance.
//!
//! Accounts are published once, when all their transactions are booked, so that a reader of the
//! product never sees the balance of a half-read file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use mesh_core::{Error, EventId, Record, Result};
use mesh_runtime::{Context, Effects, Source, SourceBatch};

use crate::bank_files::{Cursor, Imported, read_accounts};
use crate::ledger::book;
use crate::products::{Account, LedgerEntry};

/// The name of the source that reads accounts.
pub const ACCOUNTS: &str = "accounts";
/// The name of the source that reads transactions.
pub const TRANSACTIONS: &str = "transactions";
/// The name of the source that publishes accounts with their balance.
pub const BALANCES: &str = "balances";

/// The documents that hold accounts, by account.
pub const ACCOUNT: &str = "account";
/// The documents that hold transactions, by account, day and number; see [`entry_key`].
pub const ENTRY: &str = "entry";

const BATCH: usize = 2_000;

/// The key of a transaction's document, so that an account's transactions lie together in the
/// order of their days.
pub fn entry_key(entry: &LedgerEntry) -> String {
    format!(
        "{}{}/{:016}",
        entry_prefix(entry.account_id),
        entry.booked_on,
        entry.transaction_id
    )
}

/// What the keys of an account's transactions begin with.
pub fn entry_prefix(account_id: i64) -> String {
    format!("{account_id}/")
}

/// An error, retryable, as long as balances are not final.
///
/// # Errors
/// Unavailable until the sources are done.
pub fn require_import(ctx: &Context) -> Result<()> {
    if ctx.source_done(BALANCES) {
        return Ok(());
    }
    Err(
        Error::unavailable("the bank's accounts and transactions are still being read")
            .mend("ask again in a moment"),
    )
}

/// Reads `account.asc` and `disp.asc`; its position counts accounts.
pub struct Accounts;

#[async_trait]
impl Source for Accounts {
    async fn next(&self, dir: &Path, position: u64, _: &Context) -> Result<SourceBatch> {
        let accounts = read_accounts(dir)?;
        let total = accounts.len() as u64;
        let mut effects = Effects::new();
        let mut next = position;
        for account in accounts.iter().skip(as_index(position)).take(BATCH) {
            effects.add_put_record(ACCOUNT, account.account_id.to_string(), account);
            next += 1;
        }
        Ok(SourceBatch {
            effects,
            next,
            total: Some(total),
            done: next >= total,
            ..SourceBatch::default()
        })
    }
}

/// Reads the transaction files, one after the other by name; its position counts rows.
#[derive(Default)]
pub struct Transactions {
    // The files stay open between batches; whoever asks for another position opens them anew.
    cursor: Mutex<Option<Cursor>>,
}

#[async_trait]
impl Source for Transactions {
    async fn next(&self, dir: &Path, position: u64, ctx: &Context) -> Result<SourceBatch> {
        if !ctx.source_done(ACCOUNTS) {
            return Ok(SourceBatch::wait(position));
        }
        let kept = self
            .cursor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .filter(|cursor| cursor.position() == position);
        let dir = dir.to_owned();
        let (cursor, rows) = tokio::task::spawn_blocking(move || {
            let mut cursor = match kept {
                Some(cursor) => cursor,
                None => Cursor::open(&dir, position)?,
            };
            let mut rows = Vec::with_capacity(BATCH);
            while rows.len() < BATCH
                && let Some(row) = cursor.next_entry()?
            {
                rows.push(row);
            }
            Ok::<_, Error>((cursor, rows))
        })
        .await
        .map_err(|error| Error::internal("the reading of a file broke off").because(error))??;
        let effects = book_rows(&rows, ctx).await?;
        let (next, total) = (cursor.position(), cursor.total());
        *self.cursor.lock().unwrap_or_else(PoisonError::into_inner) = Some(cursor);
        Ok(SourceBatch {
            effects,
            next,
            total: Some(total),
            done: next >= total,
            ..SourceBatch::default()
        })
    }
}

async fn book_rows(rows: &[Imported], ctx: &Context) -> Result<Effects> {
    let topic = LedgerEntry::descriptor().topic.as_str();
    let mut effects = Effects::new();
    let mut accounts: BTreeMap<i64, Account> = BTreeMap::new();
    for Imported { entry, place } in rows {
        let account = match accounts.entry(entry.account_id) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(free) => {
                let account = ctx
                    .get_record(ACCOUNT, &entry.account_id.to_string())
                    .await?
                    .ok_or_else(|| place.refuse("account_id", "an account of account.asc"))?;
                free.insert(account)
            }
        };
        book(account, entry)?;
        effects.add_put_record(ENTRY, entry_key(entry), entry);
        let id = EventId::derived(&[topic, "import", &entry.transaction_id.to_string()]);
        effects.add_emit_as(id, entry);
    }
    for (account_id, account) in &accounts {
        effects.add_put_record(ACCOUNT, account_id.to_string(), account);
    }
    Ok(effects)
}

/// Publishes every account once its transactions are booked; its position counts accounts.
pub struct Balances;

#[async_trait]
impl Source for Balances {
    async fn next(&self, _: &Path, position: u64, ctx: &Context) -> Result<SourceBatch> {
        if !ctx.source_done(TRANSACTIONS) {
            return Ok(SourceBatch::wait(position));
        }
        let topic = Account::descriptor().topic.as_str();
        let accounts: Vec<(String, Account)> = ctx.scan_records(ACCOUNT, "").await?;
        let total = accounts.len() as u64;
        let mut effects = Effects::new();
        let mut next = position;
        for (key, account) in accounts.iter().skip(as_index(position)).take(BATCH) {
            effects.add_emit_as(EventId::derived(&[topic, "import", key]), account);
            next += 1;
        }
        Ok(SourceBatch {
            effects,
            next,
            total: Some(total),
            done: next >= total,
            ..SourceBatch::default()
        })
    }
}

fn as_index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
