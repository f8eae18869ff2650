//! All about one version of a product.

use mesh_core::contract::Version;
use mesh_core::{Error, Result};
use sqlx::SqliteConnection;

use super::{App, life, standing};
use crate::model::{Document, ProductDetail, Upstream, VersionSummary};
use crate::store::{self, Entry};

/// Which version of a product is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The one that stands for the product.
    Current,
    /// The one that stands for a major version.
    Major(u64),
    /// This one.
    Exact(Version),
}

impl App {
    pub(crate) async fn product(
        &self,
        domain: &str,
        product: &str,
        wanted: &Wanted,
    ) -> Result<ProductDetail> {
        let mut transaction = self.store.read().await?;
        let entries = store::entries(&mut transaction, domain, product).await?;
        if entries.is_empty() {
            return Err(Error::not_found("no such product is registered")
                .with("domain", domain)
                .with("product", product)
                .mend("start the process of its domain, or look at GET /api/v1/products"));
        }
        let version = choose(&entries, wanted).ok_or_else(|| {
            let versions: Vec<String> = entries.iter().map(|e| e.version.to_string()).collect();
            Error::not_found("no such version of the product is registered")
                .with("domain", domain)
                .with("product", product)
                .mend(format!("take one of {}", versions.join(", ")))
        })?;
        let kept = store::texts(&mut transaction, domain, product, version).await?;
        let upstream = upstream(&mut transaction, &kept.document).await?;
        let (topic, contract_id) = (&kept.summary.topic, &kept.document.contract_id);
        let readers = store::readers(&mut transaction, topic, contract_id, version.major).await?;
        Ok(ProductDetail {
            key_schema_id: kept.key_schema_id,
            key_subject: format!("{}-key", kept.summary.topic),
            value_subject: format!("{}-value", kept.summary.topic),
            key_schema: kept.key_schema,
            value_schema: kept.value_schema,
            contract_text: kept.contract_text,
            product_text: kept.product_text,
            upstream,
            lifecycle: life::life(&kept.document, &entries, version.major),
            readers,
            versions: versions(&entries),
            document: kept.document,
            summary: kept.summary,
        })
    }
}

fn choose<'a>(entries: &'a [Entry], wanted: &Wanted) -> Option<&'a Version> {
    match wanted {
        Wanted::Current => entries
            .iter()
            .find(|entry| entry.current)
            .map(|e| &e.version),
        Wanted::Major(major) => standing::of_major(entries, *major),
        Wanted::Exact(version) => entries
            .iter()
            .map(|entry| &entry.version)
            .find(|found| *found == version),
    }
}

fn versions(entries: &[Entry]) -> Vec<VersionSummary> {
    entries
        .iter()
        .map(|entry| VersionSummary {
            version: entry.version.to_string(),
            major: entry.version.major,
            status: entry.status,
            topic: entry.topic.clone(),
            current: entry.current,
            current_of_major: standing::of_major(entries, entry.version.major)
                == Some(&entry.version),
            successor: entry.successor,
            registered_at: entry.registered_at,
            updated_at: entry.updated_at,
        })
        .collect()
}

async fn upstream(connection: &mut SqliteConnection, document: &Document) -> Result<Vec<Upstream>> {
    let mut found: Vec<Upstream> = Vec::new();
    for port in &document.input_ports {
        if found
            .iter()
            .any(|seen| seen.contract_id == port.contract_id)
        {
            continue;
        }
        let owner = store::contract_owner(connection, &port.contract_id).await?;
        let (domain, product) = owner.unzip();
        found.push(Upstream {
            contract_id: port.contract_id.clone(),
            domain,
            product,
        });
    }
    Ok(found)
}
