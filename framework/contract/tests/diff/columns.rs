//! Changes of columns and their types.

use mesh_contract::diff::Reads;

use crate::support::{BASE, check, diff, edited, with_column};

/// A column before and after, and the changes.
fn column(old: &str, new: &str, expected: &[&str]) {
    check(&with_column(old), &with_column(new), expected);
}

/// Two types of a required column, and the one change of it.
fn types(old: &str, new: &str, expected: &str) {
    let whole = |ty: &str| format!("{{name: c, required: true, {ty}}}");
    column(&whole(old), &whole(new), &[expected]);
}

const INT: &str = "logicalType: integer";
const LONG: &str = "logicalType: integer, logicalTypeOptions: {format: i64}";
const FLOAT: &str = "logicalType: number, logicalTypeOptions: {format: f32}";
const DOUBLE: &str = "logicalType: number";
const STRING: &str = "logicalType: string";
const UUID: &str = "logicalType: string, logicalTypeOptions: {format: uuid}";
const DATE: &str = "logicalType: date";
const MILLIS: &str = "logicalType: timestamp";
const MICROS: &str = "logicalType: timestamp, physicalType: timestamp-micros";
const BOOLEAN: &str = "logicalType: boolean";

fn decimal(precision: u8, scale: u8) -> String {
    format!(
        "logicalType: number, physicalType: \"decimal({precision},{scale})\", customProperties: \
         [{{property: precision, value: {precision}}}, {{property: scale, value: {scale}}}]"
    )
}

fn symbols(symbols: &[&str]) -> String {
    let symbols: Vec<String> = symbols
        .iter()
        .map(|it| format!("{{value: {it}}}"))
        .collect();
    format!("logicalType: string, enum: [{}]", symbols.join(", "))
}

#[test]
fn columns_come_and_go() {
    column(
        "",
        "{name: c, logicalType: string}",
        &["compatible schema.properties.c added string"],
    );
    column(
        "",
        "{name: c, logicalType: string, required: true}",
        &["breaking schema.properties.c added string required"],
    );
    column(
        "{name: c, logicalType: string}",
        "",
        &["readers only schema.properties.c removed string"],
    );
    column(
        "{name: c, logicalType: string, required: true}",
        "",
        &["readers only schema.properties.c removed string required"],
    );
    column(
        "",
        "{name: c, logicalType: string, classification: personal}",
        &["compatible schema.properties.c added string [classification different]"],
    );
}

#[test]
fn a_removed_column_resolves_only_with_a_default() {
    for (required, avro) in [(false, Reads::BOTH), (true, Reads::NEW_ONLY)] {
        let column = format!("{{name: c, logicalType: string, required: {required}}}");
        assert_eq!(diff(&with_column(&column), BASE).avro(), avro);
        // The other way round it is an addition.
        let added = Reads {
            new_reads_old: avro.old_reads_new,
            old_reads_new: avro.new_reads_old,
        };
        assert_eq!(diff(BASE, &with_column(&column)).avro(), added);
    }
}

#[test]
fn a_column_under_another_name_is_a_possible_renaming() {
    // At the same place.
    column(
        "{name: total, logicalType: integer}",
        "{name: sum, logicalType: integer}",
        &["readers only schema.properties.total renamed total → sum"],
    );
    column(
        "{name: total, logicalType: integer, required: true}",
        "{name: sum, logicalType: integer, required: true}",
        &["breaking schema.properties.total renamed total → sum"],
    );
    // Of another type: two changes.
    column(
        "{name: total, logicalType: integer}",
        "{name: sum, logicalType: string}",
        &[
            "readers only schema.properties.total removed int",
            "compatible schema.properties.sum added string",
        ],
    );
    // Elsewhere: by its words alone.
    let at_the_top = |column: &str| {
        edited(
            BASE,
            &[(
                "      - {name: order_id,",
                &format!("      - {column}\n      - {{name: order_id,"),
            )],
        )
    };
    check(
        &with_column("{name: total, logicalType: integer, description: The sum.}"),
        &at_the_top("{name: sum, logicalType: integer, description: The sum.}"),
        &["readers only schema.properties.total renamed total → sum"],
    );
    check(
        &with_column("{name: total, logicalType: integer, description: The sum.}"),
        &at_the_top("{name: sum, logicalType: integer, description: Another.}"),
        &[
            "readers only schema.properties.total removed int",
            "compatible schema.properties.sum added int",
        ],
    );
    // Words go before the place, and no column is taken twice.
    check(
        &with_column(
            "{name: a, logicalType: integer, description: One.}\n      - {name: b, logicalType: integer}",
        ),
        &with_column(
            "{name: x, logicalType: integer}\n      - {name: y, logicalType: integer, description: One.}",
        ),
        &[
            "readers only schema.properties.a renamed a → y",
            "readers only schema.properties.b renamed b → x",
        ],
    );
}

