//! The real report through the whole domain: counts, sums, the repair afterwards, kills in the middle,
//! a second delivery.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ads::budget::again;
use ads::products::{
    Ad, AdSet, BudgetDecision, Campaign, CampaignDay, Click, Conversion, ConversionKind,
    Impression, Money, Performance, ReportRow, SetAsideRow, SetAsideRowStatus as Status,
};
use ads::settings::REPAIR;
use chrono::NaiveDate;
use mesh_core::TimestampMillis;
use mesh_stream::Received;
use serde_json::Value as Json;

use crate::mesh::{Mesh, settings};
use crate::support::{delivered, report_folder, reported};

/// What the data's own page says of the report.
#[derive(Debug, PartialEq, Eq, Default)]
struct Sums {
    rows: usize,
    shown: i64,
    clicks: i64,
    spent: i128,
    enquiries: i64,
    approved: i64,
}

const WHOLE: Sums = Sums {
    rows: 1143,
    shown: 213_434_828,
    clicks: 38_165,
    spent: 5_870_523,
    enquiries: 3_264,
    approved: 1_079,
};

fn sums_of_file(repaired: bool) -> Sums {
    let repairs = repaired.then(delivered);
    let (rows, _) = reported(repairs.as_ref()).unwrap();
    rows.iter().fold(Sums::default(), |sums, row| Sums {
        rows: sums.rows + 1,
        shown: sums.shown + row.shown,
        clicks: sums.clicks + row.clicks,
        spent: sums.spent + row.spend.unscaled(),
        enquiries: sums.enquiries + row.enquiries,
        approved: sums.approved + row.approved,
    })
}

fn rows_with(expected: &Sums, repaired: bool, test: fn(&ads::form::Reported) -> bool) -> usize {
    let repairs = repaired.then(delivered);
    let (rows, _) = reported(repairs.as_ref()).unwrap();
    assert_eq!(rows.len(), expected.rows);
    rows.iter().filter(|row| test(row)).count()
}

fn values<R: mesh_core::Record>(records: Vec<Received<R>>) -> Vec<R> {
    let ids: BTreeSet<_> = records.iter().map(|one| one.headers.event_id).collect();
    assert_eq!(ids.len(), records.len(), "an event stands there twice");
    records.into_iter().map(|one| one.value.unwrap()).collect()
}

/// What the topics of events hold, which has to be `expected`, one record for each event.
async fn check_events(mesh: &Mesh, expected: &Sums, repaired: bool) {
    let impressions = values(mesh.read::<Impression>(expected.rows).await);
    let clicked = rows_with(expected, repaired, |row| row.clicks > 0);
    let clicks = values(mesh.read::<Click>(clicked).await);
    let enquired = rows_with(expected, repaired, |row| row.enquiries > 0);
    let approved = rows_with(expected, repaired, |row| row.approved > 0);
    let conversions = values(mesh.read::<Conversion>(enquired + approved).await);
    let of = |kind: ConversionKind| -> i64 {
        let some = conversions.iter().filter(|one| one.kind == kind);
        some.map(|one| one.conversions).sum()
    };
    let money = impressions
        .iter()
        .map(|one| one.spend.unscaled())
        .sum::<i128>()
        + clicks.iter().map(|one| one.spend.unscaled()).sum::<i128>();
    let found = Sums {
        rows: impressions.len(),
        shown: impressions.iter().map(|one| one.shown).sum(),
        clicks: clicks.iter().map(|one| one.clicks).sum(),
        spent: money,
        enquiries: of(ConversionKind::Enquiry),
        approved: of(ConversionKind::Approved),
    };
    assert_eq!(found, *expected);
    assert!(impressions.iter().all(|one| one.viewer.is_none()));
}

