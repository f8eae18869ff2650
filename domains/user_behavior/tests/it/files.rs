use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use mesh_core::Result;
use user_behavior::products::{View, WatchPatternAgeBand};
use user_behavior::ratings::Ratings;
use user_behavior::users;

use crate::support::{error_text, file, movielens};

const COLUMNS: [&str; 4] = ["userId", "movieId", "rating", "timestamp"];

fn ratings(rows: &str) -> Result<Ratings> {
    let text = format!("userId,movieId,rating,timestamp\r\n{rows}");
    Ratings::read(file("ratings.csv", &text, &COLUMNS)?)
}

fn order(ratings: &Ratings) -> Vec<(i64, i64, i64)> {
    let views = ratings.views(0, usize::MAX);
    views
        .map(|view| (view.viewed_at.0, view.user_id, view.item_id))
        .collect()
}

#[test]
fn views_come_in_the_order_of_time_then_user_then_item() {
    let read = ratings("1,5,4.0,30\r\n1,3,4,20\r\n2,9,0.5,20\r\n1,4,5.0,20\r\n").unwrap();
    let expected = [
        (20_000, 1, 3),
        (20_000, 1, 4),
        (20_000, 2, 9),
        (30_000, 1, 5),
    ];
    assert_eq!(order(&read), expected);
    let middle: Vec<View> = read.views(1, 2).collect();
    assert_eq!(middle.len(), 2);
    assert_eq!(middle[1].rating.unwrap().to_string(), "0.5");
    // Line ends, columns in another order and gzip change nothing.
    let text = "timestamp,rating,movieId,userId\n30,4.0,5,1\n20,4,3,1\n20,0.5,9,2\n20,5.0,4,1";
    let other = Ratings::read(file("ratings.csv", text, &COLUMNS).unwrap()).unwrap();
    assert_eq!(order(&other), expected);
    assert_eq!(other.digest(), read.digest());
    assert_ne!(ratings("1,5,4.5,30\r\n").unwrap().digest(), read.digest());
}

#[test]
fn what_is_wrong_is_named_by_file_line_and_field_and_never_by_value() {
    let check = |rows: &str, line: &str, field: &str| {
        let text = error_text(ratings(rows));
        for part in [
            "ratings.csv",
            &format!("line: {line}"),
            &format!("field: {field}"),
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("bogus") && !text.contains("777"), "{text}");
    };
    check("1,3,4.0,20\r\nbogus,3,4.0,20\r\n", "3", "userId");
    check("0,3,4.0,20\r\n", "2", "userId");
    check("1,-777,4.0,20\r\n", "2", "movieId");
    check("1,3,bogus,20\r\n", "2", "rating");
    check("1,3,5.5,20\r\n", "2", "rating");
    check("1,3,0.0,20\r\n", "2", "rating");
    check("1,3,4.25,20\r\n", "2", "rating");
    check("1,3,4.0,\r\n", "2", "timestamp");
    check("1,3,4.0,-1\r\n", "2", "timestamp");
    check("1,3,4.0,99999999999\r\n", "2", "timestamp");
    check("1,3,4.0,20\r\n2,3,4.0,20\r\n1,3,4.5,20\r\n", "4", "movieId");
    let short = error_text(ratings("1,3,4.0,20\r\n1,3,777\r\n"));
    assert!(
        short.contains("ratings.csv") && short.contains("line: 3"),
        "{short}"
    );
    assert!(!short.contains("777"), "{short}");
    let header = error_text(file("ratings.csv", "userId,movieId\n", &COLUMNS));
    assert!(header.contains("field: rating"), "{header}");
}

#[test]
fn the_file_may_be_missing_or_compressed_but_not_be_there_twice() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Ratings::open(folder.path()).unwrap().is_none());
    let text = "userId,movieId,rating,timestamp\r\n1,3,4.0,20\r\n";
    let packed = std::fs::File::create(folder.path().join("ratings.csv.gz")).unwrap();
    let mut packed = GzEncoder::new(packed, Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap();
    assert_eq!(Ratings::open(folder.path()).unwrap().unwrap().len(), 1);
    std::fs::write(folder.path().join("ratings.csv"), text).unwrap();
    let twice = error_text(Ratings::open(folder.path()));
    assert!(twice.contains("ratings.csv.gz"), "{twice}");
}

#[test]
fn ages_are_read_from_the_users_file() {
    let read = |rows: &str| {
        let text = format!("userId,age_band\n{rows}");
        users::read(file("users.csv", &text, &["userId", "age_band"])?)
    };
    let known = read("7,AGE_30_34\n8,UNDER_18\n").unwrap();
    assert_eq!(
        known,
        [
            (7, WatchPatternAgeBand::Age3034),
            (8, WatchPatternAgeBand::Under18)
        ]
    );
    let text = error_text(read("7,AGE_30_34\n8,bogus\n"));
    assert!(
        text.contains("line: 3") && text.contains("field: age_band") && !text.contains("bogus"),
        "{text}"
    );
}

#[test]
fn the_real_ratings_are_read_whole() {
    let Some(folder) = movielens() else { return };
    let read = Ratings::open(&folder).unwrap().unwrap();
    assert_eq!(read.len(), 100_836);
    let mut tenths = 0;
    let mut last = 0;
    for view in read.views(0, usize::MAX) {
        assert!(view.viewed_at.0 >= last);
        last = view.viewed_at.0;
        tenths += view.rating.unwrap().unscaled();
    }
    assert_eq!(tenths, 3_530_830);
    assert_eq!(last, 1_537_799_250_000);
}
