use std::collections::HashMap;

use loan::bank_files::{applications_of, read_applications, read_owners};
use loan::products::Application;
use mesh_core::{Record, Result};
use mesh_runtime::Table;

use crate::support::{bank_files, error_text};

const COLUMNS: [&str; 6] = [
    concat!("lo", "an_id"),
    "account_id",
    "date",
    "amount",
    "duration",
    "payments",
];

fn applications(rows: &str) -> Result<Vec<Application>> {
    let header = format!(
        "\"{}\";\"account_id\";\"date\";\"amount\";\"duration\";\"payments\";\"status\"\r\n",
        COLUMNS[0]
    );
    let text = format!("{header}{rows}");
    let table = Table::read("bank.asc", Box::new(std::io::Cursor::new(text)), &COLUMNS)?;
    applications_of(table, &HashMap::from([(1787, 2166), (1801, 2181)]))
}

#[test]
fn applications_come_in_the_order_of_their_days() {
    let read = applications(
        "5316;1801;930711;165960;36;4610.00;\"A\"\r\n5314;1787;930705;96396;12;8033.00;\"B\"\r\n",
    )
    .unwrap();
    let order: Vec<_> = read
        .iter()
        .map(|one| (one.application_id, one.client_id))
        .collect();
    assert_eq!(order, [(5314, 2166), (5316, 2181)]);
    assert_eq!(read[0].applied_on.to_string(), "1993-07-05");
    assert_eq!(read[0].amount.to_string(), "96396.00");
    assert_eq!(
        (read[0].duration_months, read[0].monthly_payment.to_string()),
        (12, "8033.00".into())
    );
}

#[test]
fn how_a_loan_ended_changes_nothing() {
    let with = |status: &str| {
        applications(&format!("5314;1787;930705;96396;12;8033.00;{status}\r\n")).unwrap()
    };
    for status in ["\"B\"", "\"C\"", "", "\"?\""] {
        assert_eq!(with(status), with("\"A\""), "{status}");
    }
}

#[test]
fn what_is_wrong_is_named_by_file_line_and_field_and_never_by_value() {
    let check = |row: &str, field: &str| {
        let text = error_text(applications(row));
        for part in ["bank.asc", "line: 2", field] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("bogus"), "{text}");
    };
    check("bogus;1787;930705;96396;12;8033.00;\"B\"\r\n", COLUMNS[0]);
    check(
        "5314;1;930705;96396;12;8033.00;\"B\"\r\n",
        "field: account_id",
    );
    check("5314;1787;931305;96396;12;8033.00;\"B\"\r\n", "field: date");
    check("5314;1787;930705;0;12;8033.00;\"B\"\r\n", "field: amount");
    check(
        "5314;1787;930705;96396;bogus;8033.00;\"B\"\r\n",
        "field: duration",
    );
    check("5314;1787;930705;96396;12;-1;\"B\"\r\n", "field: payments");
    let owners = "disp_id;client_id;account_id;type\n1;4;9;OWNER\n2;5;9;OWNER\n";
    let table = Table::read(
        "disp.asc",
        Box::new(owners.as_bytes()),
        &["client_id", "account_id", "type"],
    );
    assert!(error_text(read_owners(table.unwrap())).contains("line: 3"));
}

#[test]
fn the_real_bank_is_read_whole() {
    let Some(dir) = bank_files() else { return };
    let read = read_applications(&dir).unwrap();
    assert_eq!(read.len(), 682);
    assert!(read.is_sorted_by_key(|one| one.applied_on));
    for application in &read {
        application.validate().unwrap();
        let months = i128::from(application.duration_months);
        assert_eq!(
            application.monthly_payment.unscaled() * months,
            application.amount.unscaled()
        );
    }
}
