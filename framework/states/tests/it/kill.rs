//! A process that is killed while it applies records.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mesh_states::{States, StatesConfig};
use mesh_stream::StreamConfig;

use crate::harness::{Platform, Rows, check, row};

const FLAG: &str = "MESH_STATES_TEST_CHILD";

/// Not a test: the process that [`start`] starts, which follows a topic until it is killed.
#[test]
fn follows_until_killed() {
    let Ok(arguments) = std::env::var(FLAG) else {
        return;
    };
    let [dir, bootstrap, topic] = arguments.split('|').collect::<Vec<_>>()[..] else {
        panic!("wrong arguments");
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let stream = StreamConfig::new(bootstrap, "http://127.0.0.1:1", "states-child");
        let mut config = StatesConfig::new(dir, stream);
        // Small, so that files are written and sorted all the time.
        config.memtable_bytes = 4 << 20;
        config.ahead_bytes = 1 << 20;
        let states = States::open(config).await.unwrap();
        let table = states.table(topic).await.unwrap();
        loop {
            let records = table.status().records.to_string();
            std::fs::write(Path::new(dir).join("records"), records).unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}

fn start(dir: &Path, bootstrap: &str, topic: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::follows_until_killed", "--nocapture"])
        .env(FLAG, format!("{}|{bootstrap}|{topic}", dir.display()))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Record n puts key n % KEYS, or deletes it if n is a multiple of seven.
const KEYS: i64 = 4000;

fn expected(partition_end: i64) -> Rows {
    let mut rows = Rows::new();
    for n in (partition_end - KEYS).max(0)..partition_end {
        if n % 7 != 0 {
            rows.extend([row(format!("k{}", n % KEYS), value(n))]);
        }
    }
    rows
}

fn value(n: i64) -> Vec<u8> {
    let mut value = n.to_string().into_bytes();
    value.resize(120, b'.');
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_whole_after_every_kill() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let writer = platform.writer();
    let count: i64 = 1_000_000;
    for n in 0..count {
        let key = format!("k{}", n % KEYS);
        match n % 7 {
            0 => writer.delete(&topic, key),
            _ => writer.put(&topic, key, value(n)),
        }
    }
    writer.flush();
    let dir = platform.folder();
    std::fs::create_dir_all(&dir).unwrap();
    let (mut last, mut within) = (0, 0);
    for round in 0..20u64 {
        let mut child = start(&dir, &platform.stream.bootstrap, &topic);
        let begun = std::time::Instant::now();
        // Later and later, and at another point of a batch each time.
        let told = dir.join("records");
        // A fast machine is through with the topic before the last round.
        let wanted = (round * 4000).min((count - last) as u64);
        loop {
            assert!(begun.elapsed() < crate::harness::PATIENCE, "no child");
            let records = std::fs::read_to_string(&told).unwrap_or_default();
            if records
                .parse::<u64>()
                .is_ok_and(|records| records >= wanted)
            {
                break;
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        std::thread::sleep(Duration::from_millis(round * 7 % 40));
        child.kill().unwrap();
        child.wait().unwrap();
        std::fs::remove_file(told).unwrap();

        // What is in the store is a prefix of the topic, whole, and counted right; it is
        // looked at before anything more is applied.
        let head = stored(&dir);
        assert!(head.end >= last, "{} after {last}", head.end);
        within += usize::from(head.end > last && head.end < count);
        last = head.end;
        let expected = expected(head.end);
        assert!(head.rows == expected, "{} rows at {last}", head.rows.len());
        assert_eq!(head.counted, expected.len() as u64);
    }
    assert!(within > 3, "{within} kills fell into the applying");
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    check(&platform.caught_up(&table).await, &expected(count));
    let status = table.status();
    assert_eq!(status.rebuilt, 0);
    assert_eq!(status.records as i64, count - last);
    states.close().await.unwrap();
}

struct Stored {
    end: i64,
    counted: u64,
    rows: Rows,
}

/// The table as it lies in the folder, read without this crate.
fn stored(dir: &Path) -> Stored {
    let database = fjall::Database::builder(dir.join("store")).open().unwrap();
    let options = fjall::KeyspaceCreateOptions::default;
    let mut stored = Stored {
        end: 0,
        counted: 0,
        rows: Rows::new(),
    };
    let names = database.list_keyspace_names();
    for name in names.iter().filter(|name| &***name != "tables") {
        let keyspace = database.keyspace(name, options).unwrap();
        let head = keyspace.get([0]).unwrap().unwrap();
        let number = |at: usize| i64::from_le_bytes(head[at..at + 8].try_into().unwrap());
        stored.end = number(33);
        stored.counted = number(49) as u64;
        for entry in keyspace.prefix([1]) {
            let (key, value) = entry.into_inner().unwrap();
            stored.rows.extend([row(&key[5..], &value[16..])]);
        }
    }
    stored
}
