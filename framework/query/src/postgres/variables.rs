//! The settings that clients of PostgreSQL expect to find, beside those of
//! [`crate::Settings`].

use std::collections::BTreeMap;

use super::report::Failure;

/// What a value may be.
#[derive(Clone, Copy)]
enum Kind {
    /// Cannot be set.
    Fixed,
    /// One of these, whatever its case; other values would mean something that is not done.
    OneOf(&'static [&'static str]),
    /// Begins with this.
    Begins(&'static str),
    /// Changes nothing here.
    Any,
}

struct Variable {
    name: &'static str,
    default: &'static str,
    kind: Kind,
    /// Whether clients are told of its value at the start and at each change.
    reported: bool,
}

const ON: Kind = Kind::OneOf(&["on", "true", "yes", "1"]);

const fn variable(name: &'static str, default: &'static str, kind: Kind) -> Variable {
    Variable {
        name,
        default,
        kind,
        reported: false,
    }
}

const fn reported(name: &'static str, default: &'static str, kind: Kind) -> Variable {
    Variable {
        name,
        default,
        kind,
        reported: true,
    }
}

/// The version of PostgreSQL whose protocol and catalog this door follows.
pub(super) const VERSION: &str = "16.0";

const VARIABLES: &[Variable] = &[
    reported("application_name", "", Kind::Any),
    variable("bytea_output", "hex", Kind::OneOf(&["hex"])),
    variable("backslash_quote", "safe_encoding", Kind::Any),
    variable("check_function_bodies", "on", Kind::Any),
    reported(
        "client_encoding",
        "UTF8",
        Kind::OneOf(&["utf8", "utf-8", "unicode"]),
    ),
    variable("client_min_messages", "notice", Kind::Any),
    variable("cursor_tuple_fraction", "0.1", Kind::Any),
    reported("DateStyle", "ISO, MDY", Kind::Begins("iso")),
    variable("default_table_access_method", "heap", Kind::Any),
    variable("default_transaction_deferrable", "off", Kind::Any),
    variable("default_transaction_isolation", "read committed", Kind::Any),
    reported("default_transaction_read_only", "on", ON),
    variable("escape_string_warning", "on", Kind::Any),
    variable("extra_float_digits", "1", Kind::Any),
    variable("geqo", "on", Kind::Any),
    variable("idle_in_transaction_session_timeout", "0", Kind::Any),
    variable("idle_session_timeout", "0", Kind::Any),
    reported("in_hot_standby", "off", Kind::Fixed),
    reported("integer_datetimes", "on", Kind::Fixed),
    reported("IntervalStyle", "postgres", Kind::OneOf(&["postgres"])),
    reported("is_superuser", "off", Kind::Fixed),
    variable("jit", "off", Kind::Any),
    variable("lc_collate", "C", Kind::Fixed),
    variable("lc_ctype", "C", Kind::Fixed),
    variable("lc_messages", "C", Kind::Any),
    variable("lc_monetary", "C", Kind::Any),
    variable("lc_numeric", "C", Kind::Any),
    variable("lc_time", "C", Kind::Any),
    variable("lock_timeout", "0", Kind::Any),
    variable("max_identifier_length", "63", Kind::Fixed),
    variable("max_index_keys", "32", Kind::Fixed),
    variable("plan_cache_mode", "auto", Kind::Any),
    variable("quote_all_identifiers", "off", Kind::Any),
    variable("row_security", "on", ON),
    variable("search_path", "\"$user\", public", Kind::Any),
    reported("server_encoding", "UTF8", Kind::Fixed),
    reported("server_version", VERSION, Kind::Fixed),
    variable("server_version_num", "160000", Kind::Fixed),
    reported("session_authorization", "", Kind::Fixed),
    reported("standard_conforming_strings", "on", ON),
    variable("synchronize_seqscans", "on", Kind::Any),
    variable("tcp_keepalives_idle", "0", Kind::Any),
    reported(
        "TimeZone",
        "UTC",
        Kind::OneOf(&[
            "utc", "etc/utc", "gmt", "etc/gmt", "z", "zulu", "0", "+00", "+00:00", "00:00",
        ]),
    ),
    variable("transaction_isolation", "read committed", Kind::Any),
    variable("transaction_read_only", "on", ON),
    variable("xmloption", "content", Kind::Any),
];

fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES
        .iter()
        .find(|variable| variable.name.eq_ignore_ascii_case(name))
}

/// What one client has set.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables {
    set: BTreeMap<&'static str, String>,
}

impl Variables {
    /// The name as it is written, and its value.
    pub(super) fn get(&self, name: &str) -> Option<(&'static str, &str)> {
        let variable = find(name)?;
        let value = self.set.get(variable.name).map(String::as_str);
        Some((variable.name, value.unwrap_or(variable.default)))
    }

    /// Sets a variable, or takes it back without a value; its name if clients are to be told.
    pub(super) fn set(
        &mut self,
        name: &str,
        value: Option<&str>,
    ) -> Result<Option<&'static str>, Failure> {
        let variable = find(name).ok_or_else(|| unknown(name))?;
        let Some(value) = value else {
            self.set.remove(variable.name);
            return Ok(variable.reported.then_some(variable.name));
        };
        // asyncpg puts a quote on each side.
        let plain = value.trim_matches('\'').to_ascii_lowercase();
        let kept = match variable.kind {
            Kind::Fixed => {
                return Err(Failure::new(
                    "55P02",
                    format!("parameter \"{}\" cannot be changed", variable.name),
                ));
            }
            Kind::OneOf(values) if values.contains(&plain.as_str()) => variable.default,
            Kind::Begins(begin) if plain.starts_with(begin) => variable.default,
            Kind::Any => value,
            Kind::OneOf(_) | Kind::Begins(_) => {
                return Err(Failure::new(
                    "22023",
                    format!("parameter \"{}\" has one value here", variable.name),
                )
                .mend(format!("leave it at `{}`", variable.default)));
            }
        };
        self.set.insert(variable.name, kept.to_owned());
        Ok(variable.reported.then_some(variable.name))
    }

    /// The name of who is logged in, which no client sets.
    pub(super) fn log_in(&mut self, user: &str) {
        self.set.insert("session_authorization", user.to_owned());
    }

    /// What clients are told at the start.
    pub(super) fn reported(&self) -> impl Iterator<Item = (&'static str, &str)> {
        VARIABLES
            .iter()
            .filter(|variable| variable.reported)
            .filter_map(|variable| self.get(variable.name))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        VARIABLES
            .iter()
            .filter_map(|variable| self.get(variable.name))
    }

    /// The schemas to look names up in that have none, in their order.
    pub(super) fn search_path(&self) -> Vec<String> {
        let path = self.get("search_path").map_or("", |(_, path)| path);
        path.split(',')
            .map(|schema| schema.trim().trim_matches('"').to_owned())
            .filter(|schema| !schema.is_empty() && !schema.starts_with('$'))
            .collect()
    }
}

pub(super) fn unknown(name: &str) -> Failure {
    let name: String = name.chars().take(64).collect();
    Failure::new(
        "42704",
        format!("unrecognized configuration parameter \"{name}\""),
    )
    .mend("`SHOW ALL` lists those that there are")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_variable_is_what_it_was_set_to_if_that_is_what_is_done() {
        let mut variables = Variables::default();
        for (name, value, shown) in [
            ("Application_Name", "psql", "psql"),
            ("client_encoding", "unicode", "UTF8"),
            ("datestyle", "ISO", "ISO, MDY"),
            ("timezone", "Etc/UTC", "UTC"),
            ("extra_float_digits", "3", "3"),
        ] {
            variables.set(name, Some(value)).unwrap();
            assert_eq!(variables.get(name).unwrap().1, shown);
        }
        assert_eq!(variables.set("TIMEZONE", None).unwrap(), Some("TimeZone"));
        assert_eq!(variables.set("jit", Some("on")).unwrap(), None);
        for (name, value, state) in [
            ("client_encoding", "LATIN1", "22023"),
            ("TimeZone", "Europe/Berlin", "22023"),
            ("DateStyle", "German", "22023"),
            ("transaction_read_only", "off", "22023"),
            ("server_version", "17", "55P02"),
            ("work_mem", "1GB", "42704"),
        ] {
            assert_eq!(variables.set(name, Some(value)).unwrap_err().state, state);
        }
        variables
            .set("search_path", Some("customer, \"loan\",\"$user\""))
            .unwrap();
        assert_eq!(variables.search_path(), ["customer", "loan"]);
    }
}
