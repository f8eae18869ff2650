//! `mesh contract show`: a contract for people, in the terminal.

use std::path::PathBuf;

use clap::Args;
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use mesh_core::Result;
use mesh_formats::export::{Fact, column_rows, facts};

use super::files::load;
use crate::ui;

#[derive(Args)]
pub(crate) struct ShowArgs {
    /// A product's folder, or a contract file
    path: PathBuf,
}

pub(crate) fn run(args: &ShowArgs) -> Result<()> {
    let loaded = load(&args.path)?;
    let contract = &loaded.contract;
    ui::line(ui::bold(&format!(
        "{} {}",
        contract.name.as_deref().unwrap_or(&contract.product),
        contract.version
    )));
    for text in [
        &contract.description.purpose,
        &contract.description.usage,
        &contract.description.limitations,
    ]
    .into_iter()
    .flatten()
    {
        ui::line(text.trim());
    }
    ui::line("");
    let mut about = table();
    for Fact { name, value } in facts(contract, loaded.product.as_ref()) {
        about.add_row([name.to_owned(), value]);
    }
    ui::line(about.trim_fmt());
    ui::line("");
    let mut columns = table();
    columns.set_header([
        "column",
        "type",
        "null",
        "key",
        "classification",
        "description",
    ]);
    for row in column_rows(contract) {
        columns.add_row([
            row.path.as_str(),
            &row.ty,
            if row.field.nullable { "yes" } else { "" },
            &row.key,
            row.field.classification.as_deref().unwrap_or_default(),
            row.field.description.as_deref().unwrap_or_default().trim(),
        ]);
        for symbol in row.symbols {
            let value = format!("  {}", symbol.value);
            let meaning = symbol.description.as_deref().unwrap_or_default();
            columns.add_row([value.as_str(), "", "", "", "", meaning.trim()]);
        }
    }
    ui::line(columns.trim_fmt());
    Ok(())
}

fn table() -> Table {
    let mut table = Table::new();
    table
        .load_preset(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table
}
