//! The reference that a payment on a loan carries: a creditor reference by ISO 11649:2009,
//! `RF`, two check digits by ISO/IEC 7064 (MOD 97-10), and here the loan's number. A slip of the
//! pen does not pay another's loan: it is no reference.

/// The reference of the loan `loan_id`, such as `RF865314`.
pub fn creditor_reference(loan_id: i64) -> String {
    let number = loan_id.to_string();
    format!("RF{:02}{number}", 98 - remainder(&number, "00"))
}

/// The loan that `text` names: a reference alone, also in groups of four as it is printed, or
/// as one word among others. Nothing if there is none, or if its check digits do not fit.
pub fn loan_of(text: &str) -> Option<i64> {
    let joined: String = text.split_whitespace().collect();
    std::iter::once(joined.as_str())
        .chain(text.split_whitespace())
        .find_map(read)
}

fn read(word: &str) -> Option<i64> {
    let upper = word.to_ascii_uppercase();
    let rest = upper.strip_prefix("RF")?;
    if rest.len() < 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (check, number) = rest.split_at(2);
    if remainder(number, check) != 1 {
        return None;
    }
    number.parse().ok().filter(|loan_id| *loan_id > 0)
}

/// `number`, then `RF` as the digits 27 and 15, then `check`, modulo 97. All are digits.
fn remainder(number: &str, check: &str) -> u32 {
    let digits = number.bytes().chain(*b"2715").chain(check.bytes());
    digits.fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97)
}
