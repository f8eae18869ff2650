//! Applying plans: what is there afterwards, what is recorded, and who may apply.

use mesh_core::contract::ProductKind;
use mesh_plan::{
    Allowed, Applier, Ledger, Plan, PlanFile, Platform, Resource, Scope, Wish, log_lines, plan,
};
use mesh_stream::{Ensured, Headers, Outgoing, Producer, TopicSpec, register_product};

use crate::folder::{Product, product, wish};
use crate::platform::{Fixture, unique};

pub(crate) async fn planned(platform: &Platform, wish: &Wish, allowed: &Allowed) -> Plan {
    let ledger = Ledger::read(platform).await.unwrap();
    let state = platform.read(&Scope::of(wish, &ledger)).await.unwrap();
    plan(wish, &state, &ledger, allowed)
}

pub(crate) async fn applied(platform: &Platform, wish: &Wish, allowed: &Allowed) -> Plan {
    let mut applier = Applier::begin(platform, &"user:jana".parse().unwrap())
        .await
        .unwrap();
    let plan = planned(platform, wish, allowed).await;
    applier.apply(&plan, |_, _| {}).await.unwrap();
    plan
}

pub(crate) fn fresh(name: &str) -> Product {
    product(&format!("{}.{name}", unique("shop")))
}

fn kinds(plan: &Plan) -> Vec<&'static str> {
    plan.steps.iter().map(|step| step.action.kind()).collect()
}

