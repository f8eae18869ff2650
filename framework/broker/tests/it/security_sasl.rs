//! Logins: raw for the order of requests and the edges, librdkafka for the mechanisms.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, ApiVersionsRequest, DescribeUserScramCredentialsRequest,
    MetadataRequest, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use mesh_broker::{FlushPolicy, set_password};
use rdkafka::error::RDKafkaErrorCode;

use crate::security_support::{
    PASSWORD, client, client_as, credentials, handshake, login, plain, raw_as, raw_sasl, reaches,
    token, with_users,
};
use crate::support::{Raw, TestBroker, string};

fn versions() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(string("raw-client"))
        .with_client_software_version(string("1.0.0"))
}

#[test]
fn librdkafka_logs_in_by_each_mechanism() {
    let test = with_users(&["alice"], |_| {});
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let mut config = client(&test, "SASL_PLAINTEXT");
        credentials(&mut config, mechanism, "alice", PASSWORD);
        assert_eq!(reaches(&config), Ok(()), "{mechanism}");
        for (user, password) in [
            ("alice", "wrong"),
            ("nobody", PASSWORD),
            ("Alice", PASSWORD),
        ] {
            credentials(&mut config, mechanism, user, password);
            let failed = Err(RDKafkaErrorCode::Authentication);
            assert_eq!(reaches(&config), failed, "{mechanism} {user}");
        }
    }
    let metrics = test.broker().metrics();
    assert!(metrics.failed_authentications >= 9, "{metrics:?}");
    assert!(metrics.successful_authentications >= 3);
    assert_eq!(metrics.malformed_requests, 0);
}

#[test]
fn before_the_login_only_its_own_requests_are_answered() {
    let test = with_users(&["alice"], |_| {});
    let mut raw = raw_sasl(&test);
    assert_eq!(raw.call(4, &versions()).error_code, 0);
    raw.send(12, &MetadataRequest::default());
    assert!(raw.is_closed(), "metadata before the login");

    let mut raw = raw_sasl(&test);
    raw.send(2, &plain("alice", PASSWORD));
    assert!(raw.is_closed(), "a token before the handshake");

    let mut raw = raw_sasl(&test);
    assert_eq!(handshake(&mut raw, "PLAIN"), 0);
    raw.send(12, &MetadataRequest::default());
    assert!(raw.is_closed(), "metadata between handshake and token");

    let mut raw = raw_sasl(&test);
    let request = SaslHandshakeRequest::default().with_mechanism(string("GSSAPI"));
    let response = raw.call(1, &request);
    assert_eq!(
        response.error_code,
        ResponseError::UnsupportedSaslMechanism.code()
    );
    let offered: Vec<_> = response
        .mechanisms
        .iter()
        .map(|name| name.as_str())
        .collect();
    assert_eq!(offered, ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]);
    assert!(raw.is_closed());

    let mut raw = raw_as(&test, "alice");
    assert_eq!(raw.call(12, &MetadataRequest::default()).brokers.len(), 1);
    assert_eq!(raw.call(4, &versions()).error_code, 0);
}

