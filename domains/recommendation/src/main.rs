//! The process of the domain recommendation.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    mesh_runtime::run(recommendation::domain()).await
}
