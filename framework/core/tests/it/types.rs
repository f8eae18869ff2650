use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    Decimal128Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType, Time64MicrosecondType,
};
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use mesh_core::{Record, RecordKey, TimeMicros, TimeMillis, TimestampMicros, TimestampMillis};
use uuid::Uuid;

mesh_macros::contract!("tests/it/contracts/sample.odcs.yaml");

fn read(schema: &Schema, bytes: &[u8]) -> Value {
    let reader = GenericDatumReader::builder(schema).build().unwrap();
    reader.read_value(&mut &*bytes).unwrap()
}

pub(crate) fn full() -> Sample {
    Sample {
        sample_id: -0x1234_5678_9abc + 0x1234_5678_9abd,
        series: "ä/1".into(),
        tube: Uuid::from_u128(7),
        status: SampleStatus::MeasuredTwice,
        count: i32::MIN,
        weight: 1.5,
        ratio: Some(0.25),
        price: "-1234.05".parse().unwrap(),
        ok: true,
        taken_on: "1969-12-31".parse().unwrap(),
        taken_at: TimestampMicros(1_700_000_000_123_456),
        seen_at: Some(TimestampMillis(1_700_000_000_123)),
        note: Some("äöü".into()),
        labels: vec!["a".into(), "b".into()],
        place: Some(SamplePlace {
            street: "Main".into(),
            level: None,
        }),
        steps: vec![
            SampleSteps {
                kind: SampleStepsKind::Cool,
            },
            SampleSteps {
                kind: SampleStepsKind::Heat,
            },
        ],
        opens_at: TimeMillis(30_600_250),
        closes_at: Some(TimeMicros(86_399_999_999)),
        counts: [("a".to_owned(), 1)].into(),
        sites: Some([("north".to_owned(), Some(site()))].into()),
    }
}

fn site() -> SampleSites {
    SampleSites {
        open: TimeMillis(0),
        grid: vec![vec![Some(1.5), None], vec![]],
        deep: Some(SampleSitesDeep {
            words: [("wä".to_owned(), "ö".to_owned())].into(),
        }),
    }
}

pub(crate) fn sparse() -> Sample {
    Sample {
        ratio: None,
        seen_at: None,
        note: None,
        labels: vec![],
        place: None,
        steps: vec![],
        closes_at: None,
        counts: BTreeMap::new(),
        sites: None,
        price: "127.99".parse().unwrap(),
        status: SampleStatus::Taken,
        ..full()
    }
}

#[test]
fn apache_avro_reads_what_the_generated_code_writes_and_back() {
    let schema = Schema::parse_str(&Sample::descriptor().value_schema).unwrap();
    for record in [full(), sparse()] {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let value = read(&schema, &bytes);
        assert_eq!(Sample::decode(&value).unwrap(), record);
        let again = GenericDatumWriter::builder(&schema)
            .build()
            .unwrap()
            .write_value_to_vec(value)
            .unwrap();
        assert_eq!(again, bytes, "apache-avro writes the same bytes");
        assert_eq!(Sample::from_json(&record.to_json()).unwrap(), record);
    }
}

#[test]
fn decimals_of_every_width_are_written_minimally() {
    use mesh_core::Decimal;
    use mesh_core::field::FieldValue;
    for (unscaled, expected) in [
        (0i128, vec![2, 0]),
        (127, vec![2, 127]),
        (128, vec![4, 0, 128]),
        (-128, vec![2, 128]),
        (-129, vec![4, 0xff, 0x7f]),
    ] {
        let value = Decimal::<38, 0>::from_unscaled(unscaled).unwrap();
        let mut bytes = Vec::new();
        value.write(&mut bytes);
        assert_eq!(bytes, expected, "{unscaled}");
    }
}

#[test]
fn a_key_of_two_columns_is_a_record() {
    let schema = Schema::parse_str(&Sample::descriptor().key_schema).unwrap();
    let key = full().key();
    assert_eq!(key.to_text(), "1/ä/1");
    let mut bytes = Vec::new();
    key.encode(&mut bytes);
    let value = read(&schema, &bytes);
    assert_eq!(SampleKey::decode(&value).unwrap(), key);
}

#[test]
fn words_do_not_stand_in_the_schema_of_keys() {
    let descriptor = Sample::descriptor();
    assert!(descriptor.value_schema.contains("The sample's number."));
    assert!(
        !descriptor.key_schema.contains("\"doc\""),
        "{}",
        descriptor.key_schema
    );
}