#[test]
fn another_order_of_columns_is_seen_by_nobody() {
    let last = "      - {name: last, logicalType: boolean}\n";
    let moved = edited(BASE, &[(last, "")]);
    let moved = edited(
        &moved,
        &[("    properties:\n", &format!("    properties:\n{last}"))],
    );
    check(
        BASE,
        &moved,
        &["compatible schema.properties reordered \
           order_id, customer, placed_at, changed_at, last → last, order_id, customer, placed_at, changed_at"],
    );
}

#[test]
fn types_follow_avro_where_the_meaning_stays() {
    types(
        INT,
        LONG,
        "readers only schema.properties.c widened int → long",
    );
    types(
        LONG,
        INT,
        "breaking schema.properties.c narrowed long → int",
    );
    types(
        INT,
        FLOAT,
        "readers only schema.properties.c widened int → float",
    );
    types(
        LONG,
        DOUBLE,
        "readers only schema.properties.c widened long → double",
    );
    types(
        FLOAT,
        DOUBLE,
        "readers only schema.properties.c widened float → double",
    );
    types(
        DOUBLE,
        FLOAT,
        "breaking schema.properties.c narrowed double → float",
    );
    types(
        UUID,
        STRING,
        "readers only schema.properties.c widened uuid → string",
    );
    types(
        STRING,
        UUID,
        "breaking schema.properties.c narrowed string → uuid",
    );
    types(
        INT,
        STRING,
        "breaking schema.properties.c changed int → string",
    );
    types(
        BOOLEAN,
        INT,
        "breaking schema.properties.c changed boolean → int",
    );
    types(
        STRING,
        &symbols(&["A"]),
        "breaking schema.properties.c changed string → enum(A)",
    );
    types(
        INT,
        "logicalType: array, items: {logicalType: integer}",
        "breaking schema.properties.c changed int → array<int>",
    );
}

#[test]
fn what_resolves_and_means_something_else_breaks() {
    for (old, new, resolves) in [
        (MILLIS.to_owned(), MICROS.to_owned(), Reads::BOTH),
        (INT.to_owned(), DATE.to_owned(), Reads::BOTH),
        (DATE.to_owned(), LONG.to_owned(), Reads::NEW_ONLY),
        (LONG.to_owned(), DATE.to_owned(), Reads::OLD_ONLY),
        (LONG.to_owned(), MILLIS.to_owned(), Reads::BOTH),
        (STRING.to_owned(), decimal(9, 2), Reads::BOTH),
        (decimal(9, 2), decimal(11, 2), Reads::NEITHER),
        (decimal(9, 2), decimal(9, 3), Reads::NEITHER),
    ] {
        let whole = |ty: &str| with_column(&format!("{{name: c, {ty}}}"));
        let diff = diff(&whole(&old), &whole(&new));
        let [change] = diff.changes.as_slice() else {
            panic!("{diff:?}");
        };
        assert_eq!(change.reads, Reads::NEITHER, "{old} -> {new}");
        assert_eq!(change.avro, resolves, "{old} -> {new}");
    }
}

#[test]
fn symbols_come_go_and_move() {
    types(
        &symbols(&["A"]),
        &symbols(&["A", "B", "C"]),
        "readers only schema.properties.c.enum widened B, C",
    );
    types(
        &symbols(&["A", "B"]),
        &symbols(&["A"]),
        "breaking schema.properties.c.enum narrowed B",
    );
    types(
        &symbols(&["A", "B"]),
        &symbols(&["B", "A"]),
        "compatible schema.properties.c.enum reordered",
    );
    column(
        "{name: c, logicalType: string, enum: [{value: A, description: One}]}",
        "{name: c, logicalType: string, enum: [{value: A, description: Two}]}",
        &["documentation schema.properties.c.enum.A.description changed One → Two"],
    );
}

#[test]
fn null_comes_and_goes() {
    column(
        "{name: c, logicalType: string, required: true}",
        "{name: c, logicalType: string}",
        &["readers only schema.properties.c.required widened true → false [quality weaker]"],
    );
    column(
        "{name: c, logicalType: string}",
        "{name: c, logicalType: string, required: true}",
        &["breaking schema.properties.c.required narrowed false → true [quality stronger]"],
    );
    types(
        "logicalType: array, items: {logicalType: string}",
        "logicalType: array, items: {logicalType: string, required: false}",
        "readers only schema.properties.c.items.required widened true → false [quality weaker]",
    );
}

