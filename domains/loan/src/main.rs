//! The process of the loan domain.

use std::process::ExitCode;

use loan::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    match Settings::read(|name| std::env::var(name).ok()) {
        Ok(settings) => mesh_runtime::run(loan::domain(settings)).await,
        Err(error) => {
            // The host, which sets logging up, has not been started.
            eprintln!("{}: {error}", env!("CARGO_PKG_NAME"));
            ExitCode::FAILURE
        }
    }
}
