use mesh_core::{ErrorKind, Record};
use mesh_stream::{Admin, Ensured, RegistryClient, StreamConfig, TopicSpec, register_product};

use crate::platform::Platform;
use crate::records::{Reading, Sample, changed};

#[test]
fn a_topic_is_as_its_contract_says() {
    let check = |spec: TopicSpec, partitions, configs: [(&str, &str); 2]| {
        assert_eq!(spec.partitions, partitions);
        let found: Vec<_> = spec
            .configs
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(found, configs);
    };
    check(
        TopicSpec::from(Sample::descriptor()),
        3,
        [
            ("cleanup.policy", "compact"),
            ("retention.ms", "2592000000"),
        ],
    );
    check(
        TopicSpec::from(Reading::descriptor()),
        1,
        [("cleanup.policy", "delete"), ("retention.ms", "-1")],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_made_once_and_another_shape_of_it_is_refused() {
    let platform = Platform::start().await;
    let admin = Admin::new(&platform.config).unwrap();
    admin.reachable().await.unwrap();
    let mut spec = TopicSpec::from(Sample::descriptor());
    spec.name = format!("lab.t{}.v1", uuid::Uuid::new_v4().simple());
    assert_eq!(admin.ensure_topic(&spec).await.unwrap(), Ensured::Created);
    assert_eq!(admin.ensure_topic(&spec).await.unwrap(), Ensured::Exists);
    assert_eq!(admin.partitions(&spec.name).await.unwrap(), 3);
    assert_eq!(admin.watermarks(&spec.name, 2).await.unwrap(), (0, 0));

    let more = TopicSpec {
        partitions: 4,
        ..spec.clone()
    };
    let error = admin.ensure_topic(&more).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("is: 3, contract: 4"), "{error}");
    assert!(error.mend_text().is_some());

    let mut deleting = spec.clone();
    deleting
        .configs
        .insert("cleanup.policy".into(), "delete".into());
    let error = admin.ensure_topic(&deleting).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    assert!(error.to_string().contains("cleanup.policy"), "{error}");

    let missing = admin.partitions("lab.nothing.v1").await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing:?}");
    let missing = admin.watermarks(&spec.name, 99).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_down_is_named_with_a_mend() {
    let config = StreamConfig::new("127.0.0.1:1", "http://127.0.0.1:1", "mesh-stream-test");
    let admin = Admin::new(&config).unwrap();
    let error = admin.reachable().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.is_retryable());
    let text = error.to_string();
    assert!(
        text.contains("127.0.0.1:1") && text.contains("mesh up"),
        "{text}"
    );
    let spec = TopicSpec::from(Reading::descriptor());
    let error = admin.ensure_topic(&spec).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_librdkafka_refuses_are_named() {
    let mut config = StreamConfig::new("127.0.0.1:1", "http://127.0.0.1:1", "mesh-stream-test");
    config
        .overrides
        .insert("no.such.setting".into(), "1".into());
    let error = mesh_stream::Producer::new(&config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("no.such.setting"), "{error}");
    for url in ["", "nonsense", "ftp://127.0.0.1"] {
        let error = RegistryClient::new(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_s_schemas_are_registered_once_and_a_breaking_change_is_refused() {
    let (registry, _folder) = Platform::registry_only().await;
    let descriptor = Sample::descriptor();
    let first = register_product(&registry, descriptor).await.unwrap();
    assert_eq!(
        register_product(&registry, descriptor).await.unwrap(),
        first
    );
    let subject = descriptor.topic.value_subject();
    let latest = registry.latest(&subject).await.unwrap().unwrap();
    assert_eq!((latest.id, latest.version), (first.value_id, Some(1)));
    assert_eq!(registry.latest("lab.nothing.v1-value").await.unwrap(), None);

    let breaking = changed::<Sample>(|schema| schema["fields"][4]["type"] = "string".into());
    let error = registry.register(&subject, &breaking).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    assert!(error.mend_text().is_some() && !error.is_retryable());
    let error = registry.register(&subject, "{").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error:?}");
    let error = registry
        .set_compatibility(&subject, "SOMETIMES")
        .await
        .unwrap_err();
    assert!(!error.is_retryable(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_has_another_id() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let admin = Admin::new(&platform.config).unwrap();
    let first = admin.topic_id(&topic).await.unwrap().unwrap();
    assert_eq!(admin.topic_id(&topic).await.unwrap(), Some(first));
    admin.delete_topic(&topic).await.unwrap();
    let error = admin.topic_id(&topic).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    let spec = TopicSpec {
        name: topic.clone(),
        partitions: 1,
        configs: [].into(),
    };
    admin.ensure_topic(&spec).await.unwrap();
    let second = admin.topic_id(&topic).await.unwrap().unwrap();
    assert_ne!(first, second);
}
