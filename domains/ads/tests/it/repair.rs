use ads::declared::Declared;
use ads::form::read;
use ads::repair::{DELIVERED, Repairs};

use crate::support::{delivered, error_text, reported};

const SLID: &str = "1121594,26/08/2017,26/08/2017,45-49,M,10,14,14,426500,72,128.2799988,4,1,,";

#[test]
fn a_row_that_has_slid_is_put_right() {
    let repairs = delivered();
    let cells: Vec<&str> = SLID.split(',').collect();
    let (name, repaired) = repairs.apply(&cells).unwrap();
    assert_eq!(name, "two_columns_lost");
    let row = read(&repaired).unwrap();
    assert_eq!(
        (row.ad_id, row.campaign_id, row.fb_campaign_id),
        (1_121_594, 1178, None)
    );
    assert_eq!(row.ad_set(), "45-49 M");
    assert_eq!((row.shown, row.clicks), (426_500, 72));
    assert_eq!(row.spend.to_string(), "128.28");
    assert_eq!((row.enquiries, row.approved), (4, 1));
    let whole = "708746,17/08/2017,17/08/2017,916,103916,30-34,M,15,16,17,7350,1,1.43,2,1";
    let whole: Vec<&str> = whole.split(',').collect();
    assert!(repairs.apply(&whole).is_none());
    assert!(repairs.apply(&cells[..14]).is_none());
}

#[test]
fn what_is_declared_wrongly_is_named_by_file_line_and_field() {
    let check = |from: &str, to: &str, field: &str, line: usize| {
        assert!(DELIVERED.contains(from), "{from}");
        let text = DELIVERED.replacen(from, to, 1);
        let wrong = error_text(Repairs::read(&Declared::new("mine.toml", &text)));
        for part in ["mine.toml", &format!("line: {line}"), field] {
            assert!(wrong.contains(part), "{part} in {wrong}");
        }
    };
    let line = |text: &str| {
        let at = DELIVERED.find(text).unwrap();
        1 + DELIVERED[..at].matches('\n').count()
    };
    check(
        "revision = 1",
        "revision = 0",
        "field: revision",
        line("revision = 1"),
    );
    check(
        "revision = 1",
        "revision = \"x\"",
        "malformed",
        line("revision = 1"),
    );
    check(
        "revision = 1",
        "revision = 1\nbogus = 2",
        "malformed",
        line("revision = 1") + 1,
    );
    let name = line("name = \"two");
    check("\"two_columns_lost\"", "\"\"", "field: repair.name", name);
    check(
        "{ column = \"campaign_id\", is = \"age_band\" }",
        "{ column = \"campaign\", is = \"age_band\" }",
        "field: repair.when.column",
        line("is = \"age_band\""),
    );
    check(
        "is = \"gender\"",
        "is = \"sex\"",
        "field: repair.when.is",
        line("is = \"gender\""),
    );
    check(
        "to = \"age\", from = \"campaign_id\"",
        "to = \"age\", from = \"nowhere\"",
        "field: repair.move.from",
        line("to = \"age\""),
    );
    check(
        "{ to = \"gender\", from = \"fb_campaign_id\" }",
        "{ to = \"age\", from = \"fb_campaign_id\" }",
        "field: repair.move.to",
        line("to = \"gender\""),
    );
    check(
        "value = \"1178\"",
        "value = \"x\"",
        "field: repair.set.value",
        line("1178\" }"),
    );
    check(
        "lost = [\"fb_campaign_id\"]",
        "lost = [\"clicks\"]",
        "field: repair.lost",
        line("lost = ["),
    );
    // A cell that is not taken, and a cell that is taken twice.
    check(
        "    { column = \"total_conversion\", is = \"empty\" },\n",
        "",
        "the cell under total_conversion is dropped",
        name,
    );
    check(
        "from = \"spent\"",
        "from = \"clicks\"",
        "is used twice",
        name,
    );
    let twice = format!(
        "{DELIVERED}\n{}",
        &DELIVERED[DELIVERED.find("[[repair]]").unwrap()..]
    );
    let wrong = error_text(Repairs::read(&Declared::new("mine.toml", &twice)));
    assert!(wrong.contains("same name"), "{wrong}");
    let bare = "revision = 1\n[[repair]]\nname = \"all\"\nwhen = []\n";
    let wrong = error_text(Repairs::read(&Declared::new("mine.toml", bare)));
    assert!(
        wrong.contains("no condition") && wrong.contains("line: 3"),
        "{wrong}"
    );
}

#[test]
fn the_real_report_is_whole_after_the_repair() {
    let Some((rows, aside)) = reported(Some(&delivered())) else {
        return;
    };
    assert_eq!((rows.len(), aside), (1143, 0));
    let of = |campaign: i64| rows.iter().filter(move |row| row.campaign_id == campaign);
    let counts = [916, 936, 1178].map(|campaign| of(campaign).count());
    assert_eq!(counts, [54, 464, 625]);
    let spend: i128 = rows.iter().map(|row| row.spend.unscaled()).sum();
    assert_eq!(spend, 5_870_523);
    let lost = rows
        .iter()
        .filter(|row| row.fb_campaign_id.is_none())
        .count();
    assert_eq!(lost, 382);
}
