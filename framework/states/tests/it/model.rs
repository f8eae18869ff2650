//! Random writes against a map.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::harness::{Platform, Rows, check};

#[tokio::test(flavor = "multi_thread")]
async fn random_writes_with_restarts() {
    let platform = Platform::start().await;
    for seed in 0..3 {
        let mut random = StdRng::seed_from_u64(seed);
        let topic = platform.topic(1 + seed as i32).await;
        let writer = platform.writer();
        let mut model = Rows::new();
        let mut states = platform.states().await;
        let mut table = states.table(&topic).await.unwrap();
        for step in 0..60 {
            for _ in 0..random.random_range(0..200) {
                let key = format!("key {}", random.random_range(0..400)).into_bytes();
                match random.random_range(0..10) {
                    0..3 => {
                        writer.delete(&topic, &key);
                        model.remove(&key);
                    }
                    _ => {
                        let value = vec![random.random::<u8>(); random.random_range(0..300)];
                        writer.put(&topic, &key, &value);
                        model.insert(key, value);
                    }
                }
            }
            writer.flush();
            match random.random_range(0..6) {
                0 => {
                    drop(table);
                    states.close().await.unwrap();
                    states = platform.states().await;
                    table = states.table(&topic).await.unwrap();
                }
                1 | 2 => {}
                _ => check(&platform.caught_up(&table).await, &model),
            }
            if step == 40 && seed == 1 {
                drop(table);
                states.close().await.unwrap();
                std::fs::remove_dir_all(platform.folder()).unwrap();
                states = platform.states().await;
                table = states.table(&topic).await.unwrap();
            }
        }
        check(&platform.caught_up(&table).await, &model);
        assert_eq!(table.status().rebuilt, 0);
        states.close().await.unwrap();
    }
}
