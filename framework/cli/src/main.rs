//! `mesh`: the command line of the framework, and the one place where its parts are put
//! together.
//!
//! `mesh up` serves the platform (broker, registry, catalog, SQL), `mesh demo` brings up the
//! platform and every domain found in `domains/` and runs the bank's flow, `mesh sql` asks a
//! question, `mesh replay` makes a product anew and switches over to it; `mesh users` and
//! `mesh acls` say who may do what on Kafka, `mesh registry-users` who may use the registry.
//! Every option has a default and a variable `MESH_…`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod acls;
mod broker_options;
mod demo;
mod kafka;
mod platform;
mod ports;
mod registry;
mod replay;
mod sql;
mod ui;
mod users;

#[derive(Parser)]
#[command(
    name = "mesh",
    version,
    about = "A data mesh on Kafka: governed, versioned data products, their catalog, and SQL over them",
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the platform: Kafka broker, schema registry, catalog and SQL
    Up(platform::UpArgs),
    /// Bring up the platform and every domain, feed a bank's data, and run its flow
    Demo(demo::DemoArgs),
    /// Ask the mesh a question in SQL
    Sql(sql::SqlArgs),
    /// Make a product anew by a new version of its handler, and switch over to it
    Replay(replay::ReplayArgs),
    /// The users who may log in to the embedded broker
    Users(users::UsersArgs),
    /// Who may use the schema registry
    RegistryUsers(registry::RegistryUsersArgs),
    /// Let a domain or the platform do its work on a Kafka with access control
    Acls(acls::AclsArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            ui::fail(
                &mesh_core::Error::internal("the async runtime does not start").because(error),
            );
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Up(args) => platform::up(args).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Sql(args) => sql::run(args).await,
            Command::Replay(args) => replay::run(args).await,
            Command::Users(args) => users::run(&args),
            Command::RegistryUsers(args) => registry::users(&args),
            Command::Acls(args) => acls::run(args).await,
        }
    });
    // Long reads may still sit in blocking threads; nothing they do is worth waiting for.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui::fail(&error);
            ExitCode::FAILURE
        }
    }
}
