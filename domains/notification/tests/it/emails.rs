//! E-mails through a real SMTP server.

use std::time::Duration;

use mesh_core::EventId;
use notification::notice::notice_id;
use notification::products::inputs::ClientChangeKind as Change;
use notification::products::{
    Delivery, DeliveryChannel as Channel, DeliveryStatus as Status, Preference,
};
use notification::settings::{Patience, Settings};
use serde_json::{Value as Json, json};

use crate::events::{change, decision, delivered};
use crate::mesh::Mesh;
use crate::smtp::{Server, free_port, plain, python, settings};

async fn prefer(mesh: &Mesh, client_id: i64, email: &str) {
    let choice = json!({ "client_id": client_id, "channel": "EMAIL", "email": email });
    let (status, answer) = mesh.post("/v1/preferences", &choice).await;
    assert_eq!(status, 200, "{answer}");
}

fn message_id(cause: EventId) -> Json {
    json!(format!("<{}@bank.example>", notice_id(cause.0)))
}

#[tokio::test]
async fn a_message_is_sent_once_for_its_event() {
    let Some(python) = python() else { return };
    let server = Server::start(&python, &[]);
    let mut mesh = Mesh::start_with(plain(server.port)).await;
    prefer(&mesh, 7, "anna@example.org").await;
    let reader = mesh.reader::<Delivery>();
    let id = EventId::new();
    mesh.publish_as(id, &decision(7, 4711)).await;
    mesh.publish_as(id, &decision(7, 4711)).await;
    let sent = delivered(&reader).await;
    assert_eq!(
        (sent.delivery_id, sent.status),
        (notice_id(id.0), Status::Sent)
    );
    assert_eq!((sent.channel, sent.attempts), (Some(Channel::Email), 1));
    let taken = server.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0]["to"], json!(["anna@example.org"]));
    assert_eq!(taken[0]["mail_from"], "no-reply@bank.example");
    assert_eq!(taken[0]["message_id"], message_id(id));
    assert_eq!(
        taken[0]["subject"],
        "Your application for a loan is approved"
    );
    assert!(
        taken[0]["body"]
            .as_str()
            .unwrap()
            .contains("application 4711")
    );

    // Who has given no address is not told by e-mail; the event once more after a restart is known.
    mesh.publish(&decision(8, 1)).await;
    let held = delivered(&reader).await;
    assert_eq!(held.status, Status::Suppressed);
    assert_eq!(held.reason.as_deref(), Some("NO_ADDRESS"));
    mesh.restart(plain(server.port)).await;
    mesh.publish_as(id, &decision(7, 4711)).await;
    mesh.publish(&decision(8, 2)).await;
    assert_eq!(delivered(&reader).await.client_id, 8);
    reader.nothing_more().await;
    assert_eq!(server.taken().len(), 1);
    mesh.stop().await;
}

#[tokio::test]
async fn a_busy_mailbox_is_tried_again_and_holds_up_nobody_else() {
    let Some(python) = python() else { return };
    let server = Server::start(&python, &[]);
    let mesh = Mesh::start_with(plain(server.port)).await;
    prefer(&mesh, 1, "later-20.eva@example.org").await;
    prefer(&mesh, 2, "never.jan@example.org").await;
    prefer(&mesh, 3, "anna@example.org").await;
    let reader = mesh.reader::<Delivery>();
    for client_id in 1..=3 {
        mesh.publish(&decision(client_id, client_id)).await;
    }
    let mut ends = Vec::new();
    for _ in 0..3 {
        let one = delivered(&reader).await;
        let end = (one.client_id, one.status, one.attempts, one.reason);
        ends.push((end, one.finished_at));
    }
    ends.sort_by_key(|end| end.0.0);
    let (ends, times): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
    // The one that was refused for seconds comes last, though it was asked for first.
    assert!(times[0] > times[1] && times[0] > times[2], "{times:?}");
    assert_eq!(ends[0], (1, Status::Sent, 21, None));
    assert_eq!(
        ends[1],
        (2, Status::Failed, 1, Some("REFUSED_550".to_owned()))
    );
    assert_eq!(ends[2], (3, Status::Sent, 1, None));
    reader.nothing_more().await;
    let codes = |code: u64| {
        server
            .refused()
            .iter()
            .filter(|one| one["refused"] == code)
            .count()
    };
    assert_eq!((codes(450), codes(550), server.taken().len()), (20, 1, 2));
    mesh.stop().await;
}

#[tokio::test]
async fn what_waits_for_its_server_outlives_a_restart() {
    let Some(python) = python() else { return };
    let port = free_port();
    let mut mesh = Mesh::start_with(plain(port)).await;
    for client_id in 1..=20 {
        prefer(&mesh, client_id, &format!("client{client_id}@example.org")).await;
    }
    let reader = mesh.reader::<Delivery>();
    for client_id in 1..=20 {
        mesh.publish(&decision(client_id, client_id)).await;
    }
    // Nobody listens there; attempts are made, and counted in the store.
    mesh.until("some attempts", |status| {
        let sources = status["sources"].as_array().unwrap();
        sources[0]["position"].as_u64().unwrap() >= 3
    })
    .await;
    mesh.restart(plain(port)).await;
    reader.nothing_more().await;
    mesh.halt().await;
    let server = Server::start(&python, &["--port", &port.to_string()]);
    mesh.restart(plain(port)).await;
    let mut clients = Vec::new();
    for _ in 1..=20 {
        let one = delivered(&reader).await;
        assert_eq!(one.status, Status::Sent);
        assert!(one.attempts > 1, "{}", one.attempts);
        clients.push(one.client_id);
    }
    clients.sort_unstable();
    assert_eq!(clients, (1..=20).collect::<Vec<_>>());
    reader.nothing_more().await;
    assert_eq!(server.taken().len(), 20);
    mesh.stop().await;
}

