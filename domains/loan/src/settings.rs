//! The domain's own settings, read once from the environment.

use mesh_core::{Error, Result};

/// The environment variable that says as of which day loans are judged.
pub const BUSINESS_DATE: &str = "MESH_LOAN_BUSINESS_DATE";

/// As of which day loans are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BusinessDate {
    /// The newest day that the books of the borrower's account are known up to: for a bank of
    /// which the books end somewhere in the past.
    #[default]
    Events,
    /// At least the calendar's day, in UTC: for the bank of today.
    Clock,
}

/// What the domain needs to know besides what its host reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// As of which day loans are judged.
    pub business_date: BusinessDate,
}

impl Settings {
    /// Reads the settings with `environment`, normally `std::env::var`'s answer.
    ///
    /// # Errors
    /// If a value is none that is known, by its variable.
    pub fn read(environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let business_date = match environment(BUSINESS_DATE).as_deref() {
            None | Some("" | "events") => BusinessDate::Events,
            Some("clock") => BusinessDate::Clock,
            Some(_) => {
                return Err(Error::invalid("a setting has a value that is not known")
                    .with("variable", BUSINESS_DATE)
                    .mend("write events or clock"));
            }
        };
        Ok(Self { business_date })
    }
}
