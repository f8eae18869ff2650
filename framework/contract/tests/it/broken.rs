//! Broken contracts and products: each is refused with file, line, field and mend, within
//! bounds of time and memory, and without a panic.

use std::io::{Cursor, Read};
use std::time::{Duration, Instant};

use mesh_contract::{Contract, DataProduct, Diagnostics, MAX_BYTES, Product, read_text};

use crate::memory::peak;
use crate::support::document;

/// What must be refused: a change of the small document, the line and field of the problem,
/// and a part of its message or mend.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    usize,
    &'static str,
    &'static str,
);

#[rustfmt::skip]
const CONTRACTS: &[Case] = &[
    // Wrong types.
    ("an unquoted version", "version: \"1.2.0\"", "version: 1.2", 5, "version", "expected a string, found a number"),
    ("a name that is a number", "name: Samples", "name: 7", 4, "name", "found an integer"),
    ("a name that is nothing", "name: Samples", "name:", 4, "name", "found empty"),
    ("an id that is a list", "id: urn:mesh:contract:lab.samples", "id: [a]", 3, "id", "found a list"),
    ("an id that is empty", "id: urn:mesh:contract:lab.samples", "id: ''", 3, "id", "is empty"),
    ("a domain that is a boolean", "domain: lab", "domain: true", 7, "domain", "found a boolean"),
    ("a description that is a text", "description:\n  purpose: To try things.", "description: To try.", 8, "description", "expected a mapping"),
    ("a team that is a text", "team:\n  name: Lab", "team: Lab", 10, "team", "expected a mapping"),
    ("tags that are a text", "domain: lab", "domain: lab\ntags: lab", 8, "tags", "expected a list"),
    ("a tag that is a number", "domain: lab", "domain: lab\ntags: [lab, 7]", 8, "tags[1]", "found an integer"),
    ("required as a text", "required: true", "required: 'yes'", 39, "schema[0].properties[0].required", "expected a boolean"),
    ("a position as a text", "primaryKeyPosition: 1", "primaryKeyPosition: first", 38, "schema[0].properties[0].primaryKeyPosition", "expected an integer"),
    ("properties as a mapping", "properties:\n          - name: street\n            logicalType: string", "properties: { street: string }", 59, "schema[0].properties[5].properties", "expected a list"),
    ("a property that is a text", "- name: street\n            logicalType: string", "- street", 60, "schema[0].properties[5].properties[0]", "expected a mapping"),
    ("a minimum that is a text", "minimum: 1 }", "minimum: '1' }", 36, "schema[0].properties[0].logicalTypeOptions.minimum", "expected a number"),
    ("a retention that is a text", "value: 30", "value: a month", 14, "slaProperties[0].value", "whole number"),
    ("a retention that is a list", "value: 30", "value: [30]", 14, "slaProperties[0].value", "single value"),
    ("a price that is a text", "domain: lab", "domain: lab\nprice: { priceAmount: free }", 8, "price.priceAmount", "expected a number"),
    ("a key that is a number", "domain: lab", "domain: lab\n7: x", 8, "", "not a string"),
    ("a key that is a list", "domain: lab", "domain: lab\n? [a, b]\n: x", 8, "", "not a string"),
    ("an integer of 65 bits", "value: 30", "value: 99999999999999999999", 14, "slaProperties[0].value", "more than 64 bits"),
    ("a number that is none", "value: 30", "value: .nan", 14, "slaProperties[0].value", "not finite"),
    ("a number without end", "value: 30", "value: 1e999", 14, "slaProperties[0].value", "not finite"),
    // Missing keys.
    ("no apiVersion", "apiVersion: v3.2.0\n", "", 1, "apiVersion", "is missing"),
    ("no kind", "kind: DataContract\n", "", 1, "kind", "add `kind"),
    ("no id", "id: urn:mesh:contract:lab.samples\n", "", 1, "id", "is missing"),
    ("no version", "version: \"1.2.0\"\n", "", 1, "version", "is missing"),
    ("no status", "status: active\n", "", 1, "status", "is missing"),
    ("no domain", "domain: lab\n", "", 1, "domain", "is missing"),
    ("no description", "description:\n  purpose: To try things.\n", "", 1, "description", "is missing"),
    ("no purpose", "purpose: To try things.", "usage: At will.", 9, "description.purpose", "is missing"),
    ("no retention", "property: retention", "property: latency", 13, "slaProperties", "`retention` is missing"),
    ("no unit", "\n    unit: d", "", 13, "slaProperties[0].unit", "write h, d or y"),
    ("no property of a service level", "- property: retention\n    value", "- value", 13, "slaProperties[0].property", "is missing"),
    ("no name of a schema", "- name: sample\n    physicalName", "- physicalName", 22, "schema[0].name", "is missing"),
    ("no topic", "    physicalName: lab.samples.v1\n", "", 22, "schema[0].physicalName", "is missing"),
    ("no kind of product", "property: mesh.kind", "property: meshkind", 26, "schema[0].customProperties", "`mesh.kind` is missing"),
    ("no value of a custom property", "- { property: scale, value: 2 }", "- { property: scale }", 50, "schema[0].properties[2].customProperties[1].value", "is missing"),
    ("no name of a property", "- name: status\n        logicalType", "- logicalType", 40, "schema[0].properties[1].name", "is missing"),
    ("no logical type", "- name: status\n        logicalType: string", "- name: status", 40, "schema[0].properties[1].logicalType", "is missing"),
    ("no items", "\n        items:\n          logicalType: string", "", 53, "schema[0].properties[4].items", "is missing"),
    ("no value of a symbol", "- value: TAKEN", "- label: Taken", 43, "schema[0].properties[1].enum[0].value", "is missing"),
    ("no host", "    host: kafka:9092\n", "", 17, "servers[0].host", "is missing"),
    ("no type of a server", "    type: kafka\n", "", 17, "servers[0].type", "is missing"),
    ("no map", "logicalType: array\n        items:\n          logicalType: string", "logicalType: map", 53, "schema[0].properties[4].map", "is missing"),
    ("keys that are numbers", "logicalType: array\n        items:\n          logicalType: string", "logicalType: map\n        map:\n          key: { logicalType: integer }\n          value: { logicalType: string }", 56, "schema[0].properties[4].map.key.logicalType", "no plain texts"),
    ("a map without values", "logicalType: array\n        items:\n          logicalType: string", "logicalType: map\n        map:\n          key: { logicalType: string }", 56, "schema[0].properties[4].map.value", "is missing"),
    ("a vector", "logicalType: array\n        items:\n          logicalType: string", "logicalType: vector\n        logicalTypeOptions: { dimensions: 3 }", 54, "schema[0].properties[4].logicalType", "`vector` is not understood here"),
    ("a time with a zone", "logicalType: timestamp", "logicalType: time\n        logicalTypeOptions: { timezone: true }", 53, "schema[0].properties[3].logicalTypeOptions.timezone", "write `timezone: false`"),
    ("no comparison", "\n        mustBeGreaterThan: 0", "", 31, "schema[0].quality[0]", "nothing is said"),
    ("no query", "- metric: rowCount\n", "- type: sql\n", 31, "schema[0].quality[0].query", "is missing"),
    ("no key", "        primaryKey: true\n        primaryKeyPosition: 1\n", "", 34, "schema[0].properties", "no column is part of the key"),
    // Unknown fields.
    ("a misspelt key", "status: active", "statuss: active", 6, "statuss", "did you mean `status`?"),
    ("a key of nobody", "domain: lab", "domain: lab\nowner: me", 8, "owner", "remove it or use one of"),
    ("a misspelt key of a schema", "physicalType: topic", "physicalTyp: topic", 24, "schema[0].physicalTyp", "did you mean `physicalType`?"),
    ("a misspelt key of a property", "primaryKeyPosition: 1", "primaryKeyPositon: 1", 38, "schema[0].properties[0].primaryKeyPositon", "did you mean"),
    ("a misspelt key of a description", "purpose: To try things.", "purpose: To try things.\n  limitation: None.", 10, "description.limitation", "did you mean `limitations`?"),
    ("an option of another type", "{ format: i64, minimum: 1 }", "{ format: i64, minLength: 1 }", 36, "schema[0].properties[0].logicalTypeOptions.minLength", "does not have this"),
    ("an option of nobody", "{ format: i64, minimum: 1 }", "{ format: i64, least: 1 }", 36, "schema[0].properties[0].logicalTypeOptions.least", "not understood"),
    ("a field of another server", "format: avro", "format: avro\n    port: 9092", 21, "servers[0].port", "does not have this"),
    ("a field of another check", "mustBeGreaterThan: 0", "mustBeGreaterThan: 0\n        query: SELECT 1", 33, "schema[0].quality[0].query", "write `type: sql`"),
    ("items of a string", "- name: status\n        logicalType: string", "- name: status\n        logicalType: string\n        items: { logicalType: string }", 42, "schema[0].properties[1].items", "write `logicalType: array`"),
    ("an unknown property of the framework", "property: mesh.eventTime", "property: mesh.eventTimes", 28, "schema[0].customProperties[1].property", "`mesh.eventTimes` is not understood"),
    ("a property of the framework on a column", "{ property: scale, value: 2 }", "{ property: scale, value: 2 }\n          - { property: mesh.kind, value: event }", 51, "schema[0].properties[2].customProperties[2].property", "`mesh.kind` is not understood"),
    ("a property of the framework on a server", "format: avro", "format: avro\n    customProperties: [{ property: mesh.kind, value: x }]", 21, "servers[0].customProperties[0].property", "the framework reads such properties on"),
    // Words that are not understood.
    ("an unknown version of the standard", "apiVersion: v3.2.0", "apiVersion: v2.2.2", 1, "apiVersion", "write `apiVersion: v3.2.0`"),
    ("a product in place of a contract", "kind: DataContract", "kind: DataProduct", 2, "kind", "`DataContract`"),
    ("an unknown status", "status: active", "status: live", 6, "status", "`retired`"),
    ("a version before 1", "version: \"1.2.0\"", "version: \"0.2.0\"", 5, "version", "from 1.0.0"),
    ("a version that is none", "version: \"1.2.0\"", "version: latest", 5, "version", "not a semantic version"),
    ("a domain with a capital", "domain: lab", "domain: Lab", 7, "domain", "lower-case"),
    ("a topic of another domain", "lab.samples.v1", "library.samples.v1", 23, "schema[0].physicalName", "write `lab.<product>.v1`"),
    ("a topic of another major", "version: \"1.2.0\"", "version: \"2.0.0\"", 23, "schema[0].physicalName", "lab.<product>.v2"),
    ("an unknown logical type", "logicalType: timestamp", "logicalType: datetime", 52, "schema[0].properties[3].logicalType", "`datetime` is no logical type"),
    ("an unknown format of integers", "format: i64", "format: int64", 36, "schema[0].properties[0].logicalTypeOptions.format", "`i64`"),
    ("a format without a Rust type", "format: i64", "format: u64", 36, "schema[0].properties[0].logicalTypeOptions.format", "`u64` is not understood here"),
    ("an unknown server", "type: kafka", "type: rabbit", 18, "servers[0].type", "is no type of server"),
    ("a Kafka server without Avro", "format: avro", "format: json", 20, "servers[0].format", "`avro`"),
    ("an unknown metric", "metric: rowCount", "metric: rows", 31, "schema[0].quality[0].metric", "`rowCount`"),
    ("two comparisons", "mustBeGreaterThan: 0", "mustBeGreaterThan: 0\n        mustBe: 1", 32, "schema[0].quality[0].mustBeGreaterThan", "stands beside `mustBe`"),
    ("bounds that are one number", "mustBeGreaterThan: 0", "mustBeBetween: [1]", 32, "schema[0].quality[0].mustBeBetween", "write `[lower, upper]`"),
    ("an event time that is no column", "value: taken_at", "value: nowhere", 29, "schema[0].customProperties[1].value", "which is no column"),
    ("an event time that is no time", "value: taken_at", "value: status", 29, "schema[0].customProperties[1].value", "no timestamp or date"),
    ("an unknown kind of product", "value: state", "value: table", 27, "schema[0].customProperties[0].value", "value: event"),
    ("a decimal too wide", "decimal(12,2)", "decimal(40,2)", 47, "schema[0].properties[2].physicalType", "1 <= p <= 38"),
    ("a decimal at odds with itself", "decimal(12,2)", "decimal(12,3)", 50, "schema[0].properties[2].customProperties[1].value", "`scale` does not say 3"),
    ("a physical type that does not fit", "logicalType: timestamp", "logicalType: timestamp\n        physicalType: varchar", 53, "schema[0].properties[3].physicalType", "does not fit"),
    ("a symbol that is no name", "value: TAKEN", "value: 2TAKEN", 43, "schema[0].properties[1].enum[0].value", "Avro symbol"),
    ("a column that ends like a version", "name: price", "name: price_v2", 45, "schema[0].properties[2].name", "ends like a version"),
    ("an unknown classification", "logicalType: timestamp", "logicalType: timestamp\n        classification: secret", 53, "schema[0].properties[3].classification", "personal"),
    ("a key that may be null", "required: true", "required: false", 34, "schema[0].properties", "nullable"),
    ("a reference that is none", "logicalType: timestamp", "logicalType: timestamp\n        relationships: [{ to: other }]", 53, "schema[0].properties[3].relationships[0].to", "is no reference"),
    ("an id that cannot be referred to", "- name: price", "- id: the price\n        name: price", 45, "schema[0].properties[2].id", "cannot be referred to"),
    ("a field from a later version", "apiVersion: v3.2.0", "apiVersion: v3.1.0", 42, "schema[0].properties[1].enum", "came with v3.2.0"),
    // Duplicates.
    ("a key twice", "domain: lab", "domain: lab\ndomain: lab", 8, "domain", "first on line 7"),
    ("a key of a property twice", "logicalType: timestamp", "logicalType: timestamp\n        name: taken_at", 53, "schema[0].properties[3].name", "not valid YAML"),
    ("two columns of one name", "name: status", "name: sample_id", 40, "schema[0].properties[1].name", "first on line 34"),
    ("two schemas", "schema:\n", "schema:\n  - name: other\n", 22, "schema", "exactly one record type"),
    ("a symbol twice", "value: MEASURED", "value: TAKEN", 44, "schema[0].properties[1].enum[1].value", "stands here twice"),
    ("symbols of one Rust name", "value: MEASURED", "value: taken", 44, "schema[0].properties[1].enum[1].value", "collides"),
    ("a custom property twice", "property: mesh.eventTime", "property: mesh.kind", 28, "schema[0].customProperties[1].property", "stands here twice"),
    ("an id twice", "- property: retention", "- { id: a, property: latency, value: 1 }\n  - { id: a, property: frequency, value: 1 }\n  - property: retention", 14, "slaProperties[1].id", "first on line 13"),
    // Syntax.
    ("an open bracket", "kind: DataContract", "kind: [DataContract", 3, "kind[0]", "not valid YAML"),
    ("an open quote", "name: Samples", "name: \"Samples", 4, "name", "not valid YAML"),
    ("a tab as indentation", "  purpose", "\tpurpose", 9, "description", "not valid YAML"),
    ("a value on a wrong column", "  name: Lab", " name: Lab\n   x: y", 12, "team", "not valid YAML"),
    ("a tag", "kind: DataContract", "kind: !!binary DataContract", 2, "kind", "tag"),
    ("an anchor", "name: Samples", "name: &name Samples", 4, "name", "anchor"),
    ("an alias to nothing", "name: Samples", "name: *nothing", 4, "name", "not valid YAML"),
    ("a merge key", "name: Lab", "<<: &team { name: Lab }", 11, "team.<<", "anchor"),
    ("a second document", "schema:", "---\nschema:", 21, "", "second YAML document"),
    ("a control character", "name: Samples", "name: Sam\u{1}ples", 4, "", "U+0001"),
];