#[tokio::test]
async fn patience_ends() {
    let settings = Settings {
        patience: Patience {
            give_up: Duration::from_millis(700),
            ..plain(1).patience
        },
        ..plain(free_port())
    };
    let mesh = Mesh::start_with(settings).await;
    prefer(&mesh, 7, "anna@example.org").await;
    let reader = mesh.reader::<Delivery>();
    mesh.publish(&decision(7, 1)).await;
    let end = delivered(&reader).await;
    assert_eq!(end.status, Status::Failed);
    assert_eq!(end.reason.as_deref(), Some("EXPIRED_UNREACHABLE"));
    assert!(end.attempts > 1, "{}", end.attempts);
    mesh.stop().await;
}

#[tokio::test]
async fn a_preference_that_changes_while_a_message_is_sent_sends_it_no_second_time() {
    let Some(python) = python() else { return };
    let server = Server::start(&python, &[]);
    let mesh = Mesh::start_with(plain(server.port)).await;
    prefer(&mesh, 7, "slow-1500.anna@example.org").await;
    let reader = mesh.reader::<Delivery>();
    mesh.publish(&decision(7, 1)).await;
    // While the server takes its time.
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(server.taken().len(), 0);
    let none = json!({ "client_id": 7, "channel": "NONE" });
    assert_eq!(mesh.post("/v1/preferences", &none).await.0, 200);
    let sent = delivered(&reader).await;
    assert_eq!((sent.status, sent.attempts), (Status::Sent, 1));
    mesh.publish(&decision(7, 2)).await;
    assert_eq!(
        delivered(&reader).await.reason.as_deref(),
        Some("OPTED_OUT")
    );
    assert_eq!(server.taken().len(), 1);
    mesh.stop().await;
}

#[tokio::test]
async fn who_is_erased_is_told_and_forgotten() {
    let Some(python) = python() else { return };
    let port = free_port();
    let mut mesh = Mesh::start_with(plain(port)).await;
    prefer(&mesh, 7, "anna@example.org").await;
    let rows = mesh.reader::<Preference>();
    assert!(rows.next().await.1.is_some());
    let reader = mesh.reader::<Delivery>();
    // No server yet: the last message waits, and what is kept of the client goes at once.
    mesh.publish(&decision(7, 1)).await;
    mesh.publish(&change(7, Change::Erased)).await;
    assert!(rows.next().await.1.is_none(), "a tombstone");
    assert_eq!(mesh.get("/v1/preferences/7").await.0, 404);
    mesh.halt().await;
    let server = Server::start(&python, &["--port", &port.to_string()]);
    mesh.restart(plain(port)).await;
    let mut ends = Vec::new();
    for _ in 0..2 {
        let one = delivered(&reader).await;
        ends.push((one.template, one.status, one.reason));
    }
    ends.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(ends[0], ("ERASED".to_owned(), Status::Sent, None));
    assert_eq!(ends[1].0, "LOAN_APPROVED");
    assert_eq!(ends[1].1, Status::Suppressed);
    let taken = server.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0]["to"], json!(["anna@example.org"]));
    // What happens to the client's number later finds no address.
    mesh.publish(&decision(7, 2)).await;
    assert_eq!(
        delivered(&reader).await.reason.as_deref(),
        Some("NO_ADDRESS")
    );
    rows.nothing_more().await;
    mesh.stop().await;
}

#[tokio::test]
async fn the_way_to_the_server_is_encrypted_and_its_certificate_checked() {
    let Some(python) = python() else { return };
    for tls in ["starttls", "smtps"] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().to_str().unwrap();
        let server = Server::start(
            &python,
            &["--tls", tls, "--folder", place, "--login", "mesh:s3cret"],
        );
        let url = |password: &str| match tls {
            "smtps" => format!("smtps://mesh:{password}@127.0.0.1:{}", server.port),
            _ => format!(
                "smtp://mesh:{password}@127.0.0.1:{}?tls=required",
                server.port
            ),
        };
        let authority = Some(folder.path().join("authority.pem"));
        // An authority that nobody knows, then a wrong password: nothing is sent, nothing is lost.
        let mut mesh = Mesh::start_with(settings(url("s3cret"), None)).await;
        prefer(&mesh, 7, "anna@example.org").await;
        let reader = mesh.reader::<Delivery>();
        mesh.publish(&decision(7, 1)).await;
        reader.nothing_more().await;
        assert_eq!(server.taken().len(), 0, "{tls}");
        mesh.restart(settings(url("wrong"), authority.clone()))
            .await;
        server.until(1, Server::refused).await;
        reader.nothing_more().await;
        mesh.restart(settings(url("s3cret"), authority)).await;
        assert_eq!(delivered(&reader).await.status, Status::Sent, "{tls}");
        let taken = server.taken();
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0]["user"], "mesh", "{tls}");
        assert_eq!(taken[0]["encrypted"], tls == "starttls", "{tls}");
        mesh.stop().await;
    }
}
