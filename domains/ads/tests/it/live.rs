//! The live API: events of one viewer each, days that turn, decisions within the budget in any order of
//! events.

use std::collections::BTreeSet;

use ads::products::inputs::{AudienceMember, AudienceMemberAgeBand};
use ads::products::{AdSet, BudgetDecision, CampaignDay, Impression, Money, Performance};
use mesh_core::EventId;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};

use crate::mesh::Mesh;

const VIEWER: &str = "3f9c0a7be1d24c583f9c0a7be1d24c583f9c0a7be1d24c583f9c0a7be1d24c58";

fn plan(revision: i32, budget: &str) -> Json {
    json!({
        "campaign_id": 7, "name": "Spring", "revision": revision, "budget": budget,
        "day_budget": "40.00", "starts_on": "2026-03-01", "ends_on": "2026-03-31",
        "ad_sets": ["a", "b"]
    })
}

fn ad(ad_id: i64, ad_set: &str) -> Json {
    json!({ "ad_id": ad_id, "campaign_id": 7, "ad_set": ad_set, "age_band": "18-24" })
}

fn shown(ad_id: i64, at: &str) -> Json {
    json!({ "impression_id": EventId::new().to_string(), "ad_id": ad_id, "viewer": VIEWER, "at": at })
}

fn clicked(ad_id: i64, at: &str, spend: &str) -> Json {
    json!({
        "click_id": EventId::new().to_string(), "ad_id": ad_id, "viewer": VIEWER, "at": at,
        "spend": spend
    })
}

async fn begun() -> Mesh {
    let mesh = Mesh::start().await;
    mesh.accept("/v1/campaigns", &plan(1, "100.00")).await;
    mesh.accept("/v1/ads", &ad(1, "a")).await;
    mesh.accept("/v1/ads", &ad(2, "b")).await;
    mesh
}

