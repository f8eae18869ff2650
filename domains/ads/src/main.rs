//! The process of the domain ads.

use std::process::ExitCode;

use ads::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    match Settings::read(|name| std::env::var(name).ok()) {
        Ok(settings) => mesh_runtime::run(ads::domain(settings)).await,
        Err(error) => {
            // The host, which sets logging up, has not been started.
            eprintln!("{}: {error}", env!("CARGO_PKG_NAME"));
            ExitCode::FAILURE
        }
    }
}
