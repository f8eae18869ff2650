//! Avro's "Schema Resolution" as a table of pairs.

use mesh_registry::compat::{Schema, can_read};

use crate::harness::record;

/// Every rule that is broken with its place: `RULE path`, joined by `; `.
fn broken(reader: &str, writer: &str) -> String {
    let reader = Schema::parse(reader).expect(reader);
    let writer = Schema::parse(writer).expect(writer);
    let differences = can_read(&reader, &writer).unwrap();
    let told: Vec<String> = differences
        .iter()
        .map(|difference| format!("{} {}", difference.rule, difference.path))
        .collect();
    told.join("; ")
}

#[test]
fn primitive_types_promote_as_the_specification_says() {
    let kinds = [
        "null", "boolean", "int", "long", "float", "double", "bytes", "string",
    ];
    let promotes = [
        ("long", "int"),
        ("float", "int"),
        ("float", "long"),
        ("double", "int"),
        ("double", "long"),
        ("double", "float"),
        ("bytes", "string"),
        ("string", "bytes"),
    ];
    for reader in kinds {
        for writer in kinds {
            let fits = reader == writer || promotes.contains(&(reader, writer));
            let expected = if fits { "" } else { "TYPE_MISMATCH /" };
            let (r, w) = (format!("\"{reader}\""), format!("\"{writer}\""));
            assert_eq!(broken(&r, &w), expected, "{reader} <- {writer}");
        }
    }
}

