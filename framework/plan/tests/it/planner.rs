//! The planner: a table of states and wishes with the steps between them, and their text.

use std::collections::BTreeMap;

use mesh_plan::{
    Allowed, EntryState, Ledger, Owned, Plan, Resource, State, SubjectState, TopicState, Wish, plan,
};
use mesh_stream::Compatibility;

use crate::folder::{Product, product, wish};
use crate::golden;

/// The state that an apply of `products` leaves.
fn applied(products: &[Product]) -> State {
    let wish = wish(products);
    let mut state = State::default();
    for (at, product) in (1..).zip(&wish.products) {
        let spec = product.topic();
        let mut settings = spec.configs.clone();
        settings.insert("segment.bytes".into(), "1073741824".into());
        state.topics.insert(
            spec.name.clone(),
            TopicState {
                partitions: spec.partitions,
                settings,
                records: None,
            },
        );
        let mut ids = Vec::new();
        for (subject, _) in product.schemas() {
            let id = at * 10 + ids.len() as u32;
            ids.push(id);
            state.subjects.insert(
                subject,
                SubjectState {
                    versions: vec![1],
                    level: product.descriptor.contract.compatibility.clone(),
                    wished: Some(id),
                    verdict: None,
                },
            );
        }
        let entry = product.entry();
        state.products.insert(
            product.resource(),
            EntryState {
                status: entry.status,
                topic: entry.topic,
                contract_text: entry.contract_text,
                product_text: entry.product_text,
                key_schema_id: ids[0],
                value_schema_id: ids[1],
            },
        );
    }
    state
}

/// What an apply of `products` owns.
#[allow(clippy::field_reassign_with_default)] // its other fields are its own
fn owned(products: &[Product]) -> Ledger {
    let mut owned = BTreeMap::new();
    for product in wish(products).products {
        let topic = product.topic().name;
        let own = Owned {
            domain: product.id().domain,
            topic: topic.clone(),
            by: "user:jana".into(),
        };
        owned.insert(Resource::Topic(topic), own.clone());
        for (subject, _) in product.schemas() {
            owned.insert(Resource::Subject(subject), own.clone());
        }
        owned.insert(product.resource(), own);
    }
    let mut ledger = Ledger::default();
    ledger.owned = owned;
    ledger
}

fn planned(wish: &Wish, state: &State, ledger: &Ledger, allowed: &Allowed) -> Plan {
    let one = plan(wish, state, ledger, allowed);
    let other = plan(wish, state, ledger, allowed);
    assert_eq!(one, other, "the same every time");
    assert_eq!(one.hash(), other.hash());
    one
}

/// One line for each step: whether it is ready, its kind and its resource.
fn lines(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| {
            let standing = serde_json::to_value(&step.standing).unwrap();
            format!(
                "{} {} {}",
                standing["standing"].as_str().unwrap(),
                step.action.kind(),
                step.action.resource()
            )
        })
        .collect()
}

fn check(wish: &Wish, state: &State, ledger: &Ledger, allowed: &Allowed, expected: &[&str]) {
    assert_eq!(lines(&planned(wish, state, ledger, allowed)), expected);
}

fn confirmed(topic: &str) -> Allowed {
    Allowed {
        confirmed: [topic.to_owned()].into(),
        ..Allowed::default()
    }
}

#[test]
fn nothing_there_is_all_to_be_made_in_the_order_in_which_it_can_be() {
    let mut rows = product("shop.stock");
    (rows.kind, rows.level) = ("state", Some("BACKWARD"));
    rows.configs = vec![("max.message.bytes", "2000000")];
    let products = [rows, product("shop.orders")];
    let state = State {
        subjects: [(
            "shop.stock.v1-value".to_owned(),
            SubjectState {
                level: "FULL".into(),
                ..SubjectState::default()
            },
        )]
        .into(),
        ..State::default()
    };
    let plan = planned(
        &wish(&products),
        &state,
        &Ledger::default(),
        &Allowed::default(),
    );
    golden::check("create.txt", &plan.to_string());
    golden::check(
        "create.json",
        &format!("{:#}\n", plan.to_json()).replace(&plan.hash(), "HASH"),
    );
    assert_eq!(
        lines(&plan),
        [
            "ready create_topic topic/shop.orders.v1",
            "ready create_topic topic/shop.stock.v1",
            "ready set_compatibility subject/shop.orders.v1-value",
            "ready set_compatibility subject/shop.stock.v1-value",
            "ready register_schema subject/shop.orders.v1-key",
            "ready register_schema subject/shop.orders.v1-value",
            "ready register_schema subject/shop.stock.v1-key",
            "ready register_schema subject/shop.stock.v1-value",
            "ready register_product product/shop.orders@1.0.0",
            "ready register_product product/shop.stock@1.0.0",
        ]
    );
}

