//! `mesh contract`: contracts checked, shown, compared, and carried from and to other formats.

mod diff;
mod export;
pub(crate) mod files;
pub(crate) mod import;
mod lint;
mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use mesh_core::Result;

#[derive(Args)]
pub(crate) struct ContractArgs {
    #[command(subcommand)]
    command: ContractCommand,
}

#[derive(Subcommand)]
enum ContractCommand {
    /// Check contracts and products, and say what readers would miss in them
    Lint(lint::LintArgs),
    /// Show a product's contract in the terminal
    Show(show::ShowArgs),
    /// Tell what changed between two versions, whom it touches, and whether the version fits
    Diff(diff::DiffArgs),
    /// Make a product's files from a schema, a sample of data or a registered subject
    Import(Box<import::ImportArgs>),
    /// Write a contract in another format
    Export(export::ExportArgs),
}

pub(crate) async fn run(args: ContractArgs) -> Result<ExitCode> {
    match args.command {
        ContractCommand::Lint(args) => lint::run(&args),
        ContractCommand::Show(args) => show::run(&args),
        ContractCommand::Diff(args) => return diff::run(args).await,
        ContractCommand::Import(args) => import::run(*args).await,
        ContractCommand::Export(args) => export::run(&args),
    }
    .map(|()| ExitCode::SUCCESS)
}
