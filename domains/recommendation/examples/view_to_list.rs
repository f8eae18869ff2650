//! How long it takes from a view to the list that counts it, on a platform and domains that run.
//!
//!     cargo run --example view_to_list -- http://127.0.0.1:8101 http://127.0.0.1:8102 600
//!
//! The addresses are those of user_behavior and of recommendation, then how many views are sent, one
//! after the other, each of another of the users 1 to 600. What is measured is from before the view
//! is posted until a request for the user's list is answered with the list of that view; besides,
//! what the list itself says: from the view's publication in Kafka until the list was made.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use serde_json::{Value as Json, json};

/// How long a list is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

async fn ask(request: RequestBuilder) -> Result<Json, String> {
    let request = request
        .header("Mesh-Principal", "user:measurer")
        .header("Mesh-Purpose", "personalisation");
    let response = request.send().await.map_err(|error| error.to_string())?;
    let status = response.status();
    let body = response.json().await.map_err(|error| error.to_string())?;
    match status.is_success() {
        true => Ok(body),
        false => Err(format!("{status}: {body}")),
    }
}

/// The value below or at which `share` of all are, by the nearest rank.
fn percentile(all: &[f64], share: f64) -> f64 {
    let rank = (share * all.len() as f64).ceil() as usize;
    all[rank.clamp(1, all.len()) - 1]
}

fn row(name: &str, mut all: Vec<f64>) {
    all.sort_by(f64::total_cmp);
    let [half, most, last] = [0.5, 0.99, 1.0].map(|share| percentile(&all, share));
    println!("| {name} | {half:.0} | {most:.0} | {last:.0} |");
}

async fn measure(behavior: &str, recommendation: &str, count: usize) -> Result<(), String> {
    let http = Client::builder()
        .no_proxy()
        .build()
        .map_err(|error| error.to_string())?;
    let mut seen = Vec::new();
    let mut told = Vec::new();
    for number in 1..=count {
        let user = number;
        // Items all over MovieLens' numbers, some of them new.
        let item = 1 + number * 7919 % 5_000;
        let path = format!("{recommendation}/v1/users/{user}/list");
        let begun = Instant::now();
        let view = http
            .post(format!("{behavior}/v1/views"))
            .json(&json!({"user_id": user, "item_id": item}));
        let view = ask(view).await?;
        let list = loop {
            let list = ask(http.get(&path)).await?;
            if list["caused_by"] == view["view_id"] {
                break list;
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("no list for the view {}", view["view_id"]));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        seen.push(begun.elapsed().as_secs_f64() * 1000.0);
        told.extend(list["latency_ms"].as_f64());
    }
    println!("{count} views\n");
    println!("| milliseconds | p50 | p99 | longest |\n|---|---|---|---|");
    row(
        "from the request with the view to the answer with its list",
        seen,
    );
    row("from the view's publication to its list", told);
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [behavior, recommendation, count] = &arguments[..] else {
        eprintln!("give the addresses of user_behavior and recommendation, and how many views");
        return ExitCode::FAILURE;
    };
    let Some(count) = count.parse().ok().filter(|count| *count > 0) else {
        eprintln!("give a positive number of views");
        return ExitCode::FAILURE;
    };
    match measure(behavior, recommendation, count).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
