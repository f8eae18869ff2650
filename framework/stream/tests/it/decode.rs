use bytes::Bytes;
use mesh_core::{Error, ErrorKind, Record};
use mesh_stream::{
    Decoder, Encoder, RawRecord, Registered, RegistryClient, WriterSchema, register_product,
};

use crate::platform::{Platform, serve_registry};
use crate::records::{Reading, Sample, changed, framed, full, reading, sparse};

fn raw(key: impl Into<Bytes>, value: impl Into<Bytes>) -> RawRecord {
    RawRecord {
        topic: "lab.readings.v1".into(),
        partition: 3,
        offset: 77,
        timestamp: 1,
        key: Some(key.into()),
        value: Some(value.into()),
        headers: vec![],
    }
}

struct Lab {
    registry: RegistryClient,
    ids: Registered,
    decoder: Decoder<Reading>,
    key: Bytes,
    good: Vec<u8>,
    _folder: tempfile::TempDir,
}

async fn lab() -> Lab {
    let (registry, folder) = Platform::registry_only().await;
    let ids = register_product(&registry, Reading::descriptor())
        .await
        .unwrap();
    Lab {
        decoder: Decoder::new(registry.clone()).unwrap(),
        key: Encoder::<Reading>::new(ids).key(&reading(5).key()),
        good: framed(ids.value_id, &reading(5)),
        registry,
        ids,
        _folder: folder,
    }
}

