//! Fifty topics and subjects of others become products, and then there is nothing to plan.

use std::path::Path;

use mesh_plan::{Adopting, Adoption, Allowed, Resource, Wish, adopt};
use mesh_stream::TopicSpec;
use serde_json::json;

use crate::apply::{applied, planned};
use crate::platform::{Fixture, unique};

/// A schema as others write them: names, defaults and unions in their own ways.
fn schema(number: usize) -> String {
    let amount = match number % 4 {
        0 => json!("double"),
        1 => {
            json!({"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2})
        }
        2 => json!(["string", "null"]),
        _ => json!(["null", {"type": "long", "logicalType": "timestamp-micros"}]),
    };
    let mut fields = vec![
        json!({"name": "id", "type": "string"}),
        json!({"name": "amount", "type": amount, "doc": "How much."}),
        json!({"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "OLD"]},
               "default": "NEW"}),
        json!({"name": "lines", "type": {"type": "array", "items": {
            "type": "record", "name": "Line", "fields": [
                {"name": "sku", "type": "string"}, {"name": "count", "type": "int", "default": 1}]}}}),
    ];
    if number.is_multiple_of(3) {
        fields.push(json!({"name": "note", "type": ["null", "string"], "default": null}));
    }
    let name = format!("Thing{number}Happened");
    json!({"type": "record", "name": name, "namespace": "com.acme.events", "fields": fields})
        .to_string()
}

/// The name of a topic as others choose them.
fn topic_name(domain: &str, number: usize) -> String {
    match number % 5 {
        0 => format!("{domain}.things_{number}.v1"),
        1 => format!("{domain}-Things-{number}"),
        2 => format!("{domain}_things_{number}_v2"),
        3 => format!("prod.{domain}.eu.things{number}"),
        _ => format!("{number}.{domain}"),
    }
}

fn configs(number: usize) -> Vec<(&'static str, &'static str)> {
    match number % 6 {
        0 => vec![("cleanup.policy", "compact")],
        1 => vec![("retention.ms", "172800000")],
        2 => vec![
            ("retention.ms", "7200000"),
            ("max.message.bytes", "2000000"),
        ],
        3 => vec![("cleanup.policy", "compact,delete"), ("retention.ms", "-1")],
        4 => vec![("retention.ms", "90500")],
        _ => vec![],
    }
}

fn write(root: &Path, domain: &str, adoption: &Adoption) {
    for product in &adoption.adopted {
        let folder = root.join(format!(
            "domains/{domain}/products/{}_{}",
            product.product, product.major
        ));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("product.odps.yaml"), &product.product_text).unwrap();
        std::fs::write(folder.join("contract.odcs.yaml"), &product.contract_text).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_topics_are_adopted_and_then_there_is_nothing_to_plan() {
    let fixture = Fixture::start().await;
    let platform = &fixture.platform;
    let (admin, registry) = (platform.admin(), platform.registry());
    let domain = unique("acme");
    let mut topics = Vec::new();
    for number in 0..50 {
        let topic = topic_name(&domain, number);
        let spec = TopicSpec {
            name: topic.clone(),
            partitions: 1 + (number % 3) as i32,
            configs: configs(number)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        };
        admin.ensure_topic(&spec).await.unwrap();
        let value = format!("{topic}-value");
        registry.register(&value, &schema(number)).await.unwrap();
        if number % 7 == 0 {
            registry.set_compatibility(&value, "NONE").await.unwrap();
        }
        if number % 2 == 0 {
            let key = format!("{topic}-key");
            registry.register(&key, "\"string\"").await.unwrap();
        }
        topics.push(topic);
    }
    // What cannot be adopted, and what is nobody's to adopt.
    let spec = |name: String| TopicSpec {
        name,
        partitions: 1,
        configs: [].into(),
    };
    let (bare, photos) = (format!("{domain}.bare"), format!("{domain}.photos"));
    for name in [bare.clone(), photos.clone(), format!("{domain}.bare.dlq")] {
        admin.ensure_topic(&spec(name)).await.unwrap();
    }
    let photo = json!({"type": "record", "name": "M", "fields": [
        {"name": "id", "type": "int"}, {"name": "photo", "type": "bytes"}]});
    registry
        .register(&format!("{photos}-value"), &photo.to_string())
        .await
        .unwrap();

    let adopting = Adopting {
        domain: domain.clone(),
        topics: Some(format!("*{domain}*")),
        owner: Some("Acme".into()),
    };
    let adoption = adopt(platform, &adopting, &Wish::default()).await.unwrap();
    let skipped: Vec<(&str, &str)> = adoption
        .skipped
        .iter()
        .map(|skipped| (skipped.topic.as_str(), skipped.why.as_str()))
        .collect();
    assert_eq!(skipped.len(), 2, "{skipped:#?}");
    assert!(skipped[0].0 == bare && skipped[0].1.contains("bare-value"));
    assert!(
        skipped[1].0 == photos && skipped[1].1.contains("bytes"),
        "{skipped:#?}"
    );
    assert_eq!(adoption.adopted.len(), 50);
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &domain, &adoption);
    let wish = Wish::read(root.path(), None).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(wish.products.len(), 50);

    // Topics and subjects are as they are; only the catalog has something to learn.
    let none = Allowed::default();
    let plan = planned(platform, &wish, &none).await;
    let kinds: Vec<&str> = plan.steps.iter().map(|step| step.action.kind()).collect();
    assert_eq!(kinds, ["register_product"; 50], "{plan}");
    applied(platform, &wish, &none).await;
    let plan = planned(platform, &wish, &none).await;
    assert!(plan.is_empty(), "{plan}");
    // Adopting again finds nothing new, here or from another folder.
    for known in [&wish, &Wish::default()] {
        let again = adopt(platform, &adopting, known).await.unwrap();
        assert_eq!(again.adopted.len(), 0);
    }

    // A plan never deletes what it did not create.
    let nothing = Wish {
        domains: [domain.clone()].into(),
        products: vec![],
    };
    let confirmed = Allowed {
        confirmed: topics.iter().cloned().collect(),
        ..none.clone()
    };
    let plan = planned(platform, &nothing, &confirmed).await;
    assert_eq!(plan.steps.len(), 50);
    for step in &plan.steps {
        assert!(
            matches!(step.action.resource(), Resource::Product(_)),
            "{plan}"
        );
    }
}
