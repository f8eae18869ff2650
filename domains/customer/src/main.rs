//! The process of the customer domain.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    mesh_runtime::run(customer::domain()).await
}
