//! What is read as a Protobuf schema and what is refused, and the texts that come of it.

use std::time::{Duration, Instant};

use mesh_registry::compat::protobuf::{ProtobufSchema, can_read};

fn parse(text: &str) -> ProtobufSchema {
    ProtobufSchema::parse(text, &[]).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn reference(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[track_caller]
fn refused(text: &str, references: &[(String, String)], words: &[&str]) {
    let started = Instant::now();
    let error = ProtobufSchema::parse(text, references).expect_err(&text[..text.len().min(200)]);
    let told = format!("{error} {:?}", error.context());
    for word in words {
        assert!(told.contains(word), "'{word}' in {told}");
    }
    assert!(told.len() < 2_000, "{} bytes of error", told.len());
    assert!(started.elapsed() < Duration::from_secs(20), "{told}");
}

const HEAD: &str = "syntax = \"proto3\";\n";

#[test]
fn bad_schemas_are_refused_with_their_place() {
    let table: &[(&str, &[&str])] = &[
        ("", &["empty"]),
        ("\n ", &["empty"]),
        (
            "{\"type\": \"record\"}",
            &["not a valid .proto", "line", "1"],
        ),
        ("hello world", &["not a valid .proto", "line"]),
        ("aGVsbG8gd29ybGQ=", &["base64", "FileDescriptorProto"]),
        (
            "syntax = \"proto3\";\nmessage M {\n  strin a = 1;\n}",
            &["strin", "\"line\", \"3\""],
        ),
        (
            "syntax = \"proto3\";\nmessage M {\n  string a = 0;\n}",
            &["\"line\", \"3\""],
        ),
        (
            "syntax = \"proto3\";\nmessage M { string a = 1; string b = 1; }",
            &["1", "line"],
        ),
        (
            "syntax = \"proto3\";\nmessage M { string a = 1; string a = 2; }",
            &["a", "line"],
        ),
        (
            "syntax = \"proto3\";\nmessage M {}\nmessage M {}",
            &["M", "line"],
        ),
        ("syntax = \"proto3\";\nenum E { A = 1; }", &["line"]),
        (
            "syntax = \"proto3\";\nmessage M { required string a = 1; }",
            &["required", "line"],
        ),
        ("syntax = \"proto4\";\nmessage M {}", &["line"]),
        (
            "syntax = \"proto3\";\nimport \"none.proto\";",
            &["none.proto", "line"],
        ),
        (
            "syntax = \"proto3\";\nmessage M { reserved 1; string a = 1; }",
            &["line"],
        ),
        (
            "syntax = \"proto3\";\nmessage M { string a = 1 [(own) = 1]; }",
            &["own", "line"],
        ),
    ];
    for (text, words) in table {
        refused(text, &[], words);
    }
    let main = format!("{HEAD}import \"a.proto\"; message M {{ A a = 1; }}");
    refused(
        &main,
        &[reference("a.proto", "message {")],
        &["a.proto", "line"],
    );
    let circle = format!("{HEAD}import \"b.proto\"; message A {{}}");
    let back = format!("{HEAD}import \"a.proto\"; message B {{}}");
    refused(
        &main,
        &[reference("a.proto", &circle), reference("b.proto", &back)],
        &["cycle"],
    );
}

#[test]
fn large_and_deep_schemas_end_in_time() {
    let deep = |n: usize| format!("{HEAD}{}{}", "message M {".repeat(n), "}".repeat(n));
    parse(&deep(20));
    refused(&deep(40), &[], &["nest"]);
    refused(&deep(30_000), &[], &["nested"]);
    let option = format!(
        "{HEAD}option (x) = {}{};",
        "{a:".repeat(50_000),
        "}".repeat(50_000)
    );
    refused(&option, &[], &["nested"]);
    refused(&format!("{HEAD}{}", "(".repeat(100_000)), &[], &["nested"]);
    refused(
        &format!("{HEAD}// {}", "x".repeat(1 << 20)),
        &[],
        &["too large"],
    );
    // Braces in comments and strings do not count.
    parse(&format!(
        "{HEAD}// {0}\n/* {0} */\nmessage M {{ }}",
        "{".repeat(1_000)
    ));
    let many: Vec<(String, String)> = (0..600)
        .map(|n| reference(&format!("r{n}.proto"), HEAD))
        .collect();
    refused(HEAD, &many, &["too many imports"]);
    // As many imports behind each other as there may be.
    let row: Vec<(String, String)> = (0..500)
        .map(|n| {
            let next = format!("import \"r{}.proto\";", n + 1);
            let next = if n == 499 { "" } else { &next };
            reference(
                &format!("r{n}.proto"),
                &format!("{HEAD}{next} message M{n} {{}}"),
            )
        })
        .collect();
    let first = format!("{HEAD}import \"r0.proto\"; message M {{ M0 m = 1; }}");
    ProtobufSchema::parse(&first, &row).unwrap();
    let started = Instant::now();
    let fields: Vec<String> = (1..20_000)
        .map(|n| format!("string f{n} = {};", n + 20_000))
        .collect();
    let wide = format!("{HEAD}message M {{ {} }}", fields.join("\n"));
    let schema = parse(&wide);
    let other = parse(&wide.replace("string", "int32"));
    assert_eq!(can_read(&other, &schema).unwrap().len(), 50);
    let canonical = schema.canonical();
    assert_eq!(parse(&canonical).canonical(), canonical);
    assert!(started.elapsed() < Duration::from_secs(60));
}

/// Everything that a schema can hold.
const FULL: &str = r#"
// A comment.
syntax = "proto2";
package bank.v1;
import public "google/protobuf/timestamp.proto";
import "google/protobuf/descriptor.proto";
import "confluent/meta.proto";
import "confluent/type/decimal.proto";
option java_package = "com.bank";
option (confluent.file_meta).doc = "a \"file\"\n";
extend google.protobuf.FieldOptions { optional double weight = 50001; repeated string labels = 50002; }
message Account {
  option deprecated = true;
  reserved 7, 9 to 11, 100 to max;
  reserved "old";
  optional string name = 1 [default = "a'b\"c", json_name = "NAME", deprecated = true];
  required int64 id = 2 [(weight) = 1.5, (labels) = "x", (labels) = "y"];
  repeated int32 codes = 3 [packed = true];
  map<string, Inner> inners = 4;
  oneof choice { Kind kind = 5; google.protobuf.Timestamp at = 6; }
  optional group Part = 8 { optional bytes raw = 1 [default = "\001\xff"]; }
  message Inner { optional confluent.type.Decimal amount = 1 [(confluent.field_meta) = { doc: "d" params: [{ key: "precision" value: "9" }] tags: ["PII", "X"] }]; extensions 10 to 20; }
  enum Kind { option allow_alias = true; NONE = 0; SOME = 5; OTHER = 5 [deprecated = true]; MINUS = -1; reserved 8 to 9, 20 to max; reserved "GONE"; }
  extend Inner { optional float rate = 12 [default = inf]; optional group Extra = 13 { optional bool on = 1; } }
}
message Second { optional Account.Kind kind = 1 [default = SOME]; }
enum Top { ZERO = 0; }
service Bank { rpc Get(Account) returns (stream Second) { option deprecated = true; } rpc Put(stream Second) returns (Account); }
"#;

#[test]
fn the_canonical_text_is_stable() {
    let schema = parse(FULL);
    let canonical = schema.canonical();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/it/protobuf_canonical.proto"
        );
        std::fs::write(file, &canonical).unwrap();
    }
    assert_eq!(canonical, include_str!("protobuf_canonical.proto"));
    assert_eq!(parse(&canonical).canonical(), canonical);
    // The descriptor is the same schema.
    let serialized = schema.serialized();
    assert_eq!(parse(&serialized).canonical(), canonical);
    assert_eq!(parse(&serialized).serialized(), serialized);
    let normalized = schema.normalized();
    assert_eq!(parse(&normalized).normalized(), normalized);
    assert_eq!(parse(&normalized).canonical(), normalized);
    assert!(can_read(&schema, &parse(&normalized)).unwrap().is_empty());
}