/// What the state products hold, which has to agree with the events.
async fn check_state(mesh: &Mesh, expected: &Sums) {
    let windows = mesh.latest::<Performance>(expected.rows).await;
    let found = Sums {
        rows: windows.len(),
        shown: windows.iter().map(|one| one.shown).sum(),
        clicks: windows.iter().map(|one| one.clicks).sum(),
        spent: windows.iter().map(|one| one.spend.unscaled()).sum(),
        enquiries: windows.iter().map(|one| one.enquiries).sum(),
        approved: windows.iter().map(|one| one.approved).sum(),
    };
    assert_eq!(found, *expected);
    assert_eq!(mesh.latest::<Ad>(expected.rows).await.len(), expected.rows);
    let sets = mesh.latest::<AdSet>(24).await;
    let sum: i64 = sets.iter().map(|set| set.approved).sum();
    assert_eq!(sum, expected.approved);
}

/// One decision for each campaign and day, made of what the days before brought, within the budgets, and
/// the same when it is made again.
async fn check_decisions(mesh: &Mesh) {
    let (rows, _) = reported(Some(&delivered())).unwrap();
    let decisions = values(mesh.read::<BudgetDecision>(3 * 14).await);
    let keys: BTreeSet<_> = decisions
        .iter()
        .map(|one| (one.campaign_id, one.day))
        .collect();
    assert_eq!(keys.len(), decisions.len());
    let plans: BTreeMap<i64, Campaign> = mesh
        .latest::<Campaign>(3)
        .await
        .into_iter()
        .map(|plan| (plan.campaign_id, plan))
        .collect();
    let mut allotted: BTreeMap<i64, Money> = BTreeMap::new();
    for decision in &decisions {
        assert_eq!(again(decision).unwrap(), *decision);
        let plan = &plans[&decision.campaign_id];
        assert!(decision.amount <= plan.day_budget);
        let sum = allotted.entry(decision.campaign_id).or_default();
        *sum = sum.checked_add(decision.amount).unwrap();
        for one in &decision.allotments {
            let known = rows.iter().filter(|row| {
                row.campaign_id == decision.campaign_id
                    && row.day < decision.day
                    && row.ad_set() == one.ad_set
            });
            let (mut shown, mut approved) = (0, 0);
            for row in known {
                shown += row.shown;
                approved += row.approved;
            }
            let of = (decision.campaign_id, decision.day, &one.ad_set);
            assert_eq!((one.shown, one.approved), (shown, approved), "{of:?}");
        }
    }
    for (campaign, sum) in allotted {
        assert!(
            sum > Money::ZERO && sum <= plans[&campaign].budget,
            "{campaign}"
        );
    }
    let days = mesh.latest::<CampaignDay>(3 * 14).await;
    let spent: i128 = days.iter().map(|day| day.spent.unscaled()).sum();
    assert_eq!(spent, WHOLE.spent);
}

