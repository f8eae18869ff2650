//! The list of products.

use mesh_core::{Error, Result};

use super::{App, cursor};
use crate::model::{ProductKind, ProductPage, Status};
use crate::store::{self, Filter};

impl App {
    /// At most `limit` products that pass `filter`, from where the cursor `after` stopped.
    pub(crate) async fn products(
        &self,
        filter: &Filter,
        limit: u32,
        after: Option<&str>,
    ) -> Result<ProductPage> {
        let list = describe(filter);
        let last = after.map(|text| last(&list, text)).transpose()?;
        let mut transaction = self.store.read().await?;
        let after = last.as_ref().map(|(d, p)| (d.as_str(), p.as_str()));
        let mut items = store::products(&mut transaction, filter, after, limit + 1).await?;
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_cursor = items
            .last()
            .filter(|_| more)
            .map(|last| cursor::write(&list, &format!("{}.{}", last.domain, last.product)));
        Ok(ProductPage { items, next_cursor })
    }
}

fn last(list: &str, text: &str) -> Result<(String, String)> {
    let mend = "ask with the filters that the cursor came with, or without `cursor`";
    let last = cursor::read(list, text).map_err(|error| error.mend(mend))?;
    match last.split_once('.') {
        Some((domain, product)) => Ok((domain.to_owned(), product.to_owned())),
        None => Err(Error::invalid("the cursor belongs to another list").mend(mend)),
    }
}

/// The same text for the same filter, and another for another.
fn describe(filter: &Filter) -> String {
    let part = |value: Option<&str>| value.map_or_else(|| "-".to_owned(), |v| format!("={v}"));
    [
        "products".to_owned(),
        part(filter.domain.as_deref()),
        part(filter.owner.as_deref()),
        part(filter.status.map(Status::as_str)),
        part(filter.kind.map(ProductKind::as_str)),
        part(filter.tag.as_deref()),
        filter.words.join(" "),
    ]
    .join("\u{1f}")
}
