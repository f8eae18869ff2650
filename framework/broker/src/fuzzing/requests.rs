//! Requests: bytes as frames through heads, shapes and the codec to a broker that handles
//! them, without sockets.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::ApiKey;

use super::checks::{ask, config, read_to_the_end};
use super::{Input, Scratch, runtime};
use crate::api::{self, Outcome, Session, Step};
use crate::broker;
use crate::config::BrokerConfig;
use crate::security::{AuthorizerConfig, Principal};
use crate::shared::{Caller, Shared};
use crate::wire::Frame;

/// A client that waits for others goes away after this.
const WAIT: Duration = Duration::from_millis(2);
/// Whatever takes longer hangs.
const HANGS: Duration = Duration::from_secs(60);
/// The topics that are there, with ids that a request can name.
const TOPICS: &str = r#"{"version":1,"cluster_id":"fuzz","topics":[
{"name":"t","id":"00000000-0000-0000-0000-000000000001","partitions":2,"configs":{}},
{"name":"c","id":"00000000-0000-0000-0000-000000000002","partitions":1,"configs":{"cleanup.policy":"compact"}}]}"#;

/// A response as it goes to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The key of the API.
    pub api_key: i16,
    /// The version of the request.
    pub version: i16,
    /// What follows the length.
    pub frame: Bytes,
}

/// The first byte says what kind of broker it is, then frames come, each with its length in
/// two bytes. Afterwards all that was stored must be whole, and open again.
pub fn requests(data: &[u8]) -> Vec<Answer> {
    let mut input = Input(data);
    let mode = input.u8();
    let mut frames = Vec::new();
    while !input.is_empty() && frames.len() < 40 {
        let len = usize::from(input.u16());
        frames.push(Bytes::copy_from_slice(input.bytes(len)));
    }
    let scratch = Scratch::new();
    let mut config = config(&scratch.0);
    if mode & 1 != 0 {
        config.security.authorizer = Some(AuthorizerConfig {
            allow_everyone_if_no_acl_found: mode & 2 != 0,
            ..AuthorizerConfig::default()
        });
    }
    config.auto_create_topics = mode & 4 != 0;
    fs::write(scratch.0.join("topics.json"), TOPICS).expect("the list of topics");
    for partition in ["t-0", "t-1", "c-0"] {
        fs::create_dir_all(scratch.0.join("topics").join(partition)).expect("a folder");
    }
    runtime().block_on(async move {
        // On a thread of the broker, where its clock is.
        let run = run(config, mode, frames);
        let outcome = runtime().spawn(run).await;
        drop(scratch);
        match outcome {
            Ok(answers) => answers,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    })
}

async fn open(config: &Arc<BrokerConfig>) -> (Arc<Shared>, crate::RecoveryReport) {
    let lock = broker::lock_folder(&config.data_dir).expect("the lock");
    let (shared, report) = broker::open(Arc::clone(config), lock).expect("the folder opens");
    let shared = Arc::new(shared);
    shared.transactions.recover().await;
    shared.coordinator.start_clocks();
    (shared, report)
}

async fn stop(shared: Arc<Shared>) {
    shared.stop.cancel();
    shared.tasks.close();
    let stopped = tokio::time::timeout(HANGS, shared.tasks.wait()).await;
    stopped.expect("the broker's tasks end");
    shared.lock_file.unlock().expect("unlocks");
}

async fn run(config: BrokerConfig, mode: u8, frames: Vec<Bytes>) -> Vec<Answer> {
    let config = Arc::new(config);
    let (shared, _) = open(&config).await;
    let mut caller = Caller {
        client_id: Default::default(),
        principal: Principal::anonymous(),
        peer_host: "127.0.0.1".into(),
        host: "localhost".into(),
        port: 9092,
    };
    let mut session = (mode & 8 != 0).then(|| Session::new(Arc::clone(&shared.logins)));
    let mut answers = Vec::new();
    for frame in frames {
        let key = frame.get(..2).map_or(-1, |mut key| key.get_i16());
        let version = frame.get(2..4).map_or(-1, |mut version| version.get_i16());
        let waits = [ApiKey::Fetch, ApiKey::JoinGroup, ApiKey::SyncGroup];
        let waits = waits.iter().any(|waits| *waits as i16 == key) || session.is_some();
        let handled = handle(&shared, &mut caller, session.as_mut(), frame);
        let answer = if waits {
            tokio::time::timeout(WAIT, handled).await.ok().flatten()
        } else {
            let handled = tokio::time::timeout(HANGS, handled).await;
            handled.unwrap_or_else(|_| panic!("api {key} version {version} hangs"))
        };
        if let Some(frame) = answer {
            let (api_key, length) = (key, frame.get(..4).map_or(-1, |mut len| len.get_i32()));
            assert_eq!(usize::try_from(length), Ok(frame.len() - 4), "api {key}");
            let frame = frame.slice(4..);
            answers.push(Answer {
                api_key,
                version,
                frame,
            });
        }
    }
    shared
        .transactions
        .tick(config.transactional_id_expiry)
        .await;
    shared
        .coordinator
        .expire(i64::MAX, Duration::from_millis(1));
    let before = stored(&shared);
    stop(shared).await;

    let (shared, report) = open(&config).await;
    assert_eq!(report.findings, [], "what was stored is whole");
    let after = stored(&shared);
    // Only markers of transactions that nobody knows may have come at the start.
    for (name, (starts, _)) in &before {
        let (found, _) = after.get(name).expect("the partition is there again");
        assert!(
            found.starts_with(starts),
            "{name}: {starts:?}, then {found:?}"
        );
    }
    assert_eq!(before.len(), after.len());
    stop(shared).await;
    answers
}

fn stored(shared: &Shared) -> std::collections::BTreeMap<String, (Vec<i64>, i64)> {
    let mut stored = std::collections::BTreeMap::new();
    for topic in shared.topics.all() {
        for (index, partition) in topic.partitions.iter().enumerate() {
            let starts = read_to_the_end(partition, false);
            ask(partition, &[0, 1_000, i64::MAX], false);
            let name = format!("{}-{index}", topic.name.as_str());
            stored.insert(name, (starts, partition.high_watermark()));
        }
    }
    stored
}

async fn handle(
    shared: &Arc<Shared>,
    caller: &mut Caller,
    session: Option<&mut Session>,
    mut frame: Bytes,
) -> Option<Bytes> {
    if let Some(session) = session {
        match session.take(shared, frame).await {
            Step::Pass(passed) => frame = passed,
            Step::Answer(answer) => {
                if let Some(principal) = session.principal() {
                    caller.principal = principal.clone();
                }
                return Some(bytes_of(answer));
            }
            Step::Close(answer, _) => {
                return answer.map(bytes_of);
            }
        }
    }
    match api::answer(shared, caller, frame).await {
        Ok(Outcome::Reply(frame) | Outcome::Woke(frame)) => Some(bytes_of(frame)),
        Ok(Outcome::Later(response)) => {
            Some(bytes_of(response.await.expect("a response can be encoded")))
        }
        Ok(Outcome::Nothing) | Err(_) => None,
    }
}

fn bytes_of(frame: Frame) -> Bytes {
    Bytes::from(frame.into_parts().make_contiguous().concat())
}