#[test]
fn what_is_as_wished_needs_no_step_whoever_made_it() {
    let products = [product("shop.orders"), product("bank.loans")];
    let state = applied(&products);
    for ledger in [Ledger::default(), owned(&products)] {
        let plan = planned(&wish(&products), &state, &ledger, &Allowed::default());
        assert!(plan.is_empty(), "{plan}");
        golden::check("none.txt", &plan.to_string());
    }
}

#[test]
fn each_difference_has_its_step() {
    let before = product("shop.orders");
    let state = applied(std::slice::from_ref(&before));
    let none = (Ledger::default(), Allowed::default());
    let with = |change: fn(&mut Product)| {
        let mut product = before.clone();
        change(&mut product);
        product.version = "1.1.0".into();
        wish(&[product])
    };
    let entry = "ready register_product product/shop.orders@1.1.0";

    let plan = planned(&with(|p| p.days = 14), &state, &none.0, &none.1);
    golden::check("retention.txt", &plan.to_string());
    assert_eq!(
        lines(&plan),
        ["ready alter_configs topic/shop.orders.v1", entry]
    );
    check(
        &with(|p| p.configs = vec![("min.insync.replicas", "1")]),
        &state,
        &none.0,
        &none.1,
        &["ready alter_configs topic/shop.orders.v1", entry],
    );
    check(
        &with(|p| p.level = Some("NONE")),
        &state,
        &none.0,
        &none.1,
        &[
            "ready set_compatibility subject/shop.orders.v1-value",
            entry,
        ],
    );
    check(
        &with(|p| p.status = "deprecated".into()),
        &state,
        &none.0,
        &none.1,
        &["ready deprecate_product product/shop.orders@1.1.0"],
    );
    check(
        &with(|p| p.status = "retired".into()),
        &state,
        &none.0,
        &none.1,
        &["ready retire_product product/shop.orders@1.1.0"],
    );

    // A new major stands beside the old.
    let mut second = before.clone();
    second.version = "2.0.0".into();
    let plan = planned(&wish(&[before.clone(), second]), &state, &none.0, &none.1);
    assert_eq!(plan.steps.len(), 5, "{plan}");
    assert!(plan.steps.iter().all(|step| step.topic == "shop.orders.v2"));

    // A product file may change under the same version.
    let mut words = before.clone();
    words.purpose = "To be read.".into();
    check(
        &wish(&[words]),
        &state,
        &none.0,
        &none.1,
        &["ready register_product product/shop.orders@1.0.0"],
    );
}

#[test]
fn settings_that_no_contract_speaks_of_are_left_alone_and_policies_are_sets() {
    let mut products = [product("shop.orders")];
    products[0].configs = vec![("cleanup.policy", "compact,delete")];
    products[0].kind = "state";
    let mut state = applied(&products);
    let topic = state.topics.get_mut("shop.orders.v1").unwrap();
    topic.settings.insert("segment.ms".into(), "1".into());
    topic
        .settings
        .insert("cleanup.policy".into(), "delete, compact".into());
    check(
        &wish(&products),
        &state,
        &Ledger::default(),
        &Allowed::default(),
        &[],
    );
}

#[test]
fn partitions_are_added_to_an_empty_topic_or_when_allowed() {
    let mut products = [product("shop.orders")];
    let mut state = applied(&products);
    products[0].partitions = 4;
    products[0].version = "1.1.0".into();
    let wish = wish(&products);
    let none = Ledger::default();
    let entry = "ready register_product product/shop.orders@1.1.0";
    let records = |state: &mut State, records| {
        state.topics.get_mut("shop.orders.v1").unwrap().records = records;
    };
    let allowed = Allowed {
        repartition: true,
        ..Allowed::default()
    };
    for (found, allowed, first) in [
        (Some(false), Allowed::default(), "ready"),
        (Some(true), Allowed::default(), "refused"),
        // What is not known may be.
        (None, Allowed::default(), "refused"),
        (Some(true), allowed, "ready"),
    ] {
        records(&mut state, found);
        let first = format!("{first} add_partitions topic/shop.orders.v1");
        check(&wish, &state, &none, &allowed, &[&first, entry]);
    }
    records(&mut state, Some(true));
    let plan = planned(&wish, &state, &none, &Allowed::default());
    golden::check("partitions.txt", &plan.to_string());
    assert!(plan.is_refused());
}

