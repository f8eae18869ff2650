//! The domain recommendation: what to watch next, for each user, made anew with every view.
//!
//! It hands out `lists`, the items suggested to each user, and `neighbours`, the items most similar
//! to each item. It reads `user_behavior.views` for the purpose `personalisation`, and titles from a
//! file in the source directory. The method is in [`model`], which knows nothing of the platform.
//! The process is hosted by `mesh-runtime`, which reads its configuration; the domain adds what
//! [`settings`] names.

use mesh_runtime::Domain;

pub mod api;
pub mod csv_file;
pub mod model;
pub mod products;
pub mod settings;
pub mod suggest;
pub mod titles;
// mesh new: modules

/// The domain as its process hosts it.
pub fn domain(settings: settings::Settings) -> Domain {
    products::all()
        .into_iter()
        .fold(Domain::new(env!("CARGO_PKG_NAME")), Domain::declared)
        .source(titles::TITLES, titles::Titles)
        .handler::<products::inputs::WatchedView, _>("suggest", suggest::Suggest::new(settings))
        .api(|routes| {
            routes
                .get("/v1/users/{user_id}/list", api::user_list)
                .get("/v1/items/{item_id}/neighbours", api::neighbours)
        })
    // mesh new: parts
}
