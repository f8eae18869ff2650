//! Keeping a table in shape: small files merged, expired rows removed, what is no longer
//! needed deleted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::Utc;
use futures::TryStreamExt;
use mesh_core::contract::Retention;
use mesh_core::{Error, ErrorKind, Result};
use object_store::ObjectStoreExt;
use serde_json::json;
use tokio::runtime::Handle;

use crate::choose::choose;
use crate::fault;
use crate::file::{FileWriter, NewFile, remove};
use crate::history::History;
use crate::merge::Merge;
use crate::place::{LOG, ProductRef};
use crate::schema::TIMESTAMP;
use crate::snapshot::DataFile;
use crate::state::State;
use crate::table::{Change, Table};
use crate::value::Value;

/// Merges in one round at most; the rest is for the next.
const ROUND: usize = 64;

/// What a round of maintenance did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Files that were merged into others.
    pub merged: u64,
    /// Files that came of that.
    pub written: u64,
    /// Files that were removed because all their rows had expired.
    pub expired_files: u64,
    /// Rows that were removed.
    pub expired_rows: u64,
    /// Files deleted that no version within the time of grace has.
    pub deleted: u64,
}

impl std::ops::AddAssign for Maintained {
    fn add_assign(&mut self, other: Self) {
        self.merged += other.merged;
        self.written += other.written;
        self.expired_files += other.expired_files;
        self.expired_rows += other.expired_rows;
        self.deleted += other.deleted;
    }
}

impl History {
    /// A round of all: [`History::expire`], [`History::compact`], [`History::clean`].
    ///
    /// # Errors
    /// As theirs.
    pub async fn maintain(&self, product: &ProductRef, retention: Retention) -> Result<Maintained> {
        let mut done = self.expire(product, retention).await?;
        done += self.compact(product).await?;
        done += self.clean(product).await?;
        Ok(done)
    }

    /// Merges small files, and large ones that overlap in time. No row changes, and nobody
    /// who writes or reads is held up.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if another program merges the same files.
    pub async fn compact(&self, product: &ProductRef) -> Result<Maintained> {
        let table = self.table(product)?;
        let mut done = Maintained::default();
        for _ in 0..ROUND {
            let Some(state) = table.refresh().await? else {
                break;
            };
            let files: Vec<_> = state.files.values().map(Arc::clone).collect();
            let Some(chosen) = choose(&files, state.order(), self.config()) else {
                break;
            };
            let written = self.rewrite(&table, &state, &chosen, None).await?;
            done.merged += chosen.len() as u64;
            done.written += written.len() as u64;
            replace(&table, "OPTIMIZE", false, &chosen, written).await?;
        }
        Ok(done)
    }

    /// Removes the rows that were published longer ago than `retention`: whole files, and
    /// files of which a row is overdue by the slack are written anew without what expired.
    ///
    /// # Errors
    /// As [`History::compact`].
    pub async fn expire(&self, product: &ProductRef, retention: Retention) -> Result<Maintained> {
        let mut done = Maintained::default();
        let Retention::Millis(kept) = retention else {
            return Ok(done);
        };
        let table = self.table(product)?;
        let Some(state) = table.refresh().await? else {
            return Ok(done);
        };
        let since = Utc::now().timestamp_micros() - kept.saturating_mul(1000);
        let slack = i64::try_from(self.config().slack.as_micros()).unwrap_or(i64::MAX);
        let bounds = |file: &DataFile| {
            let stats = file.columns.get(TIMESTAMP)?;
            match (&stats.min, &stats.max) {
                (Some(Value::Timestamp(min)), Some(Value::Timestamp(max))) => Some((*min, *max)),
                _ => None,
            }
        };
        let known_time = |file: &DataFile| {
            let stats = file.columns.get(TIMESTAMP);
            stats.is_some_and(|stats| stats.nulls == Some(0))
        };
        let (mut whole, mut partly) = (Vec::new(), Vec::new());
        for file in state.files.values() {
            match bounds(file) {
                Some((_, max)) if max < since && known_time(file) => whole.push(Arc::clone(file)),
                Some((min, _)) if min < since.saturating_sub(slack) => {
                    partly.push(Arc::clone(file));
                }
                _ => {}
            }
        }
        if !whole.is_empty() {
            done.expired_files += whole.len() as u64;
            done.expired_rows += whole.iter().map(|file| file.rows).sum::<u64>();
            replace(&table, "DELETE", true, &whole, Vec::new()).await?;
        }
        for file in partly {
            let Some(state) = table.refresh().await? else {
                break;
            };
            let files = [file];
            let written = self.rewrite(&table, &state, &files, Some(since)).await?;
            let left: u64 = written.iter().map(|file| file.rows).sum();
            done.expired_rows += files[0].rows.saturating_sub(left);
            replace(&table, "DELETE", true, &files, written).await?;
        }
        Ok(done)
    }

