//! What the catalog decides: what may be registered, which version stands for a product,
//! what a list holds.

mod cursor;
mod detail;
mod domains;
mod life;
mod listing;
mod registration;
mod removal;
mod standing;
mod switch;

use crate::store::Store;
pub(crate) use detail::Wanted;

#[derive(Debug)]
pub(crate) struct App {
    store: Store,
}

impl App {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    pub(crate) async fn close(&self) {
        self.store.close().await;
    }
}
