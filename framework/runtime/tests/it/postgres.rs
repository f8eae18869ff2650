//! A domain whose store is in Postgres: encrypted, and while the way there and the server
//! fail.

use std::path::Path;

use mesh_runtime::Running;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sqlx::{Connection, PgConnection};

use super::platform::{Client, Platform};
use super::shop;
use super::store::server::{Cluster, Proxy};

const ORDERS: u64 = 4_000;

async fn run(platform: &Platform, url: &str) -> Running {
    let mut config = platform.config("shop");
    config.store_url = Some(url.parse().unwrap());
    Running::start(shop::domain(ORDERS, 100), config)
        .await
        .unwrap()
}

async fn until_handled(client: &Client, orders: u64) {
    client
        .until("some is paid", |status| {
            status["handlers"][0]["handled"].as_u64().unwrap() >= orders
        })
        .await;
}

/// Handled, published and paid once, as the topics and the counts tell.
async fn check(platform: &Platform, client: &Client) {
    client
        .until("all is published", |status| {
            status["outbox_pending"] == 0
                && status["sources"][0]["done"] == true
                && status["handlers"][0]["lag"] == 0
                && status["handlers"][1]["lag"] == 0
                && status["ready"] == true
        })
        .await;
    shop::check_payouts(&platform.payouts().await, ORDERS);
    assert_eq!(platform.orders().await.len(), ORDERS as usize);
    let (_, probe) = client.json("/v1/probe").await;
    assert_eq!(probe["total"], ORDERS);
    assert_eq!(probe["amount"], ORDERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_mid_flow_costs_nothing() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let platform = Platform::start().await;
    let running = run(&platform, &cluster.url()).await;
    let client = Client::of(&running);
    for orders in [300, 1_500] {
        until_handled(&client, orders).await;
        cluster.kill();
        client
            .until("it notices", |status| {
                status["waiting"]["store"].is_string()
            })
            .await;
        cluster.start_again();
    }
    until_handled(&client, 3_000).await;
    cluster.crash();
    check(&platform, &client).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_whose_answer_is_lost_count_once() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let proxy = Proxy::to(&cluster).await;
    let platform = Platform::start().await;
    let running = run(&platform, &proxy.url()).await;
    let client = Client::of(&running);
    for (at, orders) in (200..ORDERS).step_by(200).enumerate() {
        until_handled(&client, orders).await;
        match at % 2 {
            0 => proxy.break_after_commit(),
            _ => proxy.break_before_commit(),
        }
    }
    check(&platform, &client).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_cut_off_is_replaced_and_ends() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let proxy = Proxy::to(&cluster).await;
    let platform = Platform::start().await;
    let old = run(&platform, &proxy.url()).await;
    until_handled(&Client::of(&old), 500).await;
    let mut config = platform.config("shop");
    config.store_url = Some(cluster.url().parse().unwrap());
    let refused = match Running::start(shop::domain(ORDERS, 100), config).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("two processes share a schema"),
    };
    assert!(refused.contains("used by another process"), "{refused}");
    assert!(!refused.contains("postgres://"), "{refused}");

    proxy.refuse();
    let new = run(&platform, &cluster.url()).await;
    let client = Client::of(&new);
    client
        .until("the other has taken over", |status| status["ready"] == true)
        .await;
    proxy.pass();
    let failed = tokio::time::timeout(std::time::Duration::from_secs(60), old.failed());
    let failed = failed.await.unwrap().to_string();
    assert!(failed.contains("taken over"), "{failed}");
    old.stop().await;
    check(&platform, &client).await;
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_cut_off_does_not_fence_its_successor() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let proxy = Proxy::to(&cluster).await;
    let mut platform = Platform::absent().await;
    let old = run(&platform, &proxy.url()).await;
    proxy.refuse();
    let new = run(&platform, &cluster.url()).await;
    platform.arrive().await;
    // It has to ask its store before it takes the transactional id.
    Client::of(&old)
        .until("the old one waits for its store", |status| {
            status["waiting"]["relay"].is_string()
        })
        .await;
    let client = Client::of(&new);
    check(&platform, &client).await;
    proxy.pass();
    let failed = tokio::time::timeout(std::time::Duration::from_secs(60), old.failed());
    let failed = failed.await.unwrap().to_string();
    assert!(failed.contains("taken over the domain's store"), "{failed}");
    old.stop().await;
    let (_, status) = client.json("/status").await;
    assert_eq!(status["ready"], true, "{status}");
    new.stop().await;
}

/// An authority, and what it has signed for the server and for the user `mesh`, as files.
fn certify(folder: &Path) {
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    write("ca.pem", params.self_signed(&key).unwrap().pem());
    let issuer = Issuer::new(params, key);
    for (name, hosts) in [
        ("server", vec!["127.0.0.1".to_owned()]),
        ("mesh", Vec::new()),
    ] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        write(
            &format!("{name}.pem"),
            params.signed_by(&key, &issuer).unwrap().pem(),
        );
        write(&format!("{name}.key"), key.serialize_pem());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_is_reached_encrypted_and_only_where_the_server_is_the_right_one() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let [folder, other] = [(); 2].map(|()| {
        let folder = tempfile::tempdir().unwrap();
        certify(folder.path());
        folder
    });
    // Postgres runs as another user.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), readable).unwrap();
    let port = crate::platform::free().port();
    std::fs::write(folder.path().join("port"), port.to_string()).unwrap();
    cluster.encrypt(folder.path());
    let url = |mode: &str, authority: &Path| {
        let (authority, own) = (authority.display(), folder.path().display());
        format!(
            "postgres://mesh@127.0.0.1:{port}/postgres?sslmode={mode}\
             &sslrootcert={authority}/ca.pem&sslcert={own}/mesh.pem&sslkey={own}/mesh.key"
        )
    };

    let platform = Platform::start().await;
    for (wrong, words) in [
        (url("verify-full", other.path()), "invalid peer certificate"),
        (url("disable", folder.path()), "refuses the user"),
    ] {
        let mut config = platform.config("shop");
        config.store_url = Some(wrong.parse().unwrap());
        let begun = std::time::Instant::now();
        let error = Running::start(shop::domain(ORDERS, 100), config).await;
        let error = error.err().expect(words).to_string();
        assert!(error.contains(words), "{error}");
        assert!(
            begun.elapsed().as_secs() < 10,
            "nothing is gained by waiting"
        );
    }

    let running = run(&platform, &url("verify-full", folder.path())).await;
    let client = Client::of(&running);
    check(&platform, &client).await;
    let mut local = PgConnection::connect(&cluster.local_url(port))
        .await
        .unwrap();
    let (all, encrypted): (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE s.ssl AND s.client_dn = '/CN=mesh')
         FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid)
         WHERE a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()",
    )
    .fetch_one(&mut local)
    .await
    .unwrap();
    assert!(all > 0 && all == encrypted, "{encrypted} of {all}");
    local.close().await.unwrap();
    running.stop().await;
}
