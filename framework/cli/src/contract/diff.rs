//! `mesh contract diff`: two versions of a product held against each other, for people, for
//! pull requests and for CI.

mod consumers;
mod report;
mod show;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mesh_core::contract::diff::{Diff, File};
use mesh_core::{Error, Result};

use self::report::Report;
use self::source::Source;
use crate::{sql, ui};

/// The exit code where the version does not fit the changes.
const DOES_NOT_FIT: u8 = 3;

#[derive(Args)]
#[command(after_help = "\
Exit codes:
  0  the new version fits the changes
  1  a file, the mesh's folder or the catalog could not be read
  2  the command line is wrong
  3  the new version does not fit the changes: the number is too small or goes down, or a
     change breaks readers under the same major")]
pub(crate) struct DiffArgs {
    /// The version before: a contract file, a product's folder, or `domain.product@1.2.0` for a
    /// version that the catalog knows
    old: String,
    /// The version to be published, named in the same ways
    new: String,
    /// The folder whose `domains/*` are searched for consumers [default: this one, if it has
    /// `domains`]
    #[arg(long, value_name = "FOLDER")]
    mesh: Option<PathBuf>,
    /// Answer with one JSON document
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Answer in Markdown, for a pull request
    #[arg(long)]
    markdown: bool,
    /// Where the mesh answers; its catalog knows the versions that are published
    #[arg(long, env = "MESH_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Who asks
    #[arg(long = "as", env = "MESH_PRINCIPAL", default_value_t = sql::default_principal())]
    principal: String,
    /// For what purpose
    #[arg(long, env = "MESH_PURPOSE", default_value = "operations")]
    purpose: String,
}

pub(super) async fn run(args: DiffArgs) -> Result<ExitCode> {
    let catalog = source::Catalog::new(&args.url, &args.principal, &args.purpose)?;
    let old = Source::read(&args.old, &catalog).await?;
    let new = Source::read(&args.new, &catalog).await?;
    let diff = match (&old.product, &new.product) {
        (Some(before), Some(after)) => Diff::products(before, after),
        _ => Diff::contracts(&old.contract, &new.contract),
    };
    let mut found = match mesh_folder(args.mesh)? {
        Some(folder) => consumers::find(&folder, &old.contract)?,
        None => consumers::Found::default(),
    };
    if old.product.is_some() != new.product.is_some() {
        found.notes.push(
            "only one side has a product file, so the contracts alone were compared".to_owned(),
        );
    }
    if diff.of(File::Contract).next().is_none() && old.differs_in_text(&new) {
        found.notes.push(
            "the contracts differ in what changes nothing, such as comments; the catalog keeps a \
             version's text as it was published, so raise the patch to publish it"
                .to_owned(),
        );
    }
    let report = Report::new(&diff, &old, &new, found);
    if args.json {
        let text = serde_json::to_string_pretty(&report)
            .map_err(|error| Error::internal("the report was not written").because(error))?;
        ui::line(text);
    } else if args.markdown {
        ui::line(show::markdown(&report));
    } else {
        ui::line(show::text(&report));
    }
    Ok(if report.fits {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(DOES_NOT_FIT)
    })
}

/// The folder to be searched; none if none is named and this one is no mesh.
fn mesh_folder(named: Option<PathBuf>) -> Result<Option<PathBuf>> {
    match named {
        Some(folder) if folder.join("domains").is_dir() => Ok(Some(folder)),
        Some(folder) => Err(Error::invalid("the folder holds no `domains`")
            .with("folder", folder.display())
            .mend("name the folder that holds `domains` with --mesh")),
        None => Ok(std::path::Path::new("domains")
            .is_dir()
            .then(|| PathBuf::from("."))),
    }
}
