//! What an apply has made goes when nobody wishes it and somebody confirms it; what others
//! have made stays.

use mesh_plan::{Allowed, Ledger, Wish};
use mesh_stream::TopicSpec;

use crate::apply::{applied, fresh, planned};
use crate::folder::{product, wish};
use crate::platform::Fixture;

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_made_here_is_deleted_and_only_when_confirmed() {
    let fixture = Fixture::start().await;
    let platform = &fixture.platform;
    let orders = fresh("orders");
    let stock = product(&format!("{}.stock", orders.domain));
    let both = wish(&[orders.clone(), stock.clone()]);
    let none = Allowed::default();
    // The domain has made one topic itself.
    let own = both.products.iter().find(|p| p.id().product == "stock");
    let spec = TopicSpec::from(&own.unwrap().descriptor);
    platform.admin().ensure_topic(&spec).await.unwrap();
    applied(platform, &both, &none).await;
    assert_eq!(Ledger::read(platform).await.unwrap().owned.len(), 7);

    let left = Wish {
        domains: [orders.domain.clone()].into(),
        products: vec![],
    };
    let plan = applied(platform, &left, &none).await;
    assert_eq!(plan.summary().waiting, 7, "{plan}");
    assert!(planned(platform, &both, &none).await.is_empty());

    let confirmed = Allowed {
        confirmed: [orders.topic(), stock.topic()].into(),
        ..Allowed::default()
    };
    let plan = applied(platform, &left, &confirmed).await;
    assert_eq!(plan.summary().delete, 7, "{plan}");
    assert!(planned(platform, &left, &none).await.is_empty());
    assert_eq!(Ledger::read(platform).await.unwrap().owned.len(), 0);
    let admin = platform.admin();
    assert!(admin.partitions(&orders.topic()).await.is_err());
    assert_eq!(admin.partitions(&stock.topic()).await.unwrap(), 2);
    let subjects = platform.registry().subjects().await.unwrap();
    assert!(!subjects.iter().any(|name| name.contains(&orders.domain)));
    let catalog = platform.catalog();
    assert!(
        catalog
            .versions(&orders.domain, "orders")
            .await
            .unwrap()
            .is_empty()
    );

    // And it may all come back.
    applied(platform, &both, &none).await;
    assert!(planned(platform, &both, &none).await.is_empty());
}
