//! Views over HTTP, and sessions that end by the clock.

use chrono::{Duration, Utc};
use mesh_core::EventId;
use serde_json::{Value as Json, json};
use user_behavior::products::{
    AudienceMember, AudienceMemberAgeBand, Session, SessionClosedBy, View, ViewSource,
};

use crate::mesh::{Mesh, settings};

/// Sessions that are over after two seconds.
const QUICK: [(&str, &str); 2] = [
    ("MESH_SESSION_GAP_SECONDS", "2"),
    ("MESH_SESSION_LATENESS_SECONDS", "0"),
];

#[tokio::test]
async fn a_session_ends_by_the_clock_when_nobody_watches() {
    let folder = tempfile::tempdir().unwrap();
    let mut mesh = Mesh::platform().await;
    mesh.run(settings(&QUICK), Some(folder.path())).await;
    let view = json!({"user_id": 7, "item_id": 318, "age_band": "AGE_30_34", "rating": 4.5});
    let answer = mesh.accept("/v1/views", &view).await;
    assert_eq!(answer["source"], "LIVE");
    assert_eq!(answer["rating"], "4.5");
    mesh.accept("/v1/views", &json!({"user_id": 7, "item_id": 319}))
        .await;
    let (status, _) = mesh.get("/v1/users/7/pattern").await;
    assert_eq!(status, 404);
    let session = mesh.read::<Session>(1).await.remove(0).value.unwrap();
    assert_eq!(session.closed_by, SessionClosedBy::Clock);
    assert_eq!((session.views, session.distinct_items), (2, 2));
    let (status, pattern) = mesh.get("/v1/users/7/pattern").await;
    assert_eq!(status, 200, "{pattern}");
    assert_eq!(
        (&pattern["views"], &pattern["age_band"]),
        (&json!(2), &json!("AGE_30_34"))
    );
    let member = mesh
        .read::<AudienceMember>(1)
        .await
        .remove(0)
        .value
        .unwrap();
    assert_eq!(member.age_band, Some(AudienceMemberAgeBand::Age3034));

    // A session that is open when the process goes down is closed by the next one.
    mesh.accept("/v1/views", &json!({"user_id": 8, "item_id": 318}))
        .await;
    mesh.until_read().await;
    mesh.halt().await;
    mesh.run(settings(&QUICK), Some(folder.path())).await;
    mesh.read::<Session>(2).await;
    mesh.stop().await;
}

#[tokio::test]
async fn a_view_that_comes_too_late_is_a_session_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut mesh = Mesh::platform().await;
    mesh.run(settings(&[]), Some(folder.path())).await;
    let now = Utc::now();
    let view = |user: i64, minutes: i64| {
        let at = now - Duration::minutes(minutes);
        json!({"user_id": user, "item_id": minutes + 1, "viewed_at": at.to_rfc3339()})
    };
    // User 1 watches, and out of order within the lateness; 2 shows that an hour has passed.
    for (user, minutes) in [(1, 200), (1, 202), (1, 180), (2, 100), (1, 190), (2, 0)] {
        mesh.accept("/v1/views", &view(user, minutes)).await;
    }
    let sessions = mesh.read::<Session>(3).await;
    let mut found: Vec<(i64, i64, SessionClosedBy)> = sessions
        .into_iter()
        .map(|one| one.value.unwrap())
        .map(|one| (one.user_id, one.views, one.closed_by))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            (1, 1, SessionClosedBy::Late),
            (1, 3, SessionClosedBy::EventTime),
            (2, 1, SessionClosedBy::EventTime)
        ]
    );
    let (_, pattern) = mesh.get("/v1/users/1/pattern").await;
    assert_eq!(
        (&pattern["views"], &pattern["sessions"]),
        (&json!(4), &json!(2))
    );
    mesh.stop().await;
}

#[tokio::test]
async fn a_report_that_is_sent_twice_is_one_view() {
    let mesh = Mesh::start().await;
    let id = EventId::new();
    let view = json!({"view_id": id.to_string(), "user_id": 7, "item_id": 318});
    let first = mesh.accept("/v1/views", &view).await;
    let again = mesh.accept("/v1/views", &view).await;
    assert_eq!(first, again);
    let view = mesh.read::<View>(1).await.remove(0).value.unwrap();
    assert_eq!((view.view_id, view.source), (id.0, ViewSource::Live));
    mesh.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_a_problem_without_the_value() {
    let mesh = Mesh::start().await;
    let check = async |body: Json, part: &str| {
        let (status, problem) = mesh.post("/v1/views", &body).await;
        assert_eq!(status, 400, "{problem}");
        let text = problem.to_string();
        assert!(text.contains(part) && !text.contains("777"), "{text}");
    };
    check(json!({"user_id": 0, "item_id": 1}), "user_id").await;
    check(json!({"user_id": 1, "item_id": -777}), "item_id").await;
    check(json!({"item_id": 1}), "user_id").await;
    check(json!({"user_id": 1, "item_id": 1, "rating": 777}), "rating").await;
    check(
        json!({"user_id": 1, "item_id": 1, "rating": "4.25"}),
        "rating",
    )
    .await;
    check(
        json!({"user_id": 1, "item_id": 1, "age_band": "777"}),
        "age_band",
    )
    .await;
    check(json!({"user_id": 1, "item_id": 1, "stars": 777}), "stars").await;
    let future = (Utc::now() + Duration::minutes(10)).to_rfc3339();
    check(
        json!({"user_id": 1, "item_id": 1, "viewed_at": future}),
        "viewed_at",
    )
    .await;
    let (status, _) = mesh.get("/v1/users/bogus/pattern").await;
    assert_eq!(status, 400);
    let (status, kind) = mesh.get_as_nobody("/v1/users/7/pattern").await;
    assert_eq!((status, kind.as_str()), (401, "application/problem+json"));
    mesh.read::<View>(0).await;
    mesh.stop().await;
}
