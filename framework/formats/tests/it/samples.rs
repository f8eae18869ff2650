//! Columns are inferred from samples of data.

use std::fs;
use std::path::PathBuf;

use mesh_core::Error;
use mesh_formats::sample::{CsvOptions, Limits, read_csv, read_json};
use mesh_formats::{Choice, Imported};
use tempfile::TempDir;

use crate::support::{columns, has_note};

fn file(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn csv(bytes: impl AsRef<[u8]>) -> Result<Imported, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "orders.csv", bytes);
    read_csv(
        &path,
        &CsvOptions::default(),
        &Choice::default(),
        Limits::default(),
    )
}

fn json(bytes: impl AsRef<[u8]>) -> Result<Imported, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "orders.json", bytes);
    read_json(&path, &Choice::default(), Limits::default())
}

/// A CSV of the column `value` with `values`, and the type that is inferred.
fn check_type(values: &[&str], expected: &str) {
    let imported = csv(format!("row_no,value\n{}", rows(values))).unwrap();
    assert_eq!(
        columns(&imported.fields)[1],
        format!("value {expected}"),
        "{values:?}"
    );
}

fn rows(values: &[&str]) -> String {
    values
        .iter()
        .enumerate()
        .map(|(at, value)| format!("{at},{value}\n"))
        .collect()
}

#[test]
fn the_type_of_a_column_fits_all_its_values() {
    check_type(&["1", "-2", "0"], "int");
    check_type(&["1", "2147483648"], "long");
    check_type(&["1", "", "3"], "int?");
    check_type(&["NULL", "3"], "int?");
    check_type(&["9223372036854775808"], "string");
    check_type(&["01234", "98765"], "string");
    check_type(&["+4420", "1"], "string");
    check_type(&["12.50", "0.05", "-7.00"], "decimal(12,2)");
    check_type(&["12345678901.50"], "decimal(16,2)");
    check_type(&["12.5", "0.05"], "double");
    check_type(&["12", "0.05"], "double");
    check_type(&["1e3", "2.5"], "double");
    check_type(&["0.123456"], "double");
    check_type(&["inf", "1.0"], "string");
    check_type(&["true", "FALSE"], "boolean");
    check_type(&["2024-02-29", "1999-12-31"], "date");
    check_type(&["2023-02-29"], "string");
    check_type(&["31.12.2024", "01.01.2024"], "string");
    check_type(
        &["2024-01-01T00:00:00Z", "2024-01-01 00:00:00+02:00"],
        "timestamp-millis",
    );
    check_type(&["2024-01-01 00:00"], "timestamp-millis");
    check_type(&["2024-01-01T00:00:00.123456Z"], "timestamp-micros");
    check_type(&["2024-01-01", "2024-01-01T00:00:00Z"], "string");
    check_type(&["6ba7b810-9dad-11d1-80b4-00c04fd430c8"], "uuid");
    check_type(&["", ""], "string?");
}

#[test]
fn an_enumeration_needs_few_shouting_values_over_enough_rows() {
    let cycle = |values: &[&'static str], count: usize| -> Vec<&'static str> {
        values.iter().copied().cycle().take(count).collect()
    };
    check_type(&cycle(&["NEW", "PAID"], 60), "enum(NEW, PAID)");
    check_type(&cycle(&["NEW", "PAID"], 40), "string");
    check_type(&cycle(&["new", "paid"], 60), "string");
    check_type(&cycle(&["NOT YET", "PAID"], 60), "string");
    check_type(&cycle(&["A_B", "AB"], 60), "enum(AB, A_B)");
    check_type(&cycle(&["A_B", "A__B"], 60), "string");
    // Names of persons are never listed as symbols.
    let mut text = "id,last_name\n".to_owned();
    for at in 0..100 {
        text.push_str(&format!("{at},{}\n", ["SMITH", "JONES"][at % 2]));
    }
    let imported = csv(text).unwrap();
    assert_eq!(columns(&imported.fields), ["id long", "last_name string"]);
}

#[test]
fn the_delimiter_the_header_and_awkward_files_are_told() {
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(columns(&csv(text).unwrap().fields), expected, "{text:?}");
    };
    check("a;b\n1;2,5\n3;4,5\n", &["a int", "b string"]);
    check("a\tb\n1\tx\n", &["a int", "b string"]);
    check("a|b\n1|x\n", &["a int", "b string"]);
    check("a,b\r\n1,\"x,\r\ny\"\r\n", &["a int", "b string"]);
    check("\u{feff}a,b\n1,2\n", &["a int", "b int"]);
    check("1,2\n3,4\n", &["column_1 int", "column_2 int"]);
    check("a\n1\n2\n", &["a int"]);
    check(
        "Order ID,unitPrice,a_v2,2nd,,Größe,unit price\n1,2,3,4,5,6,7\n",
        &[
            "order_id long",
            "unit_price int",
            "a_version_2 int",
            "c_2nd int",
            "column_5 int",
            "gr_e int",
            "unit_price_2 int",
        ],
    );
    // The names of R's rows have no name.
    check(
        "\"date\",\"light\"\n\"140\",\"2015-02-02 14:19:00\",585.2\n\"141\",\"2015-02-02 14:20:00\",578.4\n",
        &[
            "column_1 int",
            "date timestamp-millis",
            "light decimal(12,1)",
        ],
    );
    let imported = csv("Order ID,b\n1,2\n").unwrap();
    has_note(&imported, "order_id", "`Order ID` in the source");
    assert_eq!(imported.fields[0].custom["sourceName"], "Order ID");
    has_note(&csv("a;b\n1;2\n").unwrap(), "", "`;`");
    has_note(&csv("id,t\n1,2024-01-01 00:00:00\n").unwrap(), "t", "UTC");
}

