//! How good the lists are: the domain's model beside popularity and an item-kNN that is fitted
//! offline, on MovieLens ratings that are read from the standard input.
//!
//!     gzip -dc ratings.csv.gz | cargo run --example evaluate_lists
//!
//! The last view of each user is held out and has to be among the ten items that are suggested to
//! the user out of all that the user has not seen (leave-last-out; no sampled negatives, see W.
//! Krichene, S. Rendle, "On Sampled Metrics for Item Recommendation", KDD 2020). What is to be
//! chosen, such as k, is chosen by the same measure on each user's last view but one.
#![allow(clippy::print_stdout)]

mod offline;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, stdin};
use std::process::ExitCode;

use recommendation::model::{Decay, Item, LENGTH, Popular, Row, State, Viewer, list, needed, view};

/// A view: time in milliseconds, user, item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct View {
    at: i64,
    user: i64,
    item: Item,
}

/// Hits among the first ten, and their discounted gain.
#[derive(Debug, Clone, Copy, Default)]
struct Score {
    tried: u32,
    hits: u32,
    gain: f64,
}

impl Score {
    /// Adds that the held-out item was at `place`, from 0 on, or not in the list.
    fn add(&mut self, place: Option<usize>) {
        self.tried += 1;
        if let Some(place) = place.filter(|place| *place < LENGTH) {
            self.hits += 1;
            self.gain += 1.0 / (place as f64 + 2.0).log2();
        }
    }

    fn hit_rate(self) -> f64 {
        f64::from(self.hits) / f64::from(self.tried.max(1))
    }

    fn ndcg(self) -> f64 {
        self.gain / f64::from(self.tried.max(1))
    }

    fn row(self, name: &str) {
        println!("| {name} | {:.4} | {:.4} |", self.hit_rate(), self.ndcg());
    }
}

/// Training views in the order of time, and the item held out of each user.
struct Split {
    train: Vec<View>,
    held: BTreeMap<i64, Item>,
}

fn split(views: &[View]) -> Split {
    let last: BTreeMap<i64, usize> = views
        .iter()
        .enumerate()
        .map(|(at, view)| (view.user, at))
        .collect();
    let out: BTreeSet<usize> = last.values().copied().collect();
    Split {
        train: views
            .iter()
            .enumerate()
            .filter(|(at, _)| !out.contains(at))
            .map(|(_, view)| *view)
            .collect(),
        held: last
            .into_iter()
            .map(|(user, at)| (user, views[at].item))
            .collect(),
    }
}

fn read(lines: impl BufRead) -> Result<Vec<View>, String> {
    let mut views = Vec::new();
    for (at, line) in lines.lines().enumerate().skip(1) {
        let line = line.map_err(|error| format!("line {}: {error}", at + 1))?;
        let fields: Vec<i64> = line
            .trim_end()
            .split(',')
            .enumerate()
            .filter(|(column, _)| *column != 2)
            .map_while(|(_, text)| text.parse().ok())
            .collect();
        let [user, item, seconds] = fields[..] else {
            return Err(format!(
                "line {}: not userId,movieId,rating,timestamp",
                at + 1
            ));
        };
        views.push(View {
            at: seconds * 1000,
            user,
            item,
        });
    }
    views.sort_unstable();
    Ok(views)
}

/// The model with all of its state in maps.
#[derive(Default)]
struct Memory {
    viewers: BTreeMap<i64, Viewer>,
    rows: BTreeMap<Item, Row>,
    popular: Popular,
    moved: usize,
}

impl Memory {
    fn state(&mut self, user: i64, items: impl Fn(&Viewer) -> Vec<Item>) -> State {
        let viewer = self.viewers.remove(&user).unwrap_or_default();
        let rows = items(&viewer)
            .into_iter()
            .filter_map(|item| Some((item, self.rows.remove(&item)?)))
            .collect();
        State {
            viewer,
            rows,
            popular: std::mem::take(&mut self.popular),
        }
    }

    fn keep(&mut self, user: i64, state: State) {
        self.viewers.insert(user, state.viewer);
        self.rows.extend(state.rows);
        self.popular = state.popular;
    }

    fn view(&mut self, seen: View, decay: Decay) -> Vec<Item> {
        let mut state = self.state(seen.user, |viewer| needed(viewer, seen.item));
        let made = view(&mut state, seen.item, seen.at, decay);
        self.moved += made.moved.len();
        self.keep(seen.user, state);
        made.list.iter().map(|one| one.item).collect()
    }

    fn list(&mut self, user: i64) -> Vec<Item> {
        let state = self.state(user, |viewer| viewer.recent().to_vec());
        let made = list(&state).iter().map(|one| one.item).collect();
        self.keep(user, state);
        made
    }
}

/// The model after all training views.
fn after_all(split: &Split, decay: Decay) -> (Score, usize) {
    let mut model = Memory::default();
    for view in &split.train {
        model.view(*view, decay);
    }
    let mut score = Score::default();
    for (user, held) in &split.held {
        score.add(model.list(*user).iter().position(|item| item == held));
    }
    (score, model.moved)
}

/// Each view against the list that the user had when it came: of all views but each user's first,
/// and of each user's last.
fn as_it_ran(views: &[View], decay: Decay) -> (Score, Score) {
    let mut model = Memory::default();
    let mut lists: BTreeMap<i64, Vec<Item>> = BTreeMap::new();
    let mut last: BTreeMap<i64, Option<usize>> = BTreeMap::new();
    let mut all = Score::default();
    for view in views {
        if let Some(list) = lists.get(&view.user) {
            let place = list.iter().position(|item| *item == view.item);
            all.add(place);
            last.insert(view.user, place);
        }
        lists.insert(view.user, model.view(*view, decay));
    }
    let mut final_one = Score::default();
    for place in last.into_values() {
        final_one.add(place);
    }
    (all, final_one)
}

fn main() -> ExitCode {
    let views = match read(stdin().lock()) {
        Ok(views) => views,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::FAILURE;
        }
    };
    if views.is_empty() {
        eprintln!("there are no ratings: give it the rows of ratings.csv on standard input");
        return ExitCode::FAILURE;
    }
    let test = split(&views);
    let choice = split(&test.train);
    println!(
        "{} views of {} users; {} candidates for each\n",
        views.len(),
        test.held.len(),
        offline::items(&views)
    );

    println!("On the last view but one, by which is chosen:\n");
    println!("| method | hit rate@10 | NDCG@10 |\n|---|---|---|");
    let chosen = offline::choose(&choice);
    for days in [365.0, 1825.0, 3650.0, 7300.0, 36_500.0] {
        let decay = Decay {
            similar_days: days,
            ..Decay::default()
        };
        let (score, _) = after_all(&choice, decay);
        score.row(&format!("the domain's model, half-life {days} days"));
    }

    println!("\nOn the last view:\n");
    println!("| method | hit rate@10 | NDCG@10 |\n|---|---|---|");
    let decay = Decay::default();
    offline::popularity(&test).row("popularity");
    for (fit, score) in offline::Fit::all(&test) {
        let mark = if fit == chosen { " (chosen)" } else { "" };
        score.row(&format!("{fit}{mark}"));
    }
    let (score, moved) = after_all(&test, decay);
    score.row("the domain's model, after all training views");
    let (all, last) = as_it_ran(&views, decay);
    last.row("the domain's model, as the list stood before the view");
    println!("\nOver all views but each user's first, as the list stood before each:\n");
    println!("| method | hit rate@10 | NDCG@10 |\n|---|---|---|");
    all.row("the domain's model");
    println!("\n{moved} times an item's neighbours changed");
    ExitCode::SUCCESS
}
