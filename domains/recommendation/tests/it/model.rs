use recommendation::model::{
    Decay, Item, KEPT, LENGTH, Method, Popular, Row, SUPPORT, State, Viewer, WINDOW, list, view,
};

use crate::memory::Memory;

const DAY: i64 = 86_400_000;
const AT: i64 = 1_000 * DAY;

fn items(list: &[recommendation::model::Ranked], method: Method) -> Vec<Item> {
    let of = list.iter().filter(|one| one.method == method);
    of.map(|one| one.item).collect()
}

#[test]
fn who_watches_an_item_is_suggested_what_others_watched_with_it() {
    let mut model = Memory::default();
    for user in 1..=3 {
        for item in [10, 20, 30] {
            model.view(user, item, AT);
        }
    }
    model.view(4, 40, AT);
    let made = model.view(5, 10, AT);
    assert_eq!(items(&made.list, Method::Similar), [20, 30]);
    assert_eq!(items(&made.list, Method::Popular), [40]);
    assert_eq!(made.list[0].score, made.list[1].score);
    assert_eq!(made.list, model.list(5));
    // What was watched is left out, in whatever way it would come.
    let made = model.view(5, 20, AT);
    assert_eq!(items(&made.list, Method::Similar), [30]);
    assert_eq!(items(&made.list, Method::Popular), [40]);
}

#[test]
fn similarity_is_the_documented_formula() {
    let mut model = Memory::default();
    for user in 1..=4 {
        model.view(user, 10, AT);
        if user <= 3 {
            model.view(user, 20, AT);
        }
    }
    // 3 in common; 10 was watched 4 times, 20 was 3 times when the two were counted last.
    let expected =
        |own: f64, other: f64| 3.0 / (3.0 + 1.0) * 3.0 / (own.powf(0.7) * other.powf(0.3));
    let near = |row: &Row, other: f64, own: f64| {
        let found = row.neighbours()[0].similarity;
        let expected = expected(own, other);
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    };
    near(model.row(10), 3.0, 4.0);
    near(model.row(20), 3.0, 3.0);
}

#[test]
fn views_lose_half_of_their_weight_in_a_half_life() {
    let decay = Decay {
        similar_days: 10.0,
        popular_days: 2.0,
    };
    let mut state = State::default();
    view(&mut state, 10, AT, decay);
    let before = state.rows[&10].clone();
    assert_eq!((before.views(), before.trend()), (1.0, 1.0));
    state.viewer = Viewer::default();
    view(&mut state, 10, AT + 10 * DAY, decay);
    let row = &state.rows[&10];
    assert!((row.views() - 1.5).abs() < 1e-6);
    assert!((row.trend() - (1.0 + 1.0 / 32.0)).abs() < 1e-6);
    // A view that comes ten days late weighs what it would weigh by now.
    state.viewer = Viewer::default();
    view(&mut state, 10, AT, decay);
    let row = &state.rows[&10];
    assert!((row.views() - 2.0).abs() < 1e-6);
    assert_eq!(row.at(), AT + 10 * DAY);
}

#[test]
fn the_same_item_again_counts_once() {
    let mut model = Memory::default();
    model.view(1, 10, AT);
    model.view(1, 20, AT);
    let once = (model.row(10).clone(), model.row(20).clone());
    let list = model.view(1, 10, AT + 1).list;
    assert_eq!(once, (model.row(10).clone(), model.row(20).clone()));
    assert_eq!(list, model.list(1));
    // Behind the window it is another interest.
    for item in 100..100 + WINDOW as i64 {
        model.view(1, item, AT + 2);
    }
    model.view(1, 10, AT + 3);
    assert!(model.row(10).views() > 1.9);
}

