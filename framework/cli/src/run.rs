//! `mesh run`: hosts a domain that is a folder, without code of its own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mesh_core::Result;

#[derive(Args)]
pub(crate) struct RunArgs {
    /// The domain's folder, such as domains/shipping, with its products below products/
    folder: PathBuf,
    /// Options of a domain's process, as of those with code (`mesh run FOLDER --help`); the
    /// source directory is the domain's folder by default
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "OPTION"
    )]
    options: Vec<OsString>,
}

pub(crate) async fn run(args: RunArgs) -> Result<ExitCode> {
    let domain = mesh_ingest::load(&args.folder)?;
    let program = OsString::from(format!("mesh run {}", args.folder.display()));
    let arguments = std::iter::once(program).chain(args.options);
    Ok(mesh_runtime::run_with(domain, arguments, Some(args.folder)).await)
}