#[test]
fn arrow_avro_decodes_to_the_arrow_schema_of_the_contract() {
    let descriptor = Sample::descriptor();
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store
        .set(
            Fingerprint::Id(7),
            AvroSchema::new(descriptor.value_schema.clone()),
        )
        .unwrap();
    let mut decoder = ReaderBuilder::new()
        .with_writer_schema_store(store)
        .with_reader_schema(AvroSchema::new(descriptor.arrow_reader_schema.clone()))
        .build_decoder()
        .unwrap();
    for record in [full(), sparse()] {
        let mut framed = vec![0, 0, 0, 0, 7];
        record.encode(&mut framed);
        assert_eq!(decoder.decode(&framed).unwrap(), framed.len());
    }
    let batch = decoder.flush().unwrap().unwrap();
    assert_eq!(batch.num_rows(), 2);
    for (ours, theirs) in descriptor
        .arrow
        .fields()
        .iter()
        .zip(batch.schema().fields())
    {
        assert_eq!(ours.name(), theirs.name());
        assert_eq!(ours.is_nullable(), theirs.is_nullable(), "{}", ours.name());
        assert!(
            ours.data_type().equals_datatype(theirs.data_type()),
            "{}: {} is not {}",
            ours.name(),
            theirs.data_type(),
            ours.data_type()
        );
    }
    assert_eq!(batch["sample_id"].as_primitive::<Int64Type>().value(0), 1);
    assert_eq!(
        batch["price"].as_primitive::<Decimal128Type>().value(0),
        -123_405
    );
    assert_eq!(
        batch["tube"].as_string::<i32>().value(0),
        "00000000-0000-0000-0000-000000000007"
    );
    let status = batch["status"].as_dictionary::<Int32Type>();
    assert_eq!(
        status
            .values()
            .as_string::<i32>()
            .value(status.key(0).unwrap()),
        "MEASURED_TWICE"
    );
    assert!(batch["note"].is_null(1));
    let opens = batch["opens_at"].as_primitive::<Time32MillisecondType>();
    assert_eq!(opens.value(0), 30_600_250);
    let closes = batch["closes_at"].as_primitive::<Time64MicrosecondType>();
    assert_eq!(closes.value(0), 86_399_999_999);
    assert!(closes.is_null(1));
    let counts = batch["counts"].as_map();
    assert_eq!((counts.value_length(0), counts.value_length(1)), (1, 0));
    assert_eq!(counts.keys().as_string::<i32>().value(0), "a");
    let sites = batch["sites"].as_map();
    assert!(sites.is_null(1));
    let site = sites.values().as_struct();
    let grid = site["grid"].as_list::<i32>().value(0);
    let row = grid.as_list::<i32>().value(0);
    assert_eq!(row.as_primitive::<Float64Type>().value(0), 1.5);
    assert!(row.is_null(1));
    let words = site["deep"].as_struct()["words"].as_map();
    assert_eq!(words.values().as_string::<i32>().value(0), "ö");
}

#[test]
fn maps_of_many_entries_and_times_of_every_kind_come_back() {
    let schema = Schema::parse_str(&Sample::descriptor().value_schema).unwrap();
    let record = Sample {
        counts: (0..1_000).map(|n| (format!("key {n}"), n)).collect(),
        sites: Some(
            [
                ("a".to_owned(), None),
                ("b".to_owned(), Some(site())),
                (String::new(), None),
            ]
            .into(),
        ),
        ..full()
    };
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    assert_eq!(Sample::decode(&read(&schema, &bytes)).unwrap(), record);
    assert_eq!(Sample::from_json(&record.to_json()).unwrap(), record);
    let json = full().to_json();
    assert_eq!(json["opens_at"], "08:30:00.250");
    assert_eq!(json["closes_at"], "23:59:59.999999");
    assert_eq!(
        json["sites"]["north"]["grid"],
        serde_json::json!([[1.5, null], []])
    );

    // A time outside of a day is no time, and a leap second is its last moment.
    let mut late = json.clone();
    late["opens_at"] = "24:00:00".into();
    let error = Sample::from_json(&late).unwrap_err().to_string();
    assert!(error.contains("opens_at"), "{error}");
    for (value, right) in [
        (0, true),
        (86_399_999, true),
        (86_400_000, false),
        (-1, false),
    ] {
        let value_read = <TimeMillis as mesh_core::field::FieldValue>::read(
            Some(&Value::TimeMillis(value)),
            "opens_at",
        );
        assert_eq!(value_read.is_ok(), right, "{value}");
    }
    let leap = chrono::NaiveTime::from_hms_milli_opt(23, 59, 59, 1_500).unwrap();
    assert_eq!(TimeMillis::from(leap), TimeMillis(86_399_999));
}

#[test]
fn a_reader_needs_fewer_columns_than_the_writer_has_and_names_what_it_misses() {
    let schema = Schema::parse_str(&Sample::descriptor().value_schema).unwrap();
    let mut bytes = Vec::new();
    full().encode(&mut bytes);
    let value = read(&schema, &bytes);
    let Value::Record(mut columns) = value else {
        panic!("a record")
    };
    columns.push(("new_column".into(), Value::Int(1)));
    columns.retain(|(name, _)| name != "note");
    let read = Sample::decode(&Value::Record(columns.clone())).unwrap();
    assert_eq!(read.note, None);
    columns.retain(|(name, _)| name != "price");
    let error = Sample::decode(&Value::Record(columns)).unwrap_err();
    assert!(error.to_string().contains("price"), "{error}");
    assert!(!format!("{error:?}").contains("1234"), "{error:?}");
}

#[test]
fn limits_are_checked_and_the_error_names_the_column_without_its_value() {
    full().validate().unwrap();
    let check = |record: Sample, column: &str| {
        let text = record.validate().unwrap_err().log_line();
        assert!(text.contains(column), "{text}");
        assert!(!text.contains("secret"), "{text}");
    };
    check(
        Sample {
            note: Some("secret secret".into()),
            ..full()
        },
        "note",
    );
    check(
        Sample {
            sample_id: 0,
            ..full()
        },
        "sample_id",
    );
    check(
        Sample {
            labels: vec![String::new()],
            ..full()
        },
        "labels",
    );
    check(
        Sample {
            counts: [("a".to_owned(), 10)].into(),
            ..full()
        },
        "counts",
    );
    let mut deep = site();
    if let Some(deep) = &mut deep.deep {
        deep.words.insert("w".into(), "secret".into());
    }
    check(
        Sample {
            sites: Some([("a".to_owned(), None), ("b".to_owned(), Some(deep))].into()),
            ..full()
        },
        "sites.deep.words",
    );
    check(
        Sample {
            place: Some(SamplePlace {
                street: "secret".into(),
                level: None,
            }),
            ..full()
        },
        "place.street",
    );
}

#[test]
fn personal_columns_are_not_printed() {
    let text = format!("{:?}", full());
    assert!(
        text.contains("<redacted>") && !text.contains("äöü"),
        "{text}"
    );
}
