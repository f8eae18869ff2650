//! Titles, out of MovieLens' file `movies.csv` in the source directory. Without the file items have
//! none, and the source waits for it.

use std::collections::HashSet;
use std::path::Path;

use async_trait::async_trait;
use mesh_core::{Error, Result};
use mesh_runtime::{Context, Effects, Source, SourceBatch};
use serde::{Deserialize, Serialize};

use crate::csv_file::{CsvFile, is_there, refuse};
use crate::model::Item;

/// The name of the source.
pub const TITLES: &str = "titles";
/// The documents that hold titles, by item.
pub const TITLE: &str = "title";

const FILE: &str = "movies.csv";
const COLUMNS: [&str; 3] = ["movieId", "title", "genres"];
const BATCH: usize = 2_000;
/// The longest title, in characters; the contract has the same limit.
const LONGEST: usize = 500;

/// What is known of an item besides its views.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Title {
    /// The title, with the year in brackets where the file has it.
    pub title: String,
    /// The genres; empty where none is listed.
    pub genres: Vec<String>,
}

/// Reads the movies file; its position counts rows.
pub struct Titles;

/// The titles of `file`, in its order.
///
/// # Errors
/// If a row is malformed or an item stands there twice, by file, line and field.
pub fn read(mut file: CsvFile) -> Result<Vec<(Item, Title)>> {
    let mut titles = Vec::new();
    let mut seen = HashSet::new();
    while file.next_row()? {
        let item = file.parse("movieId", "a positive whole number", |item: &Item| {
            *item >= 1
        })?;
        if !seen.insert(item) {
            let expected = "a number that stands there once";
            return Err(refuse(file.name(), file.line(), "movieId", expected));
        }
        let title = file.parse(
            "title",
            "a title of 1 to 500 characters",
            |title: &String| (1..=LONGEST).contains(&title.chars().count()),
        )?;
        let genres = match file.text("genres")? {
            "" | "(no genres listed)" => Vec::new(),
            genres => genres.split('|').map(str::to_owned).collect(),
        };
        titles.push((item, Title { title, genres }));
    }
    Ok(titles)
}

#[async_trait]
impl Source for Titles {
    async fn next(&self, dir: &Path, position: u64, _: &Context) -> Result<SourceBatch> {
        if !is_there(dir, FILE)? {
            return Ok(SourceBatch::wait(position));
        }
        let dir = dir.to_owned();
        let titles =
            tokio::task::spawn_blocking(move || read(CsvFile::open(&dir, FILE, &COLUMNS)?))
                .await
                .map_err(|error| {
                    Error::internal("the reading of a file broke off").because(error)
                })??;
        let total = titles.len() as u64;
        let mut effects = Effects::new();
        let mut next = position;
        let skip = usize::try_from(position).unwrap_or(usize::MAX);
        for (item, title) in titles.iter().skip(skip).take(BATCH) {
            effects.add_put(TITLE, item.to_string(), title);
            next += 1;
        }
        Ok(SourceBatch {
            effects,
            next,
            total: Some(total),
            done: next >= total,
            ..SourceBatch::default()
        })
    }
}
