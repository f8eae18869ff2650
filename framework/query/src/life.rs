//! Tables whose version ends: what is told of them, and that they cannot be read afterwards.

use chrono::{DateTime, SecondsFormat, Utc};
use mesh_core::contract::{Lifecycle, Stage};
use mesh_core::{Error, ErrorKind, Result};

/// What the catalog says about the end of a table's version, beside its contract.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TableLife {
    /// Whether it is out of service, whatever its contract says of days.
    pub(crate) retired: bool,
    /// Whether its end is announced by its status.
    pub(crate) deprecated: bool,
    /// The table to read instead, `customer.profiles_v2`.
    pub(crate) successor: Option<String>,
}

impl TableLife {
    /// Whether it can be read no more.
    pub(crate) fn has_ended(&self, lifecycle: &Lifecycle) -> bool {
        self.retired || lifecycle.stage(Utc::now()) == Stage::Ended
    }

    /// Refuses a table that can be read no more.
    ///
    /// # Errors
    /// That, with the table to read instead.
    pub(crate) fn check(&self, table: &str, lifecycle: &Lifecycle) -> Result<()> {
        if !self.has_ended(lifecycle) {
            return Ok(());
        }
        let mut error = Error::new(
            ErrorKind::FailedPrecondition,
            "the table's version has reached its end of life",
        )
        .with("table", table);
        if let Some(end) = lifecycle.end_of_life {
            error = error.with("end_of_life", day(end));
        }
        Err(error.mend(match &self.successor {
            Some(successor) => format!("read `{successor}` instead"),
            None => "ask the domain that owns it what to read instead".to_owned(),
        }))
    }

    /// What whoever reads it should know.
    pub(crate) fn notice(&self, table: &str, lifecycle: &Lifecycle) -> Option<String> {
        let stage = lifecycle.stage(Utc::now());
        let what = match stage {
            Stage::Current if self.deprecated => "is deprecated".to_owned(),
            Stage::Current => return None,
            Stage::Announced | Stage::Unsupported | Stage::Ended => {
                let support = lifecycle.end_of_support.map(|end| match stage {
                    Stage::Announced => format!("loses its support on {}", day(end)),
                    _ => format!("has lost its support on {}", day(end)),
                });
                let life = lifecycle
                    .end_of_life
                    .map(|end| format!("can be read until {}", day(end)));
                [support, life]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(" and ")
            }
        };
        let instead = match &self.successor {
            Some(successor) => format!("; read {successor} instead"),
            None => String::new(),
        };
        Some(format!("{table} {what}{instead}"))
    }
}

/// The day, or the instant if it is not a day's beginning in UTC.
fn day(instant: DateTime<Utc>) -> String {
    if instant.time() == chrono::NaiveTime::MIN {
        instant.date_naive().to_string()
    } else {
        instant.to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn life(support: &str, end: &str) -> Lifecycle {
        let [support, end] = [json!(support), json!(end)];
        Lifecycle::of_levels([("endOfSupport", &support), ("endOfLife", &end)])
    }

    #[test]
    fn a_table_is_told_of_and_then_refused() {
        let table = TableLife {
            successor: Some("shop.orders_v2".into()),
            ..TableLife::default()
        };
        let announced = life("2999-01-01", "2999-06-01T10:00:00Z");
        table.check("shop.orders", &announced).unwrap();
        assert_eq!(
            table.notice("shop.orders", &announced).unwrap(),
            "shop.orders loses its support on 2999-01-01 and can be read until \
             2999-06-01T10:00:00Z; read shop.orders_v2 instead"
        );
        let unsupported = life("2001-01-01", "2999-06-01");
        table.check("shop.orders", &unsupported).unwrap();
        assert_eq!(
            table.notice("shop.orders", &unsupported).unwrap(),
            "shop.orders has lost its support on 2001-01-01 and can be read until 2999-06-01; \
             read shop.orders_v2 instead"
        );
        let error = table
            .check("shop.orders", &life("2001-01-01", "2002-01-01"))
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("end of life") && text.contains("shop.orders_v2"),
            "{text}"
        );
        assert_eq!(table.notice("shop.orders", &Lifecycle::default()), None);
    }
}
