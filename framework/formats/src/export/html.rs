//! A contract as one HTML page that needs nothing else: no script, no font, no network.

use std::fmt::Write;

use mesh_core::contract::{Contract, Product};

use super::columns::{Fact, column_rows, facts, promise, title, words};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:0 auto;padding:1rem}\
table{border-collapse:collapse;width:100%;margin:0 0 1.5rem}\
caption{text-align:left;font-weight:600;padding:.4rem 0}\
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #8886}\
thead th{border-bottom:2px solid #8889}\
tbody th{font-weight:400}\
code{font:.9em/1.4 ui-monospace,monospace;overflow-wrap:anywhere}\
.wide{overflow-x:auto}\
dt{font-weight:600}dd{margin:0 0 .5rem}\
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}.facts dd{margin:0}\
.personal{font-weight:600}";

/// `text` as it may stand between tags and in quoted attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A link, if the address is of a kind that does nothing but lead somewhere.
fn link(url: &str) -> String {
    let safe = ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| url.to_ascii_lowercase().starts_with(scheme));
    let text = escape(url);
    if safe {
        format!("<a href=\"{text}\" rel=\"noreferrer\">{text}</a>")
    } else {
        text
    }
}

/// A table; the first cell of each row is its header. Cells are HTML already.
fn table(out: &mut String, caption: &str, head: &[&str], body: &[Vec<String>]) {
    let _ = writeln!(
        out,
        "<div class=\"wide\" role=\"region\" aria-label=\"{0}\" tabindex=\"0\"><table>\n<caption>{0}</caption>",
        escape(caption)
    );
    let cells: String = head
        .iter()
        .map(|name| format!("<th scope=\"col\">{}</th>", escape(name)))
        .collect();
    let _ = writeln!(out, "<thead><tr>{cells}</tr></thead>\n<tbody>");
    for row in body {
        let mut cells = String::new();
        for (at, cell) in row.iter().enumerate() {
            let _ = match at {
                0 => write!(cells, "<th scope=\"row\">{cell}</th>"),
                _ => write!(cells, "<td>{cell}</td>"),
            };
        }
        let _ = writeln!(out, "<tr>{cells}</tr>");
    }
    out.push_str("</tbody></table></div>\n");
}

fn optional(text: Option<&str>) -> String {
    escape(text.unwrap_or_default().trim())
}

pub(super) fn write(contract: &Contract, product: Option<&Product>) -> String {
    let title = escape(&title(contract));
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title} {} ({}.{})</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>",
        escape(&contract.version.to_string()),
        escape(&contract.domain),
        escape(&contract.product),
    );
    out.push_str("<dl>\n");
    for (name, text) in words(contract) {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(text));
    }
    out.push_str("</dl>\n</header>\n<main>\n<section aria-labelledby=\"facts\">\n<h2 id=\"facts\">Facts</h2>\n<dl class=\"facts\">\n");
    for Fact { name, value } in facts(contract, product) {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    out.push_str("</dl>\n</section>\n");
    columns(&mut out, contract);
    service(&mut out, contract, product);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn columns(out: &mut String, contract: &Contract) {
    out.push_str("<section aria-labelledby=\"columns\">\n<h2 id=\"columns\">Columns</h2>\n");
    let rows = column_rows(contract);
    let body: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let classification = optional(row.field.classification.as_deref());
            let examples: Vec<String> = row
                .examples()
                .iter()
                .map(|text| format!("<code>{}</code>", escape(text)))
                .collect();
            vec![
                format!("<code>{}</code>", escape(&row.path)),
                escape(&row.ty),
                if row.field.nullable { "yes" } else { "no" }.to_owned(),
                escape(&row.key),
                if row.field.is_personal() {
                    format!("<span class=\"personal\">{classification}</span>")
                } else {
                    classification
                },
                optional(row.field.description.as_deref()),
                examples.join(", "),
            ]
        })
        .collect();
    let caption = contract.schema.description.as_deref().map(str::trim);
    table(
        out,
        caption
            .filter(|text| !text.is_empty())
            .unwrap_or("All columns"),
        &[
            "Column",
            "Type",
            "Nullable",
            "Key",
            "Classification",
            "Description",
            "Examples",
        ],
        &body,
    );
    for row in rows.iter().filter(|row| !row.symbols.is_empty()) {
        let body: Vec<Vec<String>> = row
            .symbols
            .iter()
            .map(|symbol| {
                vec![
                    format!("<code>{}</code>", escape(&symbol.value)),
                    optional(symbol.description.as_deref()),
                ]
            })
            .collect();
        table(
            out,
            &format!("Values of {}", row.path),
            &["Value", "Meaning"],
            &body,
        );
    }
    out.push_str("</section>\n");
}

fn service(out: &mut String, contract: &Contract, product: Option<&Product>) {
    out.push_str("<section aria-labelledby=\"service\">\n<h2 id=\"service\">Service levels</h2>\n");
    let body: Vec<Vec<String>> = contract
        .service_levels
        .iter()
        .map(|level| {
            vec![
                escape(&level.property),
                escape(&promise(level, contract)),
                optional(level.element.as_deref()),
                optional(level.description.as_deref()),
            ]
        })
        .collect();
    table(
        out,
        "What is promised",
        &["Promise", "Value", "Measured on", "In words"],
        &body,
    );
    out.push_str("</section>\n");
    if !contract.support.is_empty() {
        out.push_str(
            "<section aria-labelledby=\"support\">\n<h2 id=\"support\">Support</h2>\n<ul>\n",
        );
        for item in &contract.support {
            let address = item.url.as_deref().map(link).unwrap_or_default();
            let _ = writeln!(
                out,
                "<li>{} {address} {}</li>",
                escape(&item.channel),
                optional(item.description.as_deref())
            );
        }
        out.push_str("</ul>\n</section>\n");
    }
    let inputs = product.map(|product| product.input_ports.as_slice());
    if let Some(inputs) = inputs.filter(|inputs| !inputs.is_empty()) {
        out.push_str(
            "<section aria-labelledby=\"inputs\">\n<h2 id=\"inputs\">Made from</h2>\n<ul>\n",
        );
        for input in inputs {
            let _ = writeln!(
                out,
                "<li>{} {}: <code>{}</code></li>",
                escape(&input.name),
                escape(&input.version),
                escape(&input.contract_id)
            );
        }
        out.push_str("</ul>\n</section>\n");
    }
}