/// Reader, writer, and what is broken; "" for compatible.
#[test]
fn types_resolve() {
    let e = |symbols: &str, more: &str| {
        format!(r#"{{"type":"enum","name":"E","symbols":[{symbols}]{more}}}"#)
    };
    let f = |name: &str, size: u32, more: &str| {
        format!(r#"{{"type":"fixed","name":"{name}","size":{size}{more}}}"#)
    };
    let array = |items: &str| format!(r#"{{"type":"array","items":{items}}}"#);
    let map = |values: &str| format!(r#"{{"type":"map","values":{values}}}"#);
    let decimal = |precision: u32, scale: u32| {
        format!(
            r#"{{"type":"bytes","logicalType":"decimal","precision":{precision},"scale":{scale}}}"#
        )
    };
    let (int, long, string) = (r#""int""#, r#""long""#, r#""string""#);
    let table: Vec<(String, String, &str)> = vec![
        // Arrays and maps.
        (array(long), array(int), ""),
        (array(int), array(long), "TYPE_MISMATCH /items"),
        (map(long), map(int), ""),
        (map(int), map(string), "TYPE_MISMATCH /values"),
        (array(int), map(int), "TYPE_MISMATCH /"),
        (array(int), int.into(), "TYPE_MISMATCH /"),
        // Enums.
        (e(r#""A","B""#, ""), e(r#""A""#, ""), ""),
        (
            e(r#""A""#, ""),
            e(r#""A","B""#, ""),
            "MISSING_ENUM_SYMBOLS /symbols",
        ),
        (e(r#""A""#, r#","default":"A""#), e(r#""A","B""#, ""), ""),
        (
            e(r#""A""#, ""),
            e(r#""A","B""#, r#","default":"A""#),
            "MISSING_ENUM_SYMBOLS /symbols",
        ),
        (
            e(r#""A""#, r#","namespace":"x""#),
            e(r#""A""#, r#","namespace":"y""#),
            "",
        ),
        (e(r#""A""#, ""), string.into(), "TYPE_MISMATCH /"),
        (
            r#"{"type":"enum","name":"G","symbols":["A"]}"#.into(),
            e(r#""A""#, ""),
            "NAME_MISMATCH /name",
        ),
        (
            r#"{"type":"enum","name":"G","symbols":["A"],"aliases":["E"]}"#.into(),
            e(r#""A""#, ""),
            "",
        ),
        // An alias is a full name: unqualified it stands in the reader's namespace.
        (
            r#"{"type":"enum","name":"n.G","symbols":["A"],"aliases":["E"]}"#.into(),
            e(r#""A""#, ""),
            "NAME_MISMATCH /name",
        ),
        (
            r#"{"type":"enum","name":"n.G","symbols":["A"],"aliases":["E"]}"#.into(),
            e(r#""A""#, r#","namespace":"n""#),
            "",
        ),
        // Fixed.
        (f("F", 4, ""), f("F", 4, ""), ""),
        (f("F", 4, ""), f("F", 5, ""), "FIXED_SIZE_MISMATCH /size"),
        (
            f("G", 4, ""),
            f("F", 5, ""),
            "NAME_MISMATCH /name; FIXED_SIZE_MISMATCH /size",
        ),
        (f("G", 4, r#","aliases":["F"]"#), f("F", 4, ""), ""),
        (r#""bytes""#.into(), f("F", 4, ""), "TYPE_MISMATCH /"),
        // Decimals match in precision and scale; an invalid annotation is none.
        (decimal(9, 2), decimal(9, 2), ""),
        (decimal(9, 2), decimal(9, 3), "TYPE_MISMATCH /"),
        (decimal(10, 2), decimal(9, 2), "TYPE_MISMATCH /"),
        (decimal(2, 9), decimal(9, 2), ""),
        (decimal(9, 2), r#""bytes""#.into(), ""),
        (decimal(9, 2), string.into(), ""),
        (
            f(
                "F",
                4,
                r#","logicalType":"decimal","precision":9,"scale":2"#,
            ),
            f(
                "F",
                4,
                r#","logicalType":"decimal","precision":9,"scale":3"#,
            ),
            "TYPE_MISMATCH /",
        ),
        (
            f(
                "F",
                4,
                r#","logicalType":"decimal","precision":10,"scale":2"#,
            ),
            f(
                "F",
                4,
                r#","logicalType":"decimal","precision":9,"scale":3"#,
            ),
            "",
        ),
        // Unions.
        (r#"["null","int"]"#.into(), int.into(), ""),
        (r#"["null","long"]"#.into(), int.into(), ""),
        (
            r#"["null","int"]"#.into(),
            string.into(),
            "MISSING_UNION_BRANCH /",
        ),
        (int.into(), r#"["int"]"#.into(), ""),
        (int.into(), r#"["null","int"]"#.into(), "TYPE_MISMATCH /0"),
        (long.into(), r#"["int","long"]"#.into(), ""),
        (
            r#"["null","int","string"]"#.into(),
            r#"["string","null"]"#.into(),
            "",
        ),
        (
            r#"["null","string"]"#.into(),
            r#"["null","int","boolean"]"#.into(),
            "MISSING_UNION_BRANCH /1; MISSING_UNION_BRANCH /2",
        ),
        (
            r#"["null","string"]"#.into(),
            r#"["null","bytes"]"#.into(),
            "",
        ),
        (
            r#"["double"]"#.into(),
            r#"["int","long","float"]"#.into(),
            "",
        ),
        (int.into(), "[]".into(), ""),
        ("[]".into(), int.into(), "MISSING_UNION_BRANCH /"),
        (
            format!("[\"null\",{}]", f("F", 4, "")),
            f("F", 5, ""),
            "MISSING_UNION_BRANCH /",
        ),
        (
            format!("[{},{}]", f("F", 4, ""), f("G", 5, r#","aliases":["F"]"#)),
            f("F", 5, ""),
            "",
        ),
    ];
    for (reader, writer, expected) in table {
        assert_eq!(broken(&reader, &writer), expected, "{reader} <- {writer}");
    }
}

#[test]
fn records_resolve_field_by_field() {
    let a = r#"{"name":"a","type":"int"}"#;
    let b = r#"{"name":"b","type":"int"}"#;
    let missing = |at: u32| format!("READER_FIELD_MISSING_DEFAULT_VALUE /fields/{at}");
    let table: Vec<(String, String, String)> = vec![
        (record(a), record(a), String::new()),
        (record(a), record(&format!("{b},{a}")), String::new()),
        (record(&format!("{a},{b}")), record(a), missing(1)),
        (
            record(&format!(r#"{a},{{"name":"b","type":"int","default":1}}"#)),
            record(a),
            String::new(),
        ),
        // A default of null is a default; a nullable type without one is none.
        (
            record(&format!(
                r#"{a},{{"name":"b","type":["null","int"],"default":null}}"#
            )),
            record(a),
            String::new(),
        ),
        (
            record(&format!(r#"{a},{{"name":"b","type":["null","int"]}}"#)),
            record(a),
            missing(1),
        ),
        // The default symbol of an enum is no default of the field.
        (
            record(
                r#"{"name":"e","type":{"type":"enum","name":"E","symbols":["X"],"default":"X"}}"#,
            ),
            record(a),
            missing(0),
        ),
        (
            record(r#"{"name":"b","type":"int","aliases":["a"]}"#),
            record(a),
            String::new(),
        ),
        (
            record(r#"{"name":"b","type":"int","aliases":["A"]}"#),
            record(a),
            missing(0),
        ),
        (
            record(r#"{"name":"c","type":"int","aliases":["a","b"]}"#),
            record(&format!("{a},{b}")),
            "AMBIGUOUS_FIELD_ALIAS /fields/0".into(),
        ),
        (
            record(r#"{"name":"a","type":"int","aliases":["b"]}"#),
            record(&format!("{a},{b}")),
            "AMBIGUOUS_FIELD_ALIAS /fields/0".into(),
        ),
        (
            record(r#"{"name":"a","type":"string"},{"name":"n","type":"int"}"#),
            record(a),
            "TYPE_MISMATCH /fields/0/type; READER_FIELD_MISSING_DEFAULT_VALUE /fields/1".into(),
        ),
        (
            r#"{"type":"record","name":"S","fields":[]}"#.into(),
            record(a),
            "NAME_MISMATCH /name".into(),
        ),
        (
            r#"{"type":"record","name":"S","aliases":["bank.R"],"fields":[]}"#.into(),
            record(a),
            String::new(),
        ),
        (
            r#"{"type":"record","name":"other.R","fields":[]}"#.into(),
            record(a),
            String::new(),
        ),
        (
            r#"{"type":"error","name":"R","fields":[]}"#.into(),
            record(a),
            String::new(),
        ),
    ];
    for (reader, writer, expected) in table {
        assert_eq!(broken(&reader, &writer), expected, "{reader} <- {writer}");
    }
}

#[test]
fn nested_and_recursive_types_resolve() {
    let list = |value: &str, more: &str| {
        record(&format!(
            r#"{{"name":"value","type":{value}}}{more},{{"name":"next","type":["null","R"]}}"#
        ))
    };
    assert_eq!(broken(&list(r#""long""#, ""), &list(r#""int""#, "")), "");
    assert_eq!(
        broken(&list(r#""int""#, ""), &list(r#""long""#, "")),
        "TYPE_MISMATCH /fields/0/type"
    );
    let wider = list(r#""int""#, r#",{"name":"new","type":"int"}"#);
    assert_eq!(
        broken(&wider, &list(r#""int""#, "")),
        "READER_FIELD_MISSING_DEFAULT_VALUE /fields/1"
    );
    // Two records that hold each other, against one that holds itself.
    let ping = r#"{"type":"record","name":"R","fields":[{"name":"x","type":["null",
        {"type":"record","name":"P","aliases":["R"],"fields":[{"name":"x","type":["null","R"]}]}]}]}"#;
    let own = r#"{"type":"record","name":"R","fields":[{"name":"x","type":["null","R"]}]}"#;
    assert_eq!(broken(ping, own), "");
    assert_eq!(broken(own, ping), "MISSING_UNION_BRANCH /fields/0/type/1");
    // The same named type in two places: the second place is not forgotten.
    let twice = |kind: &str| {
        record(&format!(
            r#"{{"name":"a","type":{{"type":"record","name":"I","fields":[{{"name":"v","type":"{kind}"}}]}}}},{{"name":"b","type":"I"}}"#
        ))
    };
    assert_eq!(
        broken(&twice("int"), &twice("string")),
        "TYPE_MISMATCH /fields/0/type/fields/0/type; TYPE_MISMATCH /fields/0/type/fields/0/type"
    );
    let deep = |kind: &str| {
        record(&format!(
            r#"{{"name":"m","type":{{"type":"map","values":{{"type":"array","items":["null",{{"type":"record","name":"I","fields":[{{"name":"v","type":"{kind}"}}]}}]}}}}}}"#
        ))
    };
    assert_eq!(broken(&deep("double"), &deep("float")), "");
    assert_eq!(
        broken(&deep("float"), &deep("double")),
        "MISSING_UNION_BRANCH /fields/0/type/values/items/1"
    );
}

#[test]
fn a_message_names_field_versions_rule_and_mend() {
    let reader = Schema::parse(&record(
        r#"{"name":"i","type":["null",{"type":"record","name":"I","fields":[{"name":"v","type":"int"}]}],"default":null}"#,
    ))
    .unwrap();
    let writer = Schema::parse(&record(
        r#"{"name":"i","type":["null",{"type":"record","name":"I","fields":[]}],"default":null}"#,
    ))
    .unwrap();
    let difference = &can_read(&reader, &writer).unwrap()[0];
    assert_eq!(difference.field, "i");
    let text = difference.describe("the new schema", "version 3");
    for words in [
        "no branch of the union in the new schema reads record bank.I of version 3",
        "field 'v' of record bank.I in the new schema has no default and is missing in version 3",
    ] {
        assert!(text.contains(words), "{text}");
    }
    let mend = difference.mend("the new schema", "version 3");
    assert!(
        mend.contains("give 'v' a default in the new schema"),
        "{mend}"
    );
}

#[test]
fn comparing_hostile_schemas_ends_soon() {
    // A chain of records, each with many fields of the next: 40^30 paths, 31 pairs.
    let chain = |leaf: &str| {
        let mut branches = vec![format!(
            r#"{{"type":"record","name":"A0","fields":[{{"name":"x","type":"{leaf}"}}]}}"#
        )];
        for n in 1..30 {
            let fields: Vec<String> = (0..40)
                .map(|f| format!(r#"{{"name":"f{f}","type":"A{}"}}"#, n - 1))
                .collect();
            branches.push(format!(
                r#"{{"type":"record","name":"A{n}","fields":[{}]}}"#,
                fields.join(",")
            ));
        }
        Schema::parse(&format!("[{}]", branches.join(","))).unwrap()
    };
    assert!(
        !can_read(&chain("int"), &chain("string"))
            .unwrap()
            .is_empty()
    );
    assert!(can_read(&chain("long"), &chain("int")).unwrap().is_empty());
    let chain = |count: u32| {
        let mut types = String::from(r#"{"type":"record","name":"A0","fields":[]}"#);
        for n in 1..count {
            types.push_str(&format!(
                r#",{{"type":"record","name":"A{n}","fields":[{{"name":"x","type":"A{}"}}]}}"#,
                n - 1
            ));
        }
        types
    };
    // Every branch of one union against every branch of the other: refused when there are
    // too many.
    let whole = Schema::parse(&format!("[{}]", chain(150))).unwrap();
    assert!(can_read(&whole, &whole).unwrap().is_empty());
    let too_complex = |reader: &str, writer: &str| {
        let (reader, writer) = (
            Schema::parse(reader).unwrap(),
            Schema::parse(writer).unwrap(),
        );
        let error = can_read(&reader, &writer).unwrap_err().to_string();
        assert!(error.contains("too complex"), "{error}");
    };
    let renamed = chain(1_000).replace("\"A0\"", "\"B0\"");
    too_complex(&format!("[{}]", chain(1_000)), &format!("[{renamed}]"));
    // References nest deeper than any text may: refused, not a stack overflow.
    let deep = |first: &str| {
        record(&format!(
            r#"{{"name":"{first}","type":{{"type":"map","values":[{}]}},"default":{{}}}},{{"name":"last","type":"A999"}}"#,
            chain(1_000)
        ))
    };
    too_complex(&deep("other"), &deep("all"));
}