fn set_aside(status: &Json) -> u64 {
    let handlers = status["handlers"].as_array().unwrap();
    let aside = handlers
        .iter()
        .map(|one| one["set_aside"].as_u64().unwrap());
    aside.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_have_slid_are_set_aside_and_repaired_later_once() {
    let Some(folder) = report_folder() else {
        return;
    };
    let mut mesh = Mesh::platform().await;
    mesh.run(settings(&[]), Some(&folder)).await;
    // What the host itself sets aside are surprises, and there are none.
    assert_eq!(set_aside(&mesh.until_read().await), 0);
    let rows = values(mesh.read::<ReportRow>(1143).await);
    assert!(rows.iter().all(|row| row.surplus.is_empty()));
    let aside = values(mesh.read::<SetAsideRow>(382).await);
    assert!(aside.iter().all(|row| row.status == Status::SetAside
        && row.field == "campaign_id"
        && row.line >= 763
        && row.cause == "the field is not a whole number from 1 on"));
    let through = sums_of_file(false);
    assert_eq!(through.rows, 761);
    check_events(&mesh, &through, false).await;
    mesh.halt().await;

    mesh.run(settings(&[(REPAIR, "on")]), Some(&folder)).await;
    let status = mesh.until_read().await;
    assert_eq!(set_aside(&status), 0);
    let again = status["handlers"].as_array().unwrap();
    assert!(
        again.iter().any(|one| one["name"] == "repair_1"),
        "{status:#}"
    );
    check_events(&mesh, &WHOLE, true).await;
    check_state(&mesh, &WHOLE).await;
    let aside = mesh.latest::<SetAsideRow>(382).await;
    assert!(aside.iter().all(|row| row.status == Status::Repaired
        && row.repair.as_deref() == Some("two_columns_lost")
        && row.repair_revision == Some(1)));
    // Once more, with nothing left to do.
    mesh.halt().await;
    mesh.run(settings(&[(REPAIR, "on")]), Some(&folder)).await;
    mesh.until_read().await;
    check_events(&mesh, &WHOLE, true).await;
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_again_and_again_is_exact() {
    let Some(folder) = report_folder() else {
        return;
    };
    let mut mesh = Mesh::platform().await;
    let on = [(REPAIR, "on")];
    for failpoint in [
        "outbox.committed@ads.report_rows.v1#2",
        "relay.committed@ads.budget_decisions.v1#3",
        "handler.before_commit@ads.report_rows.v1#100",
        "inbox.committed@ads.report_rows.v1#100",
        "relay.sent@ads.impressions.v1#50",
    ] {
        mesh.run_until_killed(&folder, &on, failpoint).await;
    }
    mesh.run(settings(&on), Some(&folder)).await;
    let status = mesh.until_read().await;
    assert_eq!(set_aside(&status), 0);
    check_events(&mesh, &WHOLE, true).await;
    check_state(&mesh, &WHOLE).await;
    check_decisions(&mesh).await;
    mesh.latest::<SetAsideRow>(382).await;

    // A row of the API as well, and a decision that comes out again there.
    let path = "/v1/campaigns/1178/budget_decisions/2017-08-25";
    let (status, kept) = mesh.get(path).await;
    assert_eq!(status, 200, "{kept:#}");
    let (status, made) = mesh.get(&format!("{path}/again")).await;
    assert_eq!((status, &made), (200, &kept));
    let (status, windows) = mesh.get("/v1/performance/708746").await;
    assert_eq!(status, 200);
    assert_eq!(windows["items"][0]["shown"], 7350);
    assert_eq!(windows["items"][0]["spend"], "1.43");

    second_delivery(&mesh).await;
    store_is_lost(&mut mesh, &folder).await;
    mesh.stop().await;
}

/// The same rows again under new event ids, and one with other figures, count nothing.
async fn second_delivery(mesh: &Mesh) {
    let rows = values(mesh.read::<ReportRow>(1143).await);
    let mut again: Vec<ReportRow> = rows.iter().take(40).cloned().collect();
    let slid = rows
        .iter()
        .filter(|row| row.approved_conversion.as_deref() == Some(""));
    again.extend(slid.take(40).cloned());
    let mut other = rows[7].clone();
    other.row_id = mesh_core::EventId::new().0;
    other.impressions = Some("99999999".to_owned());
    let other_id = other.row_id;
    again.push(other);
    let slid_as_mended = mended(&rows);
    again.push(slid_as_mended);
    mesh.publish(&again).await;
    let all = (1143 + again.len()) as u64;
    mesh.until("the rows are judged", |status| {
        let handlers = status["handlers"].as_array().unwrap();
        let judge = handlers.iter().find(|one| one["name"] == "judge").unwrap();
        let done = judge["handled"].as_u64().unwrap() + judge["duplicates"].as_u64().unwrap();
        done >= all && status["outbox_pending"] == 0
    })
    .await;
    check_events(mesh, &WHOLE, true).await;
    check_state(mesh, &WHOLE).await;
    let aside = mesh.latest::<SetAsideRow>(383).await;
    let one = aside.iter().find(|row| row.row_id == other_id).unwrap();
    assert_eq!(
        (one.status.as_str(), one.field.as_str()),
        ("SET_ASIDE", "reporting_start")
    );
}

/// A row that had slid, as its publisher mends it: with both numbers and all in place.
fn mended(rows: &[ReportRow]) -> ReportRow {
    let slid = rows
        .iter()
        .find(|row| row.approved_conversion.as_deref() == Some(""));
    let slid = slid.unwrap().clone();
    ReportRow {
        row_id: mesh_core::EventId::new().0,
        campaign_id: Some("1178".to_owned()),
        fb_campaign_id: Some("144622".to_owned()),
        age: slid.campaign_id,
        gender: slid.fb_campaign_id,
        interest1: slid.age,
        interest2: slid.gender,
        interest3: slid.interest1,
        impressions: slid.interest2,
        clicks: slid.interest3,
        spent: slid.impressions,
        total_conversion: slid.clicks,
        approved_conversion: slid.spent,
        read_at: TimestampMillis::now(),
        ..slid
    }
}

/// A domain whose store is lost reads its state back from the topics and its report again, and counts
/// nothing a second time.
async fn store_is_lost(mesh: &mut Mesh, folder: &Path) {
    let before = mesh.read_all::<BudgetDecision>(42).await.len();
    mesh.halt().await;
    mesh.lose_store();
    mesh.run(settings(&[(REPAIR, "on")]), Some(folder)).await;
    mesh.until_read().await;
    check_state(mesh, &WHOLE).await;
    assert_eq!(mesh.read_all::<BudgetDecision>(before).await.len(), before);
    mesh.read::<Impression>(1143).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_changes_in_the_middle_is_refused_until_it_is_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data.csv");
    let mut text = ads::form::COLUMNS.join(",");
    for ad in 1..=700 {
        text +=
            &format!("\r\n{ad},17/08/2017,17/08/2017,916,103916,30-34,M,15,16,17,7350,1,1.43,2,1");
    }
    std::fs::write(&file, &text).unwrap();
    let mut mesh = Mesh::platform().await;
    let failpoint = "outbox.committed@ads.report_rows.v1#1";
    mesh.run_until_killed(folder.path(), &[], failpoint).await;
    let before = text.replacen("\r\n1,17/08/2017", "\r\n1,16/08/2017", 1);
    std::fs::write(&file, before).unwrap();
    mesh.run(settings(&[]), Some(folder.path())).await;
    mesh.until("the change is told", |status| {
        let error = status["sources"][0]["error"].as_str();
        error.is_some_and(|error| error.contains("changed"))
    })
    .await;
    std::fs::write(&file, &text).unwrap();
    mesh.until_read().await;
    mesh.latest::<Performance>(700).await;
    values(mesh.read::<ReportRow>(700).await);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_another_form_is_refused_and_read_once_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let mut mesh = Mesh::platform().await;
    let error = |status: &Json| status["sources"][0]["error"].as_str().map(str::to_owned);
    mesh.run(settings(&[]), Some(folder.path())).await;
    let status = mesh
        .until("no file", |status| error(status).is_some())
        .await;
    assert!(error(&status).unwrap().contains("data.csv"), "{status:#}");
    let header = ads::form::COLUMNS.join(",");
    let file = folder.path().join("data.csv");
    std::fs::write(&file, "ad;bogus\n1;2\n").unwrap();
    let status = mesh
        .until("another header", |status| {
            error(status).is_some_and(|error| error.contains("header"))
        })
        .await;
    assert!(error(&status).unwrap().contains("field"), "{status:#}");
    // When it is mended the source goes on by itself; a row too short and one without a day stay aside.
    let row = "7,17/08/2017,17/08/2017,916,103916,30-34,M,15,16,17,7350,1,1.43,2,1";
    let dayless = row.replacen("17/08/2017", "bogus", 1);
    std::fs::write(
        &file,
        format!("{header}\n{row}\n8,17/08/2017\n{dayless}\n{row},1\n"),
    )
    .unwrap();
    mesh.until_read().await;
    let mut aside: Vec<(i64, String)> = values(mesh.read::<SetAsideRow>(3).await)
        .into_iter()
        .map(|row| (row.line, row.field))
        .collect();
    aside.sort();
    let expected = [(3, "reporting_end"), (4, "reporting_start"), (5, "surplus")];
    assert_eq!(
        aside,
        expected.map(|(line, field)| (line, field.to_owned()))
    );
    let windows = mesh.latest::<Performance>(1).await;
    assert_eq!(
        windows[0].day,
        NaiveDate::from_ymd_opt(2017, 8, 17).unwrap()
    );
    mesh.stop().await;
}
