//! The lists on real views: a guard that a change does not make them worse unnoticed. The figures
//! beside popularity and an offline item-kNN are in docs/recommendation.md.

use std::collections::BTreeMap;
use std::process::Command;

use crate::memory::Memory;
use crate::support::movielens;

#[test]
fn the_last_view_of_a_user_is_in_the_list_as_often_as_it_was_measured() {
    let Some(folder) = movielens() else { return };
    let output = Command::new("gzip")
        .arg("-dc")
        .arg(folder.join("ratings.csv.gz"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut views: Vec<(i64, i64, i64)> = text
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<&str> = line.trim_end().split(',').collect();
            let [user, item, at] = [0, 1, 3].map(|column| fields[column].parse().unwrap());
            (at, user, item)
        })
        .collect();
    views.sort_unstable();
    assert_eq!(views.len(), 100_836);
    let last: BTreeMap<i64, usize> = views
        .iter()
        .enumerate()
        .map(|(place, (_, user, _))| (*user, place))
        .collect();
    let mut model = Memory::default();
    for (place, (at, user, item)) in views.iter().enumerate() {
        if last[user] != place {
            model.view(*user, *item, at * 1000);
        }
    }
    let hits = last
        .iter()
        .filter(|(user, place)| {
            let held = views[**place].2;
            model.list(**user).iter().any(|one| one.item == held)
        })
        .count();
    // 610 users; the best offline item-kNN has 46.
    println!("{hits} hits of {}", last.len());
    assert!(hits >= 65, "{hits}");
}
