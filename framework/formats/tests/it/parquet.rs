//! Parquet files of another writer (pyarrow) are read, and damaged ones are refused.

use mesh_core::{Error, ErrorKind};
use mesh_formats::sample::read_parquet;
use mesh_formats::{Choice, Imported};

use crate::support::{columns, folder, has_note};

fn read(name: &str, without: &[&str]) -> Result<Imported, Error> {
    let choice = Choice {
        record: None,
        without: without.iter().map(|path| (*path).to_owned()).collect(),
    };
    read_parquet(&folder().join("samples").join(name), &choice)
}

#[test]
fn the_schema_of_a_file_becomes_columns() {
    let imported = read("trips.parquet", &[]).unwrap();
    assert_eq!(
        columns(&imported.fields),
        [
            "trip_id long",
            "driver_email string?",
            "small int?",
            "wide decimal(20,0)?",
            "fare decimal(12,2)",
            "ok boolean?",
            "day date?",
            "at timestamp-millis",
            "seen timestamp-micros?",
            "ratio float?",
            "half float?",
            "score double?",
            "kind string?",
            "tags [string]",
            "stops [{place string?, minute int}?]?",
            "car {plate string}?",
        ]
    );
    assert_eq!(imported.key, ["trip_id"]);
    assert_eq!(imported.event_time.as_deref(), Some("at"));
    assert_eq!(imported.guesses[0].column, "driver_email");
    has_note(&imported, "", "2 rows");
    has_note(&imported, "seen", "local time is taken as UTC");
    has_note(&imported, "wide", "decimal(20,0)");
}

#[test]
fn columns_without_a_type_are_refused_by_name_and_can_be_left_out() {
    let error = read("unfit.parquet", &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let text = error.to_string();
    for part in ["blob: bytes", "--without blob"] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let imported = read("unfit.parquet", &["blob"]).unwrap();
    assert_eq!(
        columns(&imported.fields),
        [
            "id long?",
            "attributes {string: int?}?",
            "clock time-micros?"
        ]
    );
    let imported = read("unfit.parquet", &["blob", "attributes", "clock"]).unwrap();
    assert_eq!(columns(&imported.fields), ["id long?"]);
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() {
    let sound = std::fs::read(folder().join("samples/trips.parquet")).unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("damaged.parquet");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        read_parquet(&path, &Choice::default())
    };
    let refused = |bytes: &[u8], part: &str| {
        let text = read(bytes).unwrap_err().to_string();
        assert!(
            text.contains(part) && text.contains("damaged.parquet"),
            "{text}"
        );
    };
    refused(b"", "no Parquet file");
    refused(b"id,name\n1,x\n2,y\n", "no Parquet file");
    let mut encrypted = sound.clone();
    let end = encrypted.len() - 1;
    encrypted[end - 3..].copy_from_slice(b"PARE");
    refused(&encrypted, "encrypted");
    let mut vast = sound.clone();
    vast[end - 7..end - 3].copy_from_slice(&u32::MAX.to_le_bytes());
    refused(&vast, "cannot be read");
    // Bytes of the metadata wrong, one at a time: an error or a schema, never a panic.
    let length = u32::from_le_bytes(sound[end - 7..end - 3].try_into().unwrap()) as usize;
    let start = sound.len() - 8 - length;
    let mut failed = 0;
    for (at, flip) in (start..sound.len() - 8)
        .step_by(5)
        .zip([0xff, 0x0f, 0x80].into_iter().cycle())
    {
        let mut bytes = sound.clone();
        bytes[at] ^= flip;
        failed += usize::from(read(&bytes).is_err());
    }
    assert!(failed > 20, "{failed}");
}
