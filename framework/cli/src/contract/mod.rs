//! `mesh contract`: what a contract says, and what becomes of it.

mod diff;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use mesh_core::Result;

#[derive(Args)]
pub(crate) struct ContractArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tell what changed between two versions, whom it touches, and whether the version fits
    Diff(diff::DiffArgs),
}

pub(crate) async fn run(args: ContractArgs) -> Result<ExitCode> {
    match args.command {
        Command::Diff(args) => diff::run(args).await,
    }
}
