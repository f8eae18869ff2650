use std::collections::HashMap;

use customer::clients::{read_clients, read_dispositions, read_districts, read_profiles};
use customer::products::{Profile, ProfileAccountsRole, ProfileGender};
use mesh_core::{Record, Result};
use mesh_runtime::Table;

use crate::support::{bank_files, error_text};

const DISTRICTS: &str = "A1;A2;A3;A4;A5;A6;A7;A8;A9;A10;A11;A12;A13;A14;A15;A16\r\n\
    1;\"Hl.m. Praha\";\"Prague\";1204953;0;0;0;1;1;100.0;12541;0.29;0.43;167;85677;99107\r\n\
    69;\"Jesenik\";\"north Moravia\";42821;4;13;5;1;3;48.4;8173;?;7.01;124;?;1358\r\n";
const DISPOSITIONS: &str = "\"disp_id\";\"client_id\";\"account_id\";\"type\"\r\n\
    1;1;9;\"OWNER\"\r\n2;1;3;\"DISPONENT\"\r\n";

fn table(file: &str, text: &str, columns: &[&'static str]) -> Result<Table> {
    Table::read(
        file,
        Box::new(std::io::Cursor::new(text.to_owned())),
        columns,
    )
}

fn profiles(clients: &str) -> Result<Vec<Profile>> {
    let districts = read_districts(table(
        "district.asc",
        DISTRICTS,
        &["A1", "A2", "A3", "A11", "A12", "A13"],
    )?)?;
    let mut accounts = read_dispositions(table(
        "disp.asc",
        DISPOSITIONS,
        &["client_id", "account_id", "type"],
    )?)?;
    let text = format!("\"client_id\";\"birth_number\";\"district_id\"\r\n{clients}");
    read_clients(
        table(
            "client.asc",
            &text,
            &["client_id", "birth_number", "district_id"],
        )?,
        &districts,
        &mut accounts,
    )
}

#[test]
fn birth_numbers_say_day_and_gender() {
    let check = |number: &str, date: &str, gender: ProfileGender| {
        let read = profiles(&format!("7;\"{number}\";1\r\n")).unwrap();
        assert_eq!(read[0].birth_date.to_string(), date, "{number}");
        assert_eq!(read[0].gender, gender, "{number}");
    };
    check("706213", "1970-12-13", ProfileGender::Female);
    check("450204", "1945-02-04", ProfileGender::Male);
    check("005101", "1900-01-01", ProfileGender::Female);
    check("121231", "1912-12-31", ProfileGender::Male);
}

#[test]
fn what_is_wrong_is_named_by_file_line_and_field_and_never_by_value() {
    let check = |rows: &str, line: &str, field: &str| {
        let text = error_text(profiles(rows));
        for part in [
            "client.asc",
            &format!("line: {line}"),
            &format!("field: {field}"),
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(
            !text.contains("706299") && !text.contains("451304"),
            "{text}"
        );
    };
    check("1;\"706299\";1\r\n", "2", "birth_number");
    check("1;\"706213\";1\r\n2;\"451304\";1\r\n", "3", "birth_number");
    check("1;\"70621\";1\r\n", "2", "birth_number");
    check("1;\"706213\";5\r\n", "2", "district_id");
    check("x;\"706213\";1\r\n", "2", "client_id");
    check("1;\"706213\";1\r\n1;\"706213\";1\r\n", "3", "client_id");
    let short = error_text(profiles("1;\"706213\"\r\n"));
    assert!(
        short.contains("client.asc") && short.contains("line: 2"),
        "{short}"
    );
    let header = error_text(table("district.asc", "A1;A2\r\n", &["A1", "A3"]));
    assert!(
        header.contains("district.asc") && header.contains("field: A3"),
        "{header}"
    );
}

#[test]
fn a_question_mark_is_a_null_with_a_note() {
    let read = profiles("1;\"706213\";69\r\n2;\"450204\";1\r\n").unwrap();
    assert_eq!(read[0].district_unemployment_1995, None);
    assert_eq!(
        read[0].district_unemployment_1996.unwrap().to_string(),
        "7.01"
    );
    assert_eq!(
        read[0].data_note.as_deref(),
        Some("district.asc says `?` in A12 of district 69")
    );
    assert_eq!(read[1].data_note, None);
    let accounts: Vec<_> = read[0]
        .accounts
        .iter()
        .map(|account| (account.account_id, account.role))
        .collect();
    assert_eq!(
        accounts,
        [
            (3, ProfileAccountsRole::Disponent),
            (9, ProfileAccountsRole::Owner)
        ]
    );
    assert_eq!(read[1].accounts, []);
}

#[test]
fn a_missing_file_is_named() {
    let dir = std::env::temp_dir();
    let text = error_text(read_profiles(&dir.join("no_such_bank")));
    assert!(
        text.contains("district.asc") && text.contains("source directory"),
        "{text}"
    );
}

#[test]
fn the_real_bank_is_read_whole() {
    let Some(dir) = bank_files() else { return };
    let read = read_profiles(&dir).unwrap();
    assert_eq!(read.len(), 5369);
    let women = read
        .iter()
        .filter(|one| one.gender == ProfileGender::Female)
        .count();
    assert_eq!((women, read.len() - women), (2645, 2724));
    let mut roles: HashMap<ProfileAccountsRole, usize> = HashMap::new();
    for profile in &read {
        profile.validate().unwrap();
        assert_eq!(profile.data_note.is_some(), profile.district_id == 69);
        assert_eq!(
            profile.district_unemployment_1995.is_none(),
            profile.district_id == 69
        );
        for account in &profile.accounts {
            *roles.entry(account.role).or_default() += 1;
        }
    }
    assert_eq!(roles[&ProfileAccountsRole::Owner], 4500);
    assert_eq!(roles[&ProfileAccountsRole::Disponent], 869);
    assert!(read.iter().any(|one| one.data_note.is_some()));
}
