//! Committed offsets and the stored state of groups, durable under the broker's flush
//! policy as record batches are: with `Always` a commit is answered after its fsync, else
//! the process may be killed and only a power failure takes the last of them. The log is
//! rewritten as a snapshot at every start and whenever it has grown to several times what
//! it says.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use kafka_protocol::ResponseError;
use mesh_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use super::offset_log::{self, GroupLine, Line, OffsetLine, OffsetLog};
use super::stored::StoredGroup;
use crate::report::{Finding, FindingKind, RecoveryReport};
use crate::sync::{lock, read, write};

/// Below this size the log is not rewritten.
const REWRITE_FROM: u64 = 4 << 20;

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
    pub(crate) committed_ms: i64,
}

type ByPartition = BTreeMap<(String, i32), Committed>;

/// What the log says.
#[derive(Debug, Default)]
struct Content {
    offsets: HashMap<String, ByPartition>,
    groups: HashMap<String, StoredGroup>,
}

impl Content {
    fn apply(&mut self, line: Line) {
        match line {
            Line::Offset(line) => {
                let key = (line.topic, line.partition);
                if let Some(committed) = line.committed {
                    let offsets = self.offsets.entry(line.group).or_default();
                    offsets.insert(key, committed);
                } else if let Some(offsets) = self.offsets.get_mut(&line.group) {
                    offsets.remove(&key);
                    if offsets.is_empty() {
                        self.offsets.remove(&line.group);
                    }
                }
            }
            Line::Group(line) => match line.state {
                Some(state) => {
                    self.groups.insert(line.group, state);
                }
                None => {
                    self.groups.remove(&line.group);
                }
            },
        }
    }

    fn snapshot(&self) -> Vec<Line> {
        let offsets = self.offsets.iter().flat_map(|(group, offsets)| {
            offsets.iter().map(|((topic, partition), committed)| {
                Line::Offset(OffsetLine {
                    group: group.clone(),
                    topic: topic.clone(),
                    partition: *partition,
                    committed: Some(committed.clone()),
                })
            })
        });
        let groups = self.groups.iter().map(|(group, state)| {
            Line::Group(GroupLine {
                group: group.clone(),
                state: Some(state.clone()),
            })
        });
        groups.chain(offsets).collect()
    }
}

fn removal(group: &str, topic: &str, partition: i32) -> Line {
    Line::Offset(OffsetLine {
        group: group.to_owned(),
        topic: topic.to_owned(),
        partition,
        committed: None,
    })
}

/// The offsets of all groups, and the groups themselves.
#[derive(Debug)]
pub(crate) struct Offsets {
    durable_before_ack: bool,
    content: RwLock<Content>,
    log: Mutex<OffsetLog>,
    /// The length of the log after its last rewrite.
    snapshot_len: AtomicU64,
    appended: AtomicU64,
    flushed: AtomicU64,
    flushing: tokio::sync::Mutex<()>,
    failed: AtomicBool,
}

impl Offsets {
    pub(crate) fn open(
        path: PathBuf,
        durable_before_ack: bool,
        report: &mut RecoveryReport,
    ) -> mesh_core::Result<Self> {
        let unreadable = |error: io::Error| {
            Error::new(ErrorKind::Corrupt, "the committed offsets cannot be read")
                .with("file", path.display())
                .mend("check the disk; moving the file away makes all groups begin anew")
                .because(error)
        };
        let replay = offset_log::replay(&path).map_err(unreadable)?;
        let mut finding = |kind, bytes, why| {
            tracing::warn!(file = %path.display(), bytes, why, "recovery found a fault");
            report.findings.push(Finding {
                topic: "__consumer_offsets".to_owned(),
                partition: 0,
                kind,
                first_offset: 0,
                end_offset: 0,
                bytes,
                why,
            });
        };
        if replay.torn > 0 {
            finding(
                FindingKind::TornTail,
                replay.torn,
                "the last commit is not whole",
            );
        }
        if replay.damaged > 0 {
            finding(
                FindingKind::Damaged,
                replay.damaged,
                "the CRC of a commit does not match",
            );
            let aside = offset_log::set_aside(&path).map_err(unreadable)?;
            tracing::warn!(file = %aside.display(), "kept the damaged log of offsets");
        }
        let mut content = Content::default();
        for line in replay.lines {
            content.apply(line);
        }
        let log = OffsetLog::rewrite(&path, content.snapshot()).map_err(unreadable)?;
        Ok(Self {
            durable_before_ack,
            content: RwLock::new(content),
            snapshot_len: AtomicU64::new(log.len()),
            log: Mutex::new(log),
            appended: AtomicU64::new(0),
            flushed: AtomicU64::new(0),
            flushing: tokio::sync::Mutex::new(()),
            failed: AtomicBool::new(false),
        })
    }

    /// Stores a group's offsets, all or none.
    pub(crate) async fn commit(
        self: &Arc<Self>,
        group: &str,
        offsets: Vec<(String, i32, Committed)>,
    ) -> Result<(), ResponseError> {
        let lines: Vec<Line> = offsets
            .into_iter()
            .map(|(topic, partition, committed)| {
                Line::Offset(OffsetLine {
                    group: group.to_owned(),
                    topic,
                    partition,
                    committed: Some(committed),
                })
            })
            .collect();
        self.write(lines).await
    }