fn check_refused(outcome: Result<Imported, Error>, expected: &[&str]) {
    let text = outcome.unwrap_err().to_string();
    for part in expected {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn a_broken_sample_is_refused_with_file_line_and_mend_and_no_value() {
    check_refused(
        csv("a,b\n1,2\nsecret\n"),
        &["orders.csv", "line: 3", "1 fields", "quote"],
    );
    check_refused(csv(b"a,b\n1,2\n3,\xffsecret\n"), &["line: 3", "UTF-8"]);
    check_refused(csv(""), &["no row", "at least one"]);
    check_refused(csv("a,b\n"), &["no row under its header"]);
    check_refused(csv(b"\x1f\x8bsecret"), &["compressed"]);
    check_refused(csv(b"\xff\xfea\0"), &["UTF-16"]);
    check_refused(csv(b"a,b\n\0,1\n"), &["not text"]);
    check_refused(
        json("[{\"a\": \"secret\"},\n{\"a\" secret}]"),
        &["orders.json", "line: 2", "mend the syntax"],
    );
    check_refused(
        json("[1, 2]"),
        &["row: 1", "found a number", "list of objects"],
    );
    check_refused(json("\"secret\""), &["found a string"]);
    check_refused(json("  \n"), &["empty"]);
    check_refused(json("[]"), &["no object"]);
    check_refused(
        json("{\"a\": {\"b\": 1}}\n{\"a\": \"secret\"}"),
        &["member: a", "by turns"],
    );
    let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
    check_refused(json(deep), &["levels"]);
    let very_deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    check_refused(json(very_deep), &["line: 1"]);
    let wide: Vec<String> = (0..2_001).map(|at| format!("c{at}")).collect();
    check_refused(
        csv(format!("{}\n{}\n", wide.join(","), wide.join(","))),
        &["2001 columns"],
    );
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.csv");
    check_refused(
        read_csv(
            &missing,
            &CsvOptions::default(),
            &Choice::default(),
            Limits::default(),
        ),
        &["none.csv", "cannot be opened"],
    );
    check_refused(
        read_json(folder.path(), &Choice::default(), Limits::default()),
        &["folder"],
    );
}

#[test]
fn json_lists_lines_and_nested_values_have_types() {
    let text = r#"[
        {"orderId": 7, "at": "2024-01-01T10:00:00Z", "note": "007", "total": 12.5, "big": 18446744073709551615,
         "customer": {"email": "a@b.example", "age": 3}, "tags": ["x", null], "lines": [{"sku": "A", "n": 1}], "none": []},
        {"orderId": 8, "at": "2024-01-02T10:00:00Z", "note": null, "total": 3, "big": 1,
         "customer": {"email": "c@d.example"}, "tags": [], "lines": [{"sku": "B", "n": 2}, {"sku": "C"}], "none": []}
    ]"#;
    let expected = [
        "order_id long",
        "at timestamp-millis",
        "note string?",
        "total double",
        "big decimal(20,0)",
        "customer {email string, age int?}",
        "tags [string?]",
        "lines [{sku string, n int?}]",
        "none [string]",
    ];
    let imported = json(text).unwrap();
    assert_eq!(columns(&imported.fields), expected);
    assert_eq!(imported.rows, Some(2));
    assert_eq!(imported.key, ["order_id"]);
    assert_eq!(imported.event_time.as_deref(), Some("at"));
    let guesses: Vec<&str> = imported
        .guesses
        .iter()
        .map(|guess| guess.column.as_str())
        .collect();
    assert_eq!(guesses, ["customer.email"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    assert_eq!(columns(&json(lines).unwrap().fields), expected);
    assert_eq!(
        columns(&json(r#"{"id": true}"#).unwrap().fields),
        ["id boolean"]
    );
    let mixed = json("{\"a\": 1, \"b\": {}}\n{\"a\": \"x\", \"b\": {}}").unwrap();
    assert_eq!(columns(&mixed.fields), ["a string", "b string"]);
    has_note(&mixed, "a", "taken as text");
    has_note(&mixed, "b", "without members");
}

#[test]
fn columns_can_be_left_out_and_the_record_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        &folder,
        "x.json",
        r#"{"id": 1, "who": {"name": "a", "age": 1}, "b": 2}"#,
    );
    let read = |record: Option<&str>, without: &[&str]| {
        let choice = Choice {
            record: record.map(str::to_owned),
            without: without.iter().map(|path| (*path).to_owned()).collect(),
        };
        read_json(&path, &choice, Limits::default())
    };
    let imported = read(Some("Visits"), &["who.name", "b"]).unwrap();
    assert_eq!(columns(&imported.fields), ["id long", "who {age int}"]);
    assert_eq!(
        (imported.name.as_str(), imported.product.as_str()),
        ("visit", "x")
    );
    has_note(&imported, "who.name", "left out, as asked");
    check_refused(read(None, &["id.x"]), &["`id.x` is no column", "--without"]);
}

#[test]
fn only_so_much_of_a_sample_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "id,value\n".to_owned();
    for at in 0..1_000 {
        text.push_str(&format!("{at},{}\n", if at < 100 { "1" } else { "x" }));
    }
    let path = file(&folder, "many.csv", &text);
    let read =
        |limits| read_csv(&path, &CsvOptions::default(), &Choice::default(), limits).unwrap();
    let all = read(Limits::default());
    assert_eq!(columns(&all.fields)[1], "value string");
    has_note(&all, "", "1000 rows were looked at, all that there are");
    let few = read(Limits {
        rows: 50,
        ..Limits::default()
    });
    assert_eq!(
        (few.rows, columns(&few.fields)[1].as_str()),
        (Some(50), "value int")
    );
    has_note(&few, "", "50 rows were looked at; the file holds more");
    // A cap in the middle of a row leaves that row out.
    let cut = read(Limits {
        bytes: "id,value\n0,1\n1,1\n2".len() as u64,
        ..Limits::default()
    });
    assert_eq!(cut.rows, Some(2));
    has_note(&cut, "", "the file holds more");

    let json: String = (0..1_000)
        .map(|at| format!("{{\"id\": {at}, \"name\": \"abc\"}}\n"))
        .collect();
    let path = file(&folder, "many.json", &json);
    for limits in [
        Limits {
            rows: 10,
            ..Limits::default()
        },
        Limits {
            bytes: 260,
            ..Limits::default()
        },
    ] {
        let read = read_json(&path, &Choice::default(), limits).unwrap();
        assert_eq!(read.rows, Some(10));
        has_note(&read, "", "the file holds more");
    }
    let list = format!("[{}]", json.trim().replace('\n', ","));
    let path = file(&folder, "list.json", &list);
    for limits in [
        Limits {
            rows: 10,
            ..Limits::default()
        },
        Limits {
            bytes: 260,
            ..Limits::default()
        },
    ] {
        assert_eq!(
            read_json(&path, &Choice::default(), limits).unwrap().rows,
            Some(10)
        );
    }
}

#[test]
fn personal_data_are_guessed_from_names_and_values() {
    let check = |header: &str, values: &[&str], expected: Option<&str>| {
        let imported = csv(format!("row_no,{header}\n{}", rows(values))).unwrap();
        let what = imported.guesses.first().map(|guess| guess.what);
        assert_eq!(
            what, expected,
            "{header} {values:?}: {:?}",
            imported.guesses
        );
        let marked = &imported.fields[1];
        assert_eq!(marked.is_personal(), expected.is_some());
        assert_eq!(marked.custom.contains_key("guess"), expected.is_some());
        let said = format!("{:?} {:?}", imported.guesses, imported.notes);
        assert!(
            values
                .iter()
                .all(|value| value.is_empty() || !said.contains(*value)),
            "{said}"
        );
    };
    let email = Some("e-mail address");
    check("contact", &["ann@shop.example", "bob@shop.example"], email);
    check("email", &["zzzz", "yyyy"], email);
    check("customerEmail", &["zzzz"], email);
    check("email_count", &["1723"], None);
    check("email_verified", &["true"], None);
    check(
        "x",
        &["+49 30 1234567", "(030) 7654-321"],
        Some("phone number"),
    );
    check("x", &["555-010-1234"], Some("phone number"));
    check("mobile_no", &["zzzz"], Some("phone number"));
    check(
        "x",
        &["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32"],
        Some("bank account number"),
    );
    check("x", &["DE88370400440532013000"], None);
    check("x", &["192.0.2.17", "2001:db8::1"], Some("IP address"));
    check(
        "x",
        &["4111111111111111", "5500005555555559", "340000000000009"],
        Some("card number"),
    );
    check("x", &["123-45-6789"], Some("national identity number"));
    check("passport_no", &["zzzz"], Some("national identity number"));
    check("date_of_birth", &["1999-01-01"], Some("birth date"));
    check("first_name", &["zzzz"], Some("name of a person"));
    check("product_name", &["zzzz"], None);
    check("street", &["zzzz"], Some("postal address"));
    check("ip_address", &["zzzz"], Some("IP address"));
    check("shipping_address", &["zzzz"], Some("postal address"));
    check("note", &["zzzz"], None);
    check("gender", &["zzzz"], Some("trait of a person"));
    check("order_id", &["1234567", "2345678"], None);
    check("created_on", &["2024-01-01"], None);
}

#[test]
fn the_key_and_the_time_are_found_or_left_open() {
    let check = |text: &str, key: &[&str], time: Option<&str>| {
        let imported = csv(text).unwrap();
        assert_eq!(imported.key, key, "{text}");
        assert_eq!(imported.event_time.as_deref(), time, "{text}");
    };
    check("order_id,customer_id\n1,7\n2,7\n", &["order_id"], None);
    check("id,customer_id\n1,7\n2,8\n", &["id"], None);
    // The own name is there, but values repeat.
    check("order_id,line\n1,1\n1,2\n", &[], None);
    check("order_id,line\n1,1\n,2\n", &[], None);
    // One telling column is unique, or two are and neither is better.
    check("invoice_no,customer_id\n1,7\n2,7\n", &["invoice_no"], None);
    check("invoice_no,customer_id\n1,7\n2,8\n", &[], None);
    check("a,b\n1,2\n2,3\n", &[], None);
    check(
        "id,created_at,occurred_at\n1,2024-01-01T00:00:00Z,2024-01-01T00:00:00Z\n",
        &["id"],
        Some("occurred_at"),
    );
    check("id,updated_at\n1,2024-01-01T00:00:00Z\n", &["id"], None);
    check(
        "id,birth_date,booked_on\n1,1999-01-01,2024-01-01\n",
        &["id"],
        Some("booked_on"),
    );
    check("id,a_on,b_on\n1,1999-01-01,2024-01-01\n", &["id"], None);
}

#[test]
fn the_data_sets_of_others_are_read() {
    let Some(shared) = std::env::var_os("MESH_SHARED") else {
        assert!(std::env::var_os("CI").is_none(), "MESH_SHARED is not set");
        eprintln!("skipped: MESH_SHARED is not set; name the folder that holds data/");
        return;
    };
    let data = PathBuf::from(shared).join("data");
    for (name, expected, key) in [
        (
            "berka/account.asc",
            vec![
                "account_id long",
                "district_id long",
                "frequency string",
                "date int",
            ],
            vec!["account_id"],
        ),
        (
            "movielens-latest-small/movies.csv",
            vec!["movie_id long", "title string", "genres string"],
            vec!["movie_id"],
        ),
        (
            "movielens-latest-small/tags.csv",
            vec![
                "user_id long",
                "movie_id long",
                "tag string",
                "timestamp int",
            ],
            vec![],
        ),
        (
            "occupancy/datatest.txt",
            vec![
                "column_1 int",
                "date timestamp-millis",
                "temperature double",
                "humidity double",
                "light double",
                "co2 double",
                "humidity_ratio double",
                "occupancy int",
            ],
            vec![],
        ),
    ] {
        let imported = read_csv(
            &data.join(name),
            &CsvOptions::default(),
            &Choice::default(),
            Limits::default(),
        )
        .unwrap();
        assert_eq!(columns(&imported.fields), expected, "{name}");
        assert_eq!(imported.key, key, "{name}");
    }
}