async fn days(mesh: &Mesh) -> Vec<Json> {
    let (status, answer) = mesh.get("/v1/campaigns/7/budget_decisions").await;
    assert_eq!(status, 200, "{answer:#}");
    answer["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_decided_once_when_its_first_event_comes_and_late_events_count() {
    let mesh = begun().await;
    assert!(days(&mesh).await.is_empty());
    // Within the allowed lateness after midnight the day before still stands.
    mesh.accept("/v1/impressions", &shown(1, "2026-03-02T00:05:00Z"))
        .await;
    let first = days(&mesh).await;
    assert_eq!(first.len(), 1);
    assert_eq!(
        (&first[0]["day"], &first[0]["amount"]),
        (&json!("2026-03-01"), &json!("40.00"))
    );
    mesh.accept("/v1/impressions", &shown(1, "2026-03-02T09:00:00Z"))
        .await;
    mesh.accept("/v1/clicks", &clicked(1, "2026-03-02T09:00:05Z", "30.00"))
        .await;
    let body = json!({
        "conversion_id": EventId::new().to_string(), "ad_id": 1, "viewer": VIEWER,
        "kind": "APPROVED", "at": "2026-03-02T10:00:00Z"
    });
    mesh.accept("/v1/conversions", &body).await;
    assert_eq!(days(&mesh).await.len(), 2);
    mesh.accept("/v1/impressions", &shown(2, "2026-03-05T12:00:00Z"))
        .await;
    let before = days(&mesh).await;
    // Days that no event has reached have none. 40.00 twice are charged, so 20.00 are left.
    let of: Vec<&Json> = before.iter().map(|one| &one["day"]).collect();
    assert_eq!(of, ["2026-03-01", "2026-03-02", "2026-03-05"]);
    assert_eq!(before[2]["amount"], "20.00");
    assert_eq!(before[2]["allotments"][0]["approved"], 1);

    // Late: counted in its day, charged from the next decision on, and nothing is decided again.
    mesh.accept("/v1/clicks", &clicked(2, "2026-03-01T08:00:00Z", "55.00"))
        .await;
    assert_eq!(days(&mesh).await, before);
    let (_, answer) = mesh.get("/v1/performance/2?until=2026-03-02").await;
    assert_eq!(answer["items"][0]["clicks"], 1, "{answer:#}");
    assert_eq!(answer["items"][0]["spend"], "55.00");
    assert_eq!(answer["items"][0]["age_band"], "UNKNOWN");
    mesh.accept("/v1/impressions", &shown(1, "2026-03-06T12:00:00Z"))
        .await;
    let after = days(&mesh).await;
    assert_eq!(
        (&after[3]["amount"], &after[3]["charged"]),
        (&json!("0.00"), &json!("115.00"))
    );

    // More money, for the days that are not decided yet.
    mesh.accept("/v1/campaigns", &plan(2, "130.00")).await;
    assert_eq!(days(&mesh).await, after);
    mesh.accept("/v1/impressions", &shown(1, "2026-03-07T12:00:00Z"))
        .await;
    let last = days(&mesh).await;
    assert_eq!(
        (&last[4]["amount"], &last[4]["plan_revision"]),
        (&json!("15.00"), &json!(2))
    );
    // After the campaign's end nothing is decided.
    mesh.accept("/v1/impressions", &shown(1, "2026-04-01T12:00:00Z"))
        .await;
    assert_eq!(days(&mesh).await.len(), 5);
    let (status, made) = mesh
        .get("/v1/campaigns/7/budget_decisions/2026-03-05/again")
        .await;
    assert_eq!((status, &made), (200, &last[2]));
    mesh.stop().await;
}

/// Events of many days at once, in any order: each day is decided at most once, the allotments stay
/// within the budget, and every event is counted once.
#[tokio::test(flavor = "multi_thread")]
async fn events_in_any_order_never_move_more_than_the_budget() {
    let mesh = begun().await;
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut events: Vec<(String, Json)> = Vec::new();
    let mut spent = 0;
    for number in 0..120 {
        let at = format!(
            "2026-03-{:02}T{:02}:30:00Z",
            random.random_range(1..10),
            random.random_range(0..24)
        );
        let ad = 1 + number % 2;
        match random.random_range(0..3) {
            0 => {
                let cents: i128 = random.random_range(0..200);
                spent += cents;
                let spend = Money::from_unscaled(cents).unwrap().to_string();
                events.push(("/v1/clicks".to_owned(), clicked(ad, &at, &spend)));
            }
            _ => events.push(("/v1/impressions".to_owned(), shown(ad, &at))),
        }
    }
    // Each is sent twice, as a client does that has not heard the answer.
    let mut sent: Vec<(String, Json)> = events.iter().chain(&events).cloned().collect();
    sent.shuffle(&mut random);
    let mesh_of_all = &mesh;
    let posts = sent.chunks(60).map(|chunk| async move {
        for (path, body) in chunk {
            mesh_of_all.accept(path, body).await;
        }
    });
    futures_all(posts).await;
    mesh.until("published", |status| status["outbox_pending"] == 0)
        .await;

    let decisions = mesh.read_all::<BudgetDecision>(1).await;
    let keys: BTreeSet<_> = decisions
        .iter()
        .map(|one| one.value.as_ref().unwrap().day)
        .collect();
    assert_eq!(keys.len(), decisions.len(), "a day is decided twice");
    let allotted: i128 = decisions
        .iter()
        .map(|one| one.value.as_ref().unwrap().amount.unscaled())
        .sum();
    assert!(allotted <= 10_000, "{allotted}");
    let impressions = events
        .iter()
        .filter(|(path, _)| path == "/v1/impressions")
        .count();
    mesh.read::<Impression>(impressions).await;
    let sets = mesh.latest::<AdSet>(2).await;
    let total: i128 = sets.iter().map(|set| set.spend.unscaled()).sum();
    assert_eq!(total, spent);
    let shown: i64 = sets.iter().map(|set| set.shown).sum();
    assert_eq!(shown, impressions as i64);
    let windows: BTreeSet<_> = mesh
        .read_all::<Performance>(1)
        .await
        .into_iter()
        .map(|one| (one.key.ad_id, one.key.day))
        .collect();
    let windows = mesh.latest::<Performance>(windows.len()).await;
    assert_eq!(
        windows.iter().map(|one| one.shown).sum::<i64>(),
        impressions as i64
    );
    let days = mesh.latest::<CampaignDay>(9).await;
    assert_eq!(
        days.iter().map(|day| day.spent.unscaled()).sum::<i128>(),
        spent
    );
    mesh.stop().await;
}

/// Awaits all at once, on one task.
async fn futures_all<F: Future<Output = ()>>(all: impl Iterator<Item = F>) {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|one| one.as_mut().poll(context).is_pending());
        match all.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
}

