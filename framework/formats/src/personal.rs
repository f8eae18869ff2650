//! Guesses which columns hold personal data, from names and from what values look like.
//!
//! A guess is a start for the owner, not a finding: it can miss columns and it can mark too
//! many. It never leaves this crate with a value in it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mesh_core::contract::{Field, Type};

use crate::draft::{GUESS, Guess, join};

/// What a guess calls sex, religion and the like.
pub(crate) const TRAIT: &str = "trait of a person";

/// What the values of a column look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// `name@host.tld`.
    Email,
    /// An international number, or one with separators.
    Phone,
    /// An account number with right check digits (ISO 13616).
    Iban,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A card number with a right check digit (ISO/IEC 7812).
    Card,
    /// `123-45-6789`.
    SocialSecurity,
}

impl Pattern {
    pub(crate) const ALL: [Self; 6] = [
        Self::Email,
        Self::Phone,
        Self::Iban,
        Self::Ip,
        Self::Card,
        Self::SocialSecurity,
    ];

    fn what(self) -> &'static str {
        match self {
            Self::Email => "e-mail address",
            Self::Phone => "phone number",
            Self::Iban => "bank account number",
            Self::Ip => "IP address",
            Self::Card => "card number",
            Self::SocialSecurity => "national identity number",
        }
    }

    /// Whether `value` looks like this.
    pub(crate) fn fits(self, value: &str) -> bool {
        match self {
            Self::Email => is_email(value),
            Self::Phone => is_phone(value),
            Self::Iban => is_iban(value),
            Self::Ip => value.len() >= 3 && value.parse::<IpAddr>().is_ok(),
            Self::Card => is_card(value),
            Self::SocialSecurity => shape(value) == "ddd-dd-dddd",
        }
    }
}

fn is_email(value: &str) -> bool {
    let Some((local, host)) = value.split_once('@') else {
        return false;
    };
    !local.is_empty()
        && host.len() > 3
        && host.split('.').count() > 1
        && host.split('.').all(|part| !part.is_empty())
        && !value.contains(char::is_whitespace)
        && !host.contains('@')
}

/// Digits as `d`, everything else as it is.
fn shape(value: &str) -> String {
    value
        .chars()
        .map(|c| if c.is_ascii_digit() { 'd' } else { c })
        .collect()
}

fn is_phone(value: &str) -> bool {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    if !(7..=15).contains(&digits)
        || !value
            .chars()
            .all(|c| c.is_ascii_digit() || "+ -()./".contains(c))
    {
        return false;
    }
    value.starts_with('+')
        || value.starts_with('(')
        || [
            "ddd-ddd-dddd",
            "ddd.ddd.dddd",
            "ddd ddd dddd",
            "ddd ddd ddd",
        ]
        .contains(&shape(value).as_str())
}

fn is_iban(value: &str) -> bool {
    let compact: Vec<u8> = value.bytes().filter(|b| *b != b' ').collect();
    if !(15..=34).contains(&compact.len())
        || !compact[..2].iter().all(u8::is_ascii_uppercase)
        || !compact[2..4].iter().all(u8::is_ascii_digit)
        || !compact
            .iter()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    {
        return false;
    }
    let rest = compact[4..].iter().chain(&compact[..4]);
    rest.fold(0u32, |sum, b| {
        if b.is_ascii_digit() {
            (sum * 10 + u32::from(b - b'0')) % 97
        } else {
            (sum * 100 + u32::from(b - b'A') + 10) % 97
        }
    }) == 1
}