async fn publish(fixture: &Fixture, topic: &str) {
    let producer = Producer::new(&fixture.config).unwrap();
    let record = Outgoing {
        topic: topic.to_owned(),
        partition: Some(0),
        key: "key".into(),
        value: Some("value".into()),
        headers: Headers {
            event_id: "01890000-0000-7000-8000-000000000000".parse().unwrap(),
            contract_version: String::new(),
            trace: mesh_core::TraceContext::new(),
            outbox: None,
            ends: None,
        },
        timestamp: None,
    };
    producer.send(record).await.unwrap().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_makes_what_is_wished_once_and_a_domain_finds_it_fitting() {
    let fixture = Fixture::start().await;
    let platform = &fixture.platform;
    let mut rows = fresh("stock");
    (rows.kind, rows.level) = ("state", Some("BACKWARD_TRANSITIVE"));
    rows.configs = vec![("max.message.bytes", "2000000")];
    let mut events = product(&format!("{}.orders", rows.domain));
    events.partitions = 3;
    let wish = wish(&[rows, events]);
    let none = Allowed::default();

    // A plan alone leaves nothing behind.
    let before = planned(platform, &wish, &none).await;
    assert_eq!(before.summary().create, 8, "{before}");
    assert!(
        platform
            .admin()
            .partitions("platform.plan_state.v1")
            .await
            .is_err()
    );

    let done = applied(platform, &wish, &none).await;
    assert_eq!(done, before);
    let after = planned(platform, &wish, &none).await;
    assert!(after.is_empty(), "{after}");
    assert!(applied(platform, &wish, &none).await.is_empty());

    // What a domain does at its start changes nothing.
    for product in &wish.products {
        let descriptor = &product.descriptor;
        let spec = TopicSpec::from(descriptor);
        let ensured = platform.admin().ensure_topic(&spec).await.unwrap();
        assert_eq!(ensured, Ensured::Exists);
        let settings = platform
            .admin()
            .topic_settings(&[&spec.name])
            .await
            .unwrap();
        for (name, value) in &spec.configs {
            let found = &settings[&spec.name][name];
            assert!(found.value == *value && found.own, "{name}: {found:?}");
        }
        let ids = register_product(platform.registry(), descriptor)
            .await
            .unwrap();
        let catalog = platform.catalog();
        catalog.register_product(descriptor, &ids).await.unwrap();
        let id = product.id();
        let found = catalog
            .version(&id.domain, &id.product, "1.0.0")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.value_schema_id, ids.value_id);
        if descriptor.contract.schema.kind == ProductKind::State {
            let value = descriptor.topic.value_subject();
            let level = platform.registry().compatibility(&value).await.unwrap();
            assert_eq!(level, "BACKWARD_TRANSITIVE");
        }
    }
    let after = planned(platform, &wish, &none).await;
    assert!(after.is_empty(), "{after}");

    // Each step stands in the log before and after, with who did it and by which plan.
    let lines = log_lines(platform).await.unwrap();
    let phases: Vec<&str> = lines.iter().map(|line| line.phase.as_str()).collect();
    let mut expected = vec!["STARTED"];
    for _ in &done.steps {
        expected.extend(["INTENT", "DONE"]);
    }
    expected.push("FINISHED");
    assert_eq!(phases, expected);
    for (at, line) in (1..).zip(&lines) {
        assert_eq!(line.entry, at);
        assert_eq!(line.principal, "user:jana");
        assert_eq!(line.plan, done.hash());
    }
    // The ledger is products like others.
    for product in ["plan_state", "plan_log"] {
        let versions = platform.catalog().versions("platform", product).await;
        assert_eq!(versions.unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_domain_made_needs_no_step_and_is_never_owned() {
    let fixture = Fixture::start().await;
    let platform = &fixture.platform;
    let orders = fresh("orders");
    let wished = wish(std::slice::from_ref(&orders));
    let descriptor = &wished.products[0].descriptor;
    let spec = TopicSpec::from(descriptor);
    platform.admin().ensure_topic(&spec).await.unwrap();
    let ids = register_product(platform.registry(), descriptor)
        .await
        .unwrap();
    let catalog = platform.catalog();
    catalog.register_product(descriptor, &ids).await.unwrap();
    let none = Allowed::default();
    let plan = planned(platform, &wished, &none).await;
    assert!(plan.is_empty(), "{plan}");

    // Another retention is the wish's to say, and still nothing is owned but the new entry.
    let mut longer = orders.clone();
    (longer.days, longer.version) = (30, "1.0.1".into());
    let wished = wish(&[longer]);
    let plan = applied(platform, &wished, &none).await;
    assert_eq!(kinds(&plan), ["alter_configs", "register_product"]);
    assert!(planned(platform, &wished, &none).await.is_empty());
    let ledger = Ledger::read(platform).await.unwrap();
    let owned: Vec<&Resource> = ledger.owned.keys().collect();
    assert_eq!(owned, [&wished.products[0].resource()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_change_is_done_and_then_there_is_none() {
    let fixture = Fixture::start().await;
    let platform = &fixture.platform;
    let first = fresh("orders");
    let topic = first.topic();
    let none = Allowed::default();
    applied(platform, &wish(std::slice::from_ref(&first)), &none).await;

    // Empty: partitions may be added, and facts become rows.
    let mut next = first.clone();
    (next.partitions, next.kind, next.version) = (4, "state", "1.1.0".into());
    next.columns.push("size");
    let wished = wish(std::slice::from_ref(&next));
    let plan = applied(platform, &wished, &none).await;
    assert_eq!(
        kinds(&plan),
        [
            "add_partitions",
            "alter_configs",
            "register_schema",
            "register_product"
        ]
    );
    assert!(planned(platform, &wished, &none).await.is_empty());
    assert_eq!(platform.admin().partitions(&topic).await.unwrap(), 4);

    // With records neither is done unasked.
    publish(&fixture, &topic).await;
    let mut more = next.clone();
    (more.partitions, more.version) = (6, "1.2.0".into());
    let wished = wish(std::slice::from_ref(&more));
    let plan = planned(platform, &wished, &none).await;
    assert!(plan.is_refused(), "{plan}");
    let mut applier = Applier::begin(platform, &"user:jana".parse().unwrap())
        .await
        .unwrap();
    applier.apply(&plan, |_, _| {}).await.unwrap_err();
    assert_eq!(platform.admin().partitions(&topic).await.unwrap(), 4);
    let repartition = Allowed {
        repartition: true,
        ..Allowed::default()
    };
    applied(platform, &wished, &repartition).await;
    assert_eq!(platform.admin().partitions(&topic).await.unwrap(), 6);

    // Fewer are a new topic, and the records are gone.
    let mut fewer = more.clone();
    (fewer.partitions, fewer.version) = (1, "1.3.0".into());
    let wished = wish(std::slice::from_ref(&fewer));
    assert!(planned(platform, &wished, &none).await.is_refused());
    let confirmed = Allowed {
        confirmed: [topic.clone()].into(),
        ..Allowed::default()
    };
    let plan = applied(platform, &wished, &confirmed).await;
    assert_eq!(kinds(&plan), ["replace_topic", "register_product"]);
    assert_eq!(platform.admin().partitions(&topic).await.unwrap(), 1);
    assert_eq!(
        platform.admin().watermarks(&topic, 0).await.unwrap(),
        (0, 0)
    );
    assert!(planned(platform, &wished, &none).await.is_empty());

    // A column that old readers miss is refused, in the registry's words.
    let mut broken = fewer.clone();
    broken.columns = vec!["note", "size", "weight!"];
    broken.version = "1.4.0".into();
    let plan = planned(platform, &wish(std::slice::from_ref(&broken)), &none).await;
    assert!(plan.is_refused());
    let text = plan.to_string();
    assert!(
        text.contains("weight") && text.contains("new major version"),
        "{text}"
    );
    broken.version = "2.0.0".into();
    let plan = planned(platform, &wish(&[fewer, broken]), &none).await;
    assert!(!plan.is_refused() && plan.summary().create == 4, "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_plan_is_bound_to_the_state_that_it_was_made_from() {
    let fixture = Fixture::start().await;
    let platform = &fixture.platform;
    let orders = fresh("orders");
    let wished = wish(std::slice::from_ref(&orders));
    let none = Allowed::default();
    let plan = planned(platform, &wished, &none).await;
    let text = PlanFile::of(plan).text().unwrap();
    let kept = PlanFile::parse("plan.json", &text).unwrap().plan;
    let changed = text.replacen("\"partitions\": 2", "\"partitions\": 3", 1);
    assert_ne!(changed, text);
    let error = PlanFile::parse("plan.json", &changed).unwrap_err();
    assert!(error.to_string().contains("plan.json"), "{error}");
    PlanFile::parse("plan.json", "{}").unwrap_err();

    let jana = "user:jana".parse().unwrap();
    let mut applier = Applier::begin(platform, &jana).await.unwrap();
    assert_eq!(applier.moved(&kept).await.unwrap(), [""; 0]);
    applier.apply(&kept, |_, _| {}).await.unwrap();
    let moved = applier.moved(&kept).await.unwrap();
    assert_eq!(moved.len(), 4, "{moved:?}");
    assert!(moved.contains(&format!("topic/{}", orders.topic())));

    // What a contract does not speak of does not move a plan.
    let mut next = orders.clone();
    (next.days, next.version) = (30, "1.0.1".into());
    let plan = planned(platform, &wish(&[next]), &none).await;
    let set = |name: &str, value: &str| [(name.to_owned(), Some(value.to_owned()))].into();
    let topic = orders.topic();
    let admin = platform.admin();
    admin
        .alter_settings(&topic, &set("segment.ms", "3600000"))
        .await
        .unwrap();
    let applier = Applier::begin(platform, &jana).await.unwrap();
    assert_eq!(applier.moved(&plan).await.unwrap(), [""; 0]);
    admin
        .alter_settings(&topic, &set("retention.ms", "5000"))
        .await
        .unwrap();
    let mut moved = applier.moved(&plan).await.unwrap();
    for _ in 0..100 {
        if !moved.is_empty() {
            break;
        }
        moved = applier.moved(&plan).await.unwrap();
    }
    assert_eq!(moved, [format!("topic/{topic}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_later_of_two_applies_stops_the_earlier() {
    let fixture = Fixture::start().await;
    let platform = &fixture.platform;
    let wished = wish(&[fresh("orders")]);
    let none = Allowed::default();
    let mut first = Applier::begin(platform, &"user:jana".parse().unwrap())
        .await
        .unwrap();
    let plan = planned(platform, &wished, &none).await;
    let mut second = Applier::begin(platform, &"user:petr".parse().unwrap())
        .await
        .unwrap();
    let error = first.apply(&plan, |_, _| {}).await.unwrap_err();
    assert!(error.to_string().contains("another apply"), "{error:?}");
    assert_eq!(planned(platform, &wished, &none).await.steps, plan.steps);
    second.apply(&plan, |_, _| {}).await.unwrap();
    let lines = log_lines(platform).await.unwrap();
    assert!(lines.iter().all(|line| line.principal == "user:petr"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_is_away_is_named() {
    let fixture = Fixture::start().await;
    let catalog = "http://127.0.0.1:9".parse().unwrap();
    let mut config = fixture.config.clone();
    let wished = wish(&[fresh("orders")]);
    let scope = Scope::of(&wished, &Ledger::default());
    let away = Platform::new(config.clone(), &catalog).unwrap();
    let error = away.read(&scope).await.unwrap_err();
    assert!(
        error.to_string().contains("the catalog does not answer"),
        "{error}"
    );
    config.registry_url = "http://127.0.0.1:9".into();
    let away = Platform::new(config, &catalog).unwrap();
    let error = away.read(&scope).await.unwrap_err().to_string();
    assert!(
        error.contains("catalog: ") && error.contains("registry: "),
        "{error}"
    );
}
