//! What is known of users besides their views: the age band, told by a player with a view or by a
//! file `users.csv` (`userId`, `age_band`).

use std::path::Path;

use async_trait::async_trait;
use mesh_core::{Error, Result};
use mesh_runtime::{Context, Effects, Source, SourceBatch};
use serde::{Deserialize, Serialize};

use crate::csv_file::{CsvFile, find};
use crate::products::WatchPatternAgeBand as Band;

/// The name of the source.
pub const USERS: &str = "users";
/// The documents that hold age bands, by user.
pub const AGE: &str = "age";

const FILES: [&str; 2] = ["users.csv", "users.csv.gz"];

/// An age band as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Age(String);

impl Age {
    /// The band.
    ///
    /// # Errors
    /// If it is none of the contract's.
    pub fn band(self) -> Result<Band> {
        self.0.parse()
    }
}

impl From<Band> for Age {
    fn from(band: Band) -> Self {
        Self(band.as_str().to_owned())
    }
}

/// Reads the users file, if there is one; its position counts rows.
pub struct Users;

/// The users of `file`, with their ages.
///
/// # Errors
/// If a row is malformed, by file, line and field.
pub fn read(mut file: CsvFile) -> Result<Vec<(i64, Band)>> {
    let mut users = Vec::new();
    while file.next_row()? {
        let user = file.parse("userId", "a positive whole number", |user: &i64| *user >= 1)?;
        let band = file.parse("age_band", "an age band such as AGE_30_34", |_: &Band| true)?;
        users.push((user, band));
    }
    Ok(users)
}

#[async_trait]
impl Source for Users {
    async fn next(&self, dir: &Path, position: u64, _: &Context) -> Result<SourceBatch> {
        let Some(name) = find(dir, &FILES)? else {
            return Ok(SourceBatch::wait(position));
        };
        let dir = dir.to_owned();
        let users = tokio::task::spawn_blocking(move || {
            read(CsvFile::open(&dir, name, &["userId", "age_band"])?)
        })
        .await
        .map_err(|error| Error::internal("the reading of a file broke off").because(error))??;
        // One batch: a row is small, and what is read twice is written twice alike.
        let mut effects = Effects::new();
        for (user, band) in &users {
            effects.add_put(AGE, user.to_string(), &Age::from(*band));
        }
        Ok(SourceBatch::last(effects, users.len() as u64))
    }
}
