//! The domain's own settings, read once from the environment.

use std::path::Path;

use mesh_core::{Error, Result};

use crate::declared::Declared;
use crate::plan;
use crate::products::Campaign;
use crate::repair::{self, Repairs};

/// Which declared repairs are done to report rows: `off` (the default), `on` for those that are
/// delivered, or the path of a file.
pub const REPAIR: &str = "MESH_ADS_REPAIR";
/// The path of a file of planned campaigns; those that are delivered without it.
pub const CAMPAIGNS: &str = "MESH_ADS_CAMPAIGNS";
/// How many minutes of event time a day is waited for before its budget is decided.
pub const LATENESS: &str = "MESH_ADS_LATENESS_MINUTES";

const DEFAULT_LATENESS: u32 = 10;

/// What the domain needs to know besides what its host reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The repairs in force; `None` where rows that the form refuses stay aside.
    pub repairs: Option<Repairs>,
    /// Campaigns that exist from the first event on.
    pub campaigns: Vec<Campaign>,
    /// How far the watermark is behind the latest event, in minutes.
    pub lateness_minutes: u32,
}

impl Settings {
    /// Reads the settings with `environment`, normally `std::env::var`'s answer.
    ///
    /// # Errors
    /// If a value or a file is wrong: the variable, or file, line and field.
    pub fn read(environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let set = |name: &str| environment(name).filter(|text| !text.is_empty());
        let repairs = match set(REPAIR).as_deref() {
            None | Some("off") => None,
            Some("on") => Some(Declared::new("repairs/report.toml", repair::DELIVERED)),
            Some(path) => Some(Declared::open(Path::new(path))?),
        };
        let campaigns = match set(CAMPAIGNS) {
            None => Declared::new("campaigns.toml", plan::DELIVERED),
            Some(path) => Declared::open(Path::new(&path))?,
        };
        let lateness_minutes = match set(LATENESS) {
            None => DEFAULT_LATENESS,
            // A watermark that is a day behind would decide on days that are over.
            Some(text) => text
                .parse()
                .ok()
                .filter(|minutes| *minutes < 24 * 60)
                .ok_or_else(|| {
                    Error::invalid("a setting is not a number of minutes")
                        .with("variable", LATENESS)
                        .mend("write a whole number of minutes below 1440")
                })?,
        };
        Ok(Self {
            repairs: repairs.as_ref().map(Repairs::read).transpose()?,
            campaigns: plan::read(&campaigns)?,
            lateness_minutes,
        })
    }
}
