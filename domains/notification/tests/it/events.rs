//! From events to deliveries, without a mail server.

use std::time::Duration;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use mesh_core::EventId;
use notification::products::inputs::{
    ClientChange, ClientChangeKind as Change, LoanDecision, LoanDecisionOutcome as Outcome,
    PaymentStep, PaymentStepKind, PaymentStepStatus as Step,
};
use notification::products::{Delivery, DeliveryChannel as Channel, DeliveryStatus as Status};
use notification::settings::Settings;
use serde_json::json;
use uuid::Uuid;

use crate::mesh::{Mesh, Reader};

pub(crate) fn decision(client_id: i64, application_id: i64) -> LoanDecision {
    LoanDecision {
        application_id,
        client_id,
        outcome: Outcome::Approved,
    }
}

pub(crate) fn change(client_id: i64, kind: Change) -> ClientChange {
    ClientChange {
        change_id: Uuid::new_v4(),
        client_id,
        kind,
    }
}

pub(crate) async fn delivered(reader: &Reader<Delivery>) -> Delivery {
    reader.next().await.1.unwrap()
}

#[tokio::test]
async fn each_event_makes_one_delivery_however_often_it_comes() {
    let mesh = Mesh::start().await;
    let reader = mesh.reader::<Delivery>();
    let id = EventId::new();
    mesh.publish_as(id, &decision(7, 1)).await;
    let first = delivered(&reader).await;
    assert_eq!(
        (first.client_id, first.template.as_str()),
        (7, "LOAN_APPROVED")
    );
    assert_eq!(
        (first.cause_event_id, first.cause_topic.as_str()),
        (id.0, "loan.decisions.v1")
    );
    assert_eq!(
        (first.channel, first.status),
        (Some(Channel::Log), Status::Sent)
    );
    assert_eq!((first.attempts, first.reason), (1, None));
    assert!(first.finished_at >= first.requested_at);

    // The same event once more, then another one of the same client in the same partition.
    mesh.publish_as(id, &decision(7, 1)).await;
    let other = EventId::new();
    mesh.publish_as(other, &decision(7, 1)).await;
    assert_eq!(delivered(&reader).await.cause_event_id, other.0);
    // Each handler has an inbox of its own, which forgets; the domain does not.
    mesh.publish_as(id, &change(7, Change::AddressChanged))
        .await;
    reader.nothing_more().await;
    mesh.stop().await;
}

#[tokio::test]
async fn what_the_client_does_not_want_is_held_back_with_the_reason() {
    let mut mesh = Mesh::start().await;
    let mute = json!({ "client_id": 7, "channel": "LOG", "muted_subjects": ["LOANS"] });
    assert_eq!(mesh.post("/v1/preferences", &mute).await.0, 200);
    let none = json!({ "client_id": 8, "channel": "NONE" });
    assert_eq!(mesh.post("/v1/preferences", &none).await.0, 200);
    let reader = mesh.reader::<Delivery>();
    let mut expect = Vec::new();
    for (client_id, reason) in [(7, "MUTED"), (8, "OPTED_OUT")] {
        mesh.publish(&decision(client_id, client_id)).await;
        let held = delivered(&reader).await;
        assert_eq!(
            (held.client_id, held.status),
            (client_id, Status::Suppressed)
        );
        assert_eq!((held.channel, held.attempts), (None, 0));
        expect.push((held.reason.unwrap(), reason));
    }
    for (reason, expected) in expect {
        assert_eq!(reason, expected);
    }
    // What the law asks for is told nevertheless.
    mesh.publish(&change(8, Change::ErasureRefused)).await;
    let told = delivered(&reader).await;
    assert_eq!(
        (told.template.as_str(), told.status),
        ("ERASURE_REFUSED", Status::Sent)
    );

    // Old news, read late.
    let settings = Settings {
        oldest: Duration::ZERO,
        ..Settings::read(|_| None).unwrap()
    };
    mesh.halt().await;
    mesh.publish(&decision(9, 9)).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    mesh.restart(settings).await;
    let stale = delivered(&reader).await;
    assert_eq!(
        (stale.client_id, stale.reason.as_deref()),
        (9, Some("STALE"))
    );
    mesh.stop().await;
}

#[tokio::test]
async fn who_waits_for_a_payment_is_told_of_its_end() {
    let mut mesh = Mesh::start().await;
    let reader = mesh.reader::<Delivery>();
    let step = |status, kind, account_id, from_account| PaymentStep {
        payment_id: Uuid::new_v4(),
        account_id,
        status,
        kind,
        from_account,
    };
    // The domain that knows the owners is not there yet: the events wait for it.
    let completed = step(Step::Completed, None, 21, None);
    mesh.publish(&completed).await;
    let accounts = Router::new().route(
        "/v1/accounts/{account_id}",
        get(async |Path(account_id): Path<i64>| match account_id {
            404 => (
                StatusCode::NOT_FOUND,
                Json(json!({ "type": "urn:mesh:problem:not-found", "title": "no such account", "status": 404 })),
            )
                .into_response(),
            _ => Json(json!({ "account_id": account_id, "owner_client_id": account_id * 10 }))
                .into_response(),
        }),
    );
    mesh.stand_in("transaction", accounts).await;
    let told = delivered(&reader).await;
    assert_eq!(
        (told.client_id, told.template.as_str()),
        (210, "PAYMENT_COMPLETED")
    );

    let transfer = Some(PaymentStepKind::Transfer);
    for (payment, client_id) in [
        // Steps in between tell nobody.
        (step(Step::Initiated, None, 22, None), None),
        (step(Step::BalanceVerified, transfer, 22, Some(23)), None),
        (step(Step::Rejected, transfer, 404, Some(23)), Some(230)),
        (step(Step::Rejected, None, 404, None), None),
        (
            step(
                Step::Completed,
                Some(PaymentStepKind::Payout),
                24,
                Some(9_000_000_001),
            ),
            Some(240),
        ),
    ] {
        mesh.publish(&payment).await;
        if let Some(client_id) = client_id {
            assert_eq!(delivered(&reader).await.client_id, client_id);
        }
    }
    reader.nothing_more().await;
    let status = mesh.get("/status").await.1;
    for handler in status["handlers"].as_array().unwrap() {
        assert_eq!(handler["set_aside"], 0, "{handler}");
    }
    mesh.stop().await;
}
