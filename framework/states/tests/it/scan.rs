//! Rows of a table made Arrow.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use mesh_core::Record;
use mesh_states::Chunk;

use crate::accounts::{account, decoder, publish};
use crate::harness::Platform;

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_decodes_to_the_latest_records() {
    let mut platform = Platform::start().await;
    let (registry, producer) = publish(&mut platform).await;
    let topic = platform.topic(3).await;
    let writer = platform.writer();
    for round in 0..3 {
        for id in 0..2000 {
            let account = account(id, round);
            let key = producer.encoder().key(&account.key());
            match (id + round) % 10 {
                0 => writer.delete(&topic, key),
                _ => writer.put(&topic, key, producer.encoder().value(&account).unwrap()),
            }
        }
    }
    writer.flush();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    let snapshot = platform.caught_up(&table).await;
    let mut decoder = decoder(&registry);
    let mut chunk = Chunk::new();
    let mut found = Vec::new();
    for (partition, _) in snapshot.ends() {
        let mut rows = snapshot.rows(*partition);
        while rows.fill(512, usize::MAX, &mut chunk).unwrap() {
            assert!(chunk.rows().len() <= 512);
            let decoded = decoder.decode(&chunk.messages()).await.unwrap();
            assert!(decoded.bad.is_empty() && decoded.tombstones.is_empty());
            let ids = decoded.batch.column_by_name("account_id").unwrap();
            let visits = decoded.batch.column_by_name("visits").unwrap();
            let ids = ids.as_primitive::<Int64Type>().values();
            let visits = visits.as_primitive::<Int64Type>().values();
            found.extend(ids.iter().copied().zip(visits.iter().copied()));
        }
    }
    found.sort_unstable();
    let expected: Vec<(i64, i64)> = (0..2000)
        .filter(|id| (id + 2) % 10 != 0)
        .map(|id| (id, 2))
        .collect();
    assert_eq!(found, expected);
    let key = producer.encoder().key(&account(77, 0).key());
    let row = snapshot.get(&key).unwrap().unwrap();
    let decoded = decoder.decode(&[row.message()]).await.unwrap();
    let owner = decoded.batch.column_by_name("owner").unwrap();
    assert_eq!(owner.as_string::<i32>().value(0), account(77, 2).owner);
    states.close().await.unwrap();
}
