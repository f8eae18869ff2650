//! The process of the domain notification.

use std::process::ExitCode;

use notification::settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    let domain = Settings::read(|name| std::env::var(name).ok()).and_then(notification::domain);
    match domain {
        Ok(domain) => mesh_runtime::run(domain).await,
        Err(error) => {
            // The host, which sets logging up, has not been started.
            eprintln!("{}: {error}", env!("CARGO_PKG_NAME"));
            ExitCode::from(2)
        }
    }
}