#[test]
fn a_failed_login_tells_nothing_and_takes_its_time() {
    let delay = Duration::from_millis(300);
    let test = with_users(&["alice"], |config| {
        config.security.failed_authentication_delay = delay;
    });
    let attempts = [
        ("alice", "wrong"),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("alice", ""),
    ];
    let mut sentences = Vec::new();
    for (user, password) in attempts {
        let mut raw = raw_sasl(&test);
        let before = Instant::now();
        let response = login(&mut raw, user, password);
        assert!(before.elapsed() >= delay);
        assert_eq!(
            response.error_code,
            ResponseError::SaslAuthenticationFailed.code()
        );
        sentences.push(response.error_message.unwrap());
        assert!(raw.is_closed());
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    assert_eq!(test.broker().metrics().failed_authentications, 4);
}

/// The challenge of SCRAM to a name, without the nonce.
fn challenge(test: &TestBroker, user: &str) -> (i16, String) {
    let mut raw = raw_sasl(test);
    assert_eq!(handshake(&mut raw, "SCRAM-SHA-512"), 0);
    let response = raw.call(1, &token(format!("n,,n={user},r=abc")));
    let text = String::from_utf8(response.auth_bytes.to_vec()).unwrap();
    let rest = text.split_once(',').map(|(_, rest)| rest.to_owned());
    (response.error_code, rest.unwrap_or_default())
}

#[test]
fn scram_challenges_unknown_users_like_known_ones() {
    let test = with_users(&["alice"], |_| {});
    let known = challenge(&test, "alice");
    let unknown = challenge(&test, "nobody");
    assert_eq!((known.0, unknown.0), (0, 0));
    assert_eq!(known.1.len(), unknown.1.len());
    assert_eq!(
        known.1.split(',').next_back(),
        unknown.1.split(',').next_back()
    );
    assert_eq!(
        unknown,
        challenge(&test, "nobody"),
        "asking twice tells nothing"
    );
    assert_ne!(unknown, challenge(&test, "somebody"));
    let mut raw = raw_sasl(&test);
    assert_eq!(handshake(&mut raw, "SCRAM-SHA-512"), 0);
    let response = raw.call(1, &token("n,,x"));
    assert_eq!(
        response.error_code,
        ResponseError::SaslAuthenticationFailed.code()
    );
    assert!(raw.is_closed());
}

#[test]
fn where_there_is_no_login_sasl_is_an_illegal_state() {
    let test = TestBroker::start();
    let mut raw = test.raw();
    let illegal = ResponseError::IllegalSaslState.code();
    assert_eq!(handshake(&mut raw, "PLAIN"), illegal);
    assert_eq!(raw.call(2, &plain("alice", PASSWORD)).error_code, illegal);
    assert_eq!(raw.call(4, &versions()).error_code, 0);
}

#[test]
fn the_first_version_of_the_handshake_takes_bare_tokens() {
    let test = with_users(&["alice"], |_| {});
    let exchange = |password: &str| {
        let mut raw = raw_sasl(&test);
        let request = SaslHandshakeRequest::default().with_mechanism(string("PLAIN"));
        assert_eq!(raw.call(0, &request).error_code, 0);
        let message = format!("\0alice\0{password}");
        let length = (message.len() as u32).to_be_bytes();
        let frame = [&length[..], message.as_bytes()].concat();
        raw.stream.write_all(&frame).unwrap();
        raw
    };
    let mut raw = exchange(PASSWORD);
    assert_eq!(raw.receive_frame().unwrap(), Bytes::new());
    assert_eq!(raw.call(12, &MetadataRequest::default()).brokers.len(), 1);
    assert!(exchange("wrong").is_closed());
}

#[test]
fn large_requests_before_the_login_are_refused() {
    let test = with_users(&["alice"], |config| {
        config.security.max_unauthenticated_bytes = 10_000;
    });
    let large = "x".repeat(20_000);
    let mut raw = raw_sasl(&test);
    assert_eq!(handshake(&mut raw, "PLAIN"), 0);
    let frame = raw.frame(2, &plain("alice", &large));
    // The broker may hang up before all of it is written.
    let _ = raw.stream.write_all(&frame);
    assert!(raw.is_closed());
    let mut raw = raw_as(&test, "alice");
    let mut long = versions();
    long.client_software_name = string(&large);
    assert_eq!(
        raw.call(4, &long).error_code,
        0,
        "after the login it may be large"
    );
}

#[test]
fn a_login_that_takes_too_long_is_ended_and_holds_nobody_up() {
    let test = with_users(&["alice"], |config| {
        config.security.authentication_timeout = Duration::from_millis(400);
    });
    let mut idle: Vec<Raw> = (0..10).map(|_| raw_sasl(&test)).collect();
    assert_eq!(handshake(&mut idle[0], "PLAIN"), 0);
    let mut done = raw_as(&test, "alice");
    for raw in &mut idle {
        assert!(raw.is_closed());
    }
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(
        done.call(4, &versions()).error_code,
        0,
        "a login has no limit once done"
    );
    assert_eq!(test.broker().metrics().failed_authentications, 10);
}

#[test]
fn a_login_is_renewed_by_the_same_user_or_over() {
    let lifetime = Duration::from_millis(500);
    let test = with_users(&["alice", "bob"], |config| {
        config.security.session_lifetime = Some(lifetime);
    });
    let mut raw = raw_sasl(&test);
    assert_eq!(handshake(&mut raw, "PLAIN"), 0);
    let response = raw.call(1, &plain("alice", PASSWORD));
    assert_eq!(response.session_lifetime_ms, 500);
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(300));
        let response = login(&mut raw, "alice", PASSWORD);
        assert_eq!(
            (response.error_code, response.session_lifetime_ms),
            (0, 500)
        );
    }
    assert_eq!(raw.call(4, &versions()).error_code, 0);
    std::thread::sleep(lifetime + Duration::from_millis(50));
    raw.send(4, &versions());
    assert!(raw.is_closed(), "the login is over");

    let mut raw = raw_as(&test, "alice");
    let response = login(&mut raw, "bob", PASSWORD);
    assert_eq!(
        response.error_code,
        ResponseError::SaslAuthenticationFailed.code()
    );
    assert!(raw.is_closed());

    let mut raw = raw_as(&test, "alice");
    raw.send(
        1,
        &SaslHandshakeRequest::default().with_mechanism(string("SCRAM-SHA-256")),
    );
    assert!(raw.is_closed(), "another mechanism");
    assert_eq!(reaches(&client_as(&test, "alice")), Ok(()));
}

