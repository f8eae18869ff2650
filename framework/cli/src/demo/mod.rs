//! `mesh demo`: the platform and every domain of the workspace as processes of their own,
//! a bank's and a media service's data fed to them, and the flow watched until nothing is left to do.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use mesh_core::{Error, Result};

use crate::kafka::ClusterArgs;
use crate::platform::{make_directory, start_logging, stop_signal};
use crate::ports::PlatformPorts;
use crate::sql::Client;
use crate::ui;

mod bank;
pub(crate) mod domains;
mod folder;
mod media;
mod progress;
mod secure;
mod status;
mod summary;
mod supervisor;

use folder::DemoFolder;
use secure::Logins;
use supervisor::{Program, Supervisor};

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Which domains are run: those of `banking`, those of `media`, or `all`
    #[arg(long, default_value = domains::ALL)]
    mesh: String,
    /// Directory of the PKDD'99 bank files (account.asc, client.asc, disp.asc, district.asc,
    /// loan.asc, trans_*.gz); without it a small bank is made up
    #[arg(long, value_name = "DIR")]
    berka: Option<PathBuf>,
    /// Customers of the made-up bank
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000), conflicts_with = "berka")]
    customers: u32,
    /// Directory of MovieLens files (ratings.csv or ratings.csv.gz, movies.csv), whose ratings
    /// become views; without it a media service is made up
    #[arg(long, value_name = "DIR")]
    movielens: Option<PathBuf>,
    /// An advertising report (data.csv) for the media mesh; without it one is made up
    #[arg(long, value_name = "FILE")]
    ads_report: Option<PathBuf>,
    /// Viewers of the made-up media service
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with = "movielens")]
    viewers: u32,
    /// Seed of what is made up: the same seed makes the same bank and the same media service
    #[arg(long, default_value_t = 1999)]
    seed: u64,
    /// Directory of all that the demo stores
    #[arg(long, env = "MESH_DATA_DIR", default_value = ".mesh/demo")]
    data_dir: PathBuf,
    /// Start from nothing: removes what an earlier demo left in the data directory
    #[arg(long)]
    fresh: bool,
    /// End with code 0 when the flow is done, instead of staying up until Ctrl-C
    #[arg(long)]
    exit: bool,
    #[command(flatten)]
    ports: PlatformPorts,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Logins and access control: every domain has a user of its own, which can do its own
    /// work alone; the logins are in the data directory
    #[arg(long, conflicts_with = "bootstrap")]
    secure: bool,
    /// First port of the domains' HTTP APIs (0: any free ports)
    #[arg(long, env = "MESH_DOMAIN_PORT", default_value_t = 8100)]
    domain_port: u16,
    /// The workspace whose `domains/` are run
    #[arg(long, default_value = ".")]
    workspace: PathBuf,
    /// Take the domains' programs from this directory instead of building them with cargo
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Give up when the flow is not done after this many seconds
    #[arg(long, default_value_t = 1800)]
    timeout: u64,
    /// How long a process that has ended stays away before it is started again
    #[arg(long, hide = true, default_value_t = 0, value_name = "SECONDS")]
    restart_after: u64,
    /// Kill a domain at a failpoint once: NAME=FAILPOINT; of several for one domain each of
    /// its lives takes the next
    #[arg(long, hide = true, value_name = "NAME=FAILPOINT")]
    failpoint: Vec<String>,
}

