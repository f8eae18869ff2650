//! A table: its log read as it grows, and commits that win or lose as a whole.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use deltalake_core::DeltaTable;
use deltalake_core::checkpoints::{cleanup_metadata, create_checkpoint};
use deltalake_core::kernel::EagerSnapshot;
use futures::{StreamExt, TryStreamExt};
use mesh_core::{Error, ErrorKind, Result};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::fault;
use crate::place::{LOG, Place};
use crate::snapshot::At;
use crate::state::{
    COMMIT_ID, Commit, Metadata, Protocol, State, TABLE_ID, TOPIC, app_id, data_file,
};

/// After so long the log is listed, to see commits behind some that have been cleaned up.
const LIST_AFTER: Duration = Duration::from_secs(300);
/// Earlier versions kept in memory.
const KEPT: usize = 8;
/// Tries to commit beside others.
const TRIES: u32 = 100;

pub(crate) struct Table {
    pub(crate) place: Place,
    checkpoint_every: u64,
    latest: Mutex<Option<Latest>>,
    earlier: Mutex<VecDeque<Arc<State>>>,
}

struct Latest {
    state: Arc<State>,
    listed: Instant,
}

/// What a commit changes.
pub(crate) struct Change {
    /// As Delta readers name operations.
    pub(crate) operation: &'static str,
    /// What the commit tells beside.
    pub(crate) info: Json,
    /// The lines of the log.
    pub(crate) actions: Vec<Json>,
}

impl Table {
    pub(crate) fn new(place: Place, checkpoint_every: u64) -> Self {
        Self {
            place,
            checkpoint_every: checkpoint_every.max(1),
            latest: Mutex::default(),
            earlier: Mutex::default(),
        }
    }

    /// The table as it is now; `None` if there is none.
    pub(crate) async fn refresh(&self) -> Result<Option<Arc<State>>> {
        let mut latest = self.latest.lock().await;
        if latest.is_none() {
            if self.versions().await?.is_empty() {
                return Ok(None);
            }
            let state = Arc::new(self.load(None).await?);
            let listed = Instant::now();
            *latest = Some(Latest { state, listed });
        }
        let Some(latest) = latest.as_mut() else {
            return Ok(None);
        };
        loop {
            let next = latest.state.version + 1;
            let Some(bytes) = self.place.read_commit(next).await? else {
                break;
            };
            let commit = Commit::parse(next, &bytes)?;
            if commit
                .table()
                .is_some_and(|id| id != latest.state.metadata.id)
            {
                // Another table stands in its place.
                latest.state = Arc::new(self.load(None).await?);
                continue;
            }
            Arc::make_mut(&mut latest.state).apply(next, commit)?;
        }
        if latest.listed.elapsed() >= LIST_AFTER {
            let last = self.versions().await?.last().copied();
            if last.is_none() {
                return Err(fault::foreign("commits of the table are gone"));
            }
            if last != Some(latest.state.version) {
                latest.state = Arc::new(self.load(None).await?);
            }
            latest.listed = Instant::now();
        }
        Ok(Some(Arc::clone(&latest.state)))
    }

    /// Whether the table was moved away since it was read; it is then forgotten.
    pub(crate) async fn is_gone(&self) -> Result<bool> {
        let mut latest = self.latest.lock().await;
        let gone = self.versions().await?.is_empty();
        if gone {
            *latest = None;
            self.earlier.lock().await.clear();
        }
        Ok(gone)
    }

    /// The table as it was at `at`; `None` if there was none.
    pub(crate) async fn at(&self, at: At) -> Result<Option<Arc<State>>> {
        let Some(latest) = self.refresh().await? else {
            return Ok(None);
        };
        let version = match at {
            At::Latest => return Ok(Some(latest)),
            At::Version(version) => version,
            At::Time(time) if time.timestamp_millis() >= latest.committed => {
                return Ok(Some(latest));
            }
            At::Time(time) => match self.version_at(time, latest.version).await? {
                Some(version) => version,
                None => return Ok(None),
            },
        };
        if version == latest.version {
            return Ok(Some(latest));
        }
        let absent = || {
            Error::not_found("the table has no such version")
                .with("version", version)
                .with("latest", latest.version)
                .mend(
                    "ask for a version that it has; `_offset` and `_timestamp` reach further back",
                )
        };
        if version > latest.version {
            return Err(absent());
        }
        let mut earlier = self.earlier.lock().await;
        if let Some(known) = earlier.iter().find(|state| state.version == version) {
            return Ok(Some(Arc::clone(known)));
        }
        let state = match self.load(Some(version)).await {
            Ok(state) => Arc::new(state),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(absent()),
            Err(error) => return Err(error),
        };
        // What has been merged since then is deleted after its time of grace.
        for (path, file) in state.files.iter() {
            if latest.files.contains_key(path) {
                continue;
            }
            match self.place.store.head(&file.path).await {
                Ok(_) => {}
                Err(object_store::Error::NotFound { .. }) => return Err(absent()),
                Err(error) => return Err(fault::store("a file of the history is not told", error)),
            }
        }
        if earlier.len() >= KEPT {
            earlier.pop_front();
        }
        earlier.push_back(Arc::clone(&state));
        Ok(Some(state))
    }

