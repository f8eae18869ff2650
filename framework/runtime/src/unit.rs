//! A unit of work: what one or several events have read and want written, before it is
//! committed.

use std::collections::{BTreeMap, HashMap, HashSet};

use mesh_core::{Error, EventId, Result, TraceContext};
use uuid::Uuid;

use crate::effects::{Change, Effects, Output};
use crate::setup::Outputs;
use crate::store::{Commit, OutboxRow, ScanMark, Store};

/// Reads and writes that are committed together. Later reads see earlier writes.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    snapshot: u64,
    reads: HashMap<String, HashMap<String, Seen>>,
    scans: Vec<ScanMark>,
    written: BTreeMap<String, BTreeMap<String, Option<String>>>,
    outputs: Vec<OutboxRow>,
    events: Vec<Uuid>,
    known: HashSet<Uuid>,
}

#[derive(Debug)]
struct Seen {
    version: i64,
    body: Option<String>,
}

/// What caused effects: the ids of what they publish follow from it.
#[derive(Debug)]
pub(crate) struct Cause<'a> {
    /// Such as domain, handler and event id.
    pub(crate) parts: &'a [&'a str],
    pub(crate) trace: TraceContext,
}

impl Unit {
    /// A unit on the state of `store` as it is from now on.
    pub(crate) fn new(store: &Store) -> Self {
        Self {
            snapshot: store.version(),
            ..Self::default()
        }
    }

    /// The body of a document.
    pub(crate) async fn get(
        &mut self,
        store: &Store,
        kind: &str,
        key: &str,
    ) -> Result<Option<String>> {
        match self.written.get(kind).and_then(|keys| keys.get(key)) {
            Some(body) => Ok(body.clone()),
            None => Ok(self.base(store, kind, key).await?.body.clone()),
        }
    }

    /// A document as the store has it, noted as read.
    async fn base(&mut self, store: &Store, kind: &str, key: &str) -> Result<&Seen> {
        let known = self
            .reads
            .get(kind)
            .is_some_and(|keys| keys.contains_key(key));
        let fresh = match known {
            true => None,
            false => Some(match store.document(kind, key).await? {
                Some((version, body)) => Seen {
                    version,
                    body: Some(body),
                },
                None => Seen {
                    version: 0,
                    body: None,
                },
            }),
        };
        let keys = self.reads.entry(kind.to_owned()).or_default();
        Ok(match fresh {
            Some(seen) => keys.entry(key.to_owned()).or_insert(seen),
            None => keys.entry(key.to_owned()).or_insert(Seen {
                version: 0,
                body: None,
            }),
        })
    }

