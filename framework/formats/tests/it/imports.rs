//! Schemas of others become columns.

use mesh_core::{Error, ErrorKind};
use mesh_formats::import::{SqlDialect, read_avro, read_json_schema, read_sql};
use mesh_formats::{Choice, Imported, Wishes, read_registered};

use crate::support::{columns, has_note, rendered};

fn without(paths: &[&str]) -> Choice {
    Choice {
        record: None,
        without: paths.iter().map(|path| (*path).to_owned()).collect(),
    }
}

fn record(name: &str) -> Choice {
    Choice {
        record: Some(name.into()),
        without: Vec::new(),
    }
}

pub(crate) fn check_refused(outcome: Result<Imported, Error>, expected: &[&str]) {
    let text = outcome.unwrap_err().to_string();
    for part in expected {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

fn avro(schema: &str) -> Result<Imported, Error> {
    read_avro("trip.avsc", schema, &Choice::default())
}

#[test]
fn avro_records_become_columns() {
    let imported = avro(
        r#"{"type": "record", "name": "TripEnded", "namespace": "com.taxi.rides", "doc": "A trip\n  that ended.",
        "fields": [
            {"name": "tripId", "type": {"type": "string", "logicalType": "uuid"}, "doc": "The trip."},
            {"name": "fare", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
            {"name": "tip", "type": ["null", {"type": "fixed", "name": "Tip", "size": 8, "logicalType": "decimal", "precision": 9, "scale": 2}], "default": null},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["CITY", "AIRPORT"], "default": "CITY"}},
            {"name": "back", "type": ["Kind", "null"]},
            {"name": "from", "type": {"type": "record", "name": "Place", "fields": [
                {"name": "street", "type": "string"},
                {"name": "level", "type": ["null", "int"]}]}},
            {"name": "to", "type": "com.taxi.rides.Place"},
            {"name": "stops", "type": {"type": "array", "items": ["null", "Place"]}},
            {"name": "startedOn", "type": {"type": "int", "logicalType": "date"}},
            {"name": "endedAt", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "paidAt", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
            {"name": "meters", "type": "long", "default": 0, "aliases": ["length"]},
            {"name": "score", "type": "float"}, {"name": "rate", "type": "double"}, {"name": "ok", "type": "boolean"}
        ]}"#,
    )
    .unwrap();
    let place = "{street string, level int?}";
    assert_eq!(
        columns(&imported.fields),
        [
            "trip_id uuid",
            "fare decimal(12,2)",
            "tip decimal(9,2)?",
            "kind enum(CITY, AIRPORT)",
            "back enum(CITY, AIRPORT)?",
            &format!("from {place}"),
            &format!("to {place}"),
            &format!("stops [{place}?]"),
            "started_on date",
            "ended_at timestamp-micros",
            "paid_at timestamp-millis",
            "meters long",
            "score float",
            "rate double",
            "ok boolean",
        ]
    );
    assert_eq!(imported.name, "trip_ended");
    assert_eq!(imported.domain.as_deref(), Some("rides"));
    assert_eq!(imported.description.as_deref(), Some("A trip that ended."));
    assert_eq!(imported.fields[0].description.as_deref(), Some("The trip."));
    has_note(&imported, "kind", "default symbol");
    has_note(&imported, "meters", "default is not carried over");
    has_note(&imported, "meters", "aliases");
    has_note(&imported, "paid_at", "UTC");
    let guessed: Vec<&str> = imported
        .guesses
        .iter()
        .map(|guess| guess.column.as_str())
        .collect();
    assert_eq!(guessed, ["from.street", "to.street", "stops.street"]);
    // No column is named like a key, so it has to be named.
    let key = Wishes {
        key: vec!["trip_id".into()],
        ..Wishes::default()
    };
    check_key(&imported, key);
}

fn check_key(imported: &Imported, wishes: Wishes) {
    let error = rendered(imported, Wishes::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("--key"), "{error}");
    let files = rendered(imported, wishes).unwrap();
    assert_eq!(files.key, ["trip_id"]);
}

#[test]
fn maps_and_times_of_day_are_taken_from_every_format() {
    let avro = avro(
        r#"{"type": "record", "name": "R", "fields": [
            {"name": "id", "type": "int"},
            {"name": "m", "type": {"type": "map", "values": ["null", {"type": "array", "items": "long"}]}},
            {"name": "t", "type": {"type": "int", "logicalType": "time-millis"}},
            {"name": "u", "type": ["null", {"type": "long", "logicalType": "time-micros"}]}]}"#,
    );
    assert_eq!(
        columns(&avro.unwrap().fields),
        [
            "id int",
            "m {string: [long]?}",
            "t time-millis",
            "u time-micros?"
        ]
    );
    let json = read_json_schema(
        "x.json",
        r#"{"type": "object", "required": ["m"], "properties": {
            "m": {"type": "object", "additionalProperties": {"type": ["boolean", "null"]}}}}"#,
        &Choice::default(),
    );
    assert_eq!(columns(&json.unwrap().fields), ["m {string: boolean?}"]);
    let sql = sql(
        "CREATE TABLE t (id int not null, a time(3), b time not null, PRIMARY KEY (id))",
        SqlDialect::Postgres,
        &Choice::default(),
    );
    assert_eq!(
        columns(&sql.unwrap().fields),
        ["id int", "a time-millis?", "b time-micros"]
    );
}