    /// The last version that was committed at `time` or before.
    async fn version_at(&self, time: DateTime<Utc>, latest: u64) -> Result<Option<u64>> {
        let versions = self.versions().await?;
        let versions: Vec<u64> = versions.into_iter().filter(|v| *v <= latest).collect();
        let (mut low, mut high) = (0, versions.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let version = versions[middle];
            let Some(bytes) = self.place.read_commit(version).await? else {
                // Cleaned up since it was listed, as are all before it.
                low = middle + 1;
                continue;
            };
            let commit = Commit::parse(version, &bytes)?;
            if commit.timestamp().unwrap_or(0) <= time.timestamp_millis() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        match (low.checked_sub(1), versions.first()) {
            (Some(found), _) => Ok(Some(versions[found])),
            (None, Some(0) | None) => Ok(None),
            (None, Some(first)) => Err(Error::not_found(
                "the table's versions do not reach back to that time",
            )
            .with("first_version", first)
            .mend("ask the latest version for rows by `_timestamp`")),
        }
    }

    /// The versions whose commits are in the log, rising.
    async fn versions(&self) -> Result<Vec<u64>> {
        const WHAT: &str = "the table's log cannot be listed";
        let prefix = Path::from(LOG);
        let mut found: Vec<u64> = self
            .place
            .store
            .list(Some(&prefix))
            .try_filter_map(|meta| async move {
                let name = meta.location.filename().unwrap_or_default();
                let number = name.strip_suffix(".json").filter(|name| name.len() == 20);
                Ok(number.and_then(|number| number.parse::<u64>().ok()))
            })
            .try_collect()
            .await
            .map_err(|error| fault::store(WHAT, error))?;
        found.sort_unstable();
        Ok(found)
    }

    /// Reads the log from its last checkpoint.
    async fn load(&self, version: Option<u64>) -> Result<State> {
        const WHAT: &str = "the table cannot be opened";
        let log = self.place.log.as_ref();
        let snapshot = EagerSnapshot::try_new(log, version)
            .await
            .map_err(|error| fault::delta(WHAT, error))?;
        let metadata = serde_json::to_value(snapshot.metadata())
            .and_then(serde_json::from_value::<Metadata>)
            .map_err(|error| Error::internal(WHAT).because(error))?;
        serde_json::to_value(snapshot.protocol())
            .and_then(serde_json::from_value::<Protocol>)
            .map_err(|error| Error::internal(WHAT).because(error))?
            .check()?;
        let mut state = State::new(snapshot.version(), metadata)?;
        let mut files = std::collections::BTreeMap::new();
        for view in snapshot.log_data().iter() {
            // The only way to a file's tags.
            #[allow(deprecated)]
            let add = view.add_action();
            let file = data_file(&add, &state.schema)?;
            files.insert(add.path, Arc::new(file));
        }
        state.files = Arc::new(files);
        if let Some(topic) = state.metadata.configuration.get(TOPIC).cloned() {
            // Every commit has the ends of all partitions that were there.
            for partition in 0.. {
                let id = app_id(&topic, partition);
                let end = snapshot
                    .transaction_version(log, &id)
                    .await
                    .map_err(|error| fault::delta(WHAT, error))?;
                match end {
                    Some(end) => state.note(&id, end),
                    None => break,
                }
            }
        }
        if let Some(bytes) = self.place.read_commit(state.version).await? {
            let commit = Commit::parse(state.version, &bytes)?;
            state.committed = commit.timestamp().unwrap_or(0);
        }
        Ok(state)
    }

    /// Makes the table with its first commit, unless another is faster; gives what is there.
    pub(crate) async fn create(&self, metadata: &Metadata) -> Result<Arc<State>> {
        let actions = vec![
            json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}),
            json!({"metaData": metadata}),
        ];
        let change = Change {
            operation: "CREATE TABLE",
            info: json!({}),
            actions,
        };
        let (bytes, _) = render(change, &metadata.id, Utc::now().timestamp_millis())?;
        self.place.put_commit(0, bytes.clone().into()).await?;
        let mut latest = self.latest.lock().await;
        if latest.is_none()
            && let Some(first) = self.place.read_commit(0).await?
        {
            let state = State::first(Commit::parse(0, &first)?)?;
            *latest = Some(Latest {
                state: Arc::new(state),
                listed: Instant::now(),
            });
        }
        drop(latest);
        self.refresh()
            .await?
            .ok_or_else(|| Error::internal("the table is gone that was just made"))
    }

    /// Commits what `plan` makes of the table's state: the commit follows on that very state,
    /// or the plan is made again of the next. The file that holds a commit is written once,
    /// by one writer, so two changes cannot both have the same state before them.
    ///
    /// # Errors
    /// What `plan` says: nothing was committed. Any other error leaves open whether it was;
    /// the next state tells.
    pub(crate) async fn commit(
        &self,
        mut plan: impl FnMut(&State) -> Result<Change>,
    ) -> Result<Arc<State>> {
        for try_number in 0..TRIES {
            let state = self
                .refresh()
                .await?
                .ok_or_else(|| Error::not_found("the table is gone"))?;
            let change = plan(&state)?;
            // Times of commits rise, whatever the clocks of the writers say.
            let time = Utc::now().timestamp_millis().max(state.committed + 1);
            let (bytes, id) = render(change, &state.metadata.id, time)?;
            let version = state.version + 1;
            drop(state);
            let mut won = self.place.put_commit(version, bytes.into()).await?;
            if !won && let Some(found) = self.place.read_commit(version).await? {
                // A store that was asked again after a lost answer finds its own.
                won = Commit::parse(version, &found)?.id() == Some(id.as_str());
            }
            if won {
                if version.is_multiple_of(self.checkpoint_every)
                    && let Err(error) = self.checkpoint(version).await
                {
                    // The commit stands; the log is only longer to read until the next.
                    tracing::warn!(version, error = error.log_line(), "no checkpoint was made");
                }
                // Of its own kind: the others say that nothing was committed.
                let unread = || Error::unavailable("the table cannot be read after a commit to it");
                let state = self.refresh().await;
                return state
                    .map_err(|error| unread().because(error))?
                    .ok_or_else(unread);
            }
            tracing::debug!(version, "another commit was faster");
            let pause = u64::from(try_number.min(20)) * 5 + u64::from(rand_byte()) / 16;
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "other commits to the table were always faster",
        )
        .retryable(true)
        .mend("let one process write the history of a product"))
    }

    /// Writes a checkpoint of `version` and removes the commits before it that are old enough.
    async fn checkpoint(&self, version: u64) -> Result<()> {
        const WHAT: &str = "no checkpoint of the table's log can be made";
        let mut table = DeltaTable::new(Arc::clone(&self.place.log));
        let failed = |error| fault::delta(WHAT, error);
        table.load_version(version).await.map_err(failed)?;
        create_checkpoint(&table, None).await.map_err(failed)?;
        let removed = cleanup_metadata(&table, None).await.map_err(failed)?;
        tracing::debug!(version, removed, "a checkpoint was made");
        Ok(())
    }

    /// The files that were taken out of the table, and when, as far as the log still knows.
    pub(crate) async fn tombstones(&self) -> Result<Vec<(String, i64)>> {
        const WHAT: &str = "the table's removed files are not told";
        let failed = |error| fault::delta(WHAT, error);
        let mut table = DeltaTable::new(Arc::clone(&self.place.log));
        table.load().await.map_err(failed)?;
        let state = table.snapshot().map_err(failed)?;
        let mut found = Vec::new();
        let mut tombstones = state.all_tombstones(self.place.log.as_ref());
        while let Some(tombstone) = tombstones.next().await {
            let tombstone = tombstone.map_err(failed)?;
            let time = tombstone.deletion_timestamp().unwrap_or(0);
            found.push((tombstone.path().into_owned(), time));
        }
        Ok(found)
    }
}

fn rand_byte() -> u8 {
    Uuid::new_v4().as_bytes()[0]
}

/// The text of a commit to `table`, and the id in it.
fn render(change: Change, table: &str, time: i64) -> Result<(Vec<u8>, String)> {
    let id = Uuid::new_v4().to_string();
    let mut info = json!({
        "timestamp": time,
        "operation": change.operation,
        "operationParameters": {},
        "engineInfo": concat!("mesh-history/", env!("CARGO_PKG_VERSION")),
        COMMIT_ID: id,
        TABLE_ID: table,
    });
    if let (Json::Object(info), Json::Object(more)) = (&mut info, change.info) {
        info.extend(more);
    }
    let mut bytes = Vec::new();
    for line in std::iter::once(json!({"commitInfo": info})).chain(change.actions) {
        serde_json::to_writer(&mut bytes, &line)
            .map_err(|error| Error::internal("a commit has no text").because(error))?;
        bytes.push(b'\n');
    }
    Ok((bytes, id))
}
