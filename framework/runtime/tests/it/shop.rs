//! A small domain that does everything a domain can do.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mesh_core::{Error, Result};
use mesh_runtime::{Context, Domain, Effects, Handler, Reply, Request, Source, SourceBatch};
use mesh_stream::Received;
use serde::Deserialize;

mesh_macros::contract!("tests/it/contracts/orders/contract.odcs.yaml");
mesh_macros::contract!("tests/it/contracts/payouts/contract.odcs.yaml");
mesh_macros::contract!("tests/it/contracts/totals/contract.odcs.yaml");

/// The orders of the source: `count` of them by seven customers.
pub(crate) struct Orders {
    pub(crate) count: u64,
    pub(crate) batch: u64,
}

pub(crate) fn order(order_id: i64) -> Order {
    Order {
        order_id,
        customer: format!("c{}", order_id % 7),
        amount: order_id % 100 + 1,
        wish: None,
    }
}

#[async_trait]
impl Source for Orders {
    async fn next(&self, dir: &Path, position: u64, _: &Context) -> Result<SourceBatch> {
        assert!(dir.is_dir());
        let end = (position + self.batch).min(self.count);
        let mut effects = Effects::new();
        for id in position..end {
            let order = order(id as i64);
            effects.add_put_record("order", id.to_string(), &order);
            effects.add_emit(&order);
        }
        Ok(match end == self.count {
            true => SourceBatch::last(effects, end).with_note("all read"),
            false => SourceBatch::more(effects, end).of_total(self.count),
        })
    }
}

/// Pays every order once and keeps what each customer got.
#[derive(Default)]
pub(crate) struct Pay {
    /// How often each order with a wish was tried.
    pub(crate) tried: Arc<Mutex<HashMap<i64, u32>>>,
}

