//! Which files are merged next.
//!
//! Small files go by size, as in a log-structured merge tree: those of about the same size
//! are merged when there are enough of them, so that a row is written anew a few times until
//! it is in a large file. Large files are merged where too many overlap in time, which
//! late rows and the reading of one partition after another bring about.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::config::HistoryConfig;
use crate::snapshot::DataFile;
use crate::value::Value;

/// Each size class is so many times the next smaller.
const STEP: u64 = 4;
/// As many small files of a class are worth merging.
const ENOUGH: usize = 8;
/// As many large files may hold the same instant.
const DEPTH: usize = 4;

/// The next files to merge among `files`, which are sorted by `order`; nothing if all is well.
pub(crate) fn choose(
    files: &[Arc<DataFile>],
    order: &str,
    config: &HistoryConfig,
) -> Option<Vec<Arc<DataFile>>> {
    let column = order.split(',').next().unwrap_or_default();
    let most = config.merge_files.max(2);
    let mut classes: Vec<Vec<&Arc<DataFile>>> = Vec::new();
    for file in files {
        if file.order.as_deref() != Some(order) {
            continue;
        }
        let mut bound = config.file_bytes / 2;
        let mut class = 0;
        while file.size < bound && class < 12 {
            (bound, class) = (bound / STEP, class + 1);
        }
        classes.resize_with(classes.len().max(class + 1), Vec::new);
        classes[class].push(file);
    }
    for class in &mut classes {
        class.sort_by(|a, b| by_begin(a, b, column));
    }
    let mut large = classes.into_iter();
    let first = large.next().unwrap_or_default();
    // The smallest first: they are many, and quickly merged.
    for class in large.rev() {
        if class.len() >= ENOUGH.min(most) {
            let chosen = class.into_iter().take(most).map(Arc::clone);
            return Some(chosen.collect());
        }
    }
    overlapping(&first, column, most)
}

/// The first of `files`, which come by their begin, that hold the same instant and are too many.
fn overlapping(files: &[&Arc<DataFile>], column: &str, most: usize) -> Option<Vec<Arc<DataFile>>> {
    let mut open: Vec<&Arc<DataFile>> = Vec::new();
    for file in files {
        let begin = bound(file, column, true);
        open.retain(|open| match (bound(open, column, false), begin) {
            // One that only touches it is beside it.
            (Some(end), Some(begin)) => end > begin,
            _ => true,
        });
        open.push(file);
        if open.len() > DEPTH.min(most - 1) {
            return Some(open.into_iter().take(most).map(Arc::clone).collect());
        }
    }
    None
}

fn bound<'a>(file: &'a DataFile, column: &str, begin: bool) -> Option<&'a Value> {
    let stats = file.columns.get(column)?;
    match begin {
        true => stats.min.as_ref(),
        false => stats.max.as_ref(),
    }
}

fn by_begin(a: &DataFile, b: &DataFile, column: &str) -> Ordering {
    let (a, b) = (bound(a, column, true), bound(b, column, true));
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::ColumnStats;

    fn file(size: u64, begin: i64, end: i64) -> Arc<DataFile> {
        let stats = ColumnStats {
            min: Some(Value::Timestamp(begin)),
            max: Some(Value::Timestamp(end)),
            nulls: Some(0),
        };
        Arc::new(DataFile {
            path: format!("{size}-{begin}-{end}").into(),
            size,
            rows: 1,
            offsets: None,
            columns: [("at".to_owned(), stats)].into(),
            order: Some("at,_offset".to_owned()),
        })
    }

    fn chosen(files: &[Arc<DataFile>]) -> usize {
        let mut config = HistoryConfig::new("x");
        config.file_bytes = 1000;
        config.merge_files = 10;
        choose(files, "at,_offset", &config).map_or(0, |files| files.len())
    }

    #[test]
    fn small_files_are_merged_when_there_are_enough_of_a_size() {
        let small: Vec<_> = (0..7).map(|at| file(10, at, at + 1)).collect();
        assert_eq!(chosen(&small), 0);
        let enough: Vec<_> = (0..8).map(|at| file(10, at, at + 1)).collect();
        assert_eq!(chosen(&enough), 8);
        let many: Vec<_> = (0..30).map(|at| file(10, at, at + 1)).collect();
        assert_eq!(chosen(&many), 10);
        let mixed: Vec<_> = (0..8)
            .map(|at| file(4 << (2 * (at % 4)), at, at + 1))
            .collect();
        assert_eq!(chosen(&mixed), 0);
    }

    #[test]
    fn large_files_are_merged_where_too_many_overlap() {
        let beside: Vec<_> = (0..20).map(|at| file(900, at, at + 1)).collect();
        assert_eq!(chosen(&beside), 0);
        let mut over = beside;
        over.extend((0..4).map(|_| file(900, 5, 7)));
        assert_eq!(chosen(&over), 5);
        let other: Vec<_> = over
            .iter()
            .map(|file| {
                let mut file = DataFile::clone(file);
                file.order = Some("else".to_owned());
                Arc::new(file)
            })
            .collect();
        assert_eq!(chosen(&other), 0);
    }
}
