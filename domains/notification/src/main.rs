//! The process of the domain notification.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    mesh_runtime::run(notification::domain()).await
}