    /// The documents of `kind` whose key begins with `prefix`, by key.
    pub(crate) async fn scan(
        &mut self,
        store: &Store,
        kind: &str,
        prefix: &str,
    ) -> Result<Vec<(String, String)>> {
        let found = store.documents(kind, prefix).await?;
        self.scans.push(ScanMark {
            kind: kind.to_owned(),
            prefix: prefix.to_owned(),
            count: found.len() as i64,
            newest: found
                .iter()
                .map(|document| document.version)
                .max()
                .unwrap_or(0),
        });
        let Some(written) = self.written.get(kind) else {
            return Ok(found
                .into_iter()
                .map(|document| (document.key, document.body))
                .collect());
        };
        let mut merged: BTreeMap<String, String> = found
            .into_iter()
            .map(|document| (document.key, document.body))
            .collect();
        let changed = written
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix));
        for (key, body) in changed {
            match body {
                Some(body) => merged.insert(key.clone(), body.clone()),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_iter().collect())
    }

    /// How many documents of `kind` there are.
    pub(crate) async fn count(&mut self, store: &Store, kind: &str) -> Result<u64> {
        let mark = store.mark(kind).await?;
        let mut count = mark.count;
        self.scans.push(mark);
        let written: Vec<(String, bool)> = self
            .written
            .get(kind)
            .into_iter()
            .flatten()
            .map(|(key, body)| (key.clone(), body.is_some()))
            .collect();
        for (key, is) in written {
            let was = self.base(store, kind, &key).await?.body.is_some();
            count += i64::from(is) - i64::from(was);
        }
        Ok(count.max(0) as u64)
    }

    /// Whether an event of this unit has this id.
    pub(crate) fn has_event(&self, id: Uuid) -> bool {
        self.known.contains(&id)
    }

    /// Notes an event as handled by this unit.
    pub(crate) fn add_event(&mut self, id: Uuid) {
        self.known.insert(id);
        self.events.push(id);
    }

    /// How many events are noted.
    pub(crate) fn event_count(&self) -> usize {
        self.events.len()
    }

    /// The rows that effects without documents publish.
    ///
    /// # Errors
    /// If one of them is not allowed or breaks its contract, or documents are changed.
    pub(crate) fn rows_alone(
        effects: Effects,
        cause: &Cause<'_>,
        outputs: &Outputs,
    ) -> Result<Vec<OutboxRow>> {
        let (documents, produced) = effects.into_parts()?;
        if let Some(change) = documents.first() {
            return Err(
                Error::internal("a Kafka-to-Kafka handler cannot change documents itself")
                    .with("kind", &change.kind)
                    .mend("emit a row of a state product that is declared with `.follow::<…>()`"),
            );
        }
        rows(produced, cause, outputs)
    }

    /// Writes documents.
    pub(crate) fn write(&mut self, documents: Vec<Change>) {
        for Change { kind, key, body } in documents {
            self.written.entry(kind).or_default().insert(key, body);
        }
    }

    /// Takes over effects.
    ///
    /// # Errors
    /// If one of them is not allowed or an output breaks its contract; nothing is taken
    /// over then.
    pub(crate) fn apply(
        &mut self,
        effects: Effects,
        cause: &Cause<'_>,
        outputs: &Outputs,
    ) -> Result<()> {
        let (documents, produced) = effects.into_parts()?;
        let rows = rows(produced, cause, outputs)?;
        if let Some(row) = rows.iter().find(|row| outputs.followed(&row.topic)) {
            return Err(Error::internal(
                "a followed product is written by Kafka-to-Kafka handlers alone",
            )
            .with("topic", &row.topic)
            .mend("declare it with `.keep::<…>()` if this handler is to write it"));
        }
        self.outputs.extend(rows);
        self.write(documents);
        Ok(())
    }

    /// What is to be committed, for `handler` if events were handled.
    pub(crate) fn into_commit(self, handler: Option<&str>) -> Commit {
        let reads = self
            .reads
            .into_iter()
            .flat_map(|(kind, keys)| {
                keys.into_iter()
                    .map(move |(key, seen)| (kind.clone(), key, seen.version))
            })
            .collect();
        let documents = self
            .written
            .into_iter()
            .flat_map(|(kind, keys)| {
                keys.into_iter().map(move |(key, body)| Change {
                    kind: kind.clone(),
                    key,
                    body,
                })
            })
            .collect();
        Commit {
            snapshot: self.snapshot,
            reads,
            scans: self.scans,
            documents,
            outputs: self.outputs,
            events: handler.map(|handler| (handler.to_owned(), self.events)),
            ..Commit::default()
        }
    }
}

/// The rows of `produced`; ids that are not given follow from the cause.
fn rows(produced: Vec<Output>, cause: &Cause<'_>, outputs: &Outputs) -> Result<Vec<OutboxRow>> {
    let mut rows = Vec::with_capacity(produced.len());
    for (at, output) in produced.into_iter().enumerate() {
        let id = output.event_id.unwrap_or_else(|| {
            let at = at.to_string();
            let parts: Vec<&str> = cause.parts.iter().copied().chain([at.as_str()]).collect();
            EventId::derived(&parts)
        });
        rows.push(outputs.row(output, id, cause.trace)?);
    }
    Ok(rows)
}
