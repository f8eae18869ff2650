//! Names of domains, products and columns.

/// Checks that `name` can stand unquoted as an SQL identifier and an Avro name:
/// `[a-z][a-z0-9_]*`, at most 100 characters, not ending in `_v<n>`.
///
/// # Errors
/// A sentence that says what is wrong, and one that says the mend.
pub fn check_name(name: &str) -> Result<(), (String, String)> {
    let rule = "use lower-case letters, digits and `_`, starting with a letter";
    let valid = name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !valid {
        return Err((
            format!("`{}` is not a valid name", crate::yaml::shown(name)),
            rule.into(),
        ));
    }
    if let Some((_, digits)) = name.rsplit_once("_v")
        && !digits.is_empty()
        && digits.chars().all(|c| c.is_ascii_digit())
    {
        return Err((
            format!("`{name}` ends like a version"),
            "leave the version to the contract's `version`".into(),
        ));
    }
    Ok(())
}

/// `credit_scores`, `CREDIT_SCORES` or `credit-scores` as `CreditScores`.
pub fn upper_camel(name: &str) -> String {
    let shouting = !name.chars().any(|c| c.is_ascii_lowercase());
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| {
            let (head, tail) = word.split_at(1);
            let tail = if shouting {
                tail.to_ascii_lowercase()
            } else {
                tail.to_owned()
            };
            head.to_ascii_uppercase() + &tail
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_camel_cased() {
        for good in ["a", "credit_scores", "x2", "v1", "a_v"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "1a", "_a", "a-b", "scores_v2", "é"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert_eq!(upper_camel("credit_scores"), "CreditScores");
        assert_eq!(upper_camel("BALANCE_VERIFIED"), "BalanceVerified");
        assert_eq!(upper_camel("paidOut"), "PaidOut");
    }
}
