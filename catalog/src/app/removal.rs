//! Taking a version of a product out of the catalog.

use mesh_core::contract::Version;
use mesh_core::{Error, Result};

use super::{App, standing};
use crate::model::Removed;
use crate::store;

impl App {
    /// Takes a version out. Of the others one stands for the product then, as if the version
    /// had never been there; what operators have decided about its major goes with the last
    /// version of it.
    pub(crate) async fn remove(
        &self,
        domain: &str,
        product: &str,
        version: &Version,
    ) -> Result<Removed> {
        let mut transaction = self.store.write().await?;
        if !store::remove_version(&mut transaction, domain, product, version).await? {
            return Err(
                Error::not_found("no such version of the product is registered")
                    .with("domain", domain)
                    .with("product", product)
                    .with("version", version)
                    .mend("look at GET /api/v1/products for what there is"),
            );
        }
        let entries = store::entries(&mut transaction, domain, product).await?;
        let major = version.major;
        if !entries.iter().any(|entry| entry.version.major == major) {
            store::forget_decision(&mut transaction, domain, product, major).await?;
        }
        let current = standing::of_product(&entries).map(ToString::to_string);
        if let Some(current) = &current {
            store::set_current(&mut transaction, domain, product, current).await?;
        }
        store::commit(transaction).await?;
        tracing::info!(domain, product, %version, "product version removed");
        Ok(Removed {
            current_version: current,
        })
    }
}
