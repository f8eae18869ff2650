//! The ratings file as views, sessions and patterns, on a platform, with the process stopped and
//! killed in between.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use mesh_core::EventId;
use user_behavior::products::{AudienceMember, Session, SessionClosedBy, View, WatchPattern};

use crate::mesh::{Mesh, settings};

const SECRET: (&str, &str) = (
    "MESH_PSEUDONYM_KEY",
    "0101010101010101010101010101010101010101010101010101010101010101",
);
const GAP: i64 = 1_800;

/// Rows of a file like MovieLens': users one after the other, each in bursts; the last one watches
/// long after all others, so that their sessions are over.
fn rows(users: i64) -> Vec<(i64, i64, i64)> {
    let mut state = 7_u64;
    let mut next = move |below: i64| {
        // Knuth's MMIX generator; its upper bits are good enough for a test.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as i64) % below
    };
    let mut rows = Vec::new();
    for user in 1..=users {
        let mut at = 1_000_000_000 + next(500_000);
        for view in 0..120 {
            let pause = if next(12) == 0 {
                GAP + next(90_000)
            } else {
                next(600)
            };
            at += pause;
            rows.push((user, 1 + view * 3 + next(3), at));
        }
    }
    let last = rows.iter().map(|row| row.2).max().unwrap();
    rows.push((users + 1, 5, last + 10 * GAP));
    rows
}

fn write(folder: &Path, rows: &[(i64, i64, i64)]) {
    let mut text = "userId,movieId,rating,timestamp\r\n".to_owned();
    for (user, item, at) in rows {
        write!(text, "{user},{item},3.5,{at}\r\n").unwrap();
    }
    std::fs::write(folder.join("ratings.csv"), text).unwrap();
}

/// User, start, end, views and items of each session that is over, found without the domain.
fn expected(rows: &[(i64, i64, i64)]) -> BTreeSet<(i64, i64, i64, i64, i64)> {
    let mut by_user: BTreeMap<i64, Vec<(i64, i64)>> = BTreeMap::new();
    for (user, item, at) in rows {
        by_user.entry(*user).or_default().push((*at, *item));
    }
    // The last user's session is still open.
    by_user.pop_last();
    let mut sessions = BTreeSet::new();
    for (user, mut views) in by_user {
        views.sort_unstable();
        for session in views.chunk_by(|a, b| b.0 - a.0 <= GAP) {
            let items: BTreeSet<i64> = session.iter().map(|view| view.1).collect();
            sessions.insert((
                user,
                session[0].0,
                session[session.len() - 1].0,
                session.len() as i64,
                items.len() as i64,
            ));
        }
    }
    sessions
}

async fn check(mesh: &Mesh, rows: &[(i64, i64, i64)], users: usize) {
    let views = mesh.read::<View>(rows.len()).await;
    let mut in_order = rows.to_vec();
    in_order.sort_unstable_by_key(|(user, item, at)| (*at, *user, *item));
    for (received, (user, item, at)) in views.iter().zip(in_order) {
        let view = received.value.as_ref().unwrap();
        assert_eq!(
            (view.user_id, view.item_id, view.viewed_at.0),
            (user, item, at * 1000)
        );
        assert_eq!(received.headers.event_id, EventId(view.view_id));
    }

    let sessions = expected(rows);
    let found = mesh.read::<Session>(sessions.len()).await;
    let ids: BTreeSet<_> = found
        .iter()
        .map(|one| one.value.as_ref().unwrap().session_id)
        .collect();
    assert_eq!(ids.len(), found.len());
    let found: BTreeSet<_> = found
        .into_iter()
        .map(|one| {
            let one = one.value.unwrap();
            assert_eq!(one.closed_by, SessionClosedBy::EventTime);
            let (start, end) = (one.started_at.0 / 1000, one.ended_at.0 / 1000);
            (one.user_id, start, end, one.views, one.distinct_items)
        })
        .collect();
    assert_eq!(found, sessions);

    let patterns = mesh.latest::<WatchPattern>(users).await;
    for pattern in &patterns {
        let own: Vec<_> = sessions
            .iter()
            .filter(|session| session.0 == pattern.user_id)
            .collect();
        assert_eq!(pattern.sessions, own.len() as i64);
        assert_eq!(pattern.views, own.iter().map(|one| one.3).sum::<i64>());
        let seconds: i64 = own.iter().map(|one| one.2 - one.1).sum();
        assert_eq!(pattern.watched_seconds, seconds);
        assert_eq!(pattern.views_by_hour.iter().sum::<i64>(), pattern.views);
        assert_eq!(pattern.views_by_weekday.iter().sum::<i64>(), pattern.views);
    }
    mesh.latest::<AudienceMember>(users).await;
}

