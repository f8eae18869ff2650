//! Protobuf files become columns, and what is exported is a file that a compiler takes.

use mesh_core::Error;
use mesh_formats::import::read_protobuf;
use mesh_formats::{Choice, Imported};

use crate::imports::check_refused;
use crate::support::{columns, has_note};

fn read(text: &str) -> Result<Imported, Error> {
    read_protobuf("trip.proto", text, &Choice::default())
}

const TRIP: &str = r#"
syntax = "proto3";
package com.taxi.rides;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

// A trip that
// ended.
message Trip {
  int64 trip_id = 1; // The trip.
  optional string note = 12;
  uint32 seats = 3;
  fixed64 odometer = 4;
  bool paid = 5;
  double score = 6;
  float ratio = 7;
  google.protobuf.Timestamp ended_at = 8;
  google.protobuf.StringValue nick = 9;
  Kind kind = 10;
  Mood mood = 11;
  Place from = 2;
  repeated Place stops = 13;
  repeated string tags = 14;
  oneof payment {
    string card_number = 15;
    int32 cash = 16;
  }
  message Place {
    string street = 1;
    optional int32 level = 2;
  }
  enum Kind {
    KIND_UNSPECIFIED = 0;
    // Within the city.
    KIND_CITY = 1;
    KIND_AIRPORT = 2;
  }
}
enum Mood { GOOD = 0; BAD = 1; }
"#;

#[test]
fn a_message_becomes_columns() {
    let imported = read(TRIP).unwrap();
    let place = "{street string, level int?}";
    assert_eq!(
        columns(&imported.fields),
        [
            "trip_id long",
            "note string?",
            "seats long",
            "odometer decimal(20,0)",
            "paid boolean",
            "score double",
            "ratio float",
            "ended_at timestamp-micros?",
            "nick string?",
            "kind enum(CITY, AIRPORT)",
            "mood enum(GOOD, BAD)",
            &format!("from {place}?"),
            &format!("stops [{place}]"),
            "tags [string]",
            "card_number string?",
            "cash int?",
        ]
    );
    assert_eq!(imported.key, ["trip_id"]);
    assert_eq!(imported.domain.as_deref(), Some("rides"));
    assert_eq!(imported.description.as_deref(), Some("A trip that ended."));
    assert_eq!(imported.fields[0].description.as_deref(), Some("The trip."));
    has_note(&imported, "kind", "KIND_");
    has_note(&imported, "payment", "only one");
    has_note(&imported, "seats", "64 bits");
}

#[test]
fn what_no_contract_holds_is_refused_by_the_fields_name() {
    let with = |field: &str| {
        read(&format!(
            "syntax = \"proto3\";\nimport \"google/protobuf/any.proto\";\nmessage R {{\n  int32 id = 1;\n  {field}\n  message S {{ S next = 1; }}\n}}"
        ))
    };
    for (field, reason) in [
        ("bytes x = 2;", "x: bytes"),
        ("map<int32, int32> x = 2;", "x: a map whose keys"),
        ("map<string, bytes> x = 2;", "x: bytes"),
        (
            "google.protobuf.Any x = 2;",
            "x: the type google.protobuf.Any",
        ),
        ("S x = 2;", "x.next: the message `R.S` holds itself"),
    ] {
        check_refused(with(field), &["trip.proto", reason, "--without x"]);
    }
    check_refused(with("int32 x = ;"), &["trip.proto", "line: 5", "mend it"]);
    check_refused(with("Gone x = 2;"), &["trip.proto", "line: 5", "Gone"]);
    check_refused(
        read("syntax = \"proto3\"; import \"other.proto\";"),
        &["other.proto", "one file"],
    );
    check_refused(read("syntax = \"proto3\";"), &["no message"]);
    let deep = format!(
        "syntax = \"proto3\"; {}{}",
        "message A {".repeat(50_000),
        "}".repeat(50_000)
    );
    check_refused(read(&deep), &["recursion limit", "line: 1"]);
    let two = "syntax = \"proto3\"; message A { int32 a = 1; } message B { int32 b = 1; }";
    check_refused(read(two), &["A, B", "--record"]);
    let chosen = Choice {
        record: Some("B".into()),
        without: Vec::new(),
    };
    assert_eq!(
        columns(&read_protobuf("x", two, &chosen).unwrap().fields),
        ["b int"]
    );
    // The one that no other holds is meant.
    let held = "syntax = \"proto3\"; message A { int32 a = 1; } message B { repeated A b = 1; }";
    assert_eq!(columns(&read(held).unwrap().fields), ["b [{a int}]"]);
    let old = "syntax = \"proto2\"; message A { required int32 a = 1; optional int32 b = 2; }";
    assert_eq!(columns(&read(old).unwrap().fields), ["a int", "b int?"]);
}
