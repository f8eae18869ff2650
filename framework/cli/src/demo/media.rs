//! A made-up media service in the file formats of MovieLens and of the advertising report:
//! `movies.csv`, `ratings.csv` and `data.csv`, so that the domains read them as they read the
//! real ones.
//!
//! All of it is drawn from one seeded generator: the same viewers and seed give the same bytes.
//! Viewers have tastes, some of which change on the way; they watch in the evening, more in
//! winter than in summer, several films in a sitting; new films come all the time. The report
//! has lost two columns in its last rows, as the real one has.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta};
use mesh_core::Result;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::bank::{date, hundredths, save};

const GENRES: [&str; 8] = [
    "Action",
    "Animation",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Romance",
    "Sci-Fi",
];
const FIRST: [&str; 12] = [
    "Quiet", "Last", "Hidden", "Crooked", "Silver", "Borrowed", "Endless", "Broken", "Northern",
    "Second", "Paper", "Burning",
];
const SECOND: [&str; 15] = [
    "Harbour", "Winter", "Lantern", "Orchard", "Signal", "Garden", "Crossing", "Letters",
    "Mountain", "Station", "Promise", "Island", "Mirror", "Road", "Summer",
];
/// Days of the advertising report, which ends with the views.
const REPORT_DAYS: u64 = 14;
/// The file that is written last: where it stands, the others are complete.
const LAST_FILE: &str = "data.csv";

struct Film {
    genre: usize,
    /// The first day on which it can be watched.
    from: NaiveDate,
}

/// Whether `directory` holds a file by one of these names.
fn there(directory: &Path, names: &[&str]) -> bool {
    names.iter().any(|name| directory.join(name).exists())
}

/// Writes what is not in `directory` yet of the service's films, views and advertisements.
pub(crate) fn write(directory: &Path, viewers: u32, seed: u64) -> Result<()> {
    if there(directory, &[LAST_FILE]) && there(directory, &["ratings.csv", "ratings.csv.gz"]) {
        return Ok(());
    }
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let films = films(&mut rng, viewers);
    let ratings = ratings(&mut rng, viewers, &films);
    let report = report(&mut rng, viewers);
    // A real file beside a made-up one would name films that the other does not know.
    if !there(directory, &["ratings.csv", "ratings.csv.gz"]) {
        save(directory, "movies.csv", &titles(&films))?;
        save(directory, "ratings.csv", &ratings)?;
    }
    if !there(directory, &[LAST_FILE]) {
        save(directory, LAST_FILE, &report)?;
    }
    Ok(())
}

fn begin() -> NaiveDate {
    date(2016, 9, 1)
}

fn end() -> NaiveDate {
    date(2017, 8, 31)
}

fn films(rng: &mut ChaCha12Rng, viewers: u32) -> Vec<Film> {
    let count = viewers.saturating_mul(2).clamp(80, 4_000);
    let days = end()
        .signed_duration_since(begin())
        .num_days()
        .unsigned_abs();
    (0..count)
        .map(|at| Film {
            genre: rng.random_range(0..GENRES.len()),
            // Three of four are there from the first day.
            from: match at % 4 {
                3 => begin() + Days::new(rng.random_range(0..days)),
                _ => begin(),
            },
        })
        .collect()
}

fn titles(films: &[Film]) -> String {
    let mut rows = String::from("movieId,title,genres\r\n");
    for (at, film) in films.iter().enumerate() {
        let (first, second) = (
            FIRST[at % FIRST.len()],
            SECOND[at / FIRST.len() % SECOND.len()],
        );
        let part = at / (FIRST.len() * SECOND.len());
        let part = match part {
            0 => String::new(),
            part => format!(" {}", part + 1),
        };
        let year = film.from.year() - i32::from(at % 4 != 3) * (1 + at as i32 % 30);
        let second_genre = GENRES[(film.genre + at) % GENRES.len()];
        let genres = match at % 3 == 0 && second_genre != GENRES[film.genre] {
            true => format!("{}|{second_genre}", GENRES[film.genre]),
            false => GENRES[film.genre].to_owned(),
        };
        rows.push_str(&format!(
            "{},\"{first} {second}{part}, The ({year})\",{genres}\r\n",
            at + 1
        ));
    }
    rows
}

/// How likely a day is for an evening with films, from 0 to 1: winter and weekends.
fn season(day: NaiveDate) -> f64 {
    let year = std::f64::consts::TAU * f64::from(day.ordinal0()) / 365.0;
    let weekend = match day.weekday().number_from_monday() {
        5..=7 => 1.0,
        _ => 0.6,
    };
    (0.7 + 0.3 * year.cos()) * weekend
}