impl Lab {
    async fn refuse(&self, value: Vec<u8>, kind: ErrorKind, word: &str) -> Error {
        let error = self
            .decoder
            .decode(&raw(self.key.clone(), value))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        let text = error.to_string();
        assert!(text.contains(word), "{word}: {text}");
        assert!(
            text.contains("offset: 77") && text.contains("lab.readings.v1"),
            "{text}"
        );
        assert!(!error.is_retryable());
        error
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_what_their_schema_says_are_refused() {
    let lab = lab().await;
    let read = lab
        .decoder
        .decode(&raw(lab.key.clone(), lab.good.clone()))
        .await
        .unwrap();
    assert_eq!(read.value, Some(reading(5)));
    assert_eq!(read.key, reading(5).key());

    lab.refuse(vec![], ErrorKind::Corrupt, "end").await;
    lab.refuse(vec![0, 0, 0], ErrorKind::Corrupt, "end").await;
    lab.refuse(b"{\"json\": 1}".to_vec(), ErrorKind::Corrupt, "magic byte")
        .await;
    lab.refuse(
        framed(9_999, &reading(5)),
        ErrorKind::NotFound,
        "schema_id: 9999",
    )
    .await;
    for length in 5..lab.good.len() {
        lab.refuse(lab.good[..length].to_vec(), ErrorKind::Corrupt, "end")
            .await;
    }
    let mut trailing = lab.good.clone();
    trailing.push(0);
    lab.refuse(trailing, ErrorKind::Corrupt, "left over").await;
    // The last field is `note`: a union index, here one that does not exist.
    let mut union = framed(lab.ids.value_id, &reading(4));
    *union.last_mut().unwrap() = 4;
    lab.refuse(union, ErrorKind::Corrupt, "union").await;

    let error = lab
        .decoder
        .decode(&raw(vec![1u8, 2, 3], lab.good.clone()))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("part: key"), "{error}");
    let none = RawRecord {
        key: None,
        ..raw(lab.key.clone(), lab.good.clone())
    };
    assert!(
        lab.decoder
            .decode(&none)
            .await
            .unwrap_err()
            .to_string()
            .contains("no key")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_s_schema_that_means_something_else_is_refused() {
    let lab = lab().await;
    let mut at = 0;
    let mut schema = |change: &dyn Fn(&mut serde_json::Value)| {
        at += 1;
        (
            format!("lab.other{at}.v1-value"),
            changed::<Reading>(change),
        )
    };
    let cases = [
        (
            schema(&|s| s["fields"][1]["type"]["scale"] = 3.into()),
            "scale 3 is not scale 2",
        ),
        (
            schema(&|s| s["fields"][1]["type"]["precision"] = 20.into()),
            "precision 20",
        ),
        (
            schema(&|s| s["fields"][1]["type"] = "bytes".into()),
            "bytes is not decimal",
        ),
        (
            schema(&|s| s["fields"][0]["type"] = "string".into()),
            "string is not long",
        ),
        (
            schema(&|s| s["fields"][2]["type"] = "string".into()),
            "string is not enum",
        ),
        (
            schema(&|s| drop(s["fields"].as_array_mut().unwrap().remove(1))),
            "no such column",
        ),
    ];
    for ((subject, text), word) in cases {
        let id = lab.registry.register(&subject, &text).await.unwrap();
        for _ in 0..2 {
            lab.refuse(framed(id, &reading(5)), ErrorKind::FailedPrecondition, word)
                .await;
        }
    }
    // More columns, and nullable ones missing, are read.
    let wider = changed::<Reading>(|s| {
        s["fields"].as_array_mut().unwrap()[3] =
            serde_json::json!({"name": "extra", "type": "long"});
    });
    let id = lab
        .registry
        .register("lab.wider.v1-value", &wider)
        .await
        .unwrap();
    let mut bytes = framed(id, &reading(4));
    *bytes.last_mut().unwrap() = 8;
    let read = lab
        .decoder
        .decode(&raw(lab.key.clone(), bytes))
        .await
        .unwrap();
    assert_eq!(
        read.value,
        Some(Reading {
            note: None,
            ..reading(4)
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_down_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let registry = RegistryClient::new(&format!("http://{address}/")).unwrap();
    let decoder = Decoder::<Reading>::new(registry.clone()).unwrap();
    let bytes = framed(2, &reading(5));
    let mut key = Vec::new();
    mesh_stream::put_frame(1, &mut key);
    key.push(10);
    let error = decoder
        .decode(&raw(key.clone(), bytes.clone()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.is_retryable() && error.to_string().contains(&address.to_string()));
    assert!(error.mend_text().is_some());
    let error = register_product(&registry, Reading::descriptor())
        .await
        .unwrap_err();
    assert!(error.is_retryable(), "{error:?}");

    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    serve_registry(listener, folder.path().join("registry.db")).await;
    let ids = register_product(&registry, Reading::descriptor())
        .await
        .unwrap();
    assert_eq!(
        ids,
        Registered {
            key_id: 1,
            value_id: 2
        }
    );
    let read = decoder.decode(&raw(key, bytes)).await.unwrap();
    assert_eq!(read.value, Some(reading(5)));

    // Something else that speaks HTTP is no registry.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let page = axum::Router::new().fallback(|| async { "<html>" });
    tokio::spawn(async move { axum::serve(listener, page).await });
    let error = RegistryClient::new(&url)
        .unwrap()
        .writer_schema(1)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error:?}");
}

/// A small generator (Numerical Recipes' LCG), so that a failure can be repeated.
fn random(state: &mut u64) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

#[test]
fn damaged_bytes_never_panic_and_what_passes_the_check_is_whole() {
    let schema = WriterSchema::parse(1, Sample::descriptor().value_schema.clone()).unwrap();
    let mut seed = 7;
    for record in [full(1), sparse(2)] {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        schema.check(&bytes).unwrap();
        assert_eq!(
            Sample::decode(&schema.decode(&bytes).unwrap()).unwrap(),
            record
        );
        for length in 0..bytes.len() {
            assert!(schema.check(&bytes[..length]).is_err(), "cut at {length}");
        }
        for _ in 0..20_000 {
            let mut damaged = bytes.clone();
            for _ in 0..=random(&mut seed) % 3 {
                let at = random(&mut seed) % damaged.len();
                match random(&mut seed) % 3 {
                    0 => damaged[at] = random(&mut seed) as u8,
                    1 => drop(damaged.remove(at)),
                    _ => damaged.insert(at, [0xff, 0x00, 0x80, 0x7f][random(&mut seed) % 4]),
                }
            }
            match (schema.check(&damaged), schema.decode(&damaged)) {
                (Ok(()), Ok(value)) => drop(Sample::decode(&value)),
                // A UUID that is none: its structure is sound.
                (Ok(()), Err(error)) => assert_eq!(error.kind(), ErrorKind::Corrupt),
                (Err(_), decoded) => assert!(decoded.is_err()),
            }
        }
    }
}

#[test]
fn shapes_of_all_avro_types_are_checked() {
    let check = |schema: &str, bytes: &[u8], sound: bool| {
        let parsed = WriterSchema::parse(1, schema).unwrap();
        assert_eq!(parsed.check(bytes).is_ok(), sound, "{schema} {bytes:?}");
    };
    check(r#""null""#, &[], true);
    check(r#""boolean""#, &[1], true);
    check(r#""boolean""#, &[2], false);
    check(r#""int""#, &[0xff, 0xff, 0xff, 0xff, 0x0f], true);
    check(r#""int""#, &[0xff, 0xff, 0xff, 0xff, 0x1f], false);
    check(r#""long""#, &[0xff; 10], false);
    check(
        r#""long""#,
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        true,
    );
    check(
        r#""long""#,
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
        false,
    );
    check(r#""string""#, &[2, 0xff], false);
    check(r#""string""#, &[1], false);
    check(r#""bytes""#, &[2, 0xff], true);
    let array = r#"{"type":"array","items":"int"}"#;
    check(array, &[0], true);
    check(array, &[4, 1, 2, 0], true);
    check(array, &[3, 4, 1, 2, 0], true);
    check(array, &[4, 1, 2], false);
    check(
        r#"{"type":"array","items":"null"}"#,
        &[0xfe, 0xff, 0xff, 0xff, 0x0f, 0],
        false,
    );
    check(
        r#"{"type":"map","values":"int"}"#,
        &[2, 2, b'a', 4, 0],
        true,
    );
    check(r#"{"type":"fixed","name":"f","size":2}"#, &[1, 2], true);
    check(r#"{"type":"fixed","name":"f","size":2}"#, &[1], false);
    check(r#"["null","int","string"]"#, &[4, 2, b'a'], true);
    check(r#"["null","int","string"]"#, &[6, 2], false);
    check(r#"["null","int"]"#, &[1, 2], false);
    check(r#"["int","null"]"#, &[2], true);
    check(
        r#"{"type":"enum","name":"e","symbols":["A","B"]}"#,
        &[2],
        true,
    );
    check(
        r#"{"type":"enum","name":"e","symbols":["A","B"]}"#,
        &[4],
        false,
    );
    check(
        r#"{"type":"enum","name":"e","symbols":["A","B"]}"#,
        &[1],
        false,
    );
    let list = r#"{"type":"record","name":"l","namespace":"n","fields":[{"name":"next","type":["null","l"]}]}"#;
    check(list, &[2, 2, 0], true);
    check(list, &[2; 1000], false);
}
