//! Logging in to the Postgres door with SCRAM-SHA-256.

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mesh_core::Error;
use mesh_enforcement::{Logins, ScramSecret};
use mesh_query::DoorOptions;

use crate::harness::Platform;
use crate::postgres::{Message, Pg, serve};

const ROUNDS: u32 = 4096;

fn sign(key: &[u8], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}

fn salted(password: &str, salt: &[u8], rounds: u32) -> [u8; 32] {
    let mut salted = [0; 32];
    let rounds = NonZeroU32::new(rounds).unwrap();
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        salt,
        password.as_bytes(),
        &mut salted,
    );
    salted
}

/// One user, anna, with the password `wonderland`; or a list that cannot be read.
#[derive(Debug)]
struct Anna {
    broken: bool,
}

#[async_trait]
impl Logins for Anna {
    async fn scram_secret(&self, name: &str) -> mesh_core::Result<Option<ScramSecret>> {
        if self.broken {
            return Err(Error::unavailable("the users are away"));
        }
        let salted = salted("wonderland", b"some salt", ROUNDS);
        let stored = digest::digest(&digest::SHA256, &sign(&salted, b"Client Key"));
        Ok((name == "anna").then(|| ScramSecret {
            salt: b"some salt".to_vec(),
            iterations: ROUNDS,
            stored_key: stored.as_ref().to_vec(),
            server_key: sign(&salted, b"Server Key"),
        }))
    }

    async fn verify(&self, _: &str, _: &str) -> mesh_core::Result<bool> {
        Ok(false)
    }
}

/// Goes through the exchange: the salt and rounds that were told, and the last message.
async fn log_in(pg: &mut Pg, password: &str) -> (String, Message) {
    let first = pg.next().await.unwrap();
    assert_eq!(first, Message('R', b"\0\0\0\x0aSCRAM-SHA-256\0\0".to_vec()));
    let bare = "n=,r=abcdef";
    let mut body = b"SCRAM-SHA-256\0".to_vec();
    let message = format!("n,,{bare}");
    body.extend_from_slice(&i32::try_from(message.len()).unwrap().to_be_bytes());
    body.extend_from_slice(message.as_bytes());
    pg.say('p', &body).await;
    let challenge = pg.next().await.unwrap();
    if challenge.0 == 'E' {
        return (String::new(), challenge);
    }
    let challenge = String::from_utf8(challenge.1[4..].to_vec()).unwrap();
    let parts: Vec<&str> = challenge.splitn(3, ',').collect();
    assert!(parts[0].starts_with("r=abcdef") && parts[0].len() > 20);
    let salt = BASE64.decode(&parts[1][2..]).unwrap();
    let salted = salted(password, &salt, parts[2][2..].parse().unwrap());
    let client_key = sign(&salted, b"Client Key");
    let stored = digest::digest(&digest::SHA256, &client_key);
    let without_proof = format!("c=biws,{}", parts[0]);
    let signed = format!("{bare},{challenge},{without_proof}");
    let signature = sign(stored.as_ref(), signed.as_bytes());
    let proof: Vec<u8> = client_key
        .iter()
        .zip(&signature)
        .map(|(a, b)| a ^ b)
        .collect();
    let last = format!("{without_proof},p={}", BASE64.encode(proof));
    pg.say('p', last.as_bytes()).await;
    let answer = pg.next().await.unwrap();
    if answer.0 == 'R' {
        let server = BASE64.encode(sign(&sign(&salted, b"Server Key"), signed.as_bytes()));
        assert_eq!(answer.1[4..], *format!("v={server}").as_bytes());
    }
    (format!("{} {}", parts[1], parts[2]), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_has_the_password_gets_in_and_nobody_learns_who_is_there() {
    let platform = Platform::start().await;
    let mut options = DoorOptions::default();
    options.logins = Some(Arc::new(Anna { broken: false }));
    let served = serve(platform.engine(), options).await;

    let mut pg = Pg::begin(&served, &[("user", "anna")]).await;
    assert_eq!(log_in(&mut pg, "wonderland").await.1.0, 'R');
    pg.started().await.unwrap();
    assert_eq!(pg.rows("SELECT current_user").await, "anna");

    let mut told = Vec::new();
    for (user, password) in [
        ("anna", "wonderlan"),
        ("bob", "wonderland"),
        ("bob", ""),
        ("eve", "wonderland"),
    ] {
        let mut pg = Pg::begin(&served, &[("user", user)]).await;
        let (secret, answer) = log_in(&mut pg, password).await;
        let fields = answer.fields();
        assert_eq!(
            (fields[&'S'].as_str(), fields[&'C'].as_str()),
            ("FATAL", "28P01")
        );
        assert_eq!(
            fields[&'M'],
            format!("password authentication failed for user \"{user}\"")
        );
        assert!(pg.next().await.is_none(), "the connection is closed");
        told.push(secret);
    }
    assert_eq!(told[1], told[2], "a name has the same salt each time");
    assert_ne!(told[1], told[3], "and another than other names");

    // Whatever comes in place of a login ends the connection.
    for body in [
        &b""[..],
        b"SCRAM-SHA-256\0\xff\xff\xff\xff",
        b"SCRAM-SHA-1\0\0\0\0\0",
    ] {
        let mut pg = Pg::begin(&served, &[("user", "anna")]).await;
        pg.next().await.unwrap();
        pg.say('p', body).await;
        assert_eq!(pg.next().await.unwrap().0, 'E');
        assert!(pg.next().await.is_none());
    }
    let mut pg = Pg::begin(&served, &[("user", "anna")]).await;
    pg.next().await.unwrap();
    pg.say('Q', b"SELECT 1\0").await;
    assert_eq!(pg.next().await.unwrap().0, 'E');

    let mut options = DoorOptions::default();
    options.logins = Some(Arc::new(Anna { broken: true }));
    let served = serve(platform.engine(), options).await;
    let mut pg = Pg::begin(&served, &[("user", "anna")]).await;
    let (_, answer) = log_in(&mut pg, "wonderland").await;
    assert_eq!(answer.fields()[&'C'], "57P03");
}
