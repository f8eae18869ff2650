//! `mesh replay`: a new version of a handler is run beside the old one, looked at, and put in
//! its place. The commands ask the domain's own API, wherever the domain runs.

mod api;
mod show;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use mesh_core::{Error, Result};
use serde_json::{Value as Json, json};

use self::api::Client;
use crate::{sql, ui};

#[derive(Args)]
pub(crate) struct ReplayArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the replays that domains declare, and how far they are
    Status(Status),
    /// Begin a replay
    Start(Start),
    /// Put a replay into service in place of the old version
    Switch(Switch),
    /// Stop feeding the versions that a replay has taken the place of
    Retire(Retire),
    /// Give a replay up; the old version is left as it is
    Abandon(Abandon),
}

/// Where to ask, and as whom.
#[derive(Args)]
struct Ask {
    /// Where the mesh answers; its catalog knows where the domain's API is
    #[arg(long, env = "MESH_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The domain's API, to ask no catalog
    #[arg(long)]
    api: Option<String>,
    /// Who asks
    #[arg(long = "as", env = "MESH_PRINCIPAL", default_value_t = sql::default_principal())]
    principal: String,
    /// For what purpose
    #[arg(long, env = "MESH_PURPOSE", default_value = "operations")]
    purpose: String,
    /// Answer with one JSON document
    #[arg(long)]
    json: bool,
}

/// Which replay is meant.
#[derive(Args)]
struct Which {
    /// The domain
    domain: String,
    /// The handler
    handler: String,
    /// The version; by default the highest that the domain declares
    #[arg(long)]
    version: Option<u32>,
    #[command(flatten)]
    ask: Ask,
}

#[derive(Args)]
struct Status {
    /// The domain; all of them without it
    domain: Option<String>,
    /// The handler; all of the domain's without it
    handler: Option<String>,
    #[command(flatten)]
    ask: Ask,
}

#[derive(Args)]
struct Start {
    #[command(flatten)]
    which: Which,
    /// Where to begin: `earliest`, a time such as `2024-01-01T00:00:00Z`, or an offset for each
    /// partition such as `0=15,1=20`
    #[arg(long)]
    from: String,
}

#[derive(Args)]
struct Switch {
    #[command(flatten)]
    which: Which,
    /// Switch over also if the version is behind or has set events aside
    #[arg(long)]
    force: bool,
    /// How many records the version may be behind [default: 1000]
    #[arg(long)]
    max_lag: Option<u64>,
    /// Stop feeding the old version at once
    #[arg(long)]
    stop_old: bool,
}