#[rustfmt::skip]
const PRODUCTS: &[Case] = &[
    ("no output", "outputPorts:\n  - name: stream\n    version: \"1.2.0\"\n    contractId: urn:mesh:contract:lab.samples\n", "", 1, "outputPorts", "no output port"),
    ("an output without a version", "    version: \"1.2.0\"\n", "", 13, "outputPorts[0].version", "is missing"),
    ("nobody owns it", "team:\n  name: Lab\n", "", 1, "team", "nobody owns"),
    ("a status that is missing", "status: active\n", "", 1, "status", "is missing"),
    ("an unknown version", "apiVersion: v1.0.0", "apiVersion: v2.0.0", 1, "apiVersion", "write `apiVersion: v1.0.0`"),
    ("a contract in place of a product", "kind: DataProduct", "kind: DataContract", 2, "kind", "`DataProduct`"),
    ("an unknown key", "name: stream", "name: stream\n    topic: x", 14, "outputPorts[0].topic", "not understood"),
    ("a field from a later version", "name: stream", "name: stream\n    deprecated: true", 14, "outputPorts[0].deprecated", "came with v1.1.0"),
    ("a port that stands twice", "outputPorts:", "outputPorts:\n  - { name: stream, version: \"1.2.0\" }", 14, "outputPorts[1].name", "stands here twice"),
    ("a channel without an address", "team:", "support: [{ channel: help }]\nteam:", 10, "support[0].url", "is missing"),
    ("a management port of nothing", "team:", "managementPorts: [{ name: x }]\nteam:", 10, "managementPorts[0].content", "is missing"),
    ("an input without a contract", "team:", "inputPorts: [{ name: x, version: \"1.0.0\" }]\nteam:", 10, "inputPorts[0].contractId", "is missing"),
    ("an unknown property of the framework", "team:", "customProperties: [{ property: mesh.what, value: 1 }]\nteam:", 10, "customProperties[0].property", "`mesh.what` is not understood"),
];

