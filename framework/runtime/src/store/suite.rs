//! What every store has to do: one suite, run on SQLite and on Postgres.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use mesh_core::ErrorKind;
use uuid::Uuid;

use super::backend::change;
use super::intake::PURGE_ROWS;
use super::*;
use crate::effects::Change;

#[path = "../../tests/support/postgres.rs"]
pub(super) mod server;

/// A place for a store, which can be opened again and again.
pub(super) struct Place {
    pub(super) config: Config,
    _folder: tempfile::TempDir,
}

impl Place {
    pub(super) fn sqlite() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        Some(Self {
            config: Config::new("shop", folder.path().join("shop")).unwrap(),
            _folder: folder,
        })
    }

    fn postgres() -> Option<Self> {
        Some(Self::at(&server::shared()?))
    }

    /// A schema that is not there yet.
    pub(super) fn at(url: &str) -> Self {
        let mut place = Self::sqlite().unwrap();
        place.config.store_url = Some(url.parse().unwrap());
        place.config.store_schema = format!("s{}", Uuid::new_v4().simple());
        place
    }

    pub(super) async fn open(&self) -> Store {
        Store::open(&self.config).await.unwrap()
    }
}

/// Each of these for SQLite and for Postgres.
macro_rules! suite {
    ($($case:ident),+ $(,)?) => {
        mod sqlite { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { super::$case(super::Place::sqlite().unwrap()).await }
        )+ }
        mod postgres { $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                if let Some(place) = super::Place::postgres() {
                    super::$case(place).await
                }
            }
        )+ }
    };
}

suite!(
    what_is_committed_together_is_read_back_in_every_life,
    versions_grow_over_commits_and_lives,
    a_commit_on_what_has_changed_is_refused_whole,
    scans_are_by_bytes_and_notice_what_comes_and_goes,
    an_event_a_source_and_an_answer_count_once,
    only_answers_that_pass_are_let_go,
    rows_of_the_outbox_keep_their_order_and_leave_when_they_are_noted,
    much_is_committed_at_once,
    concurrent_changes_are_not_lost,
    an_abandoned_transaction_leaves_nothing,
    a_store_belongs_to_one_process,
    totals_add_up_and_old_ids_are_let_go,
);

pub(super) fn put(kind: &str, key: &str, body: &str) -> Change {
    Change {
        kind: kind.into(),
        key: key.into(),
        body: Some(body.into()),
    }
}

fn delete(kind: &str, key: &str) -> Change {
    Change {
        body: None,
        ..put(kind, key, "")
    }
}

pub(super) fn row(topic: &str, partition: i32, id: Uuid) -> OutboxRow {
    OutboxRow {
        seq: 0,
        topic: topic.into(),
        partition,
        event_id: id.as_bytes().to_vec(),
        trace: "trace".into(),
        contract_version: "1.0.0".into(),
        key: vec![0, 1, 255],
        value: (partition > 0).then(|| vec![0, 128]),
    }
}

fn position(handler: &str, next: i64, handled: u64, duplicates: u64) -> Position {
    Position {
        handler: handler.into(),
        topic: "t".into(),
        partition: 2,
        next_offset: next,
        handled,
        duplicates,
    }
}

pub(super) fn on_now(store: &Store) -> Commit {
    Commit {
        snapshot: store.version(),
        ..Commit::default()
    }
}

pub(super) async fn committed(store: &Store, commit: Commit) {
    assert_eq!(store.commit(&commit).await.unwrap(), Outcome::Committed);
}

async fn body(store: &Store, kind: &str, key: &str) -> Option<String> {
    let found = store.document(kind, key).await.unwrap();
    found.map(|(_, body)| body)
}

