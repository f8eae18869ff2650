//! The products of the tests, and records of them.

use std::collections::BTreeMap;

use mesh_core::{Record, TimeMicros, TimeMillis, TimestampMicros, TimestampMillis};
use uuid::Uuid;

mod sample {
    mesh_macros::contract!("tests/it/contracts/sample.odcs.yaml");
}
mod reading {
    mesh_macros::contract!("tests/it/contracts/reading.odcs.yaml");
}
pub(crate) use reading::*;
pub(crate) use sample::*;

pub(crate) fn full(id: i64) -> Sample {
    Sample {
        sample_id: id,
        series: "ä/1".into(),
        tube: Uuid::from_u128(7),
        status: SampleStatus::MeasuredTwice,
        count: i32::MIN,
        weight: 1.5,
        ratio: Some(0.25),
        price: "-1234.05".parse().unwrap(),
        ok: true,
        taken_on: "1969-12-31".parse().unwrap(),
        taken_at: TimestampMicros(1_700_000_000_123_456),
        seen_at: Some(TimestampMillis(1_700_000_000_123)),
        note: Some("äöü".into()),
        labels: vec!["a".into(), "b".into()],
        place: Some(SamplePlace {
            street: "Main".into(),
            level: Some(-1),
        }),
        steps: vec![
            SampleSteps {
                kind: SampleStepsKind::Cool,
            },
            SampleSteps {
                kind: SampleStepsKind::Heat,
            },
        ],
        opens_at: TimeMillis(30_600_250),
        closes_at: Some(TimeMicros(86_399_999_999)),
        counts: [("a".to_owned(), 1)].into(),
        sites: Some([("north".to_owned(), Some(site()))].into()),
    }
}

fn site() -> SampleSites {
    SampleSites {
        open: TimeMillis(0),
        grid: vec![vec![Some(1.5), None], vec![]],
        deep: Some(SampleSitesDeep {
            words: [("wä".to_owned(), "ö".to_owned())].into(),
        }),
    }
}

pub(crate) fn sparse(id: i64) -> Sample {
    Sample {
        ratio: None,
        seen_at: None,
        note: None,
        labels: vec![],
        place: None,
        steps: vec![],
        closes_at: None,
        counts: BTreeMap::new(),
        sites: None,
        price: "127.99".parse().unwrap(),
        status: SampleStatus::Taken,
        ..full(id)
    }
}

pub(crate) fn reading(id: i64) -> Reading {
    Reading {
        reading_id: id,
        amount: format!("{}.{:02}", id % 10_000, id % 100).parse().unwrap(),
        kind: if id % 2 == 0 {
            ReadingKind::Credit
        } else {
            ReadingKind::Debit
        },
        note: (id % 3 == 0).then(|| format!("note {id}")),
    }
}

/// The framed bytes of a record under schema `id`.
pub(crate) fn framed<R: Record>(id: u32, record: &R) -> Vec<u8> {
    let mut bytes = Vec::new();
    mesh_stream::put_frame(id, &mut bytes);
    record.encode(&mut bytes);
    bytes
}

/// The contract's value schema, changed by `change`.
pub(crate) fn changed<R: Record>(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut schema = serde_json::from_str(&R::descriptor().value_schema).unwrap();
    change(&mut schema);
    schema.to_string()
}