    /// Forgets all offsets of a topic that has been deleted.
    pub(crate) async fn remove_topic(self: &Arc<Self>, topic: &str) -> Result<(), ResponseError> {
        let mut lines = Vec::new();
        for (group, offsets) in &read(&self.content).offsets {
            for (name, partition) in offsets.keys().filter(|(name, _)| name == topic) {
                lines.push(removal(group, name, *partition));
            }
        }
        self.write(lines).await
    }

    /// Forgets some offsets of a group; [`Offsets::durable`] waits until that is durable.
    pub(crate) fn remove(
        &self,
        group: &str,
        offsets: &[(String, i32)],
    ) -> Result<(), ResponseError> {
        let lines = offsets
            .iter()
            .map(|(topic, partition)| removal(group, topic, *partition))
            .collect();
        self.append_logged(lines).map(drop)
    }

    /// Forgets a group and all its offsets, in one change.
    pub(super) fn remove_group(&self, group: &str) -> Result<(), ResponseError> {
        let mut lines: Vec<Line> = self
            .all(group)
            .keys()
            .map(|(topic, partition)| removal(group, topic, *partition))
            .collect();
        lines.push(Line::Group(GroupLine {
            group: group.to_owned(),
            state: None,
        }));
        self.append_logged(lines).map(drop)
    }

    /// Stores a group's generation and members.
    pub(super) fn store_group(&self, group: &str, state: StoredGroup) -> Result<(), ResponseError> {
        let line = Line::Group(GroupLine {
            group: group.to_owned(),
            state: Some(state),
        });
        self.append_logged(vec![line]).map(drop)
    }

    /// The groups as they were stored.
    pub(super) fn stored_groups(&self) -> Vec<(String, StoredGroup)> {
        read(&self.content)
            .groups
            .iter()
            .map(|(group, state)| (group.clone(), state.clone()))
            .collect()
    }

    /// The groups that have offsets.
    pub(super) fn groups_with_offsets(&self) -> Vec<String> {
        read(&self.content).offsets.keys().cloned().collect()
    }

    /// Whether a group has offsets.
    pub(super) fn has_offsets(&self, group: &str) -> bool {
        read(&self.content).offsets.contains_key(group)
    }

    /// Waits until all that has been stored so far may be acknowledged.
    pub(crate) async fn durable(self: &Arc<Self>) -> Result<(), ResponseError> {
        match self.durable_before_ack {
            true => self.flush(self.appended.load(Ordering::Acquire)).await,
            false => Ok(()),
        }
    }

    async fn write(self: &Arc<Self>, lines: Vec<Line>) -> Result<(), ResponseError> {
        if lines.is_empty() {
            return Ok(());
        }
        let at = self.append_logged(lines)?;
        match self.durable_before_ack {
            true => self.flush(at).await,
            false => Ok(()),
        }
    }

    fn append_logged(&self, lines: Vec<Line>) -> Result<u64, ResponseError> {
        self.append(lines).map_err(|error| {
            tracing::error!(%error, "cannot store offsets");
            ResponseError::CoordinatorNotAvailable
        })
    }

    fn append(&self, lines: Vec<Line>) -> io::Result<u64> {
        if self.failed.load(Ordering::Acquire) {
            return Err(io::Error::other("an earlier fsync has failed"));
        }
        let frame = offset_log::frame(&lines)?;
        let mut log = lock(&self.log);
        log.append(&frame)?;
        let at = self.appended.fetch_add(1, Ordering::AcqRel) + 1;
        let mut content = write(&self.content);
        for line in lines {
            content.apply(line);
        }
        let grown = 4 * self
            .snapshot_len
            .load(Ordering::Acquire)
            .max(REWRITE_FROM / 4);
        if log.len() > grown {
            *log = OffsetLog::rewrite(log.path(), content.snapshot())?;
            self.snapshot_len.store(log.len(), Ordering::Release);
            self.flushed.fetch_max(at, Ordering::AcqRel);
        }
        Ok(at)
    }

    /// A group's offset for one partition.
    pub(crate) fn get(&self, group: &str, topic: &str, partition: i32) -> Option<Committed> {
        read(&self.content)
            .offsets
            .get(group)?
            .get(&(topic.to_owned(), partition))
            .cloned()
    }

    /// All offsets of a group, by topic and partition.
    pub(crate) fn all(&self, group: &str) -> ByPartition {
        let content = read(&self.content);
        content.offsets.get(group).cloned().unwrap_or_default()
    }

    async fn flush(self: &Arc<Self>, at: u64) -> Result<(), ResponseError> {
        let turn = self.flushing.lock().await;
        if self.flushed.load(Ordering::Acquire) >= at {
            return Ok(());
        }
        let offsets = Arc::clone(self);
        let synced = tokio::task::spawn_blocking(move || {
            let (upto, file) = {
                let log = lock(&offsets.log);
                (offsets.appended.load(Ordering::Acquire), log.handle()?)
            };
            file.sync_data()?;
            offsets.flushed.fetch_max(upto, Ordering::AcqRel);
            Ok::<(), io::Error>(())
        })
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
        drop(turn);
        synced.map_err(|error| {
            self.failed.store(true, Ordering::Release);
            tracing::error!(%error, "cannot sync offsets");
            ResponseError::CoordinatorNotAvailable
        })
    }

    /// Makes all that is stored durable.
    pub(crate) async fn flush_pending(self: &Arc<Self>) -> Result<(), ResponseError> {
        match self.failed.load(Ordering::Acquire) {
            true => Ok(()),
            false => self.flush(self.appended.load(Ordering::Acquire)).await,
        }
    }
}
