//! The process of the domain user_behavior.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    mesh_runtime::run(user_behavior::domain()).await
}
