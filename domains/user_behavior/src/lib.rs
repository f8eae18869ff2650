//! The domain user_behavior: what users of the media service watch, when, and in which sessions.
//!
//! It hands out `views`, read from a ratings file in the source directory and taken from players
//! over HTTP; `sessions`, stretches of views without a gap; `watch_patterns`, how each user
//! watches; and `audiences`, what advertising may know of users, under pseudonyms. The process is
//! hosted by `mesh-runtime`, which reads its configuration; the domain adds what [`settings`]
//! names.

use mesh_runtime::{Context, Domain, Request};

pub mod api;
pub mod clock;
pub mod csv_file;
pub mod follow;
pub mod import;
pub mod patterns;
pub mod products;
pub mod pseudonym;
pub mod ratings;
pub mod sessions;
pub mod settings;
pub mod users;
// mesh new: modules

/// The domain as its process hosts it.
pub fn domain(settings: settings::Settings) -> Domain {
    let import = import::Import::default();
    let views = import.clone();
    products::all()
        .into_iter()
        .fold(Domain::new(env!("CARGO_PKG_NAME")), Domain::declared)
        .source(users::USERS, users::Users)
        .source(import::VIEWS, import::Views::new(import.clone()))
        .source(clock::CLOCK, clock::Clock::new(settings.clone(), import))
        .handler::<products::View, _>("sessions", follow::Follow { settings })
        .api(|routes| {
            routes
                .post("/v1/views", move |request: Request, ctx: Context| {
                    api::post_view(views.clone(), request, ctx)
                })
                .get("/v1/users/{user_id}/pattern", api::pattern)
        })
    // mesh new: parts
}