#[test]
fn what_was_watched_last_counts_most() {
    let mut model = Memory::default();
    for user in 1..=5 {
        model.view(user, 10, AT);
        model.view(user, 11, AT);
        model.view(10 + user, 20, AT);
        model.view(10 + user, 21, AT);
    }
    model.view(99, 10, AT);
    let made = model.view(99, 20, AT);
    assert_eq!(items(&made.list, Method::Similar), [21, 11]);
    let made = model.view(99, 10, AT);
    assert_eq!(items(&made.list, Method::Similar), [11, 21]);
}

#[test]
fn neighbours_are_told_when_they_change_and_have_support() {
    let mut model = Memory::default();
    model.view(1, 10, AT);
    assert_eq!(model.view(1, 20, AT).moved, []);
    model.view(2, 10, AT);
    let made = model.view(2, 20, AT);
    let mut moved: Vec<Item> = made.moved.iter().map(|(item, _)| *item).collect();
    moved.sort_unstable();
    assert_eq!(moved, [10, 20], "two in common are {SUPPORT} and more");
    model.view(3, 10, AT);
    assert_eq!(model.view(3, 20, AT).moved, [], "the order is as it was");
}

#[test]
fn a_row_keeps_the_strongest_pairs_and_the_new_one() {
    let mut model = Memory::default();
    for user in 1..=2 {
        model.view(user, 1, AT);
        model.view(user, 2, AT);
    }
    for other in 0..2 * KEPT as i64 {
        model.view(1_000 + other, 1, AT);
        model.view(1_000 + other, 1_000 + other, AT);
    }
    let newcomer = model.view(9_999, 1, AT);
    let ids = items(&newcomer.list, Method::Similar);
    assert_eq!(ids[0], 2, "the only pair with two in common");
    let text = serde_json::to_string(model.row(1)).unwrap();
    assert!(text.len() < 14 * (KEPT + 2), "{} characters", text.len());
}

#[test]
fn popular_items_are_those_of_late() {
    let mut model = Memory::default();
    for user in 1..=20 {
        model.view(user, 10, AT);
    }
    for user in 1..=3 {
        model.view(100 + user, 20, AT + 400 * DAY);
    }
    for (user, item) in (200..).zip(30..60) {
        model.view(user, item, AT + 400 * DAY);
    }
    let list = model.list(999);
    assert_eq!(list.len(), LENGTH);
    assert!(list.iter().all(|one| one.method == Method::Popular));
    // 20 views lose so much in more than four half-lives that three of now are more.
    assert_eq!(list[0].item, 20);
    assert!((list[0].score - 3.0).abs() < 1e-6);
    assert_eq!(list[1].item, 30, "of equals the lower number");
}

#[test]
fn documents_give_back_what_was_written() {
    let mut model = Memory::default();
    for user in 1..50 {
        for step in 0..30 {
            let item = 1 + (user * 7919 + step * step * 104_729) % 3_000_000;
            model.view(user, item, AT + user * step * 977);
        }
    }
    let mut state = State::default();
    for item in [i64::MAX, 1, i64::MAX - 1, 5_000_000_000] {
        view(&mut state, item, AT, Decay::default());
    }
    let rows = state.rows.values().chain([model.row(1 + 7919)]);
    for row in rows {
        let text = serde_json::to_string(row).unwrap();
        assert_eq!(&serde_json::from_str::<Row>(&text).unwrap(), row);
    }
    let text = serde_json::to_string(&state.viewer).unwrap();
    assert_eq!(serde_json::from_str::<Viewer>(&text).unwrap(), state.viewer);
    let text = serde_json::to_string(&state.popular).unwrap();
    assert_eq!(
        serde_json::from_str::<Popular>(&text).unwrap(),
        state.popular
    );
    for wrong in ["\"A\"", "\"####\"", "\"AAAA\"", "\"\"", "\"______8\""] {
        assert!(serde_json::from_str::<Row>(wrong).is_err(), "{wrong}");
        assert!(serde_json::from_str::<Viewer>(wrong).is_err(), "{wrong}");
    }
    assert_eq!(list(&State::default()), []);
}
