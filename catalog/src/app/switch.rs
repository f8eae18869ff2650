//! Putting major versions into service in place of others.

use chrono::Utc;
use mesh_core::{Error, Principal, Result};

use super::{App, standing};
use crate::model::{ProductSummary, Status, Switch, Switched};
use crate::store::{self, Decided};

impl App {
    /// Puts the named majors into service, all of them at once; every other major of the
    /// same products that is in service is deprecated, with the new one as its successor.
    /// Doing the same again changes nothing.
    pub(crate) async fn switch(&self, domain: &str, switch: Switch) -> Result<Switched> {
        if switch.products.is_empty() {
            return Err(Error::invalid("no product is named")
                .with("field", "products")
                .mend("name each product with the major version to put into service"));
        }
        let by = switch
            .by
            .as_deref()
            .map(str::parse::<Principal>)
            .transpose();
        let by = by.map_err(|error| error.with("field", "by"))?;
        let by = by.as_ref().map(Principal::as_str);
        let now = Utc::now();
        let mut transaction = self.store.write().await?;
        let mut summaries: Vec<ProductSummary> = Vec::new();
        for (product, major) in &switch.products {
            let entries = store::entries(&mut transaction, domain, product).await?;
            if standing::of_major(&entries, *major).is_none() {
                return Err(Error::not_found("no such major version is registered")
                    .with("domain", domain)
                    .with("product", product)
                    .with("major", major)
                    .mend("start the process of its domain, which registers it"));
            }
            for entry in &entries {
                // A version that is drafted within a major in service stays so.
                let other = entry.version.major;
                let serves = matches!(entry.status, Status::Active | Status::Deprecated);
                let decided = match other == *major {
                    true => Decided {
                        status: Status::Active,
                        successor: None,
                    },
                    false if serves => Decided {
                        status: Status::Deprecated,
                        successor: Some(*major),
                    },
                    false => continue,
                };
                let status = standing::holds(entry.stated, Some(decided.status), other, &entries);
                if entry.status == status && entry.successor == decided.successor {
                    continue;
                }
                let place = (domain, product.as_str(), other);
                store::decide(&mut transaction, place, decided, by, now).await?;
                store::set_status(
                    &mut transaction,
                    domain,
                    product,
                    &entry.version,
                    status,
                    now,
                )
                .await?;
            }
            let entries = store::entries(&mut transaction, domain, product).await?;
            let current = standing::of_product(&entries)
                .ok_or_else(|| Error::internal("a version is gone while it is kept"))?;
            store::set_current(&mut transaction, domain, product, &current.to_string()).await?;
            summaries.push(store::summary(&mut transaction, domain, product, current).await?);
        }
        store::commit(transaction).await?;
        for summary in &summaries {
            tracing::info!(
                domain,
                product = summary.product,
                version = summary.version,
                by,
                "a major version is in service"
            );
        }
        Ok(Switched { items: summaries })
    }
}