/// Expects a problem at `line` and `field` that says `part`, and a mend in every problem.
fn expect(name: &str, problems: &Diagnostics, line: usize, field: &str, part: &str) {
    if let Some(failure) = unlike(name, problems, line, field, part) {
        panic!("{failure}");
    }
}

/// What is not as expected.
fn unlike(
    name: &str,
    problems: &Diagnostics,
    line: usize,
    field: &str,
    part: &str,
) -> Option<String> {
    let found = problems.items().iter().any(|item| {
        item.line == line
            && item.field == field
            && format!("{}; {}", item.message, item.mend).contains(part)
    });
    for item in problems.items() {
        assert!(
            !item.file.is_empty() && item.line >= 1 && item.column >= 1,
            "{name}: {item:?}"
        );
        assert!(
            !item.message.is_empty() && !item.mend.is_empty(),
            "{name}: {item:?}"
        );
        assert!(item.to_string().len() < 2_000, "{name}: {item}");
    }
    assert!(problems.items().len() <= 101, "{name}");
    (!found).then(|| {
        format!(
            "{name}: no problem at line {line}, field `{field}`, saying {part:?} in\n{problems}"
        )
    })
}

fn check(base: &str, cases: &[Case], parse: impl Fn(&str) -> Result<(), Diagnostics>) {
    let base = document(base);
    parse(&base).unwrap_or_else(|problems| panic!("{problems}"));
    let mut failures = Vec::new();
    for (name, from, to, line, field, part) in cases {
        assert!(
            base.contains(from),
            "{name}: {from:?} is not in the document"
        );
        match parse(&base.replacen(from, to, 1)) {
            Ok(()) => failures.push(format!("{name}: is not refused")),
            Err(problems) => failures.extend(unlike(name, &problems, *line, field, part)),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn each_broken_file_is_refused_with_its_line_field_and_mend() {
    assert!(CONTRACTS.len() + PRODUCTS.len() >= 100);
    check("small.odcs.yaml", CONTRACTS, |text| {
        Contract::parse("contract.odcs.yaml", text).map(|_| ())
    });
    check("small.odps.yaml", PRODUCTS, |text| {
        Product::parse("product.odps.yaml", text).map(|_| ())
    });
}

#[test]
fn two_files_that_disagree_are_refused_where_the_product_says_it() {
    let (product, contract) = (document("small.odps.yaml"), document("small.odcs.yaml"));
    let parse = |product: &str| {
        DataProduct::parse(
            "product.odps.yaml",
            product,
            "contract.odcs.yaml",
            &contract,
        )
    };
    parse(&product).unwrap();
    #[rustfmt::skip]
    let cases = [
        ("domain: lab", "domain: library", 7, "domain", "`library` here and `lab` in contract.odcs.yaml"),
        ("name: samples", "name: sample", 4, "name", "make the two files say the same"),
        ("    version: \"1.2.0\"", "    version: \"1.3.0\"", 14, "outputPorts[0].version", "`1.3.0` here and `1.2.0`"),
        ("contract:lab.samples", "contract:lab.other", 13, "outputPorts", "no port with a contractId"),
    ];
    for (from, to, line, field, part) in cases {
        let problems = parse(&product.replacen(from, to, 1)).expect_err(field);
        expect(field, &problems, line, field, part);
    }
}

/// Texts of about 1 MiB that grow without bounds in a careless reader.
fn bombs() -> Vec<(&'static str, String)> {
    let fill = |part: &str| part.repeat((MAX_BYTES - 64) / part.len());
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..30 {
        let refs = vec![format!("*a{}", i - 1); 9].join(", ");
        laughs.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
    }
    vec![
        ("an alias bomb", laughs),
        (
            "a quadratic alias bomb",
            format!(
                "a: &a [{}]\nb: [{}]\n",
                "x, ".repeat(100_000),
                "*a, ".repeat(100_000)
            ),
        ),
        ("open lists", fill("[")),
        ("open mappings", fill("{a: ")),
        ("open mappings with quotes", fill("{\"a\":")),
        ("lists in lists", fill("- ")),
        ("keys of keys", fill("? ")),
        ("values of values", fill(": ")),
        ("closed lists", fill("]")),
        (
            "nested blocks",
            (0..1_000)
                .map(|depth| format!("{}a:\n", " ".repeat(depth)))
                .collect(),
        ),
        ("empty lists", format!("a: [{}]", fill("[],"))),
        ("short values", format!("a: [{}]", fill("1,"))),
        (
            "short keys",
            (0..90_000).map(|key| format!("k{key}:\n")).collect(),
        ),
        (
            "unknown keys",
            (0..40_000)
                .map(|key| format!("key number {key}: 1\n"))
                .collect(),
        ),
        ("one key again and again", fill("a: 1\n")),
        ("one long key", format!("{}: 1", fill("k"))),
        ("one long text", format!("status: {}", fill("t"))),
        ("an open quote", format!("a: \"{}", fill("\\n"))),
        ("an open single quote", format!("a: '{}", fill("''"))),
        ("a block of text", format!("a: |\n{}", fill(" x\n"))),
        ("spaces", fill(" ")),
        ("line ends", fill("\n")),
        ("carriage returns", fill("\r")),
        ("tabs", fill("\t")),
        ("comments", fill("#\n")),
        ("dashes", fill("-")),
        ("documents", fill("---\n")),
        ("directives", fill("%TAG ! x\n")),
        ("anchors", fill("&a ")),
        ("many anchors", format!("a: [{}]", fill("&b c,"))),
        ("aliases", format!("a: [{}]", fill("*b,"))),
        ("tags", format!("a: [{}]", fill("!t x,"))),
        ("null bytes", fill("\0")),
        ("wide characters", format!("a: {}", fill("\u{1F600}"))),
        (
            "many columns",
            format!(
                "{}{}",
                document("small.odcs.yaml"),
                (0..16_000)
                    .map(|_| "      - name: street\n        logicalType: string\n")
                    .collect::<String>(),
            ),
        ),
    ]
}

#[test]
fn no_text_takes_much_time_or_memory() {
    for (name, text) in bombs() {
        assert!(text.len() <= MAX_BYTES, "{name}: {}", text.len());
        let started = Instant::now();
        let (result, held) = peak(|| Contract::parse("bomb.odcs.yaml", &text));
        let problems = result.expect_err(name);
        let took = started.elapsed();
        println!(
            "{name}: {} KiB, {} ms, {}",
            held >> 10,
            took.as_millis(),
            problems.items()[0]
        );
        assert!(held < 64 << 20, "{name} held {held} bytes");
        assert!(took < Duration::from_secs(20), "{name} took {took:?}");
        for item in problems.items() {
            assert!(
                !item.mend.is_empty() && item.to_string().len() < 2_000,
                "{name}: {item}"
            );
        }
    }
}

/// A file of 50 MB that counts how much of it is read.
struct Endless(usize);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = 50_000_000 - self.0;
        let count = buffer.len().min(left);
        buffer[..count].fill(b'#');
        self.0 += count;
        Ok(count)
    }
}

#[test]
fn a_file_of_50_mb_is_refused_without_being_read() {
    let mut file = Endless(0);
    let (result, held) = peak(|| read_text("huge.odcs.yaml", &mut file));
    let problems = result.unwrap_err();
    expect("50 MB", &problems, 1, "", "more than 1048576 bytes");
    assert!(file.0 <= 2 * MAX_BYTES, "{} bytes were read", file.0);
    assert!(held < 8 << 20, "{held} bytes were held");

    let text = "#".repeat(MAX_BYTES + 1);
    let problems = Contract::parse("huge.odcs.yaml", &text).unwrap_err();
    expect("too large", &problems, 1, "", "keep it under 1048576 bytes");
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_where_they_stand() {
    #[rustfmt::skip]
    let cases: [(&str, &[u8], usize, usize, &str); 6] = [
        ("Latin-1", b"name: caf\xE9\n", 1, 10, "0xE9 is not UTF-8"),
        ("a later line", "a: \u{e9}\nb: \u{e9}\u{e9}".as_bytes(), 0, 0, ""),
        ("a byte in a later line", b"a: \xC3\xA9\nb: \xC3\xA9\xFF", 2, 5, "0xFF"),
        ("UTF-16", b"\xFF\xFEa\0:\0", 1, 1, "save the file as UTF-8"),
        ("half a character", b"a: b\nc: \xF0\x9F", 2, 4, "0xF0"),
        ("a surrogate", b"a: \xED\xA0\x80", 1, 4, "0xED"),
    ];
    for (name, bytes, line, column, part) in cases {
        match read_text("c.odcs.yaml", Cursor::new(bytes)) {
            Ok(_) => assert_eq!(line, 0, "{name}"),
            Err(problems) => {
                expect(name, &problems, line, "", part);
                assert_eq!(problems.items()[0].column, column, "{name}");
            }
        }
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_read() {
    let text = format!(
        "\u{FEFF}{}",
        document("small.odcs.yaml").replace('\n', "\r\n")
    );
    Contract::parse("c.odcs.yaml", &text).unwrap();
}

#[test]
fn a_damaged_file_never_panics() {
    let texts = [
        document("everything.odcs.yaml"),
        document("small.odcs.yaml"),
    ];
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |bound: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % bound as u64) as usize
    };
    let pieces: Vec<&str> = "\n|  |- |: |?|[|]|{|}|,|\"|'|&a |*a|!t |#|%|\r\n|\t|\u{85}|\u{feff}|é|---\n|...\n|>\n|>-\n|~|0x|\\".split('|').chain(["|", "| \n"]).collect();
    let mut refused = 0;
    for round in 0..4_000 {
        let mut chars: Vec<char> = texts[round % 2].chars().take(6_000).collect();
        for _ in 0..=next(4) {
            let at = next(chars.len().max(1));
            match next(3) {
                0 => {
                    let end = (at + 1 + next(20)).min(chars.len());
                    chars.drain(at.min(end)..end);
                }
                1 => {
                    let at = at.min(chars.len());
                    chars.splice(at..at, pieces[next(pieces.len())].chars());
                }
                _ => chars.truncate(at + 200),
            }
        }
        let text: String = chars.into_iter().collect();
        refused += usize::from(Contract::parse("c.odcs.yaml", &text).is_err());
    }
    assert!(refused > 3_000, "{refused}");
}