#[derive(Args)]
struct Retire {
    #[command(flatten)]
    which: Which,
    /// Stop the old version also if it has not handled all that is its to handle
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
struct Abandon {
    #[command(flatten)]
    which: Which,
    /// Remove what the replay has written, so that it can be started again
    #[arg(long)]
    delete_topic: bool,
}

pub(crate) async fn run(args: ReplayArgs) -> Result<()> {
    match args.command {
        Command::Status(args) => status(args).await,
        Command::Start(args) => {
            let body = json!({ "from": origin(&args.from)? });
            order(args.which, "start", body).await
        }
        Command::Switch(args) => {
            let (force, stop_old) = (args.force, args.stop_old);
            let body = json!({ "force": force, "max_lag": args.max_lag, "stop_old": stop_old });
            order(args.which, "switch", body).await
        }
        Command::Retire(args) => order(args.which, "retire", json!({ "force": args.force })).await,
        Command::Abandon(args) => {
            let body = json!({ "delete_topic": args.delete_topic });
            order(args.which, "abandon", body).await
        }
    }
}

async fn status(args: Status) -> Result<()> {
    let client = Client::new(&args.ask)?;
    let apis = match (&args.domain, &args.ask.api) {
        (Some(domain), None) => vec![client.find(domain).await?],
        (domain, Some(api)) => vec![api::Domain {
            name: domain.clone().unwrap_or_default(),
            url: api.clone(),
        }],
        (None, None) => client.domains().await?,
    };
    let mut all = Vec::new();
    for domain in &apis {
        let found = match client.replays(domain).await {
            Ok(found) => found,
            // Of all domains some may be down, and others know of no replays yet.
            Err(error) if args.domain.is_none() && args.ask.api.is_none() => {
                ui::note(&format!("{} is left out: {}", domain.name, error.message()));
                continue;
            }
            Err(error) => return Err(error),
        };
        let named = |replay: &Json| {
            let wanted = args.handler.as_deref();
            wanted.is_none_or(|wanted| replay["handler"] == wanted)
        };
        all.extend(found.into_iter().filter(named).map(|mut replay| {
            replay["domain"] = json!(domain.name);
            replay
        }));
    }
    if let (Some(handler), true) = (&args.handler, all.is_empty()) {
        return Err(none(handler, args.domain.as_deref().unwrap_or_default()));
    }
    show::print(&all, args.handler.is_some(), args.ask.json);
    Ok(())
}

/// Has the domain do something with a replay, and shows how it is then.
async fn order(which: Which, action: &str, body: Json) -> Result<()> {
    let client = Client::new(&which.ask)?;
    let domain = match &which.ask.api {
        Some(url) => api::Domain {
            name: which.domain.clone(),
            url: url.clone(),
        },
        None => client.find(&which.domain).await?,
    };
    let version = match which.version {
        Some(version) => version,
        None => newest(&client, &domain, &which.handler).await?,
    };
    let mut shown = client
        .order(&domain, &which.handler, version, action, &body)
        .await?;
    shown["domain"] = json!(which.domain);
    show::print(&[shown], true, which.ask.json);
    Ok(())
}

async fn newest(client: &Client, domain: &api::Domain, handler: &str) -> Result<u32> {
    let replays = client.replays(domain).await?;
    replays
        .iter()
        .filter(|replay| replay["handler"] == handler)
        .filter_map(|replay| u32::try_from(replay["version"].as_u64()?).ok())
        .max()
        .ok_or_else(|| none(handler, &domain.name))
}

fn none(handler: &str, domain: &str) -> Error {
    Error::not_found("the domain declares no replay of this handler")
        .with("domain", domain)
        .with("handler", handler)
        .mend("see `mesh replay status` for those there are; `.replay(…)` declares one")
}

/// What `--from` says, as the domain's API takes it.
fn origin(text: &str) -> Result<Json> {
    let wrong = || {
        Error::invalid("it cannot be told where to begin")
            .with("from", text)
            .mend(
                "give `earliest`, a time such as `2024-01-01T00:00:00Z`, or an offset for each \
                 partition such as `0=15,1=20`",
            )
    };
    if text == "earliest" {
        return Ok(json!(text));
    }
    if text.contains('=') {
        let mut offsets = serde_json::Map::new();
        for pair in text.split(',') {
            let (partition, offset) = pair.split_once('=').ok_or_else(wrong)?;
            let partition: u32 = partition.trim().parse().map_err(|_| wrong())?;
            let offset: u64 = offset.trim().parse().map_err(|_| wrong())?;
            if offsets
                .insert(partition.to_string(), json!(offset))
                .is_some()
            {
                return Err(wrong());
            }
        }
        return Ok(json!({ "offsets": offsets }));
    }
    let time = match (
        DateTime::parse_from_rfc3339(text),
        text.parse::<NaiveDate>(),
    ) {
        (Ok(time), _) => time.with_timezone(&Utc),
        (_, Ok(day)) => day.and_time(NaiveTime::MIN).and_utc(),
        _ => return Err(wrong()),
    };
    Ok(json!({ "time": time.to_rfc3339_opts(SecondsFormat::AutoSi, true) }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_place_to_begin_is_read() {
        for (text, expected) in [
            ("earliest", json!("earliest")),
            ("0=15,1=20", json!({"offsets": {"0": 15, "1": 20}})),
            (
                "2024-01-01T00:00:00+01:00",
                json!({"time": "2023-12-31T23:00:00Z"}),
            ),
            ("2024-01-01", json!({"time": "2024-01-01T00:00:00Z"})),
        ] {
            assert_eq!(origin(text).unwrap(), expected, "{text}");
        }
        for text in ["", "latest", "0=", "0=1,0=2", "=1", "0=-1", "2024-13-01"] {
            let error = origin(text).unwrap_err();
            assert!(error.mend_text().is_some(), "{text}");
        }
    }
}