pub(crate) async fn run(args: DemoArgs) -> Result<()> {
    start_logging("warn");
    let started = Instant::now();
    let failpoints = parse_failpoints(&args.failpoint)?;
    let folder = DemoFolder::open(&args)?;
    let found = domains::of_mesh(domains::find(&args.workspace)?, &args.mesh)?;

    let programs = match &args.programs {
        Some(directory) => domains::built(directory, &found)?,
        None => {
            let names: Vec<&str> = found.iter().map(|domain| domain.name.as_str()).collect();
            ui::line(format!("{} {}", ui::bold("Building"), names.join(", ")));
            domains::build(&args.workspace, &found).await?
        }
    };

    args.cluster.settings()?;
    let addresses = args.ports.resolve(args.cluster.bootstrap()?)?;
    let apis = domains::claim_ports(args.ports.host, args.domain_port, &found)?;
    let logins = match args.secure {
        true => Some(Logins::make(&folder, &found)?),
        false => None,
    };
    let mut platform = Program::platform(&args.ports.host, &addresses, &args.cluster, &folder)?;
    if let Some(logins) = &logins {
        platform = platform.with_config(&logins.platform_config(&addresses.kafka)?);
    }
    let mut supervisor = Supervisor::new(
        folder.logs()?,
        folder.processes_file(),
        Duration::from_secs(args.restart_after),
    );
    supervisor.start(platform).await?;
    // Whatever fails from here on, the processes end with us: they are killed on drop.
    status::wait_for_platform(&addresses, &mut supervisor).await?;
    if let Some(logins) = &logins {
        logins.allow(&addresses.kafka).await?;
        ui::line(format!(
            "{} {}",
            ui::bold("Logins"),
            logins.folder().display()
        ));
    }
    for ((domain, program), api) in found.iter().zip(programs).zip(&apis) {
        let source = folder.source(domain.mesh.as_deref())?;
        let mut program = Program::domain(domain, program, *api, &addresses, &folder, &source)?
            .with_kafka_config(&args.cluster)?;
        if let Some(logins) = &logins {
            program = program.with_config(&logins.kafka_config(&domain.name));
        }
        program.failpoints = failpoints
            .iter()
            .filter(|(name, _)| *name == domain.name)
            .map(|(_, failpoint)| failpoint.clone())
            .collect();
        supervisor.start(program).await?;
    }
    ui::line(format!(
        "{} Kafka {}, registry {}, catalog and SQL {}, Postgres {}\n",
        ui::bold("Running"),
        addresses.kafka,
        addresses.registry_url(),
        addresses.http_url(),
        addresses.postgres,
    ));

    let watched = progress::watch(
        &found,
        &apis,
        &mut supervisor,
        Duration::from_secs(args.timeout),
    );
    let stopped = tokio::select! {
        outcome = watched => {
            if let Err(error) = outcome {
                supervisor.stop().await;
                return Err(error);
            }
            false
        }
        signal = stop_signal() => {
            signal?;
            true
        }
    };
    if !stopped {
        let client = Client::new(&addresses.http_url(), "service:demo", "demonstration")?;
        let elapsed = started.elapsed();
        let told = status::while_it_comes_up(&mut supervisor, || {
            summary::tell(&client, &addresses, &found, &apis, elapsed)
        });
        match told.await {
            Ok(text) => ui::line(text),
            Err(error) => {
                supervisor.stop().await;
                return Err(error);
            }
        }
        if !args.exit {
            ui::line(ui::dim("The mesh stays up. Ctrl-C stops it."));
            let outcome = tokio::select! {
                signal = stop_signal() => signal,
                failed = supervisor.watch() => Err(failed),
            };
            if outcome.is_err() {
                supervisor.stop().await;
                return outcome;
            }
        }
    }
    supervisor.stop().await;
    Ok(())
}

fn parse_failpoints(texts: &[String]) -> Result<Vec<(String, String)>> {
    texts
        .iter()
        .map(|text| {
            text.split_once('=')
                .map(|(name, failpoint)| (name.to_owned(), failpoint.to_owned()))
                .ok_or_else(|| {
                    Error::invalid("not a failpoint").mend("write --failpoint NAME=FAILPOINT")
                })
        })
        .collect()
}

/// Makes `directory` under the demo's folder.
fn make(directory: PathBuf) -> Result<PathBuf> {
    make_directory(&directory, "--data-dir")?;
    Ok(directory)
}
