//! A contract as a page in Markdown (CommonMark with GitHub's tables).

use std::fmt::Write;

use mesh_core::contract::{Contract, Product};

use super::columns::{Fact, column_rows, facts, promise, title, words};

/// `text` on one line, with everything that Markdown gives a meaning taken literally.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
    {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

fn table(out: &mut String, head: &[&str], body: &[Vec<String>]) {
    let _ = writeln!(out, "| {} |", head.join(" | "));
    let _ = writeln!(out, "|{}", "---|".repeat(head.len()));
    for row in body {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out.push('\n');
}

pub(super) fn write(contract: &Contract, product: Option<&Product>) -> String {
    let mut out = format!("# {}\n\n", escape(&title(contract)));
    for (name, text) in words(contract) {
        let _ = writeln!(out, "**{name}:** {}\n", escape(text));
    }
    let about: Vec<Vec<String>> = facts(contract, product)
        .into_iter()
        .map(|Fact { name, value }| vec![name.to_owned(), escape(&value)])
        .collect();
    table(&mut out, &["", ""], &about);

    out.push_str("## Columns\n\n");
    let columns: Vec<Vec<String>> = column_rows(contract)
        .iter()
        .map(|row| {
            vec![
                format!("`{}`", row.path),
                escape(&row.ty),
                if row.field.nullable { "yes" } else { "no" }.to_owned(),
                row.key.clone(),
                escape(row.field.classification.as_deref().unwrap_or_default()),
                escape(row.field.description.as_deref().unwrap_or_default()),
                row.examples()
                    .iter()
                    .map(|text| escape(text))
                    .collect::<Vec<_>>()
                    .join(", "),
            ]
        })
        .collect();
    table(
        &mut out,
        &[
            "Column",
            "Type",
            "Nullable",
            "Key",
            "Classification",
            "Description",
            "Examples",
        ],
        &columns,
    );
    for row in column_rows(contract)
        .iter()
        .filter(|row| !row.symbols.is_empty())
    {
        let _ = writeln!(out, "### Values of `{}`\n", row.path);
        let symbols: Vec<Vec<String>> = row
            .symbols
            .iter()
            .map(|symbol| {
                vec![
                    format!("`{}`", symbol.value),
                    escape(symbol.description.as_deref().unwrap_or_default()),
                ]
            })
            .collect();
        table(&mut out, &["Value", "Meaning"], &symbols);
    }

    out.push_str("## Service levels\n\n");
    let levels: Vec<Vec<String>> = contract
        .service_levels
        .iter()
        .map(|level| {
            vec![
                escape(&level.property),
                escape(&promise(level, contract)),
                escape(level.element.as_deref().unwrap_or_default()),
                escape(level.description.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    table(
        &mut out,
        &["Promise", "Value", "Measured on", "In words"],
        &levels,
    );

    if !contract.support.is_empty() {
        out.push_str("## Support\n\n");
        let support: Vec<Vec<String>> = contract
            .support
            .iter()
            .map(|item| {
                vec![
                    escape(&item.channel),
                    escape(item.tool.as_deref().unwrap_or_default()),
                    escape(item.url.as_deref().unwrap_or_default()),
                    escape(item.description.as_deref().unwrap_or_default()),
                ]
            })
            .collect();
        table(
            &mut out,
            &["Channel", "Tool", "Address", "In words"],
            &support,
        );
    }
    format!("{}\n", out.trim_end())
}
