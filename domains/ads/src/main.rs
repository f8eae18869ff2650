//! The process of the domain ads.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    mesh_runtime::run(ads::domain()).await
}