#[test]
fn avro_that_no_contract_holds_is_refused_by_the_columns_name() {
    let with = |ty: &str| {
        avro(&format!(
            r#"{{"type": "record", "name": "R", "fields": [{{"name": "id", "type": "int"}}, {{"name": "x", "type": {ty}}}]}}"#
        ))
    };
    for (ty, reason) in [
        (r#""bytes""#, "x: bytes"),
        (
            r#"{"type": "fixed", "name": "F", "size": 4}"#,
            "x: fixed bytes",
        ),
        (r#"["int", "string"]"#, "x: a union of 2 types"),
        (r#""null""#, "x: null alone"),
        (r#"{"type": "map", "values": "bytes"}"#, "x: bytes"),
        (
            r#"{"type": "record", "name": "S", "fields": [{"name": "next", "type": ["null", "S"]}]}"#,
            "x.next: the record `S` holds itself",
        ),
        (r#"{"type": "array", "items": "bytes"}"#, "x: bytes"),
        (
            r#"{"type": "enum", "name": "E", "symbols": ["A_B", "A__B"]}"#,
            "x: symbols that differ only",
        ),
    ] {
        check_refused(with(ty), &["trip.avsc", reason, "--without x"]);
    }
    let left = read_avro(
        "r.avsc",
        r#"{"type": "record", "name": "R", "fields": [{"name": "id", "type": "int"}, {"name": "x", "type": "bytes"}]}"#,
        &without(&["x"]),
    );
    assert_eq!(columns(&left.unwrap().fields), ["id int"]);
    check_refused(avro("{\n\"type\": }"), &["trip.avsc", "line: 2", "JSON"]);
    check_refused(avro("\"string\""), &["no record"]);
    check_refused(
        avro(r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "Gone"}]}"#),
        &["no Avro schema"],
    );
    check_refused(
        avro(r#"{"type": "record", "name": "R", "fields": []}"#),
        &["no column"],
    );
    // Ten records of ten of the one before are a hundred million columns.
    let mut schema =
        r#"{"type": "record", "name": "R0", "fields": [{"name": "a", "type": "int"}]}"#.to_owned();
    for at in 1..9 {
        let fields: Vec<String> = (0..10)
            .map(|n| {
                let ty = if n == 0 {
                    schema.clone()
                } else {
                    format!("\"R{}\"", at - 1)
                };
                format!(r#"{{"name": "f{n}", "type": {ty}}}"#)
            })
            .collect();
        schema = format!(
            r#"{{"type": "record", "name": "R{at}", "fields": [{}]}}"#,
            fields.join(",")
        );
    }
    check_refused(avro(&schema), &["more than 2000 columns"]);
    let huge = " ".repeat(5 << 20);
    check_refused(avro(&huge), &["bytes", "at most"]);
}

#[test]
fn json_schemas_of_both_drafts_become_columns() {
    for defs in ["$defs", "definitions"] {
        let text = r##"{"$schema": "x", "title": "Order", "description": "An order.", "type": "object",
            "required": ["orderId", "lines", "total", "status", "place", "kind"],
            "properties": {
                "orderId": {"type": "integer", "minimum": 1},
                "count": {"type": "integer", "minimum": 0, "maximum": 100},
                "small": {"type": "integer", "format": "int32"},
                "total": {"type": "number"},
                "ratio": {"type": ["number", "null"], "format": "float"},
                "price": {"type": "string", "x-logicalType": "decimal(9,2)", "pattern": "x"},
                "status": {"enum": ["NEW", "PAID", null]},
                "state": {"type": "string", "enum": ["in progress", "done"]},
                "kind": {"const": "ORDER"},
                "at": {"type": "string", "format": "date-time"},
                "on": {"type": "string", "format": "date"},
                "uid": {"type": "string", "format": "uuid"},
                "contactEmail": {"type": "string", "format": "email", "maxLength": 80},
                "ok": {"type": "boolean", "nullable": true},
                "place": {"$ref": "#/DEFS/place"},
                "other": {"anyOf": [{"$ref": "#/DEFS/place"}, {"type": "null"}]},
                "lines": {"type": "array", "minItems": 1, "items": {"allOf": [{"$ref": "#/DEFS/line"}]}}
            },
            "DEFS": {
                "place": {"type": "object", "required": ["street"], "properties": {"street": {"type": "string", "description": "Where."}, "level": {"type": "integer", "format": "int32"}}},
                "line": {"properties": {"sku": {"type": "string", "minLength": 1}}, "required": ["sku"]}
            }}"##
            .replace("DEFS", defs);
        let imported = read_json_schema("order.json", &text, &Choice::default()).unwrap();
        let place = "{street string, level int?}";
        assert_eq!(
            columns(&imported.fields),
            [
                "order_id long",
                "count int?",
                "small int?",
                "total double",
                "ratio float?",
                "price decimal(9,2)?",
                "status enum(NEW, PAID)?",
                "state string?",
                "kind enum(ORDER)",
                "at timestamp-millis?",
                "on date?",
                "uid uuid?",
                "contact_email string?",
                "ok boolean?",
                &format!("place {place}"),
                &format!("other {place}?"),
                "lines [{sku string}]",
            ]
        );
        assert_eq!(
            (imported.name.as_str(), imported.key.as_slice()),
            ("order", ["order_id".to_owned()].as_slice())
        );
        has_note(&imported, "contact_email", "`format: email`");
        has_note(&imported, "lines", "`minItems`");
        has_note(&imported, "state", "cannot be symbols");
        let one = read_json_schema("order.json", &text, &record("place")).unwrap();
        assert_eq!(columns(&one.fields), ["street string", "level int?"]);
        check_refused(
            read_json_schema("order.json", &text, &record("gone")),
            &["`gone`", "place, line"],
        );
    }
}

#[test]
fn json_schemas_that_no_contract_holds_are_refused_by_the_propertys_name() {
    let with = |schema: &str| {
        let text = format!(
            r##"{{"type": "object", "properties": {{"id": {{"type": "integer"}}, "x": {schema}}}, "$defs": {{"self": {{"type": "object", "properties": {{"next": {{"$ref": "#/$defs/self"}}}}}}}}}}"##
        );
        read_json_schema("x.json", &text, &Choice::default())
    };
    for (schema, reason) in [
        (
            r#"{"type": "object", "additionalProperties": true}"#,
            "x: an object without properties",
        ),
        (r#"{"type": ["string", "integer"]}"#, "x: 2 types"),
        (
            r#"{"oneOf": [{"type": "string"}, {"type": "integer"}]}"#,
            "x: `oneOf` of 2 types",
        ),
        (r#"{}"#, "x: a schema without a type"),
        (r#"true"#, "x: a schema without a type"),
        (r#"{"type": "array"}"#, "x: a list without one type"),
        (r#"{"type": "null"}"#, "x: null alone"),
        (
            r##"{"$ref": "#/$defs/self"}"##,
            "x.next: `#/$defs/self` holds itself",
        ),
        (r##"{"$ref": "#/$defs/gone"}"##, "which is not there"),
        (r##"{"$ref": "other.json#/x"}"##, "leads out of the file"),
        (
            r#"{"type": "string", "enum": ["A", 1]}"#,
            "x: an enumeration of other values",
        ),
        (
            r#"{"type": "string", "x-logicalType": "decimal(99,2)"}"#,
            "not understood",
        ),
        (r#"{"type": "text"}"#, "`text` is no type"),
    ] {
        check_refused(with(schema), &["x.json", reason, "--without x"]);
    }
    let circle = r##"{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}"##;
    check_refused(
        read_json_schema("x.json", circle, &Choice::default()),
        &["no object with properties"],
    );
    check_refused(
        read_json_schema("x.json", "[]", &Choice::default()),
        &["no object with properties"],
    );
    let deep = format!(
        "{}{}",
        r#"{"properties": {"a": "#.repeat(100),
        "1}}".repeat(100)
    );
    check_refused(
        read_json_schema("x.json", &deep, &Choice::default()),
        &["x.json"],
    );
}

const DUMP: &str = r#"
SET statement_timeout = 0;
CREATE EXTENSION IF NOT EXISTS citext;
CREATE TYPE public.order_state AS ENUM ('NEW', 'PAID', 'SENT');
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$;
CREATE TABLE shop.customers (
    id bigserial PRIMARY KEY,
    email citext NOT NULL UNIQUE
);
CREATE TABLE shop.orders (
    "orderId" bigint NOT NULL,
    line smallint DEFAULT 1 NOT NULL,
    customer_id integer NOT NULL REFERENCES shop.customers (id),
    state public.order_state NOT NULL,
    channel varchar(10) CHECK (channel IN ('WEB', 'SHOP')),
    total numeric(12,2) NOT NULL CHECK (total >= 0),
    pieces integer CHECK (pieces BETWEEN 1 AND 99),
    weight real,
    score double precision,
    paid boolean DEFAULT false,
    code character(4) NOT NULL,
    note text,
    extra jsonb,
    tags text[] NOT NULL,
    ref uuid,
    due date,
    placed_at timestamp with time zone NOT NULL,
    seen_at timestamp(3) without time zone,
    CONSTRAINT positive CHECK (line > 0 AND char_length(code) >= 2)
);
ALTER TABLE ONLY shop.orders ADD CONSTRAINT orders_pkey PRIMARY KEY ("orderId", line);
COMMENT ON TABLE shop.orders IS 'What customers''ve ordered.';
COMMENT ON COLUMN shop.orders.note IS 'A word to the shop.';
"#;

fn sql(text: &str, dialect: SqlDialect, choice: &Choice) -> Result<Imported, Error> {
    read_sql("shop.sql", text, dialect, choice)
}

#[test]
fn a_table_of_a_postgres_dump_becomes_columns() {
    let imported = sql(DUMP, SqlDialect::Postgres, &record("orders")).unwrap();
    assert_eq!(
        columns(&imported.fields),
        [
            "order_id long",
            "line int",
            "customer_id int",
            "state enum(NEW, PAID, SENT)",
            "channel enum(WEB, SHOP)?",
            "total decimal(12,2)",
            "pieces int?",
            "weight float?",
            "score double?",
            "paid boolean?",
            "code string",
            "note string?",
            "extra string?",
            "tags [string]",
            "ref uuid?",
            "due date?",
            "placed_at timestamp-micros",
            "seen_at timestamp-millis?",
        ]
    );
    assert_eq!(imported.key, ["order_id", "line"]);
    assert!(imported.key_stated);
    assert_eq!(imported.domain.as_deref(), Some("shop"));
    assert_eq!(
        (imported.name.as_str(), imported.product.as_str()),
        ("order", "orders")
    );
    assert_eq!(
        imported.description.as_deref(),
        Some("What customers've ordered.")
    );
    assert_eq!(
        imported.fields[11].description.as_deref(),
        Some("A word to the shop.")
    );
    let shown = |at: usize| format!("{:?}", imported.fields[at].ty);
    assert!(
        shown(6).contains("minimum: Some(1), maximum: Some(99)"),
        "{}",
        shown(6)
    );
    assert!(shown(1).contains("minimum: Some(1)"), "{}", shown(1));
    assert!(
        shown(10).contains("min_length: Some(2), max_length: Some(4)"),
        "{}",
        shown(10)
    );
    for (place, part) in [
        ("customer_id", "reference to shop.customers"),
        ("total", "CHECK (total >= 0)"),
        ("line", "default"),
        ("extra", "JSON is carried as text"),
        ("seen_at", "UTC"),
        ("", "3 other statements were passed over"),
    ] {
        has_note(&imported, place, part);
    }
    let files = rendered(&imported, Wishes::default()).unwrap();
    assert_eq!(files.key, ["order_id", "line"]);
    check_refused(
        sql(DUMP, SqlDialect::Postgres, &Choice::default()),
        &["shop.customers, shop.orders", "--record"],
    );
    check_refused(
        sql(DUMP, SqlDialect::Postgres, &record("gone")),
        &["`gone`", "shop.orders"],
    );
}

#[test]
fn a_check_as_postgres_dumps_it_is_an_enumeration() {
    let text = "CREATE TABLE t (id int PRIMARY KEY, status character varying(5) NOT NULL,
        CONSTRAINT c CHECK (((status)::text = ANY ((ARRAY['NEW'::character varying, 'PAID'::character varying])::text[]))),
        CONSTRAINT d CHECK ((id >= 1)));";
    let imported = sql(text, SqlDialect::Postgres, &Choice::default()).unwrap();
    assert_eq!(
        columns(&imported.fields),
        ["id int", "status enum(NEW, PAID)"]
    );
    assert!(imported.notes.is_empty(), "{:?}", imported.notes);
}

#[test]
fn tables_of_mysql_and_of_the_standard_become_columns() {
    let mysql = "CREATE TABLE `trips` (
        `id` int unsigned NOT NULL AUTO_INCREMENT COMMENT 'The trip.',
        `big` bigint unsigned, `flag` tinyint(1) NOT NULL DEFAULT '0', `kind` enum('CITY','AIRPORT'),
        `at` datetime(6) NOT NULL, `changed` timestamp NULL, `uid` char(36), `f` float, `body` longtext,
        `customer_name` varchar(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
        PRIMARY KEY (`id`), UNIQUE KEY `u` (`uid`), KEY `k` (`kind`)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='Taxi trips';";
    let imported = sql(mysql, SqlDialect::MySql, &Choice::default()).unwrap();
    assert_eq!(
        columns(&imported.fields),
        [
            "id long",
            "big decimal(20,0)?",
            "flag boolean",
            "kind enum(CITY, AIRPORT)?",
            "at timestamp-micros",
            "changed timestamp-millis?",
            "uid uuid?",
            "f float?",
            "body string?",
            "customer_name string?",
        ]
    );
    assert_eq!(imported.key, ["id"]);
    assert_eq!(imported.description.as_deref(), Some("Taxi trips"));
    assert_eq!(imported.fields[0].description.as_deref(), Some("The trip."));
    assert!(imported.fields[6].unique);
    assert_eq!(imported.guesses[0].column, "customer_name");
    let ansi = "CREATE TABLE t (a CHARACTER VARYING(5) NOT NULL, b DECIMAL(9), c TIMESTAMP(3) WITH TIME ZONE, d CLOB, PRIMARY KEY (a))";
    let imported = sql(ansi, SqlDialect::Ansi, &Choice::default()).unwrap();
    assert_eq!(
        columns(&imported.fields),
        [
            "a string",
            "b decimal(9,0)?",
            "c timestamp-millis?",
            "d string?"
        ]
    );
}

#[test]
fn sql_that_no_contract_holds_is_refused_with_its_place() {
    let with = |ty: &str| {
        sql(
            &format!("CREATE TABLE t (id int, x {ty})"),
            SqlDialect::Postgres,
            &Choice::default(),
        )
    };
    for (ty, reason) in [
        ("bytea", "x: bytes"),
        ("time with time zone", "x: a time of day with an offset"),
        ("interval", "x: an interval"),
        ("numeric", "x: a decimal without precision"),
        ("numeric(50,2)", "x: a decimal has at most 38 digits"),
        ("geometry", "x: the type geometry"),
    ] {
        check_refused(with(ty), &["shop.sql", reason, "--without x"]);
    }
    let broken = sql(
        "SELECT 1;\nCREATE TABLE t (\n  id int,,\n);",
        SqlDialect::Postgres,
        &Choice::default(),
    );
    check_refused(broken, &["shop.sql", "line: 3", "--dialect"]);
    check_refused(
        sql("SELECT 1", SqlDialect::Postgres, &Choice::default()),
        &["no CREATE TABLE"],
    );
    check_refused(
        sql(
            "CREATE TABLE t (a 'x",
            SqlDialect::Postgres,
            &Choice::default(),
        ),
        &["cannot be read"],
    );
    let key = sql(
        "CREATE TABLE t (a numeric(9,2) PRIMARY KEY, b int)",
        SqlDialect::Postgres,
        &Choice::default(),
    )
    .unwrap();
    assert!(key.key.is_empty());
    has_note(&key, "a", "primary key cannot be one");
    let deep = format!(
        "CREATE TABLE t (a int CHECK ({}a{} > 1))",
        "(".repeat(5_000),
        ")".repeat(5_000)
    );
    check_refused(
        sql(&deep, SqlDialect::Postgres, &Choice::default()),
        &["nested too deep"],
    );
    for brackets in ["[]", "[ 3 ] "] {
        let lists = format!("int{}", brackets.repeat(100_000));
        check_refused(with(&lists), &["shop.sql", "nested more than 16 deep"]);
    }
    let arrays = format!("{}int{}", "ARRAY<".repeat(50_000), ">".repeat(50_000));
    check_refused(with(&arrays), &["shop.sql", "nested more than 16 deep"]);
}

#[test]
fn a_subject_names_the_product() {
    let schema = r#"{"type": "record", "name": "Order", "namespace": "x", "fields": [{"name": "id", "type": "int"}]}"#;
    for (subject, domain, product) in [
        ("shop.orders.v3-value", Some("shop"), "orders"),
        (
            "com.acme.shop.placed-orders-value",
            Some("shop"),
            "placed_orders",
        ),
        (":.eu:shop.orders-value", Some("shop"), "orders"),
        ("orders-value", Some("x"), "orders"),
        ("orders.v1", Some("x"), "orders"),
    ] {
        let imported = read_registered(subject, None, schema, &Choice::default()).unwrap();
        assert_eq!(
            (imported.domain.as_deref(), imported.product.as_str()),
            (domain, product),
            "{subject}"
        );
    }
    let json = r#"{"type": "object", "properties": {"id": {"type": "string"}}}"#;
    assert!(read_registered("s", Some("JSON"), json, &Choice::default()).is_ok());
    let error = read_registered("s", Some("THRIFT"), schema, &Choice::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
