//! When versions end, who reads them, and that nobody begins to when support has ended.

use chrono::Utc;
use mesh_core::contract::{Lifecycle, Stage, Version};
use mesh_core::{Error, ErrorKind, Result};
use sqlx::SqliteConnection;

use super::standing;
use crate::model::{Document, Life, Status};
use crate::store::{self, Entry, NewVersion};

/// The ends that the service levels of a document announce.
fn lifecycle(document: &Document) -> Lifecycle {
    Lifecycle::of_levels(
        document
            .service_levels
            .iter()
            .map(|level| (level.property.as_str(), &level.value)),
    )
}

/// When the version of `major` with this document ends, and what follows it.
pub(super) fn life(document: &Document, entries: &[Entry], major: u64) -> Life {
    let lifecycle = lifecycle(document);
    Life {
        stage: lifecycle.stage(Utc::now()).as_str(),
        end_of_support: lifecycle.end_of_support,
        end_of_life: lifecycle.end_of_life,
        successor: successor(entries, major),
    }
}

/// The topic of the major that follows `major`: the one an operator has put in its place, or
/// the highest one above it that is in service.
fn successor(entries: &[Entry], major: u64) -> Option<String> {
    let decided = entries
        .iter()
        .filter(|entry| entry.version.major == major)
        .find_map(|entry| entry.successor);
    let next = decided.or_else(|| {
        entries
            .iter()
            .filter(|entry| entry.status == Status::Active && entry.version.major > major)
            .map(|entry| entry.version.major)
            .max()
    })?;
    entries
        .iter()
        .find(|entry| entry.version.major == next)
        .map(|entry| entry.topic.clone())
}

/// Refuses a product of a domain that does not read yet what it names as an input, if the
/// support of that has ended.
pub(super) async fn refuse_new_readers(
    connection: &mut SqliteConnection,
    new: &NewVersion,
) -> Result<()> {
    let document: Document = serde_json::from_str(&new.changes.document)
        .map_err(|error| Error::internal("a document cannot be read back").because(error))?;
    for port in &document.input_ports {
        let Some((domain, product)) = store::contract_owner(connection, &port.contract_id).await?
        else {
            continue;
        };
        let Some(major) = major(&port.version) else {
            continue;
        };
        let entries = store::entries(connection, &domain, &product).await?;
        let Some(version) = standing::of_major(&entries, major) else {
            continue;
        };
        let read = store::texts(connection, &domain, &product, version).await?;
        if lifecycle(&read.document).stage(Utc::now()) < Stage::Unsupported || domain == new.domain
        {
            continue;
        }
        let topic = &read.summary.topic;
        let readers = store::readers(connection, topic, &port.contract_id, major).await?;
        if readers.iter().any(|reader| reader.domain == new.domain) {
            continue;
        }
        let successor = successor(&entries, major);
        return Err(Error::new(
            ErrorKind::FailedPrecondition,
            "the support of an input has ended: it takes no new readers",
        )
        .with("input_port", &port.name)
        .with("topic", topic)
        .with("product", format!("{}.{}", new.domain, new.product))
        .mend(match successor {
            Some(successor) => format!("read `{successor}` instead"),
            None => format!("ask the domain `{domain}` what to read instead"),
        }));
    }
    Ok(())
}

/// The major of a port's version: `1.2.0`, `1.2`, `1`.
fn major(version: &str) -> Option<u64> {
    match version.parse::<Version>() {
        Ok(version) => Some(version.major),
        Err(_) => version.split('.').next()?.parse().ok(),
    }
}