fn ratings(rng: &mut ChaCha12Rng, viewers: u32, films: &[Film]) -> String {
    let days = end()
        .signed_duration_since(begin())
        .num_days()
        .unsigned_abs();
    let mut rows = String::from("userId,movieId,rating,timestamp\r\n");
    for viewer in 1..=viewers {
        let mut taste = rng.random_range(0..GENRES.len());
        // One in four likes something else from some day on.
        let changes = rng
            .random_bool(0.25)
            .then(|| begin() + Days::new(rng.random_range(0..days)));
        let mut sittings: Vec<NaiveDate> = Vec::new();
        let wanted = 3 + (1.0 / rng.random_range(0.04..1.0f64)) as usize;
        while sittings.len() < wanted {
            let day = begin() + Days::new(rng.random_range(0..days));
            if rng.random_bool(season(day)) {
                sittings.push(day);
            }
        }
        sittings.sort();
        let mut seen = BTreeSet::new();
        let mut rated = Vec::new();
        let mut changed = false;
        for day in sittings {
            if !changed && changes.is_some_and(|from| day >= from) {
                taste = (taste + rng.random_range(1..GENRES.len())) % GENRES.len();
                changed = true;
            }
            let evening = rng.random_range(17 * 60..23 * 60);
            let Some(mut at) = day.and_hms_opt(0, 0, 0) else {
                continue;
            };
            at += TimeDelta::minutes(evening);
            for _ in 0..rng.random_range(1..=3) {
                let Some((film, liked)) = choose(rng, films, taste, day) else {
                    continue;
                };
                if seen.insert(film) {
                    let halves = match liked {
                        true => rng.random_range(6..=10),
                        false => rng.random_range(2..=8),
                    };
                    rated.push((film, halves, at.and_utc()));
                }
                at += TimeDelta::seconds(rng.random_range(300..1_700));
            }
        }
        rated.sort();
        for (film, halves, at) in rated {
            push_rating(&mut rows, viewer, film, halves, at);
        }
    }
    rows
}

fn push_rating(
    rows: &mut String,
    viewer: u32,
    film: usize,
    halves: i64,
    at: DateTime<chrono::Utc>,
) {
    rows.push_str(&format!(
        "{viewer},{},{}.{},{}\r\n",
        film + 1,
        halves / 2,
        halves % 2 * 5,
        at.timestamp()
    ));
}

/// A film that is out by `day`, and whether it is to the taste: popular ones, which have low
/// numbers, more often.
fn choose(
    rng: &mut ChaCha12Rng,
    films: &[Film],
    taste: usize,
    day: NaiveDate,
) -> Option<(usize, bool)> {
    let to_taste = rng.random_bool(0.8);
    for _ in 0..400 {
        let skewed = rng.random_range(0.0..1.0f64).powi(3);
        let at = ((films.len() as f64 * skewed) as usize).min(films.len() - 1);
        let film = &films[at];
        if film.from <= day && (film.genre == taste) == to_taste {
            return Some((at, to_taste));
        }
    }
    None
}

fn report(rng: &mut ChaCha12Rng, viewers: u32) -> String {
    // With how much of the money each has, so that the plans of domains/ads/campaigns.toml fit.
    let campaigns = [(916u32, 0.03), (936, 0.75), (1178, 12.0)];
    let ages = ["30-34", "35-39", "40-44", "45-49"];
    let mut rows = String::from(
        "ad_id,reporting_start,reporting_end,campaign_id,fb_campaign_id,age,gender,interest1,interest2,interest3,impressions,clicks,spent,total_conversion,approved_conversion\r\n",
    );
    let ads = viewers.clamp(40, 1_000) / 8;
    let mut lines = Vec::new();
    for (campaign, money) in campaigns {
        for at in 0..ads {
            let ad = 700_000 + campaign * 100 + at;
            let (age, gender) = (ages[at as usize % 4], ["F", "M"][at as usize / 4 % 2]);
            let interest = rng.random_range(2..70);
            // What an ad is worth differs by a lot, and is what the budget is to find out.
            let click_rate = rng.random_range(0.0001..0.0004f64);
            let buy_rate = rng.random_range(0.005..0.12f64);
            for day in 0..REPORT_DAYS {
                if !rng.random_bool(0.7) {
                    continue;
                }
                let day = end() - Days::new(REPORT_DAYS - day);
                let impressions = (rng.random_range(2_000..90_000) as f64 * money) as i64;
                let clicks = count(rng, impressions as f64 * click_rate);
                let enquiries = count(rng, clicks as f64 * (buy_rate * 3.0).min(0.9));
                let approved = count(rng, enquiries as f64 / 3.0).min(enquiries);
                let spent: i64 = (0..clicks).map(|_| rng.random_range(90..220i64)).sum();
                lines.push((
                    campaign,
                    format!("{ad},{0},{0},", day.format("%d/%m/%Y")),
                    format!(
                        "{age},{gender},{interest},{},{},{impressions},{clicks},{},{enquiries},{approved}",
                        interest + 3,
                        interest + 7,
                        hundredths(spent),
                    ),
                ));
            }
        }
    }
    let lost_from = lines.len() * 5 / 6;
    for (at, (campaign, head, rest)) in lines.into_iter().enumerate() {
        match at < lost_from || campaign != 1178 {
            true => rows.push_str(&format!(
                "{head}{campaign},{},{rest}\r\n",
                103_900 + campaign
            )),
            // The two columns of the campaign are lost, and the rest has moved up.
            false => rows.push_str(&format!("{head}{rest},,\r\n")),
        }
    }
    rows
}

/// A whole number whose mean is `mean`.
fn count(rng: &mut ChaCha12Rng, mean: f64) -> i64 {
    mean.floor() as i64 + i64::from(rng.random_bool((mean - mean.floor()).clamp(0.0, 1.0)))
}