async fn what_is_committed_together_is_read_back_in_every_life(place: Place) {
    let store = place.open().await;
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    let set_aside = SetAside {
        handler: "pay".into(),
        topic: "t".into(),
        partition: 2,
        offset: 8,
        event_id: second,
        cause: "cannot".into(),
        attempts: u32::MAX,
        trace: "trace".into(),
        key: None,
        value: Some(vec![0, 255]),
    };
    let mut commit = on_now(&store);
    commit.documents = vec![
        put("a", "k", r#"{"x":"ä\u0000'"}"#),
        delete("a", "not there"),
    ];
    commit.outputs = vec![row("t", 1, first), row("t", 0, second)];
    commit.events = Some(("pay".into(), vec![first]));
    commit.positions = vec![position("pay", 9, 1, 0)];
    commit.set_aside = Some(set_aside);
    commit.source = Some(SourcePosition {
        name: "file".into(),
        from: 0,
        position: u64::from(u32::MAX) + 1,
        total: Some(7),
        done: false,
        note: Some("half".into()),
    });
    commit.answer = Some(KeptAnswer {
        route: "POST /x".into(),
        key: "1".into(),
        body: "{}".into(),
        passing: false,
    });
    committed(&store, commit).await;
    let outbox = store.outbox_id();
    for life in 0..2 {
        let store = match life {
            0 => store_again(&place, &store).await,
            _ => place.open().await,
        };
        assert_eq!(store.outbox_id(), outbox);
        assert_eq!(
            body(&store, "a", "k").await.as_deref(),
            Some(r#"{"x":"ä\u0000'"}"#)
        );
        assert_eq!(body(&store, "a", "not there").await, None);
        let rows = store.outbox_page(0, 10).await.unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].event_id, first.as_bytes());
        assert_eq!(
            (rows[0].partition, &rows[0].value),
            (1, &Some(vec![0, 128]))
        );
        assert_eq!((&rows[1].key, &rows[1].value), (&vec![0, 1, 255], &None));
        assert_eq!(store.pending(), 2);
        let known = store.known_events("pay", &[first, second]).await.unwrap();
        assert_eq!(known, HashSet::from([first]));
        assert!(
            store
                .known_events("other", &[first])
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(store.position("pay", "t", 2).await.unwrap(), Some(9));
        assert_eq!(store.position("pay", "t", 1).await.unwrap(), None);
        let source = store.source("file").await.unwrap();
        assert_eq!(source.position, u64::from(u32::MAX) + 1);
        assert_eq!((source.total, source.done), (Some(7), false));
        assert_eq!(source.note.as_deref(), Some("half"));
        assert_eq!(store.handler_totals("pay").await.unwrap().set_aside, 1);
        store.check().await.unwrap();
        store.close().await;
    }
}

async fn store_again(place: &Place, store: &Store) -> Store {
    store.close().await;
    place.open().await
}

async fn versions_grow_over_commits_and_lives(place: Place) {
    let mut store = place.open().await;
    let mut last = 0;
    for life in 0..3 {
        for _ in 0..2 {
            let mut commit = on_now(&store);
            commit.documents = vec![put("a", "k", "1")];
            committed(&store, commit).await;
            let (version, _) = store.document("a", "k").await.unwrap().unwrap();
            assert!(version > last, "life {life}: {version} is not above {last}");
            assert_eq!(version as u64, store.version());
            last = version;
        }
        store = store_again(&place, &store).await;
        assert!(store.version() > last as u64);
    }
    store.close().await;
}

async fn a_commit_on_what_has_changed_is_refused_whole(place: Place) {
    let store = place.open().await;
    let mut commit = on_now(&store);
    commit.documents = vec![put("a", "k", "1"), put("a", "other", "1")];
    committed(&store, commit).await;
    let snapshot = store.version();
    let (version, _) = store.document("a", "k").await.unwrap().unwrap();
    let decided = |reads: Vec<(String, String, i64)>| Commit {
        snapshot,
        reads,
        documents: vec![put("a", "result", "1")],
        outputs: vec![row("t", 1, Uuid::new_v4())],
        ..Commit::default()
    };
    let read = |key: &str, version| ("a".to_owned(), key.to_owned(), version);
    let mut commit = on_now(&store);
    commit.documents = vec![put("a", "k", "2"), put("a", "new", "1")];
    committed(&store, commit).await;
    // A document that was changed, one that came, and one that went.
    for stale in [read("k", version), read("new", 0), read("gone", 5)] {
        let outcome = store
            .commit(&decided(vec![read("other", version), stale]))
            .await;
        assert_eq!(outcome.unwrap(), Outcome::Conflict);
    }
    assert_eq!(body(&store, "a", "result").await, None);
    assert_eq!(store.pending(), 0);
    assert!(store.outbox_page(0, 1).await.unwrap().is_empty());
    // What is as it was does not hinder, nor does what is not there still.
    committed(
        &store,
        decided(vec![read("other", version), read("none", 0)]),
    )
    .await;
    assert_eq!(body(&store, "a", "result").await.as_deref(), Some("1"));
    store.close().await;
}

async fn scans_are_by_bytes_and_notice_what_comes_and_goes(place: Place) {
    let store = place.open().await;
    let keys = [
        "",
        "A",
        "B",
        "a",
        "a%",
        "a_",
        "ab",
        "aé",
        "a\u{d7ff}x",
        "a\u{e000}",
        "a😀",
        "b",
        "é",
    ];
    let mut commit = on_now(&store);
    commit.documents = keys.iter().rev().map(|key| put("s", key, "1")).collect();
    commit.documents.push(put("t", "a", "1"));
    committed(&store, commit).await;
    let check = async |prefix: &str| {
        let found = store.documents("s", prefix).await.unwrap();
        let found: Vec<&str> = found.iter().map(|document| &*document.key).collect();
        let wanted: Vec<&str> = keys
            .into_iter()
            .filter(|key| key.starts_with(prefix))
            .collect();
        assert_eq!(found, wanted, "{prefix:?}");
    };
    for prefix in [
        "",
        "a",
        "a_",
        "a%",
        "a\u{d7ff}",
        "A",
        "\u{10ffff}",
        "é",
        "none",
    ] {
        check(prefix).await;
    }
    assert_eq!(store.mark("s").await.unwrap().count, keys.len() as i64);
    let mark = async |prefix: &str| {
        let found = store.documents("s", prefix).await.unwrap();
        ScanMark {
            kind: "s".into(),
            prefix: prefix.into(),
            count: found.len() as i64,
            newest: found
                .iter()
                .map(|document| document.version)
                .max()
                .unwrap_or(0),
        }
    };
    for (change, prefix, conflicts) in [
        (put("s", "ab", "2"), "a", true),
        (put("s", "ac", "1"), "a", true),
        (delete("s", "ac"), "a", true),
        (put("s", "b", "2"), "a", false),
        (put("t", "a", "2"), "a", false),
        (delete("s", "b"), "", true),
    ] {
        let mut decided = on_now(&store);
        decided.scans = vec![mark(prefix).await];
        let mut commit = on_now(&store);
        commit.documents = vec![change];
        committed(&store, commit).await;
        let wanted = match conflicts {
            true => Outcome::Conflict,
            false => Outcome::Committed,
        };
        assert_eq!(store.commit(&decided).await.unwrap(), wanted, "{prefix:?}");
    }
    store.close().await;
}

async fn an_event_a_source_and_an_answer_count_once(place: Place) {
    let store = place.open().await;
    let (known, new) = (Uuid::new_v4(), Uuid::new_v4());
    let event = |ids: Vec<Uuid>| Commit {
        events: Some(("pay".into(), ids)),
        documents: vec![put("a", "event", "1")],
        ..on_now(&store)
    };
    committed(&store, event(vec![known])).await;
    committed(
        &store,
        Commit {
            documents: vec![delete("a", "event")],
            ..on_now(&store)
        },
    )
    .await;
    let outcome = store.commit(&event(vec![new, known])).await.unwrap();
    assert_eq!(outcome, Outcome::Conflict);
    assert_eq!(body(&store, "a", "event").await, None);
    assert!(store.known_events("pay", &[new]).await.unwrap().is_empty());

    let source = |from, position| Commit {
        source: Some(SourcePosition {
            name: "file".into(),
            from,
            position,
            ..SourcePosition::default()
        }),
        ..on_now(&store)
    };
    assert_eq!(store.source("file").await.unwrap().position, 0);
    committed(&store, source(0, 5)).await;
    let outcome = store.commit(&source(0, 5)).await.unwrap();
    assert_eq!(outcome, Outcome::Conflict);
    committed(&store, source(5, 6)).await;

    let answer = |text: &str| Commit {
        answer: Some(KeptAnswer {
            route: "r".into(),
            key: "k".into(),
            body: text.into(),
            passing: false,
        }),
        outputs: vec![row("t", 1, Uuid::new_v4())],
        ..on_now(&store)
    };
    committed(&store, answer("first")).await;
    let outcome = store.commit(&answer("second")).await.unwrap();
    assert_eq!(outcome, Outcome::Answered("first".into()));
    assert_eq!(store.pending(), 1);
    store.close().await;
}

async fn only_answers_that_pass_are_let_go(place: Place) {
    let store = place.open().await;
    let answer = |key: &str, passing| Commit {
        answer: Some(KeptAnswer {
            route: "r".into(),
            key: key.into(),
            body: "first".into(),
            passing,
        }),
        ..on_now(&store)
    };
    committed(&store, answer("the domain's", false)).await;
    committed(&store, answer("the caller's", true)).await;
    assert_eq!(store.purge_answers(1).await.unwrap(), 0);
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    assert_eq!(store.purge_answers(0).await.unwrap(), 1);
    assert_eq!(store.purge_answers(0).await.unwrap(), 0);
    let outcome = store.commit(&answer("the domain's", false)).await.unwrap();
    assert_eq!(outcome, Outcome::Answered("first".into()));
    committed(&store, answer("the caller's", true)).await;
    store.close().await;
}

async fn rows_of_the_outbox_keep_their_order_and_leave_when_they_are_noted(place: Place) {
    let store = place.open().await;
    assert_eq!(store.outbox_last().await.unwrap(), 0);
    let ids: Vec<Uuid> = (0..6).map(|_| Uuid::new_v4()).collect();
    for pair in ids.chunks(2) {
        let mut commit = on_now(&store);
        commit.outputs = vec![row("t", 1, pair[0]), row("u", 2, pair[1])];
        committed(&store, commit).await;
    }
    // None has more bytes than these, in this life and in the next one.
    let rows = store.outbox_page(0, 10).await.unwrap();
    let sizes = rows.iter();
    let sizes = sizes.map(|row| row.key.len() + row.value.as_ref().map_or(0, Vec::len));
    let largest = sizes.max().unwrap();
    assert_eq!(store.rows_within(3 * largest), 3);
    assert_eq!(store.rows_within(0), 1);
    let store = store_again(&place, &store).await;
    assert_eq!(store.rows_within(3 * largest), 3);
    let rows = store.outbox_page(0, 10).await.unwrap();
    let found: Vec<&[u8]> = rows.iter().map(|row| &*row.event_id).collect();
    let wanted: Vec<&[u8]> = ids.iter().map(|id| id.as_bytes().as_slice()).collect();
    assert_eq!(found, wanted);
    let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    assert!(seqs[0] > 0 && seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    assert_eq!(store.outbox_page(seqs[2], 2).await.unwrap()[0].seq, seqs[3]);
    assert_eq!(
        store.outbox_of("u", 2).await.unwrap(),
        [seqs[1], seqs[3], seqs[5]]
    );
    assert_eq!(store.outbox_last().await.unwrap(), seqs[5]);

    let noted = |seq, offset, published| Noted {
        seq,
        offset,
        published,
    };
    let step = BTreeMap::from([(("t".to_owned(), 1), noted(seqs[2], 7, 2))]);
    store.note_up_to(seqs[2], &step).await.unwrap();
    assert_eq!(store.pending(), 3);
    store
        .note_found("u", 2, &noted(seqs[5], 4, 1), &[seqs[5], seqs[0]])
        .await
        .unwrap();
    assert_eq!(store.pending(), 2);
    // Neither goes backwards, and what was published adds up.
    store
        .note_found("t", 1, &noted(1, 3, 1), &[])
        .await
        .unwrap();
    let found = store.noted("t", 1).await.unwrap().unwrap();
    assert_eq!(found, noted(seqs[2], 7, 3));
    assert_eq!(store.noted("t", 0).await.unwrap(), None);

    // A number is never given twice, also when nothing is left of it.
    store.note_up_to(seqs[5], &BTreeMap::new()).await.unwrap();
    assert_eq!(store.pending(), 0);
    let store = store_again(&place, &store).await;
    assert_eq!(store.outbox_last().await.unwrap(), seqs[5]);
    let mut commit = on_now(&store);
    commit.outputs = vec![row("t", 1, ids[0])];
    committed(&store, commit).await;
    assert!(store.outbox_page(0, 10).await.unwrap()[0].seq > seqs[5]);
    store.close().await;
}

async fn much_is_committed_at_once(place: Place) {
    let store = place.open().await;
    let text = "x".repeat(200);
    let mut commit = on_now(&store);
    commit.documents = (0..3_000)
        .map(|at| put("a", &at.to_string(), &text))
        .collect();
    commit.outputs = (0..1_234)
        .map(|at| row("t", at % 3, Uuid::new_v4()))
        .collect();
    let events: Vec<Uuid> = (0..2_000).map(|_| Uuid::new_v4()).collect();
    commit.events = Some(("pay".into(), events.clone()));
    committed(&store, commit).await;
    assert_eq!(store.mark("a").await.unwrap().count, 3_000);
    assert_eq!(store.pending(), 1_234);
    assert_eq!(store.outbox_page(0, 2_000).await.unwrap().len(), 1_234);
    assert_eq!(
        store.known_events("pay", &events).await.unwrap().len(),
        2_000
    );
    let mut commit = on_now(&store);
    commit.documents = (0..2_999).map(|at| delete("a", &at.to_string())).collect();
    committed(&store, commit).await;
    assert_eq!(store.mark("a").await.unwrap().count, 1);
    store.close().await;
}

async fn concurrent_changes_are_not_lost(place: Place) {
    let store = Arc::new(place.open().await);
    let add = async |store: Arc<Store>| {
        loop {
            let snapshot = store.version();
            let found = store.document("a", "sum").await.unwrap();
            let (version, sum) = found.map_or((0, 0), |(version, body)| {
                (version, body.parse::<u32>().unwrap())
            });
            let commit = Commit {
                snapshot,
                reads: vec![("a".into(), "sum".into(), version)],
                documents: vec![put("a", "sum", &(sum + 1).to_string())],
                outputs: vec![row("t", 1, Uuid::new_v4())],
                ..Commit::default()
            };
            if store.commit(&commit).await.unwrap() == Outcome::Committed {
                return;
            }
        }
    };
    let tasks = (0..40).map(|_| tokio::spawn(add(Arc::clone(&store))));
    for task in futures::future::join_all(tasks).await {
        task.unwrap();
    }
    assert_eq!(body(&store, "a", "sum").await.as_deref(), Some("40"));
    assert_eq!(store.pending(), 40);
    store.close().await;
}

async fn an_abandoned_transaction_leaves_nothing(place: Place) {
    let store = place.open().await;
    for _ in 0..3 {
        let mut tx = store.backend.begin().await.unwrap();
        change!(
            tx.connection().unwrap(),
            sqlx::query(
                "INSERT INTO documents (kind, key, version, body) VALUES ('a', 'k', 1, '1')",
            )
        )
        .unwrap();
        drop(tx);
    }
    assert_eq!(body(&store, "a", "k").await, None);
    // Nor the number of a row that was written and not committed.
    let mut commit = on_now(&store);
    commit.outputs = vec![row("t", 1, Uuid::new_v4())];
    commit.source = Some(SourcePosition {
        name: "files".into(),
        from: 7,
        position: 8,
        ..SourcePosition::default()
    });
    assert_eq!(store.commit(&commit).await.unwrap(), Outcome::Conflict);
    assert_eq!(store.outbox_last().await.unwrap(), 0);
    let mut commit = on_now(&store);
    commit.documents = vec![put("a", "other", "1")];
    committed(&store, commit).await;
    assert_eq!(body(&store, "a", "k").await, None);
    store.close().await;
}

async fn a_store_belongs_to_one_process(place: Place) {
    let store = place.open().await;
    let error = Store::open(&place.config).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition);
    assert!(!error.is_retryable());
    let text = error.to_string();
    assert!(text.contains("used by another process"), "{text}");
    assert!(text.contains("stop that process"), "{text}");
    // Who was refused has harmed nobody.
    committed(&store, on_now(&store)).await;
    store.close().await;
    assert!(store.commit(&on_now(&store)).await.is_err());
    // A process that dies leaves it free as well.
    drop(place.open().await);
    place.open().await.close().await;
}

async fn totals_add_up_and_old_ids_are_let_go(place: Place) {
    let store = place.open().await;
    let event = Uuid::new_v4();
    for (next, handled, duplicates) in [(5, 4, 1), (9, 3, 0)] {
        let mut commit = on_now(&store);
        commit.positions = vec![position("pay", next, handled, duplicates)];
        committed(&store, commit).await;
    }
    let totals = store.handler_totals("pay").await.unwrap();
    assert_eq!((totals.handled, totals.duplicates), (7, 1));
    assert_eq!(store.handler_totals("none").await.unwrap().handled, 0);
    let mut commit = on_now(&store);
    let mut events: Vec<Uuid> = (0..PURGE_ROWS).map(|_| Uuid::new_v4()).collect();
    events.push(event);
    commit.events = Some(("pay".into(), events));
    committed(&store, commit).await;
    assert_eq!(store.purge_inbox(1).await.unwrap(), 0);
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    // A piece at a time, so that others come in between.
    for left in [PURGE_ROWS as u64, 1, 0] {
        assert_eq!(store.purge_inbox(0).await.unwrap(), left);
    }
    assert!(
        store
            .known_events("pay", &[event])
            .await
            .unwrap()
            .is_empty()
    );
    store.close().await;
}