#[test]
fn the_file_of_users_is_read_again_when_it_changes() {
    let test = with_users(&["alice"], |_| {});
    let file = test.dir().join("users.json");
    set_password(&file, "carol", "first").unwrap();
    assert_eq!(login(&mut raw_sasl(&test), "carol", "first").error_code, 0);
    set_password(&file, "carol", "second").unwrap();
    assert_ne!(login(&mut raw_sasl(&test), "carol", "first").error_code, 0);
    assert_eq!(login(&mut raw_sasl(&test), "carol", "second").error_code, 0);
    std::fs::remove_file(&file).unwrap();
    assert_ne!(login(&mut raw_sasl(&test), "carol", "second").error_code, 0);
}

/// A user, an error code, and (mechanism, iterations) of each credential.
type Described = (String, i16, Vec<(i8, i32)>);

fn describe(raw: &mut Raw, users: Option<&[&str]>) -> Vec<Described> {
    let users = users.map(|users| {
        let user = |name: &&str| UserName::default().with_name(string(name));
        users.iter().map(user).collect()
    });
    let request = DescribeUserScramCredentialsRequest::default().with_users(users);
    let response = raw.call(0, &request);
    assert_eq!(response.error_code, 0);
    let described = response.results.iter().map(|result| {
        let infos = result.credential_infos.iter();
        let infos = infos.map(|info| (info.mechanism, info.iterations));
        (result.user.to_string(), result.error_code, infos.collect())
    });
    described.collect()
}

fn upsertion(
    user: &str,
    mechanism: i8,
    iterations: i32,
    salted: Vec<u8>,
) -> ScramCredentialUpsertion {
    ScramCredentialUpsertion::default()
        .with_name(string(user))
        .with_mechanism(mechanism)
        .with_iterations(iterations)
        .with_salt(Bytes::from_static(b"a salt that is random"))
        .with_salted_password(salted.into())
}

fn salted(password: &str, iterations: u32) -> Vec<u8> {
    let mut salted = vec![0; 32];
    aws_lc_rs::pbkdf2::derive(
        aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256,
        iterations.try_into().unwrap(),
        b"a salt that is random",
        password.as_bytes(),
        &mut salted,
    );
    salted
}

fn alter(
    raw: &mut Raw,
    deletions: &[(&str, i8)],
    upsertions: Vec<ScramCredentialUpsertion>,
) -> Vec<(String, i16)> {
    let deletions = deletions.iter().map(|(user, mechanism)| {
        ScramCredentialDeletion::default()
            .with_name(string(user))
            .with_mechanism(*mechanism)
    });
    let request = AlterUserScramCredentialsRequest::default()
        .with_deletions(deletions.collect())
        .with_upsertions(upsertions);
    let results = raw.call(0, &request).results;
    let coded = results
        .iter()
        .map(|result| (result.user.to_string(), result.error_code));
    coded.collect()
}

