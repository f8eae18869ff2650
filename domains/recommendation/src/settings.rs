//! The domain's own settings, read once from the environment.

use mesh_core::{Error, Result};

use crate::model::Decay;

/// The environment variable with the days in which a view loses half of its weight for what is
/// similar.
pub const SIMILAR: &str = "MESH_SIMILAR_HALF_LIFE_DAYS";
/// The environment variable with the days in which a view loses half of its weight for what is
/// popular.
pub const POPULAR: &str = "MESH_POPULAR_HALF_LIFE_DAYS";

/// What the domain needs to know besides what its host reads.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Settings {
    /// How fast views lose weight. Counts are kept decayed: another half-life holds from the next
    /// view on, for what is there and for what comes.
    pub decay: Decay,
}

impl Settings {
    /// Reads the settings with `environment`, normally `std::env::var`'s answer.
    ///
    /// # Errors
    /// If a value is no number of days, by its variable.
    pub fn read(environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let days = |name: &'static str, otherwise: f64| match environment(name)
            .filter(|text| !text.is_empty())
        {
            None => Ok(otherwise),
            Some(text) => text
                .parse()
                .ok()
                .filter(|days| (0.01..=100_000.0).contains(days))
                .ok_or_else(|| {
                    Error::invalid("a setting is not a number of days")
                        .with("variable", name)
                        .mend("write a number from 0.01 to 100000")
                }),
        };
        let usual = Decay::default();
        Ok(Self {
            decay: Decay {
                similar_days: days(SIMILAR, usual.similar_days)?,
                popular_days: days(POPULAR, usual.popular_days)?,
            },
        })
    }
}
