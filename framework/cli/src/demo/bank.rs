//! A made-up bank in the file format of the PKDD'99 bank: the same files, columns and
//! codes, so that the domains read it as they read the real one.
//!
//! All of it is drawn from one seeded generator: the same customers and seed give the same
//! bytes. Running balances are exact, salaries come monthly, incomes rise over the years, spending follows income
//! and the seasons, some accounts are always short, and one account in six asks for a loan.

use std::io::Write;
use std::path::Path;

use chrono::{Datelike, Days, NaiveDate};
use flate2::Compression;
use flate2::write::GzEncoder;
use mesh_core::{Error, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

const DISTRICTS: [(&str, &str, u32); 8] = [
    ("Harbour", "coast", 240_000),
    ("Old Town", "centre", 310_000),
    ("Millbrook", "centre", 95_000),
    ("Saltmarsh", "coast", 41_000),
    ("Highfield", "north", 58_000),
    ("Quarry", "north", 27_000),
    ("Vineyards", "south", 73_000),
    ("Lakeside", "south", 112_000),
];
/// The file that is written last: where it stands, the bank is complete.
const LAST_FILE: &str = "loan.asc";

struct Entry {
    account: u32,
    date: NaiveDate,
    kind: &'static str,
    operation: &'static str,
    /// In hundredths.
    amount: i64,
    balance: i64,
    symbol: &'static str,
    partner: Option<(&'static str, u32)>,
}

/// Writes the bank's files into `directory`, unless they are there already.
pub(crate) fn write(directory: &Path, customers: u32, seed: u64) -> Result<()> {
    if directory.join(LAST_FILE).exists() {
        return Ok(());
    }
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    save(directory, "district.asc", &districts(&mut rng))?;

    let accounts = (customers * 5 / 6).max(1);
    let mut clients = String::from("\"client_id\";\"birth_number\";\"district_id\"\r\n");
    let mut dispositions = String::from("\"disp_id\";\"client_id\";\"account_id\";\"type\"\r\n");
    for client in 1..=customers {
        let birth = date(1915, 1, 1) + Days::new(rng.random_range(0..24_000));
        let month = birth.month() + if rng.random_bool(0.5) { 50 } else { 0 };
        let district = rng.random_range(1..=DISTRICTS.len());
        clients.push_str(&format!(
            "{client};\"{:02}{month:02}{:02}\";{district}\r\n",
            birth.year() % 100,
            birth.day()
        ));
        let (account, role) = if client <= accounts {
            (client, "OWNER")
        } else {
            (client - accounts, "DISPONENT")
        };
        dispositions.push_str(&format!("{client};{client};{account};\"{role}\"\r\n"));
    }
    save(directory, "client.asc", &clients)?;
    save(directory, "disp.asc", &dispositions)?;

    let mut account_rows =
        String::from("\"account_id\";\"district_id\";\"frequency\";\"date\"\r\n");
    let mut loans = Vec::new();
    let mut entries = Vec::new();
    for account in 1..=accounts {
        let opened = date(1995, 1, 1) + Days::new(rng.random_range(0..700));
        let frequency = match rng.random_range(0..20) {
            0 => "POPLATEK TYDNE",
            1 => "POPLATEK PO OBRATU",
            _ => "POPLATEK MESICNE",
        };
        account_rows.push_str(&format!(
            "{account};{};\"{frequency}\";{}\r\n",
            rng.random_range(1..=DISTRICTS.len()),
            opened.format("%y%m%d")
        ));
        // Some ask for a loan within their first weeks, which is too early to be judged.
        let days = if rng.random_bool(0.15) {
            rng.random_range(10..60)
        } else {
            rng.random_range(200..700)
        };
        let asked = opened + Days::new(days);
        account_history(&mut rng, account, opened, asked, &mut entries);
        if rng.random_bool(1.0 / 6.0) {
            loans.push((account, asked));
        }
    }
    save(directory, "account.asc", &account_rows)?;
    save_entries(directory, &mut entries)?;

    loans.sort_by_key(|(account, asked)| (*asked, *account));
    let mut loan_rows = String::from(
        "\"loan_id\";\"account_id\";\"date\";\"amount\";\"duration\";\"payments\";\"status\"\r\n",
    );
    for (number, (account, asked)) in loans.into_iter().enumerate() {
        let months = 12 * rng.random_range(1..=5i64);
        let monthly = rng.random_range(800..9_000i64);
        // How a loan ends is not known when it is asked for; C stands for a running one.
        loan_rows.push_str(&format!(
            "{};{account};{};{};{months};{monthly}.00;\"C\"\r\n",
            number + 1,
            asked.format("%y%m%d"),
            monthly * months
        ));
    }
    save(directory, LAST_FILE, &loan_rows)
}

fn districts(rng: &mut ChaCha12Rng) -> String {
    let mut rows = String::from("A1;A2;A3;A4;A5;A6;A7;A8;A9;A10;A11;A12;A13;A14;A15;A16\r\n");
    for (at, (name, region, inhabitants)) in DISTRICTS.iter().enumerate() {
        let salary = rng.random_range(8_000..12_600);
        let unemployed = rng.random_range(30..700);
        // As in the real bank, one district has figures that nobody knows.
        let (a12, a15) = if at == 3 {
            ("?".to_owned(), "?".to_owned())
        } else {
            (hundredths(unemployed), (inhabitants / 30).to_string())
        };
        rows.push_str(&format!(
            "{};\"{name}\";\"{region}\";{inhabitants};{};{};{};1;{};{}.0;{salary};{a12};{};{};{a15};{}\r\n",
            at + 1,
            rng.random_range(0..90),
            rng.random_range(0..40),
            rng.random_range(0..10),
            rng.random_range(1..8),
            rng.random_range(40..100),
            hundredths(unemployed + rng.random_range(-20..90)),
            rng.random_range(90..170),
            inhabitants / 29,
        ));
    }
    rows
}

/// The postings of one account from its opening up to `until`.
fn account_history(
    rng: &mut ChaCha12Rng,
    account: u32,
    opened: NaiveDate,
    until: NaiveDate,
    entries: &mut Vec<Entry>,
) {
    let mut balance = 0;
    let mut post = |date, kind, operation, amount: i64, symbol, partner| {
        balance += if kind == "PRIJEM" { amount } else { -amount };
        entries.push(Entry {
            account,
            date,
            kind,
            operation,
            amount,
            balance,
            symbol,
            partner,
        });
        balance
    };
    let salary = rng.random_range(500_000..2_600_000i64);
    // Spending as a share of income; above 1 the account runs short.
    let thrift = rng.random_range(0.55..1.06);
    let pension = rng.random_bool(0.2);
    let employer = rng.random_range(1_000_000..99_999_999);
    let landlord = rng.random_range(1_000_000..99_999_999);
    post(
        opened,
        "PRIJEM",
        "VKLAD",
        rng.random_range(2..12) * 10_000,
        "",
        None,
    );
    let mut day = opened + Days::new(1);
    while day < until {
        // Incomes rise over the years, and people spend more in December and in summer.
        let salary = share(salary, 1.0 + 0.04 * f64::from(day.year() - opened.year()));
        let thrift = thrift * season(day.month());
        match day.day() {
            8 => {
                let symbol = if pension { "DUCHOD" } else { "" };
                let partner = Some(("QR", employer));
                post(day, "PRIJEM", "PREVOD Z UCTU", salary, symbol, partner);
            }
            12 => {
                let rent = share(salary, thrift * 0.35);
                post(
                    day,
                    "VYDAJ",
                    "PREVOD NA UCET",
                    rent,
                    "SIPO",
                    Some(("YZ", landlord)),
                );
            }
            18 | 24 => {
                let spent = share(salary, thrift * rng.random_range(0.2..0.42));
                let (kind, operation) = match rng.random_range(0..10) {
                    0 => ("VYBER", "VYBER"),
                    1..4 => ("VYDAJ", "VYBER KARTOU"),
                    _ => ("VYDAJ", "VYBER"),
                };
                post(day, kind, operation, spent, " ", None);
            }
            28 => {
                let held = post(day, "VYDAJ", "VYBER", 1_460, "SLUZBY", None);
                if held > 10_000 {
                    post(day, "PRIJEM", "", share(held, 0.003), "UROK", None);
                } else if held < 0 {
                    post(
                        day,
                        "VYDAJ",
                        "VYBER",
                        share(-held, 0.01).max(10),
                        "SANKC. UROK",
                        None,
                    );
                }
            }
            _ => {}
        }
        day = day + Days::new(1);
    }
}

/// How much of a usual month's spending a month has.
fn season(month: u32) -> f64 {
    match month {
        12 => 1.25,
        7 | 8 => 1.1,
        1 | 2 => 0.85,
        _ => 1.0,
    }
}

fn share(amount: i64, part: f64) -> i64 {
    ((amount as f64 * part / 10.0).round() as i64 * 10).max(10)
}

pub(crate) fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default()
}

pub(crate) fn hundredths(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", value.abs() / 100, value.abs() % 100)
}

fn save_entries(directory: &Path, entries: &mut [Entry]) -> Result<()> {
    entries.sort_by_key(|entry| (entry.date, entry.account));
    let mut rows = String::from(
        "\"trans_id\";\"account_id\";\"date\";\"type\";\"operation\";\"amount\";\"balance\";\"k_symbol\";\"bank\";\"account\"\r\n",
    );
    for (at, entry) in entries.iter().enumerate() {
        let (bank, account) = match entry.partner {
            Some((bank, account)) => (format!("\"{bank}\""), account.to_string()),
            None => (String::new(), String::new()),
        };
        rows.push_str(&format!(
            "{};{};{};\"{}\";\"{}\";{};{};\"{}\";{bank};{account}\r\n",
            at + 1,
            entry.account,
            entry.date.format("%y%m%d"),
            entry.kind,
            entry.operation,
            hundredths(entry.amount),
            hundredths(entry.balance),
            entry.symbol,
        ));
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    let bytes = packed
        .write_all(rows.as_bytes())
        .and_then(|()| packed.finish())
        .map_err(|error| Error::internal("the made-up bank cannot be packed").because(error))?;
    save_bytes(directory, "trans_made_up.asc.gz", &bytes)
}

pub(crate) fn save(directory: &Path, name: &str, text: &str) -> Result<()> {
    save_bytes(directory, name, text.as_bytes())
}

fn save_bytes(directory: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let file = directory.join(name);
    // A half-written file must never be read as a whole one.
    let partial = directory.join(format!("{name}.new"));
    std::fs::write(&partial, bytes)
        .and_then(|()| std::fs::rename(&partial, &file))
        .map_err(|error| {
            Error::invalid("the made-up files cannot be written")
                .with("file", file.display())
                .with("cause", error)
                .mend("choose a --data-dir that can be written and has room")
        })
}