#[test]
fn spellings_of_one_schema_are_the_same() {
    let table = [
        "syntax=\"proto3\";package p;message A{B b=1;map<string,B>m=2;message C{}}message B{}",
        "syntax = \"proto3\"; // c\npackage p;\n\nmessage A {\n .p.B b = 1;\n /* d */ map<string, p.B> m = 2; message C {} } message B {}",
        "syntax = 'proto3'; package p; message A { p.B b = 0x1; message C {} map<string, B> m = 2 [json_name = \"m\"]; } message B {}",
    ];
    let expected = parse(table[0]).canonical();
    for text in table {
        assert_eq!(parse(text).canonical(), expected, "{text}");
    }
    // The order of messages and fields is kept; that of fields counts only as it was written.
    let turned = "syntax = \"proto3\"; package p; message A { map<string, B> m = 2; B b = 1; message C {} } message B {}";
    assert_ne!(parse(turned).canonical(), expected);
    assert_eq!(parse(turned).normalized(), parse(table[0]).normalized());
}

#[test]
fn imports_come_from_references_or_are_built_in() {
    let main = format!(
        "{HEAD}import \"common/address.proto\"; import \"google/protobuf/wrappers.proto\";\
         message M {{ common.Address home = 1; google.protobuf.StringValue note = 2; }}"
    );
    let address = format!("{HEAD}package common; message Address {{ string zip = 1; }}");
    let schema =
        ProtobufSchema::parse(&main, &[reference("common/address.proto", &address)]).unwrap();
    assert!(schema.canonical().contains(".common.Address home = 1;"));
    assert_eq!(schema.full_name().as_deref(), Some("M"));
    // A reference may be a descriptor too.
    let address = parse(&address).serialized();
    let again =
        ProtobufSchema::parse(&main, &[reference("common/address.proto", &address)]).unwrap();
    assert_eq!(again.canonical(), schema.canonical());
    // The name of the schema itself is nobody's import.
    let own = format!("{HEAD}import \"schema.proto\"; message M {{ X x = 1; }}");
    let x = format!("{HEAD}message X {{}}");
    ProtobufSchema::parse(&own, &[reference("schema.proto", &x)]).unwrap();
}
