//! The limits that contracts set on values.

use crate::error::{Error, Result};

fn broken(field: &str, what: String) -> Error {
    Error::invalid(format!("a value {what}"))
        .with("field", field)
        .mend("publish what the contract allows")
}

/// Checks the length of a text in characters.
///
/// # Errors
/// If it is outside of the limits; the error names field and limit.
pub fn check_length(field: &str, text: &str, min: Option<u32>, max: Option<u32>) -> Result<()> {
    let length = text.chars().count() as u64;
    if let Some(min) = min
        && length < u64::from(min)
    {
        return Err(broken(field, format!("is shorter than {min} characters")));
    }
    if let Some(max) = max
        && length > u64::from(max)
    {
        return Err(broken(field, format!("is longer than {max} characters")));
    }
    Ok(())
}

/// Checks the range of an integer.
///
/// # Errors
/// If it is outside of the limits; the error names field and limit.
pub fn check_range(field: &str, value: i64, min: Option<i64>, max: Option<i64>) -> Result<()> {
    if let Some(min) = min
        && value < min
    {
        return Err(broken(field, format!("is less than {min}")));
    }
    if let Some(max) = max
        && value > max
    {
        return Err(broken(field, format!("is greater than {max}")));
    }
    Ok(())
}
