//! Views out of MovieLens' ratings file (F. M. Harper, J. A. Konstan, "The MovieLens Datasets:
//! History and Context", TiiS 5(4), 2015): a rating counts as a view at the time it was entered.

use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use chrono::Utc;
use mesh_core::{EventId, Record, Result, TimestampMillis};

use crate::csv_file::{CsvFile, find, refuse};
use crate::products::{Stars, View, ViewSource};
use crate::settings::to_hex;

/// The names that the file may have.
pub const FILES: [&str; 2] = ["ratings.csv", "ratings.csv.gz"];

const COLUMNS: [&str; 4] = ["userId", "movieId", "rating", "timestamp"];

/// One row, ordered as views are published: by time, then user, then item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rating {
    at: i64,
    user: i64,
    item: i64,
    stars: Stars,
    line: u64,
}

/// The rows of the file in the order of time. It holds about 64 bytes for each row in memory while
/// the file is read.
#[derive(Debug)]
pub struct Ratings {
    rows: Vec<Rating>,
    digest: String,
}

impl Ratings {
    /// Reads the file in `dir`; `None` if none is there.
    ///
    /// # Errors
    /// If it cannot be read, or a row is malformed or stands there twice, by file, line and field.
    pub fn open(dir: &Path) -> Result<Option<Self>> {
        find(dir, &FILES)?
            .map(|file| Self::read(CsvFile::open(dir, file, &COLUMNS)?))
            .transpose()
    }

    /// Reads `file`, which has the columns `userId`, `movieId`, `rating` and `timestamp`.
    ///
    /// # Errors
    /// As [`Ratings::open`].
    pub fn read(mut file: CsvFile) -> Result<Self> {
        let now = Utc::now().timestamp();
        let least = Stars::from_unscaled(5)?;
        let most = Stars::from_unscaled(50)?;
        let mut rows = Vec::new();
        while file.next_row()? {
            let positive = |number: &i64| *number >= 1;
            let seconds: i64 = file.parse("timestamp", "a time in the past, in seconds", |at| {
                (0..=now).contains(at)
            })?;
            rows.push(Rating {
                at: seconds * 1000,
                user: file.parse("userId", "a positive whole number", positive)?,
                item: file.parse("movieId", "a positive whole number", positive)?,
                stars: file.parse("rating", "0.5 to 5.0 stars", |stars| {
                    (least..=most).contains(stars)
                })?,
                line: file.line(),
            });
        }
        rows.sort_unstable();
        let same = |pair: &[Rating]| {
            (pair[0].at, pair[0].user, pair[0].item) == (pair[1].at, pair[1].user, pair[1].item)
        };
        if let Some(pair) = rows.windows(2).find(|pair| same(pair)) {
            let line = pair[0].line.max(pair[1].line);
            let expected = "a movie that the user rated once at this time";
            return Err(refuse(file.name(), line, "movieId", expected));
        }
        let mut digest = Context::new(&SHA256);
        for row in &rows {
            for number in [row.at, row.user, row.item] {
                digest.update(&number.to_be_bytes());
            }
            digest.update(&row.stars.unscaled().to_be_bytes());
        }
        Ok(Self {
            rows,
            digest: to_hex(digest.finish().as_ref()),
        })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What tells these rows from others: the SHA-256 of all of them in their order.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Up to `most` views from the one at `from` on.
    pub fn views(&self, from: usize, most: usize) -> impl Iterator<Item = View> {
        self.rows.iter().skip(from).take(most).map(|row| View {
            view_id: imported_id(row).0,
            user_id: row.user,
            item_id: row.item,
            viewed_at: TimestampMillis(row.at),
            rating: Some(row.stars),
            source: ViewSource::Import,
        })
    }
}

fn imported_id(row: &Rating) -> EventId {
    let topic = View::descriptor().topic.as_str();
    let [user, item, at] = [row.user, row.item, row.at].map(|number| number.to_string());
    EventId::derived(&[topic, "import", &user, &item, &at])
}
