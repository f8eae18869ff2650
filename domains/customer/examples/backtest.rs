//! Prints the back-test of the scorecard over the bank's files:
//! `cargo run --example backtest -- DIR`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use customer::backtest::{evidence, report, run};
use mesh_core::{Error, Result};

fn main() -> ExitCode {
    let result = std::env::args_os()
        .nth(1)
        .map(PathBuf::from)
        .ok_or_else(|| {
            Error::invalid("the folder of the bank's files is not named")
                .mend("run it as `cargo run --example backtest -- DIR`")
        })
        .and_then(|dir| print(&report(&run(&dir)?, &evidence(&dir)?)?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Error::internal("the report cannot be printed").because(error))
}
