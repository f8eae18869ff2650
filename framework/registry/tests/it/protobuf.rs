//! Protobuf schemas: what reads what.

use mesh_registry::compat::protobuf::{ProtobufSchema, can_read};

fn parse(text: &str) -> ProtobufSchema {
    ProtobufSchema::parse(text, &[]).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Every rule that is broken with its place: `RULE path`, joined by `; `.
fn broken(reader: &str, writer: &str) -> String {
    let differences = can_read(&parse(reader), &parse(writer)).unwrap();
    let told: Vec<String> = differences
        .iter()
        .map(|difference| format!("{} {}", difference.rule, difference.path))
        .collect();
    told.join("; ")
}

/// Reader, writer, and what is broken when the reader reads what the writer wrote, and the
/// other way round; "" for compatible.
#[track_caller]
fn check(reader: &str, writer: &str, expected: &str, reversed: &str) {
    assert_eq!(broken(reader, writer), expected, "{reader}\n <- {writer}");
    assert_eq!(broken(writer, reader), reversed, "{writer}\n <- {reader}");
}

fn proto3(body: &str) -> String {
    format!("syntax = \"proto3\"; package bank; {body}")
}

fn proto2(body: &str) -> String {
    format!("syntax = \"proto2\"; package bank; {body}")
}

/// A message `M` with these fields.
fn message(fields: &str) -> String {
    proto3(&format!("message M {{ {fields} }}"))
}

#[test]
fn types_of_one_group_stand_for_each_other() {
    let groups: [&[&str]; 7] = [
        &["int32", "uint32", "int64", "uint64", "bool"],
        &["sint32", "sint64"],
        &["string", "bytes"],
        &["fixed32", "sfixed32"],
        &["fixed64", "sfixed64"],
        &["float"],
        &["double"],
    ];
    let all: Vec<(usize, &str)> = groups
        .iter()
        .enumerate()
        .flat_map(|(group, types)| types.iter().map(move |kind| (group, *kind)))
        .collect();
    for (reads, reader) in &all {
        for (writes, writer) in &all {
            let expected = match reads == writes {
                true => "",
                false => "FIELD_SCALAR_KIND_CHANGED M.a",
            };
            let (r, w) = (
                message(&format!("{reader} a = 1;")),
                message(&format!("{writer} a = 1;")),
            );
            assert_eq!(broken(&r, &w), expected, "{reader} <- {writer}");
        }
    }
}

#[test]
fn fields_come_go_and_change() {
    let a = message("string a = 1;");
    let ab = message("string a = 1; int32 b = 2;");
    check(&ab, &a, "", "");
    check(&message("string c = 1;"), &a, "", "");
    // A number that was reserved, or a name.
    for reserved in ["reserved 2;", "reserved \"b\";", "reserved 5, 2 to 3;"] {
        let without = message(&format!("string a = 1; {reserved}"));
        check(&ab, &without, "RESERVED_FIELD_REUSED M.b", "");
    }
    check(
        &message("string a = 2;"),
        &a,
        "FIELD_NUMBER_CHANGED M.a",
        "FIELD_NUMBER_CHANGED M.a",
    );
    check(
        &message("string a = 2; string b = 1;"),
        &message("string a = 1; string b = 2;"),
        "FIELD_NUMBER_CHANGED M.a; FIELD_NUMBER_CHANGED M.b",
        "FIELD_NUMBER_CHANGED M.b; FIELD_NUMBER_CHANGED M.a",
    );
    let kind = "FIELD_KIND_CHANGED M.a";
    check(&message("M a = 1;"), &a, kind, kind);
    // Labels.
    let label = "FIELD_NUMERIC_LABEL_CHANGED M.a";
    check(
        &message("repeated int32 a = 1;"),
        &message("int32 a = 1;"),
        label,
        label,
    );
    check(&message("repeated string a = 1;"), &a, "", "");
    check(&message("repeated M a = 1;"), &message("M a = 1;"), "", "");
    check(
        &message("optional int32 a = 1;"),
        &message("int32 a = 1;"),
        "",
        "",
    );
}

#[test]
fn messages_keep_name_and_place() {
    let of = |names: &[&str]| -> String {
        let all: Vec<String> = names
            .iter()
            .map(|name| format!("message {name} {{}}"))
            .collect();
        proto3(&all.join(" "))
    };
    check(&of(&["A", "B"]), &of(&["A"]), "", "MESSAGE_REMOVED B");
    check(
        &of(&["B"]),
        &of(&["A", "B"]),
        "MESSAGE_REMOVED A",
        "MESSAGE_MOVED B",
    );
    check(
        &of(&["B", "A"]),
        &of(&["A", "B"]),
        "MESSAGE_MOVED A; MESSAGE_MOVED B",
        "MESSAGE_MOVED B; MESSAGE_MOVED A",
    );
    let nested = |inner: &str| proto3(&format!("message A {{ {inner} }}"));
    check(
        &nested("message X { int32 n = 1; }"),
        &nested("message X { string n = 1; }"),
        "FIELD_SCALAR_KIND_CHANGED A.X.n",
        "FIELD_SCALAR_KIND_CHANGED A.X.n",
    );
    check(
        &nested(""),
        &nested("message X {}"),
        "MESSAGE_REMOVED A.X",
        "",
    );
    // The package is no part of what is compared.
    let other = "syntax = \"proto3\"; package shop.v2; message A { B b = 1; } message B {}";
    check(
        other,
        &proto3("message A { B b = 1; } message B {}"),
        "",
        "",
    );
    let named = "FIELD_NAMED_TYPE_CHANGED A.b";
    check(
        &proto3("message A { B b = 1; } message B {} message C {}"),
        &proto3("message A { C b = 1; } message B {} message C {}"),
        named,
        named,
    );
    // Types that hold each other.
    let tree = |kind: &str| message(&format!("M left = 1; repeated M all = 2; {kind} v = 3;"));
    check(
        &tree("int32"),
        &tree("float"),
        "FIELD_SCALAR_KIND_CHANGED M.v",
        "FIELD_SCALAR_KIND_CHANGED M.v",
    );
}

#[test]
fn oneofs() {
    let plain = message("string a = 1; string b = 2;");
    let single = message("oneof o { string a = 1; } string b = 2;");
    let both = message("oneof o { string a = 1; string b = 2; }");
    check(&single, &plain, "", "");
    check(&both, &plain, "MULTIPLE_FIELDS_MOVED_TO_ONEOF M.o", "");
    // Into a oneof that is there already.
    check(&both, &single, "MULTIPLE_FIELDS_MOVED_TO_ONEOF M.o", "");
    check(
        &message("oneof o { string a = 1; }"),
        &both,
        "ONEOF_FIELD_REMOVED M.b",
        "",
    );
    // Another name is another oneof only if no field is left.
    check(
        &message("oneof p { string a = 1; }"),
        &both,
        "ONEOF_FIELD_REMOVED M.b",
        "",
    );
    check(&message(""), &both, "", "");
    // An optional field of proto3 is a oneof for the descriptor alone.
    check(
        &message("optional string a = 1;"),
        &message("string a = 1;"),
        "",
        "",
    );
}

#[test]
fn enums() {
    let open = |values: &str| proto3(&format!("enum E {{ {values} }} message M {{ E e = 1; }}"));
    check(&open("A = 0; B = 1;"), &open("A = 0;"), "", "");
    check(&open("A = 0; C = 1;"), &open("A = 0; B = 1;"), "", "");
    let closed = |values: &str| {
        proto2(&format!(
            "enum E {{ {values} }} message M {{ optional E e = 1; }}"
        ))
    };
    check(
        &closed("A = 0; B = 1;"),
        &closed("A = 0;"),
        "",
        "ENUM_CONST_REMOVED E.B",
    );
    // Open enums and integers stand for each other; a closed enum drops what it does not know.
    check(&open("A = 0;"), &message("int32 e = 1;"), "", "");
    check(
        &closed("A = 0;"),
        &proto2("enum E { A = 0; } message M { optional int32 e = 1; }"),
        "FIELD_KIND_CHANGED M.e",
        "",
    );
    let two = |kind: &str| {
        proto3(&format!(
            "enum E {{ A = 0; }} enum F {{ Z = 0; }} message M {{ {kind} e = 1; }}"
        ))
    };
    let named = "FIELD_NAMED_TYPE_CHANGED M.e";
    check(&two("E"), &two("F"), named, named);
}

#[test]
fn maps() {
    let map = message("map<string, int32> a = 1;");
    let value = "FIELD_SCALAR_KIND_CHANGED M.AEntry.value";
    check(&message("map<string, float> a = 1;"), &map, value, value);
    check(&message("map<string, int64> a = 1;"), &map, "", "");
    check(
        &message("map<int32, int32> a = 1;"),
        &map,
        "FIELD_SCALAR_KIND_CHANGED M.AEntry.key",
        "FIELD_SCALAR_KIND_CHANGED M.AEntry.key",
    );
    // A map is a repeated message with a key and a value.
    check(
        &message("repeated Pair a = 1; message Pair { string key = 1; int32 value = 2; }"),
        &map,
        "",
        "MESSAGE_REMOVED M.Pair",
    );
    check(
        &message("string a = 1;"),
        &map,
        "FIELD_KIND_CHANGED M.a",
        "FIELD_KIND_CHANGED M.a",
    );
}

#[test]
fn required_fields_and_groups() {
    let of = |fields: &str| proto2(&format!("message M {{ {fields} }}"));
    check(
        &of("required string a = 1;"),
        &of("optional string a = 1;"),
        "REQUIRED_FIELD_ADDED M.a",
        "",
    );
    check(
        &of("required string a = 1;"),
        &of(""),
        "REQUIRED_FIELD_ADDED M.a",
        "",
    );
    check(
        &of("optional group G = 1 { optional int32 n = 1; }"),
        &of("optional group G = 1 { optional string n = 1; }"),
        "FIELD_SCALAR_KIND_CHANGED M.G.n",
        "FIELD_SCALAR_KIND_CHANGED M.G.n",
    );
    let kind = "FIELD_KIND_CHANGED M.g";
    check(
        &of("optional group G = 1 { optional int32 n = 1; }"),
        &of("optional G g = 1; message G { optional int32 n = 1; }"),
        kind,
        kind,
    );
    // Services and the syntax as such are not compared.
    check(
        &proto2("message M { optional string a = 1; } service S { rpc F(M) returns (M); }"),
        &message("string a = 1;"),
        "",
        "",
    );
}

#[test]
fn imported_types_are_compared() {
    let with = |address: &str| {
        let main =
            "syntax = \"proto3\"; import \"address.proto\"; message M { common.Address home = 1; }";
        let address =
            format!("syntax = \"proto3\"; package common; message Address {{ {address} }}");
        ProtobufSchema::parse(main, &[("address.proto".to_owned(), address)]).unwrap()
    };
    let differences = can_read(&with("int32 zip = 1;"), &with("string zip = 1;")).unwrap();
    let told: Vec<String> = differences
        .iter()
        .map(|d| format!("{} {}", d.rule, d.path))
        .collect();
    assert_eq!(told, ["FIELD_SCALAR_KIND_CHANGED common.Address.zip"]);
}

#[test]
fn a_difference_names_rule_field_and_mend() {
    let old = parse(&message("string name = 1; int32 age = 2;"));
    let new = parse(&message("string name = 1; string age = 2;"));
    let differences = can_read(&new, &old).unwrap();
    let told: Vec<String> = differences
        .iter()
        .map(|d| {
            let (new, old) = ("the new schema", "version 3");
            format!(
                "{} {}: {}; {}",
                d.rule,
                d.path,
                d.describe(new, old),
                d.mend(new, old)
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "FIELD_SCALAR_KIND_CHANGED M.age: field M.age (number 2) is string in the new schema and \
          int32 in version 3; keep the type (int32, uint32, int64, uint64, bool and enums stand for \
          each other, sint32 and sint64, string and bytes, fixed32 and sfixed32, fixed64 and \
          sfixed64), or remove the field, reserve 2, and add one of another number"
        ]
    );
}
