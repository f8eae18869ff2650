//! `mesh`: the command line of the framework, and the one place where its parts are put
//! together.
//!
//! `mesh up` serves the platform (broker, registry, catalog, SQL), `mesh demo` brings up the
//! platform and every domain found in `domains/` and runs the flows of a bank and of a media
//! service, `mesh sql` asks a question, `mesh flow` draws who reads what, `mesh new` makes domains and products from templates, `mesh dev` runs one while it
//! is written, `mesh run` hosts a domain that is a folder without code, `mesh replay` makes a
//! product anew and switches over to it, `mesh contract` reads, compares and translates
//! contracts; `mesh plan`, `mesh apply` and `mesh adopt` bring a folder of products and the
//! platform together; `mesh users` and `mesh acls` say who may do what on Kafka, `mesh
//! registry-users` who may use the registry. Every option has a default and a variable `MESH_…`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod acls;
mod broker_options;
mod contract;
mod demo;
mod dev;
mod flow;
mod kafka;
mod keep;
mod logins;
mod new;
mod plan;
mod platform;
mod ports;
mod registry;
mod replay;
mod run;
mod sql;
mod sql_doors;
mod sql_limits;
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
    Up(Box<platform::UpArgs>),
    /// Bring up the platform and every domain, feed a bank's and a media service's data, and run
    /// their flows
    Demo(demo::DemoArgs),
    /// Ask the mesh a question in SQL
    Sql(sql::SqlArgs),
    /// Make a new domain, product or consumer from templates
    New(new::NewArgs),
    /// Run a domain, built and started anew whenever its files change
    Dev(dev::DevArgs),
    /// Host a domain that is a folder of contracts, fed by the sources that they declare
    Run(run::RunArgs),
    /// Make a product anew by a new version of its handler, and switch over to it
    Replay(replay::ReplayArgs),
    /// Contracts checked, shown, compared, and carried from and to other formats
    Contract(contract::ContractArgs),
    /// Draw which product is made from which, by their input ports
    Flow(flow::FlowArgs),
    /// Show the steps from what stands on the platform to what a folder of products wishes
    Plan(plan::PlanArgs),
    /// Do the steps of a plan
    Apply(plan::ApplyArgs),
    /// Write product folders for topics and subjects that are there already
    Adopt(plan::AdoptArgs),
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
            Command::Run(args) => return run::run(args).await,
            Command::Dev(args) => return dev::run(args).await,
            Command::New(args) => new::run(args).await,
            Command::Up(args) => platform::up(*args).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Sql(args) => sql::run(args).await,
            Command::Replay(args) => replay::run(args).await,
            // Answers of their own for CI beside "it failed".
            Command::Contract(args) => return contract::run(args).await,
            Command::Flow(args) => return flow::run(&args),
            Command::Plan(args) => return plan::plan(args).await,
            Command::Apply(args) => return plan::apply(args).await,
            Command::Adopt(args) => return plan::adopt(args).await,
            Command::Users(args) => users::run(&args),
            Command::RegistryUsers(args) => registry::users(&args),
            Command::Acls(args) => acls::run(args).await,
        }
        .map(|()| ExitCode::SUCCESS)
    });
    // Long reads may still sit in blocking threads; nothing they do is worth waiting for.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            ui::fail(&error);
            ExitCode::FAILURE
        }
    }
}
