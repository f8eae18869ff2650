//! A broker in a process of its own that is killed while it is written to.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mesh_broker::{Broker, BrokerConfig, FlushPolicy};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Message};

use crate::support::{ANY, Raw, runtime};

const FOLDER: &str = "MESH_BROKER_TEST_FOLDER";
const FLUSH: &str = "MESH_BROKER_TEST_FLUSH";

/// Not a test: the process that [`start`] starts, serving until it is killed.
#[test]
fn served_by_a_child() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    runtime().block_on(async {
        let mut config = BrokerConfig::new(&folder, ANY);
        config.log_cleaner_backoff = Duration::from_millis(5);
        if std::env::var(FLUSH).is_ok() {
            config.flush = FlushPolicy::Always;
        }
        let broker = Broker::start(config).await.unwrap();
        let address = Path::new(&folder).join("address");
        std::fs::write(address.with_extension("new"), broker.bootstrap()).unwrap();
        std::fs::rename(address.with_extension("new"), address).unwrap();
        std::future::pending::<()>().await;
    });
}

pub(crate) fn start(folder: &Path, always: bool) -> (Child, String) {
    let address = folder.join("address");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "kill::served_by_a_child", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::null());
    if always {
        command.env(FLUSH, "always");
    }
    let child = command.spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !address.exists() {
        assert!(Instant::now() < deadline, "the broker did not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    let bootstrap = std::fs::read_to_string(&address).unwrap();
    std::fs::remove_file(address).unwrap();
    (child, bootstrap)
}

#[derive(Clone, Default)]
struct Acknowledged {
    records: Arc<Mutex<Vec<(i32, i64, String)>>>,
    count: Arc<AtomicUsize>,
}

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, delivery: &DeliveryResult<'_>, (): ()) {
        if let Ok(message) = delivery {
            let value = String::from_utf8(message.payload().unwrap().to_vec()).unwrap();
            let record = (message.partition(), message.offset(), value);
            self.records.lock().unwrap().push(record);
            self.count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    for (round, always) in [(0, false), (1, true), (2, false), (3, true)] {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, bootstrap) = start(folder.path(), always);
        let mut raw = Raw::connect(bootstrap.parse().unwrap());
        assert_eq!(raw.create_topic("t", 3, &[("segment.bytes", "200000")]), 0);
        let acknowledged = Acknowledged::default();
        let producer: ThreadedProducer<Acknowledged> = ClientConfig::new()
            .set("bootstrap.servers", &bootstrap)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "1")
            .set("batch.num.messages", "20")
            .set("message.timeout.ms", "2000")
            .create_with_context(acknowledged.clone())
            .unwrap();
        let stop_at = 3_000 + 2_500 * round;
        let mut sent = 0;
        while acknowledged.count.load(Ordering::SeqCst) < stop_at {
            let value = format!("value {sent}");
            let record = BaseRecord::<str, str>::to("t")
                .payload(&value)
                .partition(sent % 3);
            match producer.send(record) {
                Ok(()) => sent += 1,
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
            assert!(sent < 2_000_000, "nothing is acknowledged");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // In-flight requests fail; what was acknowledged before stays acknowledged.
        producer.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
        drop(producer);

        let (mut child, bootstrap) = start(folder.path(), always);
        let mut raw = Raw::connect(bootstrap.parse().unwrap());
        let stored: Vec<Vec<String>> = (0..3)
            .map(|partition| crate::support::values_of(&raw.read_all("t", partition, 0)))
            .collect();
        let records = acknowledged.records.lock().unwrap();
        assert!(records.len() >= stop_at);
        for (partition, offset, value) in records.iter() {
            let found = stored[*partition as usize].get(*offset as usize);
            assert_eq!(found, Some(value), "partition {partition} offset {offset}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
