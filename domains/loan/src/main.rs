//! The process of the loan domain.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    mesh_runtime::run(loan::domain()).await
}