#[test]
fn what_cannot_be_changed_in_place_is_refused_unless_owned_and_confirmed() {
    let mut products = [product("shop.orders")];
    let mut state = applied(&products);
    let ledger = owned(&products);
    let topic = "shop.orders.v1";
    state.topics.get_mut(topic).unwrap().records = Some(true);
    let entry = "ready register_product product/shop.orders@1.1.0";
    products[0].version = "1.1.0".into();

    // Fewer partitions.
    let mut fewer = products.clone();
    fewer[0].partitions = 1;
    let fewer = wish(&fewer);
    let refused = ["refused replace_topic topic/shop.orders.v1", entry];
    let ready = ["ready replace_topic topic/shop.orders.v1", entry];
    check(
        &fewer,
        &state,
        &Ledger::default(),
        &confirmed(topic),
        &refused,
    );
    check(&fewer, &state, &ledger, &Allowed::default(), &refused);
    check(
        &fewer,
        &state,
        &ledger,
        &confirmed("shop.other.v1"),
        &refused,
    );
    check(&fewer, &state, &ledger, &confirmed(topic), &ready);
    let plan = planned(&fewer, &state, &ledger, &Allowed::default());
    golden::check("fewer.txt", &plan.to_string());

    // Facts that become rows.
    let mut rows = products.clone();
    rows[0].kind = "state";
    let rows = wish(&rows);
    check(&rows, &state, &ledger, &Allowed::default(), &refused);
    check(&rows, &state, &ledger, &confirmed(topic), &ready);
    let plan = planned(&rows, &state, &Ledger::default(), &Allowed::default());
    golden::check("kind.txt", &plan.to_string());
    // Without records it is a setting like others.
    state.topics.get_mut(topic).unwrap().records = Some(false);
    check(
        &rows,
        &state,
        &Ledger::default(),
        &Allowed::default(),
        &["ready alter_configs topic/shop.orders.v1", entry],
    );
}

#[test]
fn a_schema_that_the_registry_refuses_is_refused_with_its_reasons() {
    let mut products = [product("shop.orders")];
    let mut state = applied(&products);
    products[0].version = "1.1.0".into();
    products[0].columns = vec!["note", "size!"];
    let subject = state.subjects.get_mut("shop.orders.v1-value").unwrap();
    subject.wished = None;
    subject.verdict = Some(Compatibility {
        compatible: false,
        reasons: vec!["the field `size` has no default".into()],
    });
    let (wish, none) = (wish(&products), Ledger::default());
    let plan = planned(&wish, &state, &none, &Allowed::default());
    golden::check("incompatible.txt", &plan.to_string());
    assert!(plan.is_refused());

    let subject = state.subjects.get_mut("shop.orders.v1-value").unwrap();
    subject.verdict = Some(Compatibility {
        compatible: true,
        reasons: vec![],
    });
    check(
        &wish,
        &state,
        &none,
        &Allowed::default(),
        &[
            "ready register_schema subject/shop.orders.v1-value",
            "ready register_product product/shop.orders@1.1.0",
        ],
    );
}

#[test]
fn a_contract_that_changes_under_its_version_is_refused() {
    let mut products = [product("shop.orders")];
    let state = applied(&products);
    products[0].days = 14;
    let plan = planned(
        &wish(&products),
        &state,
        &Ledger::default(),
        &Allowed::default(),
    );
    golden::check("version.txt", &plan.to_string());
    assert!(plan.is_refused());
}

#[test]
fn only_what_an_apply_has_made_for_the_wished_domains_is_ever_deleted() {
    let both = [product("shop.orders"), product("shop.stock")];
    let others = [product("bank.loans")];
    let all: Vec<Product> = both.iter().chain(&others).cloned().collect();
    let state = applied(&all);
    let ledger = owned(&all);
    let wish = wish(&both[..1]);
    let none = Allowed::default();
    // What nobody made here is nobody's to delete.
    check(&wish, &state, &Ledger::default(), &none, &[]);
    let waiting = [
        "waiting delete_product product/shop.stock@1.0.0",
        "waiting delete_subject subject/shop.stock.v1-key",
        "waiting delete_subject subject/shop.stock.v1-value",
        "waiting delete_topic topic/shop.stock.v1",
    ];
    check(&wish, &state, &ledger, &none, &waiting);
    check(
        &wish,
        &state,
        &ledger,
        &confirmed("shop.orders.v1"),
        &waiting,
    );
    let ready = waiting.map(|line| line.replace("waiting", "ready"));
    let ready: Vec<&str> = ready.iter().map(String::as_str).collect();
    check(&wish, &state, &ledger, &confirmed("shop.stock.v1"), &ready);
    let plan = planned(&wish, &state, &ledger, &none);
    golden::check("unwished.txt", &plan.to_string());
    assert!(!plan.has_work() && !plan.is_refused());

    // Of what an apply made only the entry, only the entry goes.
    let mut entry = ledger.clone();
    entry
        .owned
        .retain(|resource, _| matches!(resource, Resource::Product(_)));
    check(&wish, &state, &entry, &none, &waiting[..1]);
    // What is gone already needs no step; an earlier version of what is wished stays.
    check(&wish, &applied(&both[..1]), &ledger, &none, &[]);
    let mut newer = both[0].clone();
    newer.version = "1.1.0".into();
    let mut state = applied(&[newer.clone()]);
    state.products.extend(applied(&both[..1]).products);
    check(
        &crate::folder::wish(&[newer]),
        &state,
        &owned(&both[..1]),
        &none,
        &[],
    );
}
