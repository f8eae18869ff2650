//! A shop that pays orders, and a new version of its handler that pays twice as much.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mesh_core::{Error, Result};
use mesh_runtime::{Context, Domain, Effects, Handler, Replay, Reply, Request};
use mesh_stream::Received;

use super::super::shop::{Order, Orders, Payout, Total};

pub(crate) mod v2 {
    mesh_macros::contract!("tests/it/contracts/payouts_v2/contract.odcs.yaml");
    mesh_macros::contract!("tests/it/contracts/totals_v2/contract.odcs.yaml");
}

pub(super) const ORDERS: u64 = 2_000;
/// For those that are killed again and again: enough to be at work each time.
pub(super) const MANY: u64 = 4_000;
/// The version and the number of each order that somebody was told of.
pub(super) type Told = Arc<Mutex<Vec<(u32, i64)>>>;

fn tell(told: &Told, ctx: &Context, version: u32, order: &Order) {
    assert_eq!(
        u32::from(ctx.in_service()) + u32::from(ctx.replaying()) + u32::from(ctx.superseded()),
        1
    );
    if ctx.in_service() {
        told.lock().unwrap().push((version, order.order_id));
    }
}

/// Pays each order, with the customer's total as a document.
pub(super) struct Pay(pub(super) Told);

#[async_trait]
impl Handler<Order> for Pay {
    async fn handle(&self, event: &Received<Order>, ctx: &Context) -> Result<Effects> {
        let Some(order) = &event.value else {
            return Ok(Effects::new());
        };
        tell(&self.0, ctx, 1, order);
        let before: Option<i64> = ctx.get("total", &order.customer).await?;
        let total = before.unwrap_or(0) + order.amount;
        Ok(Effects::new()
            .put("total", &*order.customer, &total)
            .emit(&Payout {
                order_id: order.order_id,
                customer: order.customer.clone(),
                amount: order.amount,
                total,
            }))
    }
}

/// Pays twice as much.
pub(super) struct PayAnew(pub(super) Told);

#[async_trait]
impl Handler<Order> for PayAnew {
    async fn handle(&self, event: &Received<Order>, ctx: &Context) -> Result<Effects> {
        let Some(order) = &event.value else {
            return Ok(Effects::new());
        };
        match order.wish.as_deref() {
            Some("old product") => return Ok(Effects::new().emit(&old_payout(order))),
            Some("poison") if ctx.replaying() => return Err(Error::invalid("not to be paid")),
            _ => {}
        }
        tell(&self.0, ctx, 2, order);
        // What the domain itself keeps can be looked at, and is not in the way.
        let old: Option<i64> = ctx.unversioned().get("total", &order.customer).await?;
        let before: Option<i64> = ctx.get("total", &order.customer).await?;
        assert!(
            old.is_some() || !ctx.replaying(),
            "the old version was here"
        );
        let amount = order.amount * 2;
        let total = before.unwrap_or(0) + amount;
        Ok(Effects::new()
            .put("total", &*order.customer, &total)
            .emit(&v2::Payout {
                order_id: order.order_id,
                customer: order.customer.clone(),
                amount,
                total,
            }))
    }
}

fn old_payout(order: &Order) -> Payout {
    Payout {
        order_id: order.order_id,
        customer: order.customer.clone(),
        amount: order.amount,
        total: 0,
    }
}

/// [`Pay`] as a Kafka-to-Kafka handler, with the total as a followed product.
struct Through;

#[async_trait]
impl Handler<Order> for Through {
    async fn handle(&self, event: &Received<Order>, ctx: &Context) -> Result<Effects> {
        let Some(order) = &event.value else {
            return Ok(Effects::new());
        };
        let before: Option<Total> = ctx.get_record("total", &order.customer).await?;
        let total = Total {
            customer: order.customer.clone(),
            amount: before.map_or(0, |total| total.amount) + order.amount,
        };
        let payout = Payout {
            total: total.amount,
            ..old_payout(order)
        };
        Ok(Effects::new().emit(&payout).emit(&total))
    }
}

/// [`PayAnew`] as a Kafka-to-Kafka handler.
struct ThroughAnew;

#[async_trait]
impl Handler<Order> for ThroughAnew {
    async fn handle(&self, event: &Received<Order>, ctx: &Context) -> Result<Effects> {
        let Some(order) = &event.value else {
            return Ok(Effects::new());
        };
        let before: Option<v2::Total> = ctx.get_record("total", &order.customer).await?;
        let amount = order.amount * 2;
        let total = v2::Total {
            customer: order.customer.clone(),
            amount: before.map_or(0, |total| total.amount) + amount,
        };
        Ok(Effects::new()
            .emit(&v2::Payout {
                order_id: order.order_id,
                customer: order.customer.clone(),
                amount,
                total: total.amount,
            })
            .emit(&total))
    }
}

async fn total(request: Request, ctx: Context) -> Result<Reply<Total>> {
    let customer = request.param("customer")?;
    let found = ctx.serving("pay")?.get("total", customer).await?;
    let amount = found.ok_or_else(|| Error::not_found("the customer got nothing yet"))?;
    let customer = customer.to_owned();
    Reply::one(&request, Total { customer, amount })
}

fn sourced(domain: Domain, orders: u64) -> Domain {
    match orders {
        0 => domain,
        count => domain.source("orders", Orders { count, batch: 100 }),
    }
}

pub(super) fn outbox_told(orders: u64, told: &Told) -> Domain {
    let domain = Domain::new("shop")
        .product::<Order>()
        .product::<Payout>()
        .product::<Total>()
        .product::<v2::Payout>()
        .handler::<Order, _>("pay", Pay(Arc::clone(told)))
        .replay::<Order>(
            "pay",
            Replay::new(2, PayAnew(Arc::clone(told))).writes::<v2::Payout>(),
        )
        .api(|api| api.get("/v1/totals/{customer}", total));
    sourced(domain, orders)
}

pub(crate) fn outbox(orders: u64) -> Domain {
    outbox_told(orders, &Told::default())
}

pub(crate) fn through(orders: u64) -> Domain {
    let domain = Domain::new("shop")
        .product::<Order>()
        .product::<Payout>()
        .product::<Total>()
        .product::<v2::Payout>()
        .product::<v2::Total>()
        .follow::<Total>("total")
        .follow::<v2::Total>("total")
        .transform::<Order, _>("pay", Through)
        .replay_transform::<Order>(
            "pay",
            Replay::new(2, ThroughAnew)
                .writes::<v2::Payout>()
                .writes::<v2::Total>(),
        );
    sourced(domain, orders)
}
