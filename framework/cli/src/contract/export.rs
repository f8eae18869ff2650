//! `mesh contract export`: a contract in another format.

use std::path::PathBuf;

use clap::Args;
use mesh_core::{Error, Result};
use mesh_formats::Format;

use super::files::load;
use crate::ui;

#[derive(Args)]
pub(crate) struct ExportArgs {
    /// A product's folder, or a contract file
    path: PathBuf,
    /// avro, avro-key, json-schema, protobuf, sql[:postgres|ansi|mysql], arrow, parquet-schema,
    /// markdown, html or dbt[:model|source]
    #[arg(long, short)]
    format: Format,
    /// The file to write instead of standard output
    #[arg(long, short)]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &ExportArgs) -> Result<()> {
    let loaded = load(&args.path)?;
    let text = mesh_formats::export(&loaded.contract, loaded.product.as_ref(), args.format)?;
    let Some(output) = &args.output else {
        ui::line(text.trim_end_matches('\n'));
        return Ok(());
    };
    std::fs::write(output, text).map_err(|error| {
        Error::invalid("the file cannot be written")
            .with("file", output.display())
            .with("reason", error.kind())
            .mend("name a file in a folder that is there and may be written to")
            .because(error)
    })
}
