//! `mesh plan`, `mesh apply` and `mesh adopt`: a folder of products is the wish, the platform
//! the state. What is done and what is refused is `mesh-plan`'s; here is how people and
//! pipelines ask for it.

mod adopt;
mod apply;
mod options;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mesh_core::{Error, Result};
use mesh_plan::{Ledger, Plan, PlanFile, Platform, Scope, Wish};

pub(crate) use self::adopt::{AdoptArgs, adopt};
pub(crate) use self::apply::{ApplyArgs, apply};
use self::options::{AllowedArgs, PlatformArgs, WishArgs};
use crate::ui;

/// There are changes; only where it is asked for.
const CHANGES: u8 = 2;
/// The plan is not to be done as it is.
const REFUSED: u8 = 3;

#[derive(Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    wish: WishArgs,
    #[command(flatten)]
    allowed: AllowedArgs,
    #[command(flatten)]
    platform: PlatformArgs,
    /// Keep the plan in this file, for `mesh apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Answer with one JSON document
    #[arg(long)]
    json: bool,
    /// End with code 2 if there are changes
    #[arg(long)]
    detailed_exitcode: bool,
}

/// The plan from the state of `platform` to `wish`.
async fn make(platform: &Platform, wish: &Wish, allowed: &AllowedArgs) -> Result<Plan> {
    let ledger = Ledger::read(platform).await?;
    let state = platform.read(&Scope::of(wish, &ledger)).await?;
    Ok(mesh_plan::plan(wish, &state, &ledger, &allowed.allowed()))
}

/// Shows a plan as text or JSON.
fn show(plan: &Plan, json: bool) {
    let text = match json {
        true => format!("{:#}", plan.to_json()),
        false => plan.to_string().trim_end().to_owned(),
    };
    ui::line(text);
}

pub(crate) async fn plan(args: PlanArgs) -> Result<ExitCode> {
    // Before the platform is asked: what is wrong with the files needs no platform.
    let wish = args.wish.read()?;
    let platform = args.platform.platform()?;
    let plan = make(&platform, &wish, &args.allowed).await?;
    show(&plan, args.json);
    if let Some(file) = &args.out {
        let text = PlanFile::of(plan.clone()).text()?;
        std::fs::write(file, text).map_err(|error| {
            Error::invalid("the plan cannot be written")
                .with("file", file.display())
                .with("cause", error)
                .mend("name a file in a folder that is there with --out FILE")
        })?;
        ui::note(&format!(
            "The plan is kept; `mesh apply {}` does it.",
            file.display()
        ));
    }
    Ok(match &plan {
        plan if plan.is_refused() => ExitCode::from(REFUSED),
        plan if args.detailed_exitcode && !plan.is_empty() => ExitCode::from(CHANGES),
        _ => ExitCode::SUCCESS,
    })
}