    /// Deletes the files that no version within the time of grace has: those taken out of the
    /// table before, and those of writers that ended before their commit.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn clean(&self, product: &ProductRef) -> Result<Maintained> {
        let table = self.table(product)?;
        let store = &table.place.store;
        let mut done = Maintained::default();
        let before = Utc::now() - self.config().grace;
        // Listed first: a file that is old by now and in no later state is in no commit.
        let old: Vec<_> = store
            .list(None)
            .try_filter(|meta| {
                let ours = meta.location.extension() == Some("parquet")
                    && meta.location.parts_count() == 1;
                std::future::ready(ours && meta.last_modified < before)
            })
            .map_ok(|meta| meta.location)
            .try_collect()
            .await
            .map_err(|error| fault::store("the history's files cannot be listed", error))?;
        let Some(state) = table.refresh().await? else {
            return Ok(done);
        };
        let old: Vec<_> = old
            .into_iter()
            .filter(|path| !state.files.contains_key(path.as_ref()))
            .collect();
        if !old.is_empty() {
            let taken_out: HashMap<String, i64> = table.tombstones().await?.into_iter().collect();
            for path in old {
                let since = taken_out.get(path.as_ref());
                if since.is_some_and(|since| *since >= before.timestamp_millis()) {
                    continue;
                }
                match store.delete(&path).await {
                    Ok(()) => done.deleted += 1,
                    Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => {
                        return Err(fault::store("a file of the history is not deleted", error));
                    }
                }
            }
        }
        if let Some(root) = table.place.local().map(std::path::Path::to_owned) {
            let grace = self.config().grace;
            done.deleted += tokio::task::spawn_blocking(move || staged(&root, grace))
                .await
                .map_err(fault::task)?;
        }
        Ok(done)
    }

    /// Writes the rows of `files` anew, sorted, without those published before `since`.
    async fn rewrite(
        &self,
        table: &Arc<Table>,
        state: &State,
        files: &[Arc<DataFile>],
        since: Option<i64>,
    ) -> Result<Vec<NewFile>> {
        let (table, files) = (Arc::clone(table), files.to_vec());
        let schema = Arc::clone(&state.schema);
        // What was sorted otherwise, or not at all, stays so.
        let told = files.first().and_then(|file| file.order.clone());
        let order = told.clone().unwrap_or_else(|| state.order().to_owned());
        let told = told.unwrap_or_default();
        let (file_bytes, group_rows) = (self.config().file_bytes, self.config().row_group_rows);
        let runtime = Handle::current();
        let work = async move {
            let place = &table.place;
            let mut merge = Merge::open(place, &files, &schema, &order, since).await?;
            let mut written = Vec::new();
            let mut open: Option<FileWriter<'_>> = None;
            while let Some(batch) = merge.next().await? {
                let mut file = match open.take() {
                    Some(file) => file,
                    None => FileWriter::new(place, &schema, &told, group_rows)?,
                };
                file.write(&batch).await?;
                if file.size() >= file_bytes {
                    written.push(file.finish().await?);
                } else {
                    open = Some(file);
                }
            }
            if let Some(file) = open {
                written.push(file.finish().await?);
            }
            Ok(written)
        };
        // Decoding and encoding would hold up the runtime.
        tokio::task::spawn_blocking(move || runtime.block_on(work))
            .await
            .map_err(fault::task)?
    }
}

/// Puts `written` in the place of `files` in one commit, if they are all still there.
async fn replace(
    table: &Table,
    operation: &'static str,
    data_change: bool,
    files: &[Arc<DataFile>],
    written: Vec<NewFile>,
) -> Result<()> {
    let committed = table
        .commit(|state| {
            if files
                .iter()
                .any(|file| !state.files.contains_key(file.path.as_ref()))
            {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "a file was taken out of the table while it was written anew",
                )
                .retryable(true)
                .mend("let one process maintain the history of a product"));
            }
            let removed = files.iter().map(|file| remove(file, data_change));
            let added = written.iter().map(|file| file.add(data_change));
            Ok(Change {
                operation,
                info: json!({"operationMetrics": {
                    "numRemovedFiles": files.len(),
                    "numAddedFiles": written.len(),
                }}),
                actions: removed.chain(added).collect::<Result<_>>()?,
            })
        })
        .await;
    match committed {
        Ok(_) => Ok(()),
        Err(error) => {
            // Else it may have been committed after all.
            if error.kind() == ErrorKind::Conflict {
                for file in written {
                    file.discard(&table.place).await;
                }
            }
            Err(error)
        }
    }
}

/// Deletes what a process that was killed left half-written in a local directory, which the
/// store hides.
fn staged(root: &std::path::Path, grace: Duration) -> u64 {
    let is_staged = |name: &str| {
        let upload = name.rsplit_once('#');
        upload.is_some_and(|(file, _)| file.ends_with(".parquet"))
            || (name.starts_with('.') && name.ends_with(".tmp"))
    };
    let folders = [root.to_owned(), root.join(LOG)];
    let entries = folders.iter().filter_map(|folder| folder.read_dir().ok());
    let mut deleted = 0;
    for entry in entries.flatten().flatten() {
        let old = entry
            .metadata()
            .and_then(|meta| meta.modified())
            .is_ok_and(|modified| {
                let age = SystemTime::now().duration_since(modified);
                age.is_ok_and(|age| age >= grace)
            });
        if old && is_staged(&entry.file_name().to_string_lossy()) {
            match std::fs::remove_file(entry.path()) {
                Ok(()) => deleted += 1,
                Err(error) => tracing::warn!(%error, "a half-written file stays behind"),
            }
        }
    }
    deleted
}
