//! The process itself, killed again and again while it sends.

use std::collections::{HashMap, HashSet};
use std::process::{Child, Command, Stdio};

use mesh_core::EventId;
use notification::products::{Delivery, DeliveryStatus as Status};
use serde_json::json;

use crate::events::{decision, delivered};
use crate::mesh::Mesh;
use crate::smtp::{Server, plain, python};

const MESSAGES: i64 = 60;
const KILLS: usize = 6;
/// What the process sends at once, at most.
const AT_ONCE: usize = 16;

/// The domain's own program on the store of `mesh`.
fn process(mesh: &Mesh, server: &Server) -> Child {
    Command::new(env!("CARGO_BIN_EXE_notification"))
        .args(mesh.arguments())
        .env("MESH_SMTP_URL", format!("smtp://127.0.0.1:{}", server.port))
        .env("MESH_SMTP_FROM", "no-reply@bank.example")
        .env("MESH_SMTP_RETRY_SECONDS", "1")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_sends_loses_nothing_and_repeats_only_what_was_under_way()
{
    let Some(python) = python() else { return };
    let server = Server::start(&python, &[]);
    let mut mesh = Mesh::start_with(plain(server.port)).await;
    for client_id in 1..=MESSAGES {
        // Each mailbox takes its own time, so that a kill finds some messages of a batch taken and
        // others under way.
        let millis = 50 + 60 * (client_id % 8);
        let email = format!("slow-{millis}.client{client_id}@example.org");
        let choice = json!({ "client_id": client_id, "channel": "EMAIL", "email": email });
        assert_eq!(mesh.post("/v1/preferences", &choice).await.0, 200);
    }
    mesh.halt().await;
    let events: Vec<_> = (1..=MESSAGES)
        .map(|client_id| (EventId::new(), decision(client_id, client_id)))
        .collect();
    mesh.publish_all(&events).await;
    let reader = mesh.reader::<Delivery>();

    let mut sent_before_a_kill = 0;
    for _ in 0..KILLS {
        let mut child = process(&mesh, &server);
        // Each life sends a few more messages, and is cut off while others are under way.
        let wanted = (server.taken().len() + 3).min(MESSAGES as usize);
        server.until(wanted, Server::taken).await;
        child.kill().unwrap();
        child.wait().unwrap();
        sent_before_a_kill = server.taken().len();
    }
    assert!(sent_before_a_kill > 0);
    let mut child = process(&mesh, &server);
    let mut clients = HashSet::new();
    for _ in 0..MESSAGES {
        let one = delivered(&reader).await;
        assert_eq!(one.status, Status::Sent);
        assert!(clients.insert(one.client_id), "told twice of one event");
    }
    reader.nothing_more().await;
    child.kill().unwrap();
    child.wait().unwrap();

    // Every message arrived, and what arrived again was the same message.
    let mut messages: HashMap<String, Vec<serde_json::Value>> = HashMap::new();
    for message in server.taken() {
        let id = message["message_id"].as_str().unwrap().to_owned();
        messages.entry(id).or_default().push(message);
    }
    assert_eq!(messages.len(), MESSAGES as usize);
    let repeated: usize = messages.values().map(|same| same.len() - 1).sum();
    println!("{repeated} messages were sent again after {KILLS} kills");
    assert!(repeated <= KILLS * AT_ONCE, "{repeated}");
    for same in messages.values() {
        assert!(same.iter().all(|one| *one == same[0]), "{same:?}");
    }
    mesh.stop().await;
}