#[test]
fn objects_and_lists_are_compared_inside() {
    let list = |fields: &str| {
        format!("logicalType: array, items: {{logicalType: object, properties: [{fields}]}}")
    };
    types(
        &list("{name: a, logicalType: integer, required: true}"),
        &list(&format!("{{name: a, {LONG}, required: true}}")),
        "readers only schema.properties.c.items.properties.a widened int → long",
    );
    types(
        &list("{name: a, logicalType: integer}"),
        &list("{name: a, logicalType: integer}, {name: b, logicalType: date, required: true}"),
        "breaking schema.properties.c.items.properties.b added date required",
    );
    types(
        "logicalType: object, properties: [{name: a, logicalType: string}, {name: b, logicalType: date}]",
        "logicalType: object, properties: [{name: a, logicalType: string}]",
        "readers only schema.properties.c.properties.b removed date",
    );
}

#[test]
fn limits_are_promises_about_quality() {
    let length = |min: &str, max: &str| {
        format!("logicalType: string, logicalTypeOptions: {{minLength: {min}, maxLength: {max}}}")
    };
    let path = "compatible schema.properties.c.logicalTypeOptions";
    types(
        &length("1", "20"),
        &length("1", "10"),
        &format!("{path}.maxLength narrowed 20 → 10 [quality stronger]"),
    );
    types(
        &length("1", "20"),
        &length("1", "30"),
        &format!("{path}.maxLength widened 20 → 30 [quality weaker]"),
    );
    types(
        &length("2", "20"),
        &length("1", "20"),
        &format!("{path}.minLength widened 2 → 1 [quality weaker]"),
    );
    types(
        INT,
        "logicalType: integer, logicalTypeOptions: {minimum: 0}",
        &format!("{path}.minimum narrowed 0 [quality stronger]"),
    );
    types(
        "logicalType: integer, logicalTypeOptions: {maximum: 9}",
        INT,
        &format!("{path}.maximum widened 9 [quality weaker]"),
    );
    types(
        "logicalType: integer, logicalTypeOptions: {minimum: 1}",
        "logicalType: integer, logicalTypeOptions: {minimum: 3}",
        &format!("{path}.minimum narrowed 1 → 3 [quality stronger]"),
    );
    column(
        "{name: c, logicalType: string}",
        "{name: c, logicalType: string, unique: true}",
        &["compatible schema.properties.c.unique narrowed false → true [quality stronger]"],
    );
    // A type and a limit at once are two changes.
    column(
        "{name: c, logicalType: integer, logicalTypeOptions: {maximum: 9}}",
        "{name: c, logicalType: integer, logicalTypeOptions: {format: i64, maximum: 99}}",
        &[
            "readers only schema.properties.c widened int → long",
            "compatible schema.properties.c.logicalTypeOptions.maximum widened 9 → 99 [quality weaker]",
        ],
    );
}

#[test]
fn classifications_are_flagged_whichever_way_they_move() {
    for (old, new, expected) in [
        (
            "personal",
            "public",
            "widened personal → public [classification weaker, access different]",
        ),
        (
            "personal",
            "restricted",
            "widened personal → restricted [classification weaker, access different]",
        ),
        (
            "restricted",
            "personal",
            "narrowed restricted → personal [classification stronger, access different]",
        ),
        (
            "public",
            "confidential",
            "narrowed public → confidential [classification stronger, access different]",
        ),
        (
            "confidential",
            "internal",
            "widened confidential → internal [classification weaker, access different]",
        ),
        (
            "",
            "internal",
            "changed internal [classification different, access different]",
        ),
        (
            "",
            "public",
            "widened public [classification weaker, access different]",
        ),
        (
            "confidential",
            "",
            "widened confidential [classification weaker, access different]",
        ),
    ] {
        let whole = |word: &str| match word {
            "" => "{name: c, logicalType: string}".to_owned(),
            word => format!("{{name: c, logicalType: string, classification: {word}}}"),
        };
        column(
            &whole(old),
            &whole(new),
            &[&format!(
                "compatible schema.properties.c.classification {expected}"
            )],
        );
    }
}

#[test]
fn words_of_a_column_are_documentation() {
    for (more, expected) in [
        ("description: A.", "description added A."),
        ("businessName: Cee", "businessName added Cee"),
        ("tags: [x, y]", "tags added x, y"),
        ("examples: [secret]", "examples changed 0 values → 1 values"),
        (
            "criticalDataElement: true",
            "criticalDataElement changed false → true",
        ),
        (
            "customProperties: [{property: owner, value: 7}]",
            "customProperties.owner added 7",
        ),
    ] {
        column(
            "{name: c, logicalType: string}",
            &format!("{{name: c, logicalType: string, {more}}}"),
            &[&format!("documentation schema.properties.c.{expected}")],
        );
    }
}
