//! The domain's own settings, read once from the environment.

use mesh_core::{Error, Result};

use crate::products::Money;

/// The environment variable with the capital that the lending fund is opened with, in CZK.
pub const FUND_CAPITAL: &str = "MESH_LOAN_FUND_CAPITAL";

/// The capital without that variable.
const DEFAULT_FUND_CAPITAL: &str = "1000000000.00";

/// What the domain needs to know besides what its host reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What the lending fund is opened with when the first payout is verified.
    pub fund_capital: Money,
}

impl Settings {
    /// Reads the settings with `environment`, normally `std::env::var`'s answer.
    ///
    /// # Errors
    /// If a value is no amount of money, by its variable.
    pub fn read(environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let text = environment(FUND_CAPITAL).filter(|text| !text.is_empty());
        let fund_capital = text
            .as_deref()
            .unwrap_or(DEFAULT_FUND_CAPITAL)
            .parse::<Money>()
            .ok()
            .filter(|capital| *capital >= Money::ZERO)
            .ok_or_else(|| {
                Error::invalid("a setting is not an amount of money")
                    .with("variable", FUND_CAPITAL)
                    .mend("write an amount in CZK such as 1000000.00")
            })?;
        Ok(Self { fund_capital })
    }
}