/// The segment is what the audience team says of the pseudonym, then what the caller says.
#[tokio::test(flavor = "multi_thread")]
async fn viewers_are_counted_by_the_ages_behind_their_pseudonym() {
    let mesh = begun().await;
    let member = |age_band| AudienceMember {
        pseudonym: VIEWER.to_owned(),
        age_band,
    };
    let handled = |count: u64| {
        move |status: &Json| {
            let handlers = status["handlers"].as_array().unwrap();
            let audience = handlers.iter().find(|one| one["name"] == "audience");
            audience.is_some_and(|one| one["handled"] == count)
        }
    };
    let at = "2026-03-02T09:00:00Z";
    let mut given = shown(1, at);
    given["age_band"] = json!("45-49");
    let answer = mesh.accept("/v1/impressions", &given).await;
    assert_eq!(answer["age_band"], "45-49");
    mesh.publish(&[member(Some(AudienceMemberAgeBand::Age3034))])
        .await;
    mesh.until("the member is known", handled(1)).await;
    given["impression_id"] = json!(EventId::new().to_string());
    let answer = mesh.accept("/v1/impressions", &given).await;
    assert_eq!(answer["age_band"], "30-34");
    mesh.publish(&[member(None)]).await;
    mesh.until("the ages are forgotten", handled(2)).await;
    let answer = mesh.accept("/v1/impressions", &shown(1, at)).await;
    assert_eq!(answer["age_band"], "UNKNOWN");
    let (_, windows) = mesh.get("/v1/performance/1").await;
    let mut bands: Vec<&Json> = Vec::new();
    for window in windows["items"].as_array().unwrap() {
        assert_eq!(window["shown"], 1);
        bands.push(&window["age_band"]);
    }
    assert_eq!(bands, ["30-34", "45-49", "UNKNOWN"]);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_by_field_and_nobody_is_served_without_a_purpose() {
    let mesh = begun().await;
    let at = "2026-03-02T09:00:00Z";
    let with = |mut body: Json, field: &str, value: Json| {
        body[field] = value;
        body
    };
    let check = async |path: &str, body: Json, status: u16, part: &str| {
        let (found, answer) = mesh.post(path, &body).await;
        assert_eq!(found, status, "{path} {body}: {answer:#}");
        let text = answer.to_string();
        assert!(
            text.contains(part) && text.contains("\"mend\""),
            "{part} in {text}"
        );
    };
    let seen = || shown(1, at);
    let path = "/v1/impressions";
    for viewer in [
        "4711",
        "jan.novak@example.com",
        &"x".repeat(64),
        &VIEWER.to_uppercase(),
    ] {
        check(
            path,
            with(seen(), "viewer", json!(viewer)),
            400,
            "pseudonym",
        )
        .await;
    }
    check(path, with(seen(), "user_id", json!(4711)), 400, "user_id").await;
    check(path, with(seen(), "ad_id", json!(99)), 404, "no such ad").await;
    check(
        path,
        with(seen(), "at", json!("2999-01-01T00:00:00Z")),
        400,
        "a time that has come",
    )
    .await;
    check(
        path,
        with(seen(), "age_band", json!("old")),
        400,
        "range of ages",
    )
    .await;
    for spend in ["-0.01", "0.001", "much"] {
        check(
            path,
            with(seen(), "spend", json!(spend)),
            400,
            "amount of money",
        )
        .await;
    }
    check("/v1/clicks", json!([]), 400, "body").await;
    let bought = json!({
        "conversion_id": EventId::new().to_string(), "ad_id": 1, "viewer": VIEWER, "kind": "MAYBE"
    });
    check("/v1/conversions", bought, 400, "ENQUIRY or APPROVED").await;
    check(
        "/v1/ads",
        with(ad(3, "a"), "ad_set", json!("a/b")),
        400,
        "without `/`",
    )
    .await;
    check(
        "/v1/ads",
        with(ad(1, "a"), "ad_set", json!("b")),
        409,
        "registered otherwise",
    )
    .await;
    check("/v1/campaigns", plan(3, "1.00"), 400, "day_budget").await;
    check("/v1/campaigns", plan(3, "500.00"), 409, "\"next\"").await;
    check("/v1/campaigns", plan(1, "500.00"), 409, "another plan").await;
    // The same again is no conflict.
    mesh.accept("/v1/ads", &ad(1, "a")).await;
    mesh.accept("/v1/campaigns", &plan(1, "100.00")).await;
    for (path, status) in [
        ("/v1/performance/99", 404),
        ("/v1/performance/x", 400),
        ("/v1/campaigns/99", 404),
        ("/v1/campaigns/7/budget_decisions/2026-03-09", 404),
        ("/v1/campaigns/7/budget_decisions/soon", 400),
    ] {
        let (found, answer) = mesh.get(path).await;
        assert_eq!(found, status, "{path}: {answer:#}");
    }
    let (status, kind) = mesh.get_as_nobody("/v1/performance/1").await;
    assert_eq!((status, kind.as_str()), (401, "application/problem+json"));
    mesh.stop().await;
}
