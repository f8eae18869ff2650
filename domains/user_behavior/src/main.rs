//! The process of the domain user_behavior.

use std::path::Path;
use std::process::ExitCode;

use user_behavior::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    match Settings::read(|name| std::env::var(name).ok()) {
        Ok(settings) => {
            // The clock that closes sessions is a source, and a host without a source directory
            // asks none; this one need not exist.
            let folder = Path::new("data").join(env!("CARGO_PKG_NAME")).join("in");
            let domain = user_behavior::domain(settings);
            mesh_runtime::run_with(domain, std::env::args_os(), Some(folder)).await
        }
        Err(error) => {
            // The host, which sets logging up, has not been started.
            eprintln!("{}: {error}", env!("CARGO_PKG_NAME"));
            ExitCode::FAILURE
        }
    }
}