#[test]
fn users_are_made_changed_and_removed_over_the_wire() {
    let mut test = with_users(&["alice"], |config| config.flush = FlushPolicy::Always);
    let mut raw = test.raw();
    let made = upsertion("dora", 1, 4096, salted("explorer", 4096));
    assert_eq!(alter(&mut raw, &[], vec![made]), [("dora".to_owned(), 0)]);
    test.crash();
    test.start_again();
    let mut raw = test.raw();
    assert_eq!(
        describe(&mut raw, None),
        [
            ("admin".to_owned(), 0, vec![(1, 8192), (2, 8192)]),
            ("alice".to_owned(), 0, vec![(1, 8192), (2, 8192)]),
            ("dora".to_owned(), 0, vec![(1, 4096)]),
        ]
    );
    let mut config = client(&test, "SASL_PLAINTEXT");
    credentials(&mut config, "SCRAM-SHA-256", "dora", "explorer");
    assert_eq!(reaches(&config), Ok(()));
    assert_eq!(
        login(&mut raw_sasl(&test), "dora", "explorer").error_code,
        0
    );

    let code = |error: ResponseError| error.code();
    assert_eq!(
        describe(&mut raw, Some(&["dora", "nobody", "alice", "alice"])),
        [
            (
                "alice".to_owned(),
                code(ResponseError::DuplicateResource),
                vec![]
            ),
            ("dora".to_owned(), 0, vec![(1, 4096)]),
            (
                "nobody".to_owned(),
                code(ResponseError::ResourceNotFound),
                vec![]
            ),
        ]
    );
    let key = salted("x", 4096);
    let refusals = [
        (
            upsertion("e", 1, 4095, key.clone()),
            ResponseError::UnacceptableCredential,
        ),
        (
            upsertion("e", 1, 16_385, key.clone()),
            ResponseError::UnacceptableCredential,
        ),
        (
            upsertion("e", 1, 4096, vec![1; 31]),
            ResponseError::UnacceptableCredential,
        ),
        (
            upsertion("e", 0, 4096, key.clone()),
            ResponseError::UnsupportedSaslMechanism,
        ),
        (
            upsertion("", 1, 4096, key),
            ResponseError::UnacceptableCredential,
        ),
    ];
    for (wrong, error) in refusals {
        let results = alter(&mut raw, &[], vec![wrong]);
        assert_eq!(results[0].1, error.code());
    }
    let twice = alter(
        &mut raw,
        &[("dora", 1)],
        vec![upsertion("dora", 2, 4096, vec![1; 64])],
    );
    assert_eq!(
        twice,
        [("dora".to_owned(), code(ResponseError::DuplicateResource))]
    );
    assert_eq!(
        alter(&mut raw, &[("alice", 1), ("dora", 2)], vec![]),
        [
            ("alice".to_owned(), 0),
            ("dora".to_owned(), code(ResponseError::ResourceNotFound)),
        ]
    );
    assert_eq!(
        alter(&mut raw, &[("dora", 1)], vec![]),
        [("dora".to_owned(), 0)]
    );
    assert_ne!(
        login(&mut raw_sasl(&test), "dora", "explorer").error_code,
        0
    );
    assert_eq!(login(&mut raw_sasl(&test), "alice", PASSWORD).error_code, 0);
}

#[test]
fn noise_before_the_login_never_stops_the_broker() {
    use rand::{RngExt, SeedableRng};
    let test = with_users(&["alice"], |_| {});
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    let mut raw = raw_sasl(&test);
    let request = SaslHandshakeRequest::default().with_mechanism(string("SCRAM-SHA-256"));
    let first: SaslAuthenticateRequest = token("n,,n=alice,r=abcdef");
    let sound = [raw.frame(1, &request), raw.frame(2, &first)];
    for _ in 0..200 {
        let mut raw = raw_sasl(&test);
        let mut frames = sound.clone();
        let frame = &mut frames[random.random_range(0..2)];
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(4..frame.len());
            frame[at] = random.random();
        }
        raw.stream.write_all(&frames.concat()).unwrap();
        raw.stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        // The broker hangs up one way or the other.
        let _ = raw.stream.read_to_end(&mut rest);
    }
    assert_eq!(login(&mut raw_sasl(&test), "alice", PASSWORD).error_code, 0);
}
