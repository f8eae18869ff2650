//! The table of columns in docs/versions.md is true.

use mesh_contract::diff::{Class, File};

use crate::support::{diff, with_column};

const DOCS: &str = include_str!("../../../../docs/versions.md");

#[test]
fn the_table_of_columns_holds() {
    let section = DOCS.split("## Columns").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .collect::<Vec<_>>();
    assert!(rows.len() >= 20, "{rows:?}");
    for row in rows {
        let cells: Vec<&str> = row
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let [before, after, class, effects] = cells[..] else {
            panic!("not four cells: {row}");
        };
        let diff = diff(&with_column(before), &with_column(after));
        let [change] = diff.changes.as_slice() else {
            panic!("not one change: {row}\n{diff:?}");
        };
        assert_eq!(change.class.as_str(), class, "{row}");
        let found: Vec<String> = change.effects.iter().map(ToString::to_string).collect();
        assert_eq!(found.join(", "), effects, "{row}");
        let asks = match change.class {
            Class::Documentation => "patch",
            Class::Compatible => "minor",
            Class::ReadersOnly | Class::Breaking => "major",
        };
        assert_eq!(diff.required(File::Contract).as_str(), asks, "{row}");
    }
}

#[test]
fn the_table_of_classes_names_each() {
    let section = DOCS.split("## Classes").nth(1).unwrap();
    let asks = ["a patch", "a minor", "a major", "a major"];
    for (class, asks) in Class::ALL.into_iter().zip(asks) {
        let row = section
            .lines()
            .find(|line| line.starts_with(&format!("| {class} |")));
        assert!(row.unwrap().ends_with(&format!("| {asks} |")), "{row:?}");
    }
}
