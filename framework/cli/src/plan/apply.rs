//! `mesh apply`.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use mesh_core::{Error, Principal, Result};
use mesh_plan::{Applied, Applier, Ledger, Plan, PlanFile, Platform};
use serde_json::json;

use super::options::{AllowedArgs, PlatformArgs, WishArgs};
use super::{REFUSED, make, show};
use crate::{sql, ui};

#[derive(Args)]
pub(crate) struct ApplyArgs {
    /// A plan of `mesh plan --out FILE`; without it a plan is made, shown and asked about
    #[arg(value_name = "FILE", conflicts_with_all = ["folder", "domain", "allow_repartition", "confirm"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    wish: WishArgs,
    #[command(flatten)]
    allowed: AllowedArgs,
    #[command(flatten)]
    platform: PlatformArgs,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Who applies
    #[arg(long = "as", env = "MESH_PRINCIPAL", default_value_t = sql::default_principal())]
    principal: String,
    /// Answer with one JSON document; asks for --yes or a FILE
    #[arg(long)]
    json: bool,
}

pub(crate) async fn apply(args: ApplyArgs) -> Result<ExitCode> {
    let by: Principal = args.principal.parse()?;
    if args.json && args.file.is_none() && !args.yes {
        return Err(Error::invalid("nobody can be asked with --json")
            .mend("add --yes, or apply a plan that was kept with `mesh plan --out FILE`"));
    }
    match &args.file {
        Some(file) => kept(&args, file, &by).await,
        None => planned(&args, &by).await,
    }
}

/// Applies a plan that was kept.
async fn kept(args: &ApplyArgs, file: &PathBuf, by: &Principal) -> Result<ExitCode> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Error::invalid("the plan cannot be read")
            .with("file", file.display())
            .with("cause", error)
            .mend("make it with `mesh plan --out FILE`")
    })?;
    let plan = PlanFile::parse(&file.display().to_string(), &text)?.plan;
    let platform = args.platform.platform()?;
    if let Some(code) = settled(&plan, args.json) {
        return Ok(code);
    }
    let mut applier = Applier::begin(&platform, by).await?;
    if let Some(code) = moved(&applier, &plan, args.json).await? {
        return Ok(code);
    }
    run(&mut applier, &plan, args.json).await
}

/// Plans, shows, asks and applies.
async fn planned(args: &ApplyArgs, by: &Principal) -> Result<ExitCode> {
    let wish = args.wish.read()?;
    let platform = args.platform.platform()?;
    // Without the lock first: what needs no change leaves no trace.
    let plan = make(&platform, &wish, &args.allowed).await?;
    if let Some(code) = settled(&plan, args.json) {
        if !plan.is_refused() {
            finish_interrupted(&platform, &plan, by).await?;
        }
        return Ok(code);
    }
    let mut applier = Applier::begin(&platform, by).await?;
    let plan = make(&platform, &wish, &args.allowed).await?;
    if let Some(code) = settled(&plan, args.json) {
        return Ok(code);
    }
    if !args.json {
        show(&plan, false);
    }
    if !args.yes && !agreed()? {
        ui::line("Nothing was done.");
        return Ok(ExitCode::SUCCESS);
    }
    // Whoever was asked took some time to answer.
    if let Some(code) = moved(&applier, &plan, args.json).await? {
        return Ok(code);
    }
    run(&mut applier, &plan, args.json).await
}

/// Records what came of a run that was killed, where there is nothing else to do.
async fn finish_interrupted(platform: &Platform, plan: &Plan, by: &Principal) -> Result<()> {
    if Ledger::read(platform).await?.unfinished().is_some() {
        let mut applier = Applier::begin(platform, by).await?;
        applier.apply(plan, |_, _| {}).await?;
    }
    Ok(())
}

/// The exit code of a plan of which nothing is to be done; it is shown.
fn settled(plan: &Plan, json: bool) -> Option<ExitCode> {
    let code = match plan {
        plan if plan.is_refused() => ExitCode::from(REFUSED),
        plan if !plan.has_work() => ExitCode::SUCCESS,
        _ => return None,
    };
    match json {
        true => answer(plan, "nothing", &[], &[]),
        false => show(plan, false),
    }
    Some(code)
}

/// The exit code of a plan whose platform has moved since; it is told.
async fn moved(applier: &Applier, plan: &Plan, json: bool) -> Result<Option<ExitCode>> {
    let moved = applier.moved(plan).await?;
    if moved.is_empty() {
        return Ok(None);
    }
    match json {
        true => answer(plan, "moved", &[], &moved),
        false => ui::note(&format!(
            "refused: the platform has moved since the plan was made\n  moved: {}\n  \
             mend: plan again, and look at what has changed",
            moved.join(", ")
        )),
    }
    Ok(Some(ExitCode::from(REFUSED)))
}

async fn run(applier: &mut Applier, plan: &Plan, json: bool) -> Result<ExitCode> {
    let tell = |step: &mesh_plan::Step, done: Option<&Applied>| {
        if let (false, Some(done)) = (json, done) {
            ui::line(format!(
                "{:>3}  {} {}: {}",
                done.step,
                step.action.kind(),
                step.action.resource(),
                done.outcome
            ));
        }
    };
    let applied = applier.apply(plan, tell).await?;
    match json {
        true => answer(plan, "applied", &applied, &[]),
        false => ui::line(format!("Done: {} steps.", applied.len())),
    }
    Ok(ExitCode::SUCCESS)
}

/// Answers with the plan, what came of it (`applied`, `nothing` or `moved`), the steps that
/// were done and what has moved.
fn answer(plan: &Plan, outcome: &str, applied: &[Applied], moved: &[String]) {
    let mut told = plan.to_json();
    if let Some(told) = told.as_object_mut() {
        let applied: Vec<_> = applied
            .iter()
            .map(|done| json!({ "step": done.step, "outcome": done.outcome }))
            .collect();
        told.insert("outcome".into(), json!(outcome));
        told.insert("applied".into(), json!(applied));
        told.insert("moved".into(), json!(moved));
    }
    ui::line(format!("{told:#}"));
}

/// Asks whether the plan shown is to be done.
fn agreed() -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::invalid("there is nobody to ask")
            .mend("add --yes, or apply a plan that was kept with `mesh plan --out FILE`"));
    }
    ui::line("\nApply it? Only `yes` does.");
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Error::invalid("the answer cannot be read").because(error))?;
    Ok(answer.trim() == "yes")
}
