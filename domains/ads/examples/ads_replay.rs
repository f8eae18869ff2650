//! Prints what the bandit would have made of the advertising report, beside an equal split:
//! `cargo run --example ads_replay -- DIR [SEEDS]`, where `DIR` holds the report. docs/ads.md says what
//! it shows and what it cannot.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::process::ExitCode;

use ads::bandit::{DRAWS, FLOOR_PERCENT, quantile};
use ads::declared::Declared;
use ads::repair::{DELIVERED, Repairs};
use ads::replay::{History, Outcome, Policy, replay, rows};
use ads::report::{FILE, lines};
use mesh_core::{Error, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next();
    let seeds = arguments.next().map_or(Ok(200), |text| text.parse());
    let (Some(folder), Ok(seeds)) = (folder, seeds) else {
        eprintln!("usage: ads_replay DIR [SEEDS]: the folder of the report, how many seeds");
        return ExitCode::from(2);
    };
    match print(Path::new(&folder), seeds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ads_replay: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(folder: &Path, seeds: u64) -> Result<()> {
    let path = folder.join(FILE);
    let bytes = std::fs::read(&path).map_err(|error| {
        Error::not_found("the advertising report cannot be read")
            .with("file", path.display())
            .mend("name the folder that holds it")
            .because(error)
    })?;
    let repairs = Repairs::read(&Declared::new("repairs/report.toml", DELIVERED))?;
    let (rows, aside) = rows(&lines(FILE, &bytes)?, Some(&repairs));
    let history = History::of(&rows);
    println!("{} rows, {aside} aside; {seeds} seeds", rows.len());
    println!();
    println!("Cost per approved conversion, and the bandit's over the equal split's");
    println!();
    println!(
        "| campaign | reach | as reported | equal split | bandit: mean (95 % of seeds) | hindsight | bandit / equal: mean (95 % of seeds) | with the counts drawn anew (95 %) |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for reach in [Some(150), Some(200), Some(400), None] {
        let cost = |policy| -> Result<Vec<f64>> { costs(&history, policy, reach) };
        let reported = cost(Policy::Reported)?;
        let equal = cost(Policy::Equal)?;
        let hindsight = cost(Policy::Hindsight)?;
        let mut bandit = vec![Vec::new(); equal.len()];
        let mut again = vec![Vec::new(); equal.len()];
        for seed in 0..seeds {
            let policy = Policy::Bandit {
                seed,
                draws: DRAWS,
                floor_percent: FLOOR_PERCENT,
            };
            for (at, cost) in cost(policy)?.into_iter().enumerate() {
                bandit[at].push(cost);
            }
            let drawn = drawn(&history, seed)?;
            let by_bandit = costs(&drawn, policy, reach)?;
            let by_equal = costs(&drawn, Policy::Equal, reach)?;
            for (at, (one, other)) in by_bandit.iter().zip(by_equal).enumerate() {
                again[at].push(one / other);
            }
        }
        let mut names: Vec<String> = history.campaigns.keys().map(i64::to_string).collect();
        names.push("all".to_owned());
        for (at, name) in names.iter().enumerate() {
            let ratio: Vec<f64> = bandit[at].iter().map(|cost| cost / equal[at]).collect();
            println!(
                "| {name} | {} | {:.2} | {:.2} | {} | {:.2} | {} | {} |",
                reach.map_or("any".to_owned(), |percent| format!("{percent} %")),
                reported[at] / 100.0,
                equal[at] / 100.0,
                interval(&bandit[at], 100.0, 2),
                hindsight[at] / 100.0,
                interval(&ratio, 1.0, 3),
                interval(&again[at], 1.0, 3),
            );
        }
    }
    Ok(())
}

/// Cents for each purchase under `policy`: of each campaign, and of all.
fn costs(history: &History, policy: Policy, reach: Option<u32>) -> Result<Vec<f64>> {
    let (outcomes, _) = replay(history, policy, reach)?;
    let all = outcomes
        .values()
        .fold(Outcome::default(), |sum, one| Outcome {
            spend: sum.spend + one.spend,
            approved: sum.approved + one.approved,
        });
    Ok(outcomes.values().chain([&all]).map(Outcome::cost).collect())
}

/// The history with every count of purchases drawn anew from a Poisson distribution around itself.
fn drawn(history: &History, seed: u64) -> Result<History> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn = history.clone();
    for cell in drawn
        .campaigns
        .values_mut()
        .flat_map(|days| days.values_mut())
        .flatten()
    {
        if cell.approved > 0.0 {
            let around = Poisson::new(cell.approved)
                .map_err(|error| Error::internal("a count cannot be drawn").because(error))?;
            cell.approved = around.sample(&mut random);
        }
    }
    Ok(drawn)
}

fn interval(values: &[f64], unit: f64, digits: usize) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64 / unit;
    format!(
        "{mean:.digits$} ({:.digits$} to {:.digits$})",
        quantile(&sorted, 0.025) / unit,
        quantile(&sorted, 0.975) / unit
    )
}