fn is_card(value: &str) -> bool {
    let digits: Vec<u32> = value
        .chars()
        .filter(|c| !" -".contains(*c))
        .map_while(|c| c.to_digit(10))
        .collect();
    let others = value
        .chars()
        .any(|c| !c.is_ascii_digit() && !" -".contains(c));
    if others || !(13..=19).contains(&digits.len()) || digits.iter().all(|d| *d == 0) {
        return false;
    }
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => *digit,
            (_, doubled) if doubled > 9 => doubled - 9,
            (_, doubled) => doubled,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Records that are about a person, so that their `name` is a person's name.
const PEOPLE: [&str; 22] = [
    "account",
    "applicant",
    "author",
    "borrower",
    "cardholder",
    "client",
    "contact",
    "customer",
    "driver",
    "employee",
    "guest",
    "holder",
    "member",
    "passenger",
    "patient",
    "person",
    "profile",
    "recipient",
    "student",
    "subscriber",
    "user",
    "visitor",
];

/// Last words of names that speak about personal data without holding it.
const ABOUT: [&str; 25] = [
    "allowed",
    "at",
    "bounced",
    "category",
    "confirmed",
    "consent",
    "count",
    "domain",
    "enabled",
    "flag",
    "format",
    "hash",
    "kind",
    "length",
    "opt",
    "sent",
    "source",
    "state",
    "status",
    "subject",
    "template",
    "total",
    "type",
    "valid",
    "verified",
];

/// What the column `name` of a record called `record` seems to hold, with the words that say so.
fn by_name(name: &str, record: &str) -> Option<(&'static str, String)> {
    let words: Vec<&str> = name.split('_').collect();
    let has = |word: &str| words.contains(&word);
    let pair = |a: &str, b: &str| words.windows(2).any(|two| two == [a, b]);
    let joined = words.concat();
    let any = |list: &[&'static str]| list.iter().find(|word| has(word)).copied();
    let last = *words.last()?;
    let birth = any(&["birth", "birthday", "birthdate", "born", "dob"]);
    if let Some(word) = birth {
        return Some(("birth date", word.to_owned()));
    }
    if ABOUT.contains(&last) {
        return None;
    }
    if let Some(word) = any(&["email", "mail"]) {
        return Some(("e-mail address", word.to_owned()));
    }
    if let Some(word) = any(&[
        "phone",
        "mobile",
        "telephone",
        "cellphone",
        "msisdn",
        "fax",
        "tel",
    ]) {
        return Some(("phone number", word.to_owned()));
    }
    if has("ip") || any(&["ipv4", "ipv6", "ipaddress"]).is_some() || pair("remote", "addr") {
        return Some(("IP address", "ip".to_owned()));
    }
    if pair("mac", "address") || has("imei") || has("imsi") {
        return Some(("identifier of a device", joined));
    }
    if has("iban") || pair("bank", "account") {
        return Some(("bank account number", joined));
    }
    if pair("card", "number") || pair("card", "no") || has("cvv") || has("cvc") {
        return Some(("card number", joined));
    }
    if any(&["ssn", "passport", "nin", "nino"]).is_some()
        || pair("social", "security")
        || pair("tax", "id")
        || pair("national", "id")
        || pair("identity", "number")
        || pair("personal", "number")
        || pair("driver", "license")
        || pair("driving", "licence")
        || pair("id", "card")
    {
        return Some(("national identity number", joined));
    }
    if let Some(word) = any(&[
        "firstname",
        "lastname",
        "fullname",
        "surname",
        "forename",
        "givenname",
        "username",
        "nickname",
    ]) {
        return Some(("name of a person", word.to_owned()));
    }
    if last == "name" {
        let before = words.len().checked_sub(2).map(|at| words[at]);
        let of_person = match before {
            None => PEOPLE.contains(&record.rsplit('_').next().unwrap_or(record)),
            Some(word) => {
                PEOPLE.contains(&word)
                    || [
                        "first",
                        "last",
                        "full",
                        "given",
                        "family",
                        "middle",
                        "maiden",
                        "display",
                        "owner",
                        "sender",
                        "receiver",
                        "beneficiary",
                        "doctor",
                        "teacher",
                    ]
                    .contains(&word)
            }
        };
        return of_person.then(|| ("name of a person", name.to_owned()));
    }
    if has("address") && any(&["web", "url", "memory", "contract"]).is_none()
        || any(&["street", "zip", "zipcode", "postcode", "postalcode"]).is_some()
        || pair("postal", "code")
        || pair("post", "code")
        || pair("house", "number")
        || pair("address", "line")
    {
        return Some(("postal address", joined));
    }
    if let Some(word) = any(&["gender", "sex", "religion", "ethnicity", "nationality"]) {
        return Some((TRAIT, word.to_owned()));
    }
    None
}

/// Whether a column of this type can hold what [`by_name`] says.
fn can_hold(what: &str, ty: &Type) -> bool {
    match ty {
        Type::String { .. } => true,
        Type::Int32 { .. } | Type::Int64 { .. } => {
            !matches!(what, "e-mail address" | "name of a person")
        }
        Type::Date | Type::Timestamp(_) => what == "birth date",
        Type::Enum(_) => what == TRAIT,
        Type::Array(_) | Type::Map(_) => can_hold(what, ty.innermost()),
        _ => false,
    }
}

/// The guess for one column, if there is one.
pub fn guess(
    name: &str,
    ty: &Type,
    record: &str,
    pattern: Option<Pattern>,
) -> Option<(&'static str, String)> {
    if let Some(pattern) = pattern {
        return Some((
            pattern.what(),
            format!("the values of the sample look like: {}", pattern.what()),
        ));
    }
    let (what, word) = by_name(name, record)?;
    can_hold(what, ty).then(|| (what, format!("the name says `{word}`: {what}")))
}

/// Marks the columns that seem personal, nested ones too.
pub(crate) fn mark(
    fields: &mut [Field],
    path: &str,
    record: &str,
    patterns: &BTreeMap<String, Pattern>,
    guesses: &mut Vec<Guess>,
) {
    for field in fields {
        let column = join(path, &field.name);
        let found = guess(
            &field.name,
            &field.ty,
            record,
            patterns.get(&column).copied(),
        );
        if let Some((what, why)) = found {
            // What the source itself says goes before a guess.
            if field.classification.is_none() {
                field.classification = Some("personal".into());
                field
                    .custom
                    .insert(GUESS.into(), format!("classification: {why}").into());
                guesses.push(Guess { column, what, why });
            }
            continue;
        }
        let record = field.name.clone();
        if let Type::Object(object) = field.ty.innermost_mut() {
            mark(&mut object.fields, &column, &record, patterns, guesses);
        }
    }
}
