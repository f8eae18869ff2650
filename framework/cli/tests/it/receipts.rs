//! A domain that writes receipts of the bank's payments: a Kafka-to-Kafka handler with its
//! state in a topic, so that the flow has one of these too. Its process is this test binary.

use std::ffi::OsString;
use std::path::Path;

use async_trait::async_trait;
use mesh_core::Result;
use mesh_runtime::{Config, Context, Domain, Effects, Handler, Running};
use mesh_stream::Received;
use tokio::signal::unix::{SignalKind, signal};

mesh_macros::contract!("tests/it/contracts/receipts/contract.odcs.yaml");
mesh_macros::contract!("tests/it/contracts/progress/contract.odcs.yaml");

mod inputs {
    mesh_macros::contract!("tests/it/contracts/inputs/payments.odcs.yaml");
}

use inputs::{Payment, PaymentStatus};

const FLAG: &str = "MESH_TEST_RECEIPTS";

/// Counts the steps of each payment, and writes a receipt at the last.
struct Write;

#[async_trait]
impl Handler<Payment> for Write {
    async fn handle(&self, event: &Received<Payment>, ctx: &Context) -> Result<Effects> {
        let Some(payment) = &event.value else {
            return Ok(Effects::new());
        };
        let before: Option<Progress> = ctx
            .get_record("progress", &payment.payment_id.to_string())
            .await?;
        let progress = Progress {
            payment_id: payment.payment_id,
            steps: before.map_or(0, |progress| progress.steps) + 1,
            amount: payment.amount,
        };
        let mut effects = Effects::new();
        if payment.status == PaymentStatus::Completed {
            effects.add_emit(&Receipt {
                payment_id: progress.payment_id,
                steps: progress.steps,
                amount: progress.amount,
            });
        }
        effects.add_emit(&progress);
        Ok(effects)
    }
}

fn domain() -> Domain {
    Domain::new("receipts")
        .product::<Receipt>()
        .product::<Progress>()
        .transform::<Payment, _>("write", Write)
        .follow::<Progress>("progress")
}

/// Not a test of its own: what [`install`] has the demo run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process() {
    if std::env::var_os(FLAG).is_none() {
        return;
    }
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new("info"))
        .with_writer(std::io::stderr)
        .init();
    let name = OsString::from("receipts");
    let config = Config::load("receipts", [name], |name| std::env::var_os(name));
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let running = Running::start(domain(), config.unwrap().unwrap())
        .await
        .unwrap();
    tokio::select! {
        _ = terminate.recv() => running.stop().await,
        error = running.failed() => panic!("{error}"),
    }
}

/// Writes the program of the domain as `program`. Before its life number `lost` (the first
/// is 1) its data folder is lost.
pub(crate) fn install(program: &Path, lost: Option<usize>) {
    use std::os::unix::fs::PermissionsExt;
    let script = format!(
        "#!/bin/sh
lives=\"$MESH_DATA_DIR.lives\"
echo . >>\"$lives\"
if [ \"$(wc -l <\"$lives\")\" -eq {} ]; then rm -rf \"$MESH_DATA_DIR\"; fi
export {FLAG}=1
exec '{}' receipts::process --exact --nocapture
",
        lost.unwrap_or(0),
        std::env::current_exe().unwrap().display(),
    );
    std::fs::write(program, script).unwrap();
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
}
