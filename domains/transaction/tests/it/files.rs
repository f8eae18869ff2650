use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use mesh_core::{Record, Result};
use mesh_runtime::Table;
use transaction::bank_files::{
    Cursor, Users, accounts_of, entry_files, read_accounts, read_entry, read_users,
};
use transaction::ledger::book;
use transaction::products::{
    Account, AccountStatementFrequency, AccountStatus, LedgerEntry,
    LedgerEntryDirection as Direction, LedgerEntryOperation as Operation,
    LedgerEntryPurpose as Purpose, Money,
};

use crate::support::{bank_files, error_text};

const COLUMNS: [&str; 10] = [
    "trans_id",
    "account_id",
    "date",
    "type",
    "operation",
    "amount",
    "balance",
    "k_symbol",
    "bank",
    "account",
];
const CZECH: &str = "\"trans_id\";\"account_id\";\"date\";\"type\";\"operation\";\"amount\";\"balance\";\"k_symbol\";\"bank\";\"account\"\r\n";
const ENGLISH: &str =
    "trans_id;account_id;date;type;operation;amount;balance;k_symbol;bank;account\n";

fn table(file: &str, text: &str, columns: &[&'static str]) -> Result<Table> {
    Table::read(
        file,
        Box::new(std::io::Cursor::new(text.to_owned())),
        columns,
    )
}

fn entry(header: &str, row: &str) -> Result<LedgerEntry> {
    let mut table = table("trans_x.asc.gz", &format!("{header}{row}"), &COLUMNS)?;
    let row = table.next_row()?.unwrap();
    read_entry(&row).map(|imported| imported.entry)
}

#[test]
fn czech_and_english_rows_mean_the_same() {
    let check = |czech: &str,
                 english: &str,
                 expected: (Direction, Option<Operation>, Option<Purpose>, &str)| {
        let one = entry(CZECH, &format!("{czech}\r\n")).unwrap();
        assert_eq!(entry(ENGLISH, &format!("{english}\n")).unwrap(), one);
        assert_eq!(
            (
                one.direction,
                one.operation,
                one.purpose,
                one.signed_amount.to_string().as_str()
            ),
            expected
        );
        one.validate().unwrap();
    };
    check(
        r#"5;1;930101;"PRIJEM";"VKLAD";700.00;700.00;"";;"#,
        "5;1;930101;credit;credit in cash;700.00;700.00;;;",
        (
            Direction::Credit,
            Some(Operation::CashDeposit),
            None,
            "700.00",
        ),
    );
    check(
        r#"5;1;930131;"PRIJEM";"";1.5;700.00;"UROK";"";0"#,
        "5;1;930131;credit;;1.50;700.00;interest credited;;0",
        (Direction::Credit, None, Some(Purpose::Interest), "1.50"),
    );
    check(
        r#"5;1;930131;"VYBER";"VYBER";30.00;-5.10;" ";"";"#,
        "5;1;930131;withdrawal in cash;withdrawal in cash;30.00;-5.10; ;;",
        (
            Direction::Debit,
            Some(Operation::CashWithdrawal),
            None,
            "-30.00",
        ),
    );
    check(
        r#"5;1;930131;"VYDAJ";"PREVOD NA UCET";30.00;5.10;"SIPO";"YZ";12345"#,
        "5;1;930131;withdrawal;remittance to another bank;30.00;5.10;household;YZ;12345",
        (
            Direction::Debit,
            Some(Operation::TransferOut),
            Some(Purpose::Household),
            "-30.00",
        ),
    );
    check(
        r#"5;1;930131;"VYDAJ";"VYBER";30.00;5.10;"SANKC. UROK";;"#,
        "5;1;930131;withdrawal;withdrawal in cash;30.00;5.10;sanction interest if negative balance;;",
        (
            Direction::Debit,
            Some(Operation::CashWithdrawal),
            Some(Purpose::PenaltyInterest),
            "-30.00",
        ),
    );
}

#[test]
fn what_is_wrong_is_named_by_file_line_and_field_and_never_by_value() {
    let check = |row: &str, field: &str| {
        let text = error_text(entry(ENGLISH, row));
        for part in [
            "trans_x.asc.gz",
            "line: 2",
            &format!("field: {field}"),
            "; ",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(
            !text.contains("bogus") && !text.contains("77.777"),
            "{text}"
        );
    };
    check("5;1;930101;bogus;credit in cash;7;7;;;", "type");
    check("5;1;930101;credit;bogus;7;7;;;", "operation");
    check("5;1;930101;credit;credit in cash;7;7;bogus;;", "k_symbol");
    check("5;1;930101;credit;credit in cash;77.777;7;;;", "amount");
    check("5;1;930101;credit;credit in cash;-7;7;;;", "amount");
    check("5;1;930101;credit;credit in cash;7;bogus;;;", "balance");
    check("5;1;930231;credit;credit in cash;7;7;;;", "date");
    check("5;bogus;930101;credit;credit in cash;7;7;;;", "account_id");
    check(
        "1000000000000000;1;930101;credit;credit in cash;7;7;;;",
        "trans_id",
    );
    check("0;1;930101;credit;credit in cash;7;7;;;", "trans_id");
    check("5;1;930101;credit;credit in cash;7;7;;AB;0", "account");
    check("5;1;930101;credit;credit in cash;7;7;;;12", "bank");
    check("5;1;930101;credit;credit in cash;7;7;;bogus;12", "bank");
}

#[test]
fn accounts_have_one_owner() {
    let users = |rows: &str| {
        read_users(table(
            "disp.asc",
            &format!("disp_id;client_id;account_id;type\n{rows}"),
            &["client_id", "account_id", "type"],
        )?)
    };
    let read = users("1;4;9;OWNER\n2;5;9;DISPONENT\n").unwrap();
    assert_eq!(
        read[&9],
        Users {
            owner: Some(4),
            disponent: Some(5)
        }
    );
    assert!(error_text(users("1;4;9;OWNER\n2;5;9;OWNER\n")).contains("line: 3"));
    assert!(error_text(users("1;4;9;bogus\n")).contains("field: type"));
    let accounts = |rows: &str| {
        let text = format!("account_id;district_id;frequency;date\n{rows}");
        accounts_of(
            table(
                "account.asc",
                &text,
                &["account_id", "district_id", "frequency", "date"],
            )?,
            &read,
        )
    };
    let account = &accounts("9;1;\"POPLATEK PO OBRATU\";930102\n").unwrap()[0];
    assert_eq!(
        account.statement_frequency,
        AccountStatementFrequency::AfterTransaction
    );
    assert_eq!(
        (account.owner_client_id, account.disponent_client_id),
        (4, Some(5))
    );
    assert_eq!(account.opened_on.to_string(), "1993-01-02");
    for (rows, part) in [
        ("8;1;POPLATEK TYDNE;930102\n", "field: account_id"),
        ("9;1;bogus;930102\n", "field: frequency"),
        (
            "9;1;POPLATEK TYDNE;930102\n9;1;POPLATEK TYDNE;930102\n",
            "line: 3",
        ),
    ] {
        let text = error_text(accounts(rows));
        assert!(text.contains(part) && !text.contains("bogus"), "{text}");
    }
}

fn write_gz(dir: &Path, name: &str, text: &str) {
    let mut file = GzEncoder::new(
        std::fs::File::create(dir.join(name)).unwrap(),
        Compression::fast(),
    );
    file.write_all(text.as_bytes()).unwrap();
    file.finish().unwrap();
}

#[test]
fn the_cursor_goes_on_anywhere_and_refuses_a_number_that_stands_twice() {
    let dir = std::env::temp_dir().join(format!("mesh-files-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    assert!(error_text(entry_files(&dir)).contains("trans_*.asc.gz"));
    let row = |id: u32| format!("{id};1;930101;credit;credit in cash;7;7;;;\n");
    write_gz(
        &dir,
        "trans_a.asc.gz",
        &format!("{ENGLISH}{}{}", row(1), row(2)),
    );
    write_gz(&dir, "trans_b.csv.gz", &format!("{ENGLISH}{}", row(3)));
    std::fs::write(dir.join("order.asc"), "x").unwrap();
    assert_eq!(
        entry_files(&dir).unwrap(),
        ["trans_a.asc.gz", "trans_b.csv.gz"]
    );
    for position in 0..=3 {
        let mut cursor = Cursor::open(&dir, position).unwrap();
        assert_eq!((cursor.position(), cursor.total()), (position, 3));
        for id in position + 1..=3 {
            let next = cursor.next_entry().unwrap().unwrap().entry.transaction_id;
            assert_eq!(next, i64::try_from(id).unwrap());
        }
        assert!(cursor.next_entry().unwrap().is_none());
    }
    assert!(error_text(Cursor::open(&dir, 4).map(|_| ())).contains("shorter"));
    write_gz(&dir, "trans_c.csv.gz", &format!("{ENGLISH}{}", row(1)));
    let twice = error_text(Cursor::open(&dir, 4).map(|_| ()));
    assert!(
        twice.contains("trans_c.csv.gz") && twice.contains("field: trans_id"),
        "{twice}"
    );
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn the_real_bank_is_read_whole_and_its_balances_chain() {
    let Some(dir) = bank_files() else { return };
    let mut accounts: BTreeMap<i64, Account> = read_accounts(&dir)
        .unwrap()
        .into_iter()
        .map(|account| (account.account_id, account))
        .collect();
    assert_eq!(accounts.len(), 4500);
    let mut cursor = Cursor::open(&dir, 0).unwrap();
    assert_eq!(cursor.total(), 79_302);
    let mut last: BTreeMap<i64, Vec<LedgerEntry>> = BTreeMap::new();
    let mut whole: BTreeMap<i64, i128> = BTreeMap::new();
    let mut sum = Money::ZERO;
    while let Some(imported) = cursor.next_entry().unwrap() {
        let entry = imported.entry;
        entry.validate().unwrap();
        book(accounts.get_mut(&entry.account_id).unwrap(), &entry).unwrap();
        sum = sum.checked_add(entry.signed_amount).unwrap();
        // The first file breaks off within this day: postings that its balances count are
        // not in it.
        if entry.booked_on.to_string() == "1994-03-31" {
            continue;
        }
        *whole.entry(entry.account_id).or_default() += entry.signed_amount.unscaled();
        let day = last.entry(entry.account_id).or_default();
        if day
            .last()
            .is_some_and(|known| known.booked_on < entry.booked_on)
        {
            day.clear();
        }
        if day
            .last()
            .is_none_or(|known| known.booked_on == entry.booked_on)
        {
            day.push(entry);
        }
    }
    assert_eq!(cursor.position(), 79_302);
    let total = accounts.values().fold(Money::ZERO, |total, account| {
        total.checked_add(account.balance).unwrap()
    });
    assert_eq!(total, sum);
    // The bank rounds some balances to 0.10, so the sum of the amounts is that near to the
    // balance that one of the rows of the last day reports.
    for (account_id, day) in last {
        let account = &accounts[&account_id];
        assert_eq!(account.status, AccountStatus::Active);
        let near = day.iter().any(|entry| {
            let reported = entry.reported_balance.unwrap().unscaled();
            (reported - whole[&account_id]).abs() <= 100
        });
        assert!(near, "account {account_id}");
    }
    let used = accounts
        .values()
        .filter(|one| one.status == AccountStatus::Active)
        .count();
    println!("{used} accounts with transactions");
}