#[tokio::test]
async fn killed_and_stopped_in_between_nothing_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let rows = rows(40);
    write(folder.path(), &rows);
    let mut mesh = Mesh::platform().await;
    for failpoint in [
        "outbox.committed@user_behavior.views.v1#2",
        "relay.sent@user_behavior.views.v1#900",
        "inbox.committed@user_behavior.views.v1#700",
        "handler.before_commit@user_behavior.views.v1#500",
        "relay.sent@user_behavior.sessions.v1#20",
    ] {
        mesh.run_until_killed(folder.path(), &[SECRET], failpoint)
            .await;
    }
    mesh.run(settings(&[SECRET]), Some(folder.path())).await;
    mesh.until_read().await;
    check(&mesh, &rows, 40).await;

    // What is read stays read, also for the next process.
    mesh.halt().await;
    mesh.run(settings(&[SECRET]), Some(folder.path())).await;
    mesh.until_read().await;
    mesh.read::<View>(rows.len()).await;
    mesh.stop().await;
}

#[tokio::test]
async fn a_wrong_row_stops_the_source_until_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ratings.csv");
    let text = "userId,movieId,rating,timestamp\r\n1,2,4.0,100\r\n1,3,bogus,200\r\n";
    std::fs::write(&path, text).unwrap();
    let mut mesh = Mesh::platform().await;
    mesh.run(settings(&[]), Some(folder.path())).await;
    let shown = |status: &serde_json::Value| {
        let sources = status["sources"].as_array()?;
        let views = sources.iter().find(|source| source["name"] == "views")?;
        views["error"].as_str().map(str::to_owned)
    };
    let status = mesh.until("error", |status| shown(status).is_some()).await;
    let error = shown(&status).unwrap();
    for part in ["ratings.csv", "line: 3", "field: rating"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(!error.contains("bogus"), "{error}");
    mesh.read::<View>(0).await;

    std::fs::write(&path, text.replace("bogus", "4.5")).unwrap();
    mesh.until_read().await;
    mesh.read::<View>(2).await;
    mesh.stop().await;
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let all = rows(40);
    write(folder.path(), &all);
    let mut mesh = Mesh::platform().await;
    let failpoint = "outbox.committed@user_behavior.views.v1#2";
    mesh.run_until_killed(folder.path(), &[SECRET], failpoint)
        .await;
    write(folder.path(), &all[1..]);
    mesh.run(settings(&[SECRET]), Some(folder.path())).await;
    mesh.until("refused", |status| {
        status["sources"]
            .to_string()
            .contains("another than was read")
    })
    .await;
    write(folder.path(), &all);
    mesh.until_read().await;
    check(&mesh, &all, 40).await;
    mesh.stop().await;
}

#[tokio::test]
async fn a_domain_does_not_go_on_under_another_secret() {
    let folder = tempfile::tempdir().unwrap();
    let all = rows(3);
    write(folder.path(), &all);
    let mut mesh = Mesh::platform().await;
    mesh.run(settings(&[]), Some(folder.path())).await;
    mesh.until_read().await;
    let own: BTreeSet<String> = pseudonyms(&mesh, 3).await;
    mesh.halt().await;

    // The same secret again: the next view gives the user the pseudonym from before.
    mesh.run(settings(&[SECRET]), Some(folder.path())).await;
    let view = serde_json::json!({"user_id": 1, "item_id": 2});
    mesh.accept("/v1/views", &view).await;
    mesh.until("waiting", |status| {
        status["handlers"]
            .to_string()
            .contains("MESH_PSEUDONYM_KEY")
    })
    .await;
    mesh.halt().await;
    mesh.run(settings(&[]), Some(folder.path())).await;
    let status = mesh.until_read().await;
    assert_eq!(status["handlers"][0]["set_aside"], 0);
    // The user who had the last session of the file is known now.
    let more = pseudonyms(&mesh, 4).await;
    assert!(own.is_subset(&more));
    mesh.stop().await;
}

async fn pseudonyms(mesh: &Mesh, users: usize) -> BTreeSet<String> {
    let members = mesh.latest::<AudienceMember>(users).await;
    members.into_iter().map(|one| one.pseudonym).collect()
}