#[async_trait]
impl Handler<Order> for Pay {
    async fn handle(&self, event: &Received<Order>, ctx: &Context) -> Result<Effects> {
        let Some(order) = &event.value else {
            return Ok(Effects::new());
        };
        let tried = {
            let mut all = self.tried.lock().unwrap();
            let tried = all.entry(order.order_id).or_default();
            *tried += 1;
            *tried
        };
        match order.wish.as_deref() {
            Some("poison") => {
                return Err(
                    Error::invalid("the order cannot be paid").with("order", order.order_id)
                );
            }
            Some("panic") => panic!("as was wished"),
            Some("later") if tried < 4 => return Err(Error::unavailable("not yet")),
            Some("too much") => {
                let total = 0;
                return Ok(Effects::new().emit(&Payout {
                    order_id: order.order_id,
                    customer: order.customer.clone(),
                    amount: 1_000_001,
                    total,
                }));
            }
            _ => {}
        }
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

/// Adds up what each customer has ordered, as a state product that is kept.
struct AddUp;

#[async_trait]
impl Handler<Order> for AddUp {
    async fn handle(&self, event: &Received<Order>, ctx: &Context) -> Result<Effects> {
        let Some(order) = &event.value else {
            return Ok(Effects::new());
        };
        let before: Option<Total> = ctx.get_record("total", &order.customer).await?;
        let total = Total {
            customer: order.customer.clone(),
            amount: before.map_or(0, |total| total.amount) + order.amount,
        };
        Ok(Effects::new()
            .put_record("total", &*order.customer, &total)
            .emit(&total))
    }
}

pub(crate) fn domain_of_totals() -> Domain {
    Domain::new("shop")
        .product::<Order>()
        .product::<Total>()
        .keep::<Total>("total")
        .handler::<Order, _>("add_up", AddUp)
}

/// Counts payouts.
pub(crate) struct Tally;

#[async_trait]
impl Handler<Payout> for Tally {
    async fn handle(&self, event: &Received<Payout>, ctx: &Context) -> Result<Effects> {
        let id = event.key.order_id.to_string();
        let seen: Option<u32> = ctx.get("seen", &id).await?;
        Ok(Effects::new().put("seen", id, &(seen.unwrap_or(0) + 1)))
    }
}

async fn total(request: Request, ctx: Context) -> Result<Reply<Payout>> {
    let customer = request.param("customer")?;
    let total = ctx
        .get("total", customer)
        .await?
        .ok_or_else(|| Error::not_found("the customer got nothing yet"))?;
    Reply::one(&request, payout(customer, total))
}

async fn totals(request: Request, ctx: Context) -> Result<Reply<Payout>> {
    let prefix = request.query("prefix").unwrap_or_default();
    let found: Vec<(String, i64)> = ctx.scan("total", prefix).await?;
    let all = found
        .iter()
        .map(|(customer, total)| payout(customer, *total));
    Reply::many(&request, all.collect())
}

async fn order_by_id(request: Request, ctx: Context) -> Result<Reply<Order>> {
    let id: i64 = request.parse("order_id")?;
    let order = ctx
        .get_record("order", &id.to_string())
        .await?
        .ok_or_else(|| Error::not_found("there is no such order"))?;
    Reply::one(&request, order)
}

#[derive(Deserialize)]
struct Gift {
    gift_id: i64,
    customer: String,
    amount: i64,
}

/// Adds to a customer's total, once for each gift.
async fn gift(request: Request, ctx: Context) -> Result<Reply<Payout>> {
    let gift: Gift = request.json()?;
    let before: Option<i64> = ctx.get("total", &gift.customer).await?;
    // Long enough for another request to come between reading and writing.
    tokio::time::sleep(Duration::from_millis(5)).await;
    let total = before.unwrap_or(0) + gift.amount;
    let payout = Payout {
        order_id: gift.gift_id,
        customer: gift.customer.clone(),
        amount: gift.amount,
        total,
    };
    let effects = Effects::new()
        .put("total", gift.customer, &total)
        .emit(&payout);
    Reply::commit(&request, gift.gift_id.to_string(), payout, effects)
}

/// What is counted twice, and whether an own write is seen.
async fn probe(request: Request, ctx: Context) -> Result<Reply<Payout>> {
    let orders = ctx.count("order").await?;
    let seen: Vec<(String, u32)> = ctx.scan("seen", "").await?;
    assert!(seen.iter().all(|(_, times)| *times == 1));
    let mut probe = payout(&request.trace().to_string(), orders as i64);
    probe.amount = seen.len() as i64;
    Reply::one(&request, probe)
}

async fn slow(_: Request, _: Context) -> Result<Reply<Payout>> {
    std::future::pending().await
}

async fn broken(request: Request, _: Context) -> Result<Reply<Payout>> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    CALLS.fetch_add(1, Ordering::Relaxed);
    assert!(request.query("sound").is_some(), "as was wished");
    Reply::one(&request, payout("x", 1))
}

async fn ask(request: Request, ctx: Context) -> Result<Reply<Order>> {
    let peer = ctx.peer(request.param("domain")?, "payment")?;
    let order = peer
        .get_record(&format!("/v1/orders/{}", request.param("order_id")?))
        .await?;
    Reply::one(&request, order)
}

fn payout(customer: &str, total: i64) -> Payout {
    Payout {
        order_id: 0,
        customer: customer.to_owned(),
        amount: 0,
        total,
    }
}

pub(crate) fn domain(orders: u64, batch: u64) -> Domain {
    domain_with(orders, batch, Pay::default())
}

pub(crate) fn domain_with(count: u64, batch: u64, pay: Pay) -> Domain {
    let domain = Domain::new("shop")
        .product::<Order>()
        .product::<Payout>()
        .handler::<Order, _>("pay", pay)
        .handler::<Payout, _>("tally", Tally)
        .api(|api| {
            api.get("/v1/totals/{customer}", total)
                .get("/v1/totals", totals)
                .get("/v1/orders/{order_id}", order_by_id)
                .get("/v1/probe", probe)
                .get("/v1/slow", slow)
                .get("/v1/broken", broken)
                .get("/v1/ask/{domain}/{order_id}", ask)
                .post("/v1/gifts", gift)
        });
    match count {
        0 => domain,
        _ => domain.source("orders", Orders { count, batch }),
    }
}

/// What each customer should get for the first `count` orders.
pub(crate) fn expected(count: u64) -> BTreeMap<String, i64> {
    let mut totals = BTreeMap::new();
    for id in 0..count {
        let order = order(id as i64);
        *totals.entry(order.customer).or_default() += order.amount;
    }
    totals
}

/// Checks payouts read from the topic: each order once, and each customer's totals without
/// a gap.
pub(crate) fn check_payouts(payouts: &[Payout], orders: u64) {
    let mut ids: Vec<i64> = payouts.iter().map(|payout| payout.order_id).collect();
    ids.sort_unstable();
    let all: Vec<i64> = (0..orders as i64).collect();
    assert_eq!(ids, all, "each order is paid once");
    let mut chains: BTreeMap<&str, Vec<(i64, i64)>> = BTreeMap::new();
    for payout in payouts {
        chains
            .entry(&payout.customer)
            .or_default()
            .push((payout.total, payout.amount));
    }
    let totals = expected(orders);
    assert_eq!(chains.len(), totals.len());
    for (customer, mut chain) in chains {
        chain.sort_unstable();
        let mut before = 0;
        for (total, amount) in &chain {
            assert_eq!(
                before + amount,
                *total,
                "no payout of {customer} was lost or doubled"
            );
            before = *total;
        }
        assert_eq!(before, totals[customer]);
    }
}
