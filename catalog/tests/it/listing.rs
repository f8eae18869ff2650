//! Lists are filtered, searched and paged.

use serde_json::Value;

use crate::harness::{Sample, Server, sample};

fn names(page: &Value) -> Vec<String> {
    page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let part = |name: &str| item[name].as_str().unwrap().to_owned();
            format!("{}.{}", part("domain"), part("product"))
        })
        .collect()
}

#[tokio::test]
async fn filters_hold_back_what_does_not_pass() {
    let server = Server::start().await;
    server
        .register_all(&[
            Sample {
                kind: "event",
                tag: "risk",
                purpose: "Every ask for CREDIT, as it comes.",
                ..sample("loan.applications")
            },
            Sample {
                team: "Credit",
                status: "draft",
                ..sample("loan.decisions")
            },
            Sample {
                team: "Customer Care",
                tag: "\"personal data\"",
                ..sample("customer.profiles")
            },
            Sample {
                version: "2.0.0",
                status: "deprecated",
                purpose: "100% of_all Účty.",
                ..sample("transaction.accounts")
            },
        ])
        .await;
    let check = async |query: &str, expected: &[&str]| {
        let page = server.get(&format!("/api/v1/products?{query}")).await;
        assert_eq!(names(&page), expected, "{query}");
        assert_eq!(page["next_cursor"], Value::Null, "{query}");
    };
    let (profiles, applications, decisions, accounts) = (
        "customer.profiles",
        "loan.applications",
        "loan.decisions",
        "transaction.accounts",
    );
    let all = [profiles, applications, decisions, accounts];
    check("", &all).await;
    check("domain=&owner=&status=&kind=&tag=&q=&limit=&cursor=", &all).await;
    check("domain=loan", &[applications, decisions]).await;
    check("domain=loa", &[]).await;
    check("owner=Credit", &[decisions]).await;
    check("owner=Customer%20Care", &[profiles]).await;
    check("status=active", &[profiles, applications]).await;
    check("status=deprecated", &[accounts]).await;
    check("kind=event", &[applications]).await;
    check("kind=state&domain=loan", &[decisions]).await;
    check("tag=risk", &[applications]).await;
    check("tag=personal+data", &[profiles]).await;
    check("tag=checked", &all).await;
    check("tag=check", &[]).await;
    check("q=credit", &[applications]).await;
    check("q=ASK+credit", &[applications]).await;
    check("q=credit+nothing", &[]).await;
    check("q=decis", &[decisions]).await;
    check("q=loan.app", &[applications]).await;
    check("q=%C3%BA%C4%8DTY", &[accounts]).await;
    check("q=P%C5%99erov", &all).await;
    check("q=street", &all).await;
    check("q=100%25", &[accounts]).await;
    check("q=of_all", &[accounts]).await;
    check("q=%25", &[accounts]).await;
    check("q=' OR 1=1 --", &[]).await;
    check("domain=x' OR '1'='1", &[]).await;
}

#[tokio::test]
async fn pages_neither_repeat_nor_hide_a_product() {
    let server = Server::start().await;
    let products: Vec<Sample> = (0..23)
        .map(|at| sample(&format!("shop.p{at:02}")))
        .collect();
    server.register_all(&products).await;
    for limit in [1, 5, 23, 24] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = server
                .get(&format!(
                    "/api/v1/products?domain=shop&limit={limit}&cursor={cursor}"
                ))
                .await;
            let part = names(&page);
            assert!(part.len() <= limit && !part.is_empty());
            seen.extend(part);
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        let expected: Vec<String> = (0..23).map(|at| format!("shop.p{at:02}")).collect();
        assert_eq!(seen, expected, "limit {limit}");
    }

    // What comes in between two pages moves nothing that was there.
    let first = server.get("/api/v1/products?limit=5").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    server
        .register_all(&[
            sample("ads.clicks"),
            sample("shop.p04a"),
            sample("shop.p00a"),
        ])
        .await;
    let second = server
        .get(&format!("/api/v1/products?limit=5&cursor={cursor}"))
        .await;
    assert_eq!(
        names(&second),
        ["shop.p04a", "shop.p05", "shop.p06", "shop.p07", "shop.p08"]
    );
    server
        .refused(
            &format!("GET /api/v1/products?kind=state&cursor={cursor}"),
            &Value::Null,
            400,
            &["another list", "without `cursor`"],
        )
        .await;
    let page = server.get("/api/v1/products").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 26);
}
