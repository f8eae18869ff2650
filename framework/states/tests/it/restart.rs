//! What becomes of a table when its process, or its store, goes away.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mesh_core::ErrorKind;
use mesh_states::{Phase, StateTable, States};

use crate::harness::{PATIENCE, Platform, Rows, check, reach, row, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_table_goes_on_where_it_was() {
    let platform = Platform::start().await;
    let topic = platform.topic(2).await;
    let writer = platform.writer();
    let mut expected = Rows::new();
    for n in 0..1000 {
        writer.put(&topic, format!("k{n}"), "1");
        expected.extend([row(format!("k{n}"), "1")]);
    }
    writer.flush();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    check(&platform.caught_up(&table).await, &expected);
    assert_eq!(table.status().records, 1000);
    states.close().await.unwrap();

    for n in 0..10 {
        writer.put(&topic, format!("k{n}"), "2");
        expected.extend([row(format!("k{n}"), "2")]);
    }
    writer.delete(&topic, "k500");
    expected.remove(b"k500".as_slice());
    writer.flush();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    check(&platform.caught_up(&table).await, &expected);
    let status = table.status();
    assert_eq!(
        (status.records, status.rebuilt, status.rows()),
        (11, 0, 999)
    );
    states.close().await.unwrap();

    // Nothing new: nothing is read.
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    check(&platform.caught_up(&table).await, &expected);
    assert_eq!(table.status().records, 0);
    states.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_is_built_from_the_topic() {
    let platform = Platform::start().await;
    let topic = platform.topic(2).await;
    let writer = platform.writer();
    for n in 0..100 {
        writer.put(&topic, format!("k{n}"), "1");
    }
    writer.flush();
    let expected: Rows = (0..100).map(|n| row(format!("k{n}"), "1")).collect();
    for _ in 0..2 {
        let states = platform.states().await;
        let table = states.table(&topic).await.unwrap();
        check(&platform.caught_up(&table).await, &expected);
        assert_eq!(table.status().records, 100);
        states.close().await.unwrap();
        std::fs::remove_dir_all(platform.folder()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_release_is_built_anew() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let writer = platform.writer();
    writer.put(&topic, "a", "1");
    writer.flush();
    let expected = Rows::from([row("a", "1")]);
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    check(&platform.caught_up(&table).await, &expected);
    states.close().await.unwrap();
    {
        let store = platform.folder().join("store");
        let database = fjall::Database::builder(store).open().unwrap();
        let tables = database
            .keyspace("tables", fjall::KeyspaceCreateOptions::default)
            .unwrap();
        assert_eq!(*tables.get([0]).unwrap().unwrap(), *b"mesh-states 1");
        tables.insert([0], "mesh-states 0").unwrap();
    }
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    check(&platform.caught_up(&table).await, &expected);
    assert_eq!(table.status().records, 1);
    states.close().await.unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// Whatever file of the store is damaged: no wrong row is ever read, and the table comes
/// back whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_built_anew() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let writer = platform.writer();
    let mut expected = Rows::new();
    for n in 0..5000 {
        let (key, value) = row(format!("key {n}"), format!("value {n} {}", n * 7919));
        writer.put(&topic, &key, &value);
        expected.insert(key, value);
    }
    writer.flush();
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    check(&platform.caught_up(&table).await, &expected);
    states.close().await.unwrap();
    // Opened again, what was in the log is sorted into files.
    let states = platform.states().await;
    let table = states.table(&topic).await.unwrap();
    check(&platform.caught_up(&table).await, &expected);
    let sorted = || {
        let files = files(&platform.folder().join("store/keyspaces"));
        files.iter().any(|path| {
            path.metadata().unwrap().len() > 20_000 && path.parent().unwrap().ends_with("tables")
        })
    };
    until("rows are sorted to disk", sorted).await;
    states.close().await.unwrap();

    let whole = platform.dir.path().join("whole");
    copy(&platform.folder(), &whole);
    let names: Vec<PathBuf> = files(&whole)
        .iter()
        .map(|path| path.strip_prefix(&whole).unwrap().to_owned())
        .filter(|path| !path.ends_with("lock") && !path.ends_with("owner"))
        .collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        for damage in ["flip", "cut", "remove"] {
            std::fs::remove_dir_all(platform.folder()).unwrap();
            copy(&whole, &platform.folder());
            let path = platform.folder().join(&name);
            let mut bytes = std::fs::read(&path).unwrap();
            if bytes.is_empty() {
                continue;
            }
            match damage {
                "flip" => {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 0xff;
                    std::fs::write(&path, &bytes).unwrap();
                }
                "cut" => std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
                _ => std::fs::remove_file(&path).unwrap(),
            }
            let states = States::open(platform.config()).await.unwrap();
            let table = states.table(&topic).await.unwrap();
            whole_again(&platform, &table, &expected, &format!("{name:?} {damage}")).await;
            states.close().await.unwrap();
        }
    }
}

/// Reads the table until it is whole: until then nothing wrong is read.
async fn whole_again(platform: &Platform, table: &StateTable, expected: &Rows, what: &str) {
    let begun = Instant::now();
    loop {
        let ends = platform.ends(table.topic()).await;
        reach(table, &ends).await;
        let read = table.snapshot().and_then(|snapshot| {
            Ok((
                snapshot.len(),
                snapshot.rows(0).collect::<Result<Vec<_>, _>>()?,
            ))
        });
        match read {
            Ok((count, read)) => {
                let read: Rows = read.iter().map(|one| row(one.key(), one.value())).collect();
                assert!(read == *expected, "{what}: {} rows", read.len());
                assert_eq!(count, expected.len() as u64, "{what}");
                return;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}: {error:?}");
                assert!(begun.elapsed() < PATIENCE, "{what}: {error:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Damage that is found by who sorts, and not by who reads: the store stops, is opened again,
/// and given up when that does not help.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_damaged_while_it_is_open() {
    let platform = Platform::start().await;
    let topic = platform.topic(1).await;
    let writer = platform.writer();
    let mut expected = Rows::new();
    let mut put = |round: usize, step: usize| {
        for n in (0..30_000).step_by(step) {
            let (key, value) = row(format!("key {n} {round}"), format!("{n} {:0>90}", n * 7919));
            writer.put(&topic, &key, &value);
            expected.insert(key, value);
        }
        writer.flush();
        expected.clone()
    };
    let mut config = platform.config();
    config.memtable_bytes = 4 << 20;
    config.cache_bytes = 1 << 20;
    let states = States::open(config).await.unwrap();
    let table = states.table(&topic).await.unwrap();
    let first = put(0, 1);
    check(&platform.caught_up(&table).await, &first);
    let mut damaged = 0;
    for path in files(&platform.folder().join("store/keyspaces")) {
        let mut bytes = std::fs::read(&path).unwrap();
        if bytes.len() < 100_000 {
            continue;
        }
        for byte in bytes.iter_mut().skip(20_000).step_by(1000) {
            *byte ^= 0xff;
        }
        // In place, under those who have the file open.
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).unwrap();
        damaged += 1;
    }
    assert!(damaged > 0);
    // New keys among the old: nobody looks at these but who sorts.
    put(1, 1);
    let last = put(2, 1);
    whole_again(&platform, &table, &last, "open").await;
    states.close().await.unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_of_one_process() {
    let platform = Platform::start().await;
    let states = platform.states().await;
    let error = States::open(platform.config()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    assert!(error.mend_text().is_some());
    drop(states);
    let states = platform.states().await;
    states.close().await.unwrap();
}

const ALONE: &str = "MESH_STATES_TEST_ALONE";

/// In a process of its own, whose threads are counted.
#[test]
fn nothing_is_left_of_many_that_were_closed() {
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "restart::opened_and_closed_many_times"])
        .env(ALONE, "yes")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}");
    assert!(told.contains("1 passed"), "{told}");
}

/// Not a test of its own.
#[tokio::test(flavor = "multi_thread")]
async fn opened_and_closed_many_times() {
    if std::env::var(ALONE).is_err() {
        return;
    }
    let platform = Platform::start().await;
    let topic = platform.topic(2).await;
    let writer = platform.writer();
    writer.put(&topic, "a", "1");
    writer.flush();
    let threads = || {
        let count = std::fs::read_dir("/proc/self/task");
        count.map_or(0, Iterator::count)
    };
    let mut before = 0;
    for round in 0..30 {
        let states = platform.states().await;
        let table = states.table(&topic).await.unwrap();
        check(
            &platform.caught_up(&table).await,
            &Rows::from([row("a", "1")]),
        );
        assert_eq!(table.status().phase, Phase::Following);
        if round % 2 == 0 {
            states.close().await.unwrap();
            let error = table.snapshot().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert_eq!(
                table.reach(&[]).await.unwrap_err().kind(),
                ErrorKind::Unavailable
            );
        } else {
            drop(table);
            drop(states);
            // Without `close` it takes a moment.
            let config = platform.config();
            until("the folder is free", || {
                let lock = std::fs::File::open(config.dir.join("owner")).unwrap();
                lock.try_lock().is_ok()
            })
            .await;
        }
        if round == 9 {
            before = threads();
        }
    }
    // Clients end on their own.
    until("no thread is left", || threads() <= before).await;
}
