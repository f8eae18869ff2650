use std::time::Instant;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Decimal128Type, Int32Type, Int64Type};
use mesh_core::{ErrorKind, Record};
use mesh_stream::batch::{ArrowDecoder, Decoded, MessageRef};
use mesh_stream::{Registered, RegistryClient, register_product};

use crate::platform::Platform;
use crate::records::{Reading, Sample, changed, framed, full, reading, sparse};

fn messages(values: &[Option<Vec<u8>>]) -> Vec<MessageRef<'_>> {
    values
        .iter()
        .enumerate()
        .map(|(index, value)| MessageRef {
            partition: 0,
            offset: 1_000 + index as i64,
            timestamp: 0,
            key: None,
            value: value.as_deref(),
        })
        .collect()
}

struct Lab {
    registry: RegistryClient,
    ids: Registered,
    decoder: ArrowDecoder,
    _folder: tempfile::TempDir,
}

async fn lab() -> Lab {
    let (registry, folder) = Platform::registry_only().await;
    let ids = register_product(&registry, Reading::descriptor())
        .await
        .unwrap();
    Lab {
        decoder: decoder(&registry, None),
        registry,
        ids,
        _folder: folder,
    }
}

fn decoder(registry: &RegistryClient, projection: Option<Vec<usize>>) -> ArrowDecoder {
    ArrowDecoder::new(registry.clone(), Reading::descriptor().into(), projection).unwrap()
}

fn ids(decoded: &Decoded) -> Vec<i64> {
    decoded.batch["reading_id"]
        .as_primitive::<Int64Type>()
        .values()
        .to_vec()
}

/// The reading, written by a newer version of the product with one more column in front.
fn newer(id: u32, record: &Reading) -> Vec<u8> {
    let mut bytes = Vec::new();
    mesh_stream::put_frame(id, &mut bytes);
    bytes.extend_from_slice(&[4, b'h', b'i']);
    record.encode(&mut bytes);
    bytes
}

