//! Records that a topic has or had and its table has not, told in the table's properties.

use crate::snapshot::{Absent, OffsetRange};

/// Ranges that are told one by one; beyond it neighbours are told as one.
const MOST: usize = 512;

/// `known` and the single records of `more`.
pub(crate) fn with_records(known: Vec<Absent>, more: &[(i32, i64)]) -> Vec<Absent> {
    let single = |(partition, offset): &(i32, i64)| Absent {
        range: OffsetRange {
            partition: *partition,
            first: *offset,
            last: *offset,
        },
        count: 1,
    };
    joined(known.into_iter().chain(more.iter().map(single)).collect())
}

/// `known` and `more`.
pub(crate) fn with_ranges(known: Vec<Absent>, more: &[Absent]) -> Vec<Absent> {
    joined(known.into_iter().chain(more.iter().copied()).collect())
}

fn joined(mut all: Vec<Absent>) -> Vec<Absent> {
    all.sort_by_key(|absent| absent.range);
    let mut near = 1;
    loop {
        let mut joined: Vec<Absent> = Vec::with_capacity(all.len());
        for absent in &all {
            match joined.last_mut() {
                Some(last)
                    if last.range.partition == absent.range.partition
                        && absent.range.first.saturating_sub(last.range.last) <= near =>
                {
                    last.range.last = last.range.last.max(absent.range.last);
                    last.count += absent.count;
                }
                _ => joined.push(*absent),
            }
        }
        if joined.len() <= MOST || near == i64::MAX {
            return joined;
        }
        near = near.saturating_mul(8);
        all = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_and_many_are_few() {
        let found = with_records(Vec::new(), &[(1, 7), (0, 5), (0, 4), (0, 9)]);
        let told: Vec<_> = found
            .iter()
            .map(|absent| {
                (
                    absent.range.partition,
                    absent.range.first,
                    absent.range.last,
                    absent.count,
                )
            })
            .collect();
        assert_eq!(told, [(0, 4, 5, 2), (0, 9, 9, 1), (1, 7, 7, 1)]);
        let many: Vec<_> = (0..100_000).map(|at| (at % 3, i64::from(at) * 5)).collect();
        let found = with_records(found, &many);
        assert!(found.len() <= MOST);
        assert_eq!(
            found.iter().map(|absent| absent.count).sum::<u64>(),
            100_004
        );
    }
}
