use ads::declared::Declared;
use ads::plan;
use ads::settings::{CAMPAIGNS, LATENESS, REPAIR, Settings};

use crate::mesh::settings;
use crate::support::error_text;

#[test]
fn repairs_are_off_unless_they_are_asked_for() {
    let off = settings(&[]);
    assert_eq!(off.repairs, None);
    assert_eq!(settings(&[(REPAIR, "off")]), settings(&[(REPAIR, "")]));
    assert_eq!(settings(&[(REPAIR, "on")]).repairs.unwrap().revision, 1);
    assert_eq!(off.campaigns.len(), 3);
    assert_eq!(off.lateness_minutes, 10);
}

#[test]
fn what_is_set_wrongly_is_named() {
    let read = |name: &'static str, value: &'static str| {
        error_text(Settings::read(|asked| {
            (asked == name).then(|| value.to_owned())
        }))
    };
    assert!(read(REPAIR, "/no/such/file.toml").contains("/no/such/file.toml"));
    assert!(read(CAMPAIGNS, "/no/such/plan.toml").contains("/no/such/plan.toml"));
    for wrong in ["1440", "-1", "soon"] {
        assert!(read(LATENESS, wrong).contains(LATENESS), "{wrong}");
    }
}

#[test]
fn plans_are_refused_by_file_line_and_field() {
    let check = |from: &str, to: &str, field: &str| {
        assert!(plan::DELIVERED.contains(from), "{from}");
        let text = plan::DELIVERED.replacen(from, to, 1);
        let wrong = error_text(plan::read(&Declared::new("plans.toml", &text)));
        for part in ["plans.toml", "line: ", field] {
            assert!(wrong.contains(part), "{part} in {wrong}");
        }
    };
    check("campaign_id = 916", "campaign_id = 0", "field: campaign_id");
    check(
        "campaign_id = 916",
        "campaign_id = 936",
        "field: campaign.campaign_id",
    );
    check("\"154.00\"", "\"154.001\"", "field: campaign.budget");
    check("\"154.00\"", "154", "malformed");
    check("\"11.00\"", "\"155.00\"", "field: day_budget");
    check("\"2017-08-30\"", "\"2017-08-16\"", "field: ends_on");
    check(
        "\"2017-08-17\"",
        "\"17/08/2017\"",
        "field: campaign.starts_on",
    );
    check(
        "\"30-34 F\", \"30-34 M\"",
        "\"30-34 F\", \"30-34 F\"",
        "field: ad_sets",
    );
    check("\"30-34 F\"", "\"a/b\"", "field: ad_sets");
    check("name = \"Campaign 916\"\n", "", "malformed");
}