async fn register_newer(registry: &RegistryClient) -> u32 {
    let schema = changed::<Reading>(|schema| {
        let source = serde_json::json!({"name": "source", "type": "string"});
        schema["fields"].as_array_mut().unwrap().insert(0, source);
    });
    registry
        .register("lab.newer.v1-value", &schema)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_becomes_the_contract_s_arrow() {
    let (registry, _folder) = Platform::registry_only().await;
    let descriptor = Sample::descriptor();
    let ids = register_product(&registry, descriptor).await.unwrap();
    let values = [
        Some(framed(ids.value_id, &full(1))),
        None,
        Some(framed(ids.value_id, &sparse(2))),
    ];
    let mut decoder = ArrowDecoder::new(registry.clone(), descriptor.into(), None).unwrap();
    let decoded = decoder.decode(&messages(&values)).await.unwrap();
    assert_eq!(decoded.batch.schema(), descriptor.arrow);
    assert_eq!((decoded.rows, decoded.tombstones), (vec![0, 2], vec![1]));
    let batch = &decoded.batch;
    assert_eq!(
        batch["price"].as_primitive::<Decimal128Type>().values(),
        &[-123_405, 12_799]
    );
    let place = batch["place"].as_struct();
    assert!(place.is_null(1));
    assert_eq!(place["street"].as_string::<i32>().value(0), "Main");
    let steps = batch["steps"].as_list::<i32>();
    assert_eq!((steps.value_length(0), steps.value_length(1)), (2, 0));
    let kinds = steps.value(0);
    let kinds = kinds.as_struct()["kind"]
        .as_dictionary::<Int32Type>()
        .clone();
    assert_eq!(
        kinds
            .values()
            .as_string::<i32>()
            .value(kinds.key(0).unwrap()),
        "COOL"
    );
    let counts = batch["counts"].as_map();
    assert_eq!((counts.value_length(0), counts.value_length(1)), (1, 0));
    assert!(batch["sites"].is_null(1) && batch["closes_at"].is_null(1));

    // A projection is the same columns, in its order.
    let mut some =
        ArrowDecoder::new(registry, descriptor.into(), Some(vec![19, 14, 0, 7])).unwrap();
    let narrow = some.decode(&messages(&values)).await.unwrap();
    assert_eq!(narrow.batch, batch.project(&[19, 14, 0, 7]).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_that_alternate_keep_the_order_and_cost_little() {
    let mut lab = lab().await;
    let newer_id = register_newer(&lab.registry).await;
    let values: Vec<_> = (0..20_000)
        .map(|n| {
            Some(match n % 2 {
                0 => framed(lab.ids.value_id, &reading(n)),
                _ => newer(newer_id, &reading(n)),
            })
        })
        .collect();
    let messages = messages(&values);
    let begin = Instant::now();
    let decoded = lab.decoder.decode(&messages).await.unwrap();
    let took = begin.elapsed();
    assert_eq!(ids(&decoded), (0..20_000).collect::<Vec<_>>());
    assert_eq!(decoded.rows, (0..20_000).collect::<Vec<_>>());
    // 6,000 rows/s is what one decoder that switches gives: over three seconds.
    assert!(took.as_millis() < 1_000, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_costs_its_neighbours_nothing() {
    let mut lab = lab().await;
    let other = changed::<Reading>(|schema| {
        schema["fields"][2]["type"]["symbols"] = serde_json::json!(["CREDIT", "DEBIT", "GIFT"]);
    });
    let gift = lab
        .registry
        .register("lab.gift.v1-value", &other)
        .await
        .unwrap();
    let scaled = changed::<Reading>(|schema| schema["fields"][1]["type"]["scale"] = 4.into());
    let scaled = lab
        .registry
        .register("lab.scaled.v1-value", &scaled)
        .await
        .unwrap();
    let good = |n| framed(lab.ids.value_id, &reading(n));
    // Sound in structure, and of a symbol that the reader does not know.
    let unknown_symbol = |n: i64| {
        let mut bytes = framed(
            gift,
            &Reading {
                kind: crate::records::ReadingKind::Credit,
                note: None,
                ..reading(n)
            },
        );
        let at = bytes.len() - 2;
        bytes[at] = 4;
        bytes
    };
    let mut union = framed(lab.ids.value_id, &reading(4));
    *union.last_mut().unwrap() = 6;
    let mut text = framed(lab.ids.value_id, &reading(3));
    *text.last_mut().unwrap() = 0xff;
    let mut trailing = good(5);
    trailing.push(7);
    let values: Vec<_> = [
        good(0),
        union,
        good(1),
        text,
        framed(gift, &reading(2)),
        unknown_symbol(9),
        framed(gift, &reading(3)),
        trailing,
        b"no frame".to_vec(),
        framed(12_345, &reading(1)),
        framed(scaled, &reading(1)),
        good(6)[..8].to_vec(),
        good(7),
    ]
    .into_iter()
    .map(Some)
    .collect();
    for _ in 0..3 {
        let decoded = lab.decoder.decode(&messages(&values)).await.unwrap();
        assert_eq!(ids(&decoded), [0, 1, 2, 3, 7]);
        assert_eq!(decoded.rows, [0, 2, 4, 6, 12]);
        let bad: Vec<_> = decoded
            .bad
            .iter()
            .map(|bad| (bad.index, bad.cause.kind()))
            .collect();
        let corrupt = ErrorKind::Corrupt;
        assert_eq!(
            bad,
            [
                (1, corrupt),
                (3, corrupt),
                (5, corrupt),
                (7, corrupt),
                (8, corrupt),
                (9, ErrorKind::NotFound),
                (10, ErrorKind::FailedPrecondition),
                (11, corrupt),
            ]
        );
        for bad in &decoded.bad {
            assert_eq!(bad.offset, 1_000 + bad.index as i64);
            assert!(bad.cause.to_string().contains("offset: "), "{}", bad.cause);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_bad_records_do_not_slow_the_good_ones_down() {
    let mut lab = lab().await;
    let values: Vec<_> = (0..50_000)
        .map(|n| {
            let mut bytes = framed(lab.ids.value_id, &reading(n));
            if n % 5 == 0 {
                bytes.push(1);
            }
            Some(bytes)
        })
        .collect();
    let messages = messages(&values);
    let begin = Instant::now();
    let decoded = lab.decoder.decode(&messages).await.unwrap();
    assert!(begin.elapsed().as_millis() < 1_000, "{:?}", begin.elapsed());
    assert_eq!((decoded.rows.len(), decoded.bad.len()), (40_000, 10_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_projection_counts_and_nothing_is_an_empty_batch() {
    let lab = lab().await;
    let newer_id = register_newer(&lab.registry).await;
    let values = [
        Some(framed(lab.ids.value_id, &reading(1))),
        Some(newer(newer_id, &reading(2))),
        Some(vec![0, 0, 0, 0, lab.ids.value_id as u8]),
        None,
    ];
    let mut count = decoder(&lab.registry, Some(vec![]));
    let decoded = count.decode(&messages(&values)).await.unwrap();
    assert_eq!(
        (decoded.batch.num_rows(), decoded.batch.num_columns()),
        (2, 0)
    );
    assert_eq!(
        (
            decoded.rows.len(),
            decoded.tombstones.len(),
            decoded.bad.len()
        ),
        (2, 1, 1)
    );
    let mut all = decoder(&lab.registry, None);
    let decoded = all.decode(&[]).await.unwrap();
    assert_eq!(decoded.batch.num_rows(), 0);
    assert_eq!(decoded.batch.schema(), Reading::descriptor().arrow);
    for wrong in [vec![9], vec![1, 1]] {
        let target = Reading::descriptor().into();
        let error = ArrowDecoder::new(lab.registry.clone(), target, Some(wrong)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    // Without a registry nothing is decoded, and it may be tried again.
    let nobody = RegistryClient::new("http://127.0.0.1:1").unwrap();
    let error = decoder(&nobody, None)
        .decode(&messages(&values))
        .await
        .unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_records_are_told_and_never_break_a_batch() {
    let (registry, _folder) = Platform::registry_only().await;
    let descriptor = Sample::descriptor();
    let ids = register_product(&registry, descriptor).await.unwrap();
    let mut decoder = ArrowDecoder::new(registry, descriptor.into(), None).unwrap();
    let mut state = 11u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for _ in 0..300 {
        let values: Vec<_> = (0..20)
            .map(|n| {
                let mut bytes = framed(ids.value_id, &full(n + 1));
                if n % 4 == 1 {
                    let at = 5 + random() % (bytes.len() - 5);
                    bytes[at] = random() as u8;
                }
                Some(bytes)
            })
            .collect();
        let decoded = decoder.decode(&messages(&values)).await.unwrap();
        assert_eq!(decoded.rows.len() + decoded.bad.len(), 20);
        assert_eq!(decoded.batch.num_rows(), decoded.rows.len());
        assert!(decoded.bad.iter().all(|bad| bad.index % 4 == 1));
        let column = decoded.batch["sample_id"].as_primitive::<Int64Type>();
        for (row, index) in decoded.rows.iter().enumerate() {
            if index % 4 != 1 {
                assert_eq!(column.value(row), *index as i64 + 1);
            }
        }
    }
}
