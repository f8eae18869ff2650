use ads::form::{COLUMNS, Form, read};
use ads::report::lines;

use crate::support::{error_text, reported};

const SOUND: &str =
    "708746,17/08/2017,17/08/2017,916,103916,30-34,M,15,16,17,7350,1,1.429999948,2,1";

fn cells(row: &str) -> Vec<Option<&str>> {
    row.split(',').map(Some).collect()
}

fn with(column: &str, value: &str) -> String {
    let at = COLUMNS.iter().position(|name| *name == column).unwrap();
    let mut cells: Vec<&str> = SOUND.split(',').collect();
    cells[at] = value;
    cells.join(",")
}

#[test]
fn a_sound_row_is_read_to_the_cent() {
    let row = read(&cells(SOUND)).unwrap();
    assert_eq!(
        (
            row.ad_id,
            row.campaign_id,
            row.fb_campaign_id,
            row.shown,
            row.clicks
        ),
        (708_746, 916, Some(103_916), 7350, 1)
    );
    assert_eq!(row.day.to_string(), "2017-08-17");
    assert_eq!(row.spend.to_string(), "1.43");
    assert_eq!((row.enquiries, row.approved), (2, 1));
    assert_eq!(row.interests, [15, 16, 17]);
    assert_eq!(row.ad_set(), "30-34 M");
}

#[test]
fn what_is_not_of_the_form_is_named_by_column_and_never_by_value() {
    let check = |row: &str, field: &str| {
        let fault = read(&cells(row)).unwrap_err();
        assert_eq!(fault.field, field, "{row}");
        assert!(!fault.to_string().contains("bogus"), "{fault}");
    };
    for (column, wrong) in [
        ("ad_id", vec!["", "0", "-1", "bogus", "1234567890123456"]),
        (
            "reporting_start",
            vec!["", "2017-08-17", "31/02/2017", "bogus"],
        ),
        ("reporting_end", vec!["18/08/2017", ""]),
        ("campaign_id", vec!["", "30-34", "bogus"]),
        ("fb_campaign_id", vec!["", "M"]),
        ("age", vec!["", "34-30", "3-4", "bogus", "30-34-40", "+"]),
        ("gender", vec!["", "X", "m"]),
        ("interest1", vec!["", "bogus", "99999999999"]),
        ("impressions", vec!["", "0", "1.5"]),
        ("clicks", vec!["", "-1", "7351"]),
        (
            "spent",
            vec!["", "-1.00", "1.005", "1.4999", "bogus", "1e3"],
        ),
        ("total_conversion", vec!["", "bogus"]),
        ("approved_conversion", vec!["", "3"]),
    ] {
        for value in wrong {
            check(&with(column, value), column);
        }
    }
    check("1,17/08/2017", "reporting_end");
    check(&format!("{SOUND},1"), "surplus");
}

#[test]
fn only_the_networks_number_may_be_lost() {
    for (at, column) in COLUMNS.iter().enumerate() {
        let mut row = cells(SOUND);
        row[at] = None;
        assert_eq!(read(&row).is_ok(), *column == "fb_campaign_id", "{column}");
    }
}

#[test]
fn figures_are_the_same_whether_the_networks_number_is_lost_or_not() {
    let whole = read(&cells(SOUND)).unwrap();
    let mut lost = cells(SOUND);
    lost[4] = None;
    assert_eq!(read(&lost).unwrap().figures_id(), whole.figures_id());
    let other = with("clicks", "2");
    assert_ne!(
        read(&cells(&other)).unwrap().figures_id(),
        whole.figures_id()
    );
}

#[test]
fn amounts_carry_the_noise_of_floats_and_no_more() {
    for (text, sound) in [
        ("0", true),
        ("1.429999948", true),
        ("198.7100005", true),
        ("1.43", true),
        ("1.43004", true),
        ("1.4301", false),
        ("1.425", false),
        ("+1", false),
    ] {
        assert_eq!(Form::Amount.holds(text), sound, "{text}");
    }
}

#[test]
fn lines_come_in_the_order_of_their_days_and_the_header_is_checked() {
    let header = COLUMNS.join(",");
    let later = with("reporting_start", "18/08/2017");
    let text = format!("{header}\r\n{later}\r\n{SOUND}\r\nshort");
    let read = lines("x.csv", text.as_bytes()).unwrap();
    let numbers: Vec<u64> = read.iter().map(|line| line.number).collect();
    assert_eq!(numbers, [4, 3, 2]);
    assert_eq!(read[0].cells, ["short"]);
    let text = error_text(lines("x.csv", b"ad_id;bogus\n1;2\n"));
    for part in ["x.csv", "line: 1", "field: ad_id"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(error_text(lines("x.csv", b"")).contains("field: ad_id"));
    let wide = format!("{header},more\n");
    assert!(error_text(lines("x.csv", wide.as_bytes())).contains("surplus"));
    let broken = [header.as_bytes(), b"\n1,\xff\n"].concat();
    assert!(error_text(lines("x.csv", &broken)).contains("line: 2"));
}

#[test]
fn the_real_report_has_761_sound_rows() {
    let Some((rows, aside)) = reported(None) else {
        return;
    };
    assert_eq!((rows.len(), aside), (761, 382));
}
