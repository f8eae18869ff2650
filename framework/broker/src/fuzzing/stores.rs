//! The other files of the data folder: a broker that finds anything in them starts, or is
//! refused with what to do.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use super::checks::config;
use super::{Input, Scratch, runtime};
use crate::broker;
use crate::config::BrokerConfig;
use crate::files;
use crate::journal;
use crate::security::AuthorizerConfig;

const FILES: &[&str] = &[
    "offsets.log",
    "transactions.log",
    "topics.json",
    "acls.json",
    "users.json",
    "producer-ids",
    "clean-stop",
    "unknown",
];

/// Files, each of a byte that says which, one that says how it is made whole, a length in
/// two bytes, and content.
pub fn stores(data: &[u8]) {
    let mut input = Input(data);
    let scratch = Scratch::new();
    while !input.is_empty() {
        let name = FILES[usize::from(input.u8()) % FILES.len()];
        let how = input.u8();
        let len = usize::from(input.u16());
        let content = input.bytes(len);
        let bytes = match how % 4 {
            0 => content.to_vec(),
            1 => files::with_checksum(content),
            // Lines of JSON become frames of a journal.
            2 => content
                .split(|byte| *byte == b'\n')
                .flat_map(journal::sealed)
                .collect(),
            _ => journal::sealed(content),
        };
        fs::write(scratch.0.join(name), bytes).expect("a file");
    }
    fs::create_dir_all(scratch.0.join("topics/t-0")).expect("a folder");
    let mut config = config(&scratch.0);
    config.security.authorizer = Some(AuthorizerConfig::default());
    let run = start(Arc::new(config));
    if let Err(error) = runtime().block_on(runtime().spawn(run)) {
        std::panic::resume_unwind(error.into_panic());
    }
}

async fn start(config: Arc<BrokerConfig>) {
    // What a start has made of the files must open again.
    for round in 0..2 {
        let lock = broker::lock_folder(&config.data_dir).expect("the lock");
        let opened = broker::open(Arc::clone(&config), lock);
        let (shared, _) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                assert_eq!(round, 0, "{error:?}");
                assert!(error.mend_text().is_some(), "no mend: {error:?}");
                return;
            }
        };
        let shared = Arc::new(shared);
        shared.transactions.recover().await;
        shared.coordinator.start_clocks();
        shared
            .transactions
            .tick(config.transactional_id_expiry)
            .await;
        shared.transactions.all();
        shared
            .coordinator
            .expire(i64::MAX, Duration::from_millis(1));
        shared.stop.cancel();
        shared.tasks.close();
        let stopped = tokio::time::timeout(Duration::from_secs(60), shared.tasks.wait()).await;
        stopped.expect("the broker's tasks end");
        shared.lock_file.unlock().expect("unlocks");
    }
}
