//! Lists and neighbours on a platform, with the process killed in between.

use std::collections::BTreeMap;

use mesh_core::TimestampMillis;
use recommendation::model::{Item, Method};
use recommendation::products::inputs::WatchedView;
use recommendation::products::{ItemNeighbours, RecommendationList, RecommendationListItemsMethod};
use serde_json::json;
use uuid::Uuid;

use crate::memory::Memory;
use crate::mesh::{Mesh, settings};

const TOPIC: &str = "user_behavior.views.v1";

/// Views of users with a taste each, so that lists, ties and re-watched items come up.
fn views(count: u64) -> Vec<WatchedView> {
    let mut state = 11_u64;
    let mut next = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    (1..=count)
        .map(|number| {
            let user = 1 + next(25);
            let taste = user % 3 * 100;
            WatchedView {
                view_id: Uuid::from_u128(number.into()),
                user_id: user as i64,
                item_id: (1 + taste + next(60)) as i64,
                viewed_at: TimestampMillis(1_000_000_000_000 + (number * 3_600_000) as i64),
            }
        })
        .collect()
}

/// Item, score, and whether it is similar, for each place of a list.
type Listed = Vec<(Item, f64, bool)>;
/// Item and similarity of each neighbour.
type Near = Vec<(Item, f64)>;

/// What the model makes without the platform: the lists by view, and each item's neighbours.
fn expected(views: &[WatchedView]) -> (BTreeMap<Uuid, Listed>, BTreeMap<Item, Near>) {
    let mut model = Memory::default();
    let mut lists = BTreeMap::new();
    let mut neighbours = BTreeMap::new();
    for view in views {
        let made = model.view(view.user_id, view.item_id, view.viewed_at.0);
        let list = made
            .list
            .iter()
            .map(|one| (one.item, one.score, one.method == Method::Similar))
            .collect();
        lists.insert(view.view_id, list);
        for (item, moved) in made.moved {
            let moved = moved.iter().map(|one| (one.item, one.similarity));
            neighbours.insert(item, moved.collect());
        }
    }
    (lists, neighbours)
}

async fn check(mesh: &Mesh, views: &[WatchedView]) {
    let (lists, neighbours) = expected(views);
    let found = mesh.read::<RecommendationList>(views.len()).await;
    let mut seen = BTreeMap::new();
    for received in found {
        let list = received.value.unwrap();
        assert!(list.latency_ms.is_some());
        let items: Listed = list
            .items
            .iter()
            .zip(1..)
            .map(|(one, rank)| {
                assert_eq!(one.rank, rank);
                let similar = one.method == RecommendationListItemsMethod::Similar;
                (one.item_id, one.score, similar)
            })
            .collect();
        seen.insert(list.caused_by.unwrap(), items);
    }
    assert_eq!(seen, lists);

    let found = mesh.latest::<ItemNeighbours>(neighbours.len()).await;
    let found: BTreeMap<Item, Near> = found
        .into_iter()
        .map(|one| {
            let items = one.neighbours.iter();
            let items = items.map(|one| (one.item_id, one.similarity)).collect();
            (one.item_id, items)
        })
        .collect();
    assert_eq!(found, neighbours);
}

#[tokio::test]
async fn killed_in_between_the_lists_are_those_of_the_model_alone() {
    let mut mesh = Mesh::platform().await;
    let views = views(1_500);
    mesh.publish(&views).await;
    let folder = tempfile::tempdir().unwrap();
    for failpoint in [
        format!("inbox.committed@{TOPIC}#200"),
        format!("handler.before_commit@{TOPIC}#150"),
        "relay.sent@recommendation.lists.v1#300".to_owned(),
        "outbox.committed@recommendation.neighbours.v1#3".to_owned(),
    ] {
        mesh.run_until_killed(folder.path(), &[], &failpoint).await;
    }
    mesh.run(settings(&[]), None).await;
    mesh.until_published("recommendation.lists.v1", 1_500).await;
    check(&mesh, &views).await;
    mesh.stop().await;
}

#[tokio::test]
async fn lists_and_neighbours_are_answered_with_titles() {
    let folder = tempfile::tempdir().unwrap();
    let movies =
        "movieId,title,genres\r\n1,Toy Story (1995),Comedy\r\n2,\"Jumanji, or so\",Drama\r\n";
    std::fs::write(folder.path().join("movies.csv"), movies).unwrap();
    let mut mesh = Mesh::platform().await;
    mesh.run(settings(&[]), Some(folder.path())).await;
    mesh.until("titles", |status| status["sources"][0]["done"] == true)
        .await;
    let (status, newcomer) = mesh.get("/v1/users/5/list").await;
    assert_eq!((status, &newcomer["items"]), (200, &json!([])));

    let views: Vec<WatchedView> = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 3), (4, 1)]
        .into_iter()
        .zip(1..)
        .map(|((user_id, item_id), number)| WatchedView {
            view_id: Uuid::from_u128(number),
            user_id,
            item_id,
            viewed_at: TimestampMillis(1_000_000_000_000),
        })
        .collect();
    mesh.publish(&views).await;
    mesh.until_published("recommendation.lists.v1", 6).await;
    let (_, list) = mesh.get("/v1/users/4/list").await;
    assert_eq!(list["caused_by"], json!(Uuid::from_u128(6)));
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0]["title"], "Jumanji, or so");
    assert_eq!(items[0]["method"], "SIMILAR");
    assert_eq!(
        (&items[1]["item_id"], &items[1]["method"]),
        (&json!(3), &json!("POPULAR"))
    );
    assert_eq!(items[1]["title"], json!(null));

    let (_, newcomer) = mesh.get("/v1/users/5/list").await;
    let popular: Vec<i64> = newcomer["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["item_id"].as_i64().unwrap())
        .collect();
    assert_eq!(popular, [1, 2, 3]);
    assert_eq!(newcomer["caused_by"], json!(null));

    let (_, known) = mesh.get("/v1/items/1/neighbours").await;
    assert_eq!(known["title"], "Toy Story (1995)");
    assert_eq!(known["neighbours"][0]["item_id"], 2);
    let published = mesh.latest::<ItemNeighbours>(2).await;
    let titles: Vec<_> = published.iter().map(|one| one.title.as_deref()).collect();
    assert_eq!(titles, [Some("Toy Story (1995)"), Some("Jumanji, or so")]);

    // What was learnt outlives the process.
    mesh.halt().await;
    mesh.run(settings(&[]), Some(folder.path())).await;
    mesh.until("ready", |status| status["ready"] == true).await;
    let (_, again) = mesh.get("/v1/users/4/list").await;
    assert_eq!(again, list);
    mesh.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_a_problem() {
    let mesh = Mesh::start().await;
    mesh.until("ready", |status| status["ready"] == true).await;
    for (path, expected) in [
        ("/v1/users/bogus/list", 400),
        ("/v1/users/0/list", 400),
        ("/v1/items/-3/neighbours", 400),
        ("/v1/items/777/neighbours", 404),
    ] {
        let (status, problem) = mesh.get(path).await;
        assert_eq!(status, expected, "{path}");
        let text = problem.to_string();
        assert!(!text.contains("777") && !text.contains("bogus"), "{text}");
    }
    let (status, kind) = mesh.get_as_nobody("/v1/users/7/list").await;
    assert_eq!((status, kind.as_str()), (401, "application/problem+json"));
    mesh.stop().await;
}
