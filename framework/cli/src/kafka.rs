//! Which Kafka the mesh runs on: the embedded broker, or a cluster that is there already.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use mesh_core::{Error, Result};

/// A Kafka cluster instead of the embedded broker.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct ClusterArgs {
    /// Run on this Kafka cluster (host:port, commas between) instead of the embedded broker
    #[arg(
        long = "kafka",
        env = "MESH_KAFKA",
        value_name = "BOOTSTRAP",
        global = true
    )]
    pub(crate) bootstrap: Option<String>,
    /// TOML file whose table [kafka] holds settings of librdkafka, such as those for TLS and
    /// SASL; the SQL engine and the domains of a demo use them
    #[arg(
        long = "kafka-config",
        env = "MESH_KAFKA_CONFIG",
        value_name = "FILE",
        global = true
    )]
    pub(crate) config: Option<PathBuf>,
}

impl ClusterArgs {
    /// The bootstrap addresses of the cluster, if there is one.
    pub(crate) fn bootstrap(&self) -> Result<Option<String>> {
        let Some(text) = self.bootstrap.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let sound = text.split(',').all(|address| {
            address
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        });
        match sound {
            true => Ok(Some(text.to_owned())),
            false => Err(Error::invalid("the addresses of Kafka are wrong")
                .with("--kafka", text)
                .mend("write host:port, with commas between several")),
        }
    }

    /// The settings of librdkafka.
    pub(crate) fn settings(&self) -> Result<BTreeMap<String, String>> {
        match &self.config {
            Some(file) => settings(file),
            None => Ok(BTreeMap::new()),
        }
    }
}

/// The table `[kafka]` of a file.
pub(crate) fn settings(file: &Path) -> Result<BTreeMap<String, String>> {
    let refuse = |message: &str, mend: &'static str| {
        Error::invalid(message.to_owned())
            .with("file", file.display())
            .mend(mend)
    };
    let text = std::fs::read_to_string(file).map_err(|error| {
        refuse(
            "the file of Kafka's settings cannot be read",
            "name a file that exists",
        )
        .because(error)
    })?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        // The text itself may hold a password.
        refuse("the file of Kafka's settings is not TOML", "mend it").with("cause", error.message())
    })?;
    scalars(file, table.get("kafka"))
}

/// The settings that `[kafka]` holds in a file, as text.
pub(crate) fn scalars(
    file: &Path,
    table: Option<&toml::Value>,
) -> Result<BTreeMap<String, String>> {
    let wrong = || {
        Error::invalid("the table [kafka] does not hold settings of librdkafka")
            .with("file", file.display())
            .mend("write lines like `\"security.protocol\" = \"SASL_SSL\"` under [kafka]")
    };
    let settings = table.and_then(toml::Value::as_table);
    settings
        .ok_or_else(wrong)?
        .iter()
        .map(|(name, value)| {
            let text = match value {
                toml::Value::String(text) => text.clone(),
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Float(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                _ => return Err(wrong().with("setting", name)),
            };
            Ok((name.clone(), text))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(bootstrap: &str) -> ClusterArgs {
        ClusterArgs {
            bootstrap: Some(bootstrap.to_owned()),
            config: None,
        }
    }

    #[test]
    fn addresses_are_checked() {
        assert_eq!(
            cluster("a:1,b:65535").bootstrap().unwrap().unwrap(),
            "a:1,b:65535"
        );
        assert_eq!(cluster("").bootstrap().unwrap(), None);
        for wrong in ["a", "a:", ":1", "a:1,", "a:70000"] {
            assert!(cluster(wrong).bootstrap().is_err(), "{wrong}");
        }
    }

    #[test]
    fn settings_are_read_and_a_wrong_file_is_told_without_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kafka.toml");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            settings(&file)
        };
        let found = read("[kafka]\n\"sasl.password\" = \"x\"\n\"linger.ms\" = 5\n").unwrap();
        assert_eq!(found["linger.ms"], "5");
        assert_eq!(found["sasl.password"], "x");
        for wrong in [
            "kafka = 1",
            "[kafka]\na = [\"secret\"]",
            "[kafka\nsecret",
            "",
        ] {
            let error = read(wrong).unwrap_err();
            assert!(!format!("{error:?}{error}").contains("secret"), "{wrong}");
        }
        assert!(settings(&folder.path().join("none")).is_err());
    }
}
