//! Makes the viewer's list anew with each view, in the commit that counts it.
//!
//! The views are read for the purpose `personalisation` alone: nothing of them is published but
//! what is suggested. A view touches the documents of the viewer, of the items that were watched
//! last, and of what is popular: thirteen at most to read, however many users and items there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use mesh_core::{Result, TimestampMillis};
use mesh_runtime::{Context, Effects, Handler};
use mesh_stream::Received;

use crate::model::{Item, Method, Neighbour, Popular, Ranked, Row, State, Viewer, needed, view};
use crate::products::inputs::WatchedView;
use crate::products::{
    ItemNeighbours, ItemNeighboursNeighbours, RecommendationList, RecommendationListItems,
    RecommendationListItemsMethod,
};
use crate::settings::Settings;
use crate::titles::{TITLE, Title};

/// For what the domain reads views.
pub const PURPOSE: &str = "personalisation";

/// The documents that hold what users have watched, by user.
pub const VIEWER: &str = "viewer";
/// The documents that hold items' views and pairs, by item.
pub const ROW: &str = "row";
/// The document with what is popular.
pub const POPULAR: (&str, &str) = ("popular", "items");
/// The documents that hold lists as published, by user.
pub const LIST: &str = "list";

/// Counts views and makes lists.
pub struct Suggest {
    settings: Settings,
    titles: Known,
}

impl Suggest {
    /// With the domain's settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            titles: Known::default(),
        }
    }
}

#[async_trait]
impl Handler<WatchedView> for Suggest {
    async fn handle(&self, event: &Received<WatchedView>, ctx: &Context) -> Result<Effects> {
        let Some(seen) = &event.value else {
            return Ok(Effects::new());
        };
        let user = seen.user_id.to_string();
        let viewer: Viewer = ctx.get(VIEWER, &user).await?.unwrap_or_default();
        let mut rows = BTreeMap::new();
        for item in needed(&viewer, seen.item_id) {
            let row: Option<Row> = ctx.get(ROW, &item.to_string()).await?;
            rows.insert(item, row.unwrap_or_default());
        }
        let popular: Option<Popular> = ctx.get(POPULAR.0, POPULAR.1).await?;
        let mut state = State {
            viewer,
            rows,
            popular: popular.unwrap_or_default(),
        };
        let made = view(
            &mut state,
            seen.item_id,
            seen.viewed_at.0,
            self.settings.decay,
        );

        let mut effects = Effects::new();
        effects.add_put(VIEWER, user.as_str(), &state.viewer);
        if made.counted {
            for (item, row) in &state.rows {
                effects.add_put(ROW, item.to_string(), row);
            }
            effects.add_put(POPULAR.0, POPULAR.1, &state.popular);
        }
        let titles = Shelf::new(ctx, &self.titles);
        let items = titles.list(&made.list).await?;
        let made_at = TimestampMillis::now();
        // The clocks of broker and domain may differ by a little.
        let latency = (event.timestamp >= 0).then(|| (made_at.0 - event.timestamp).max(0));
        let list = RecommendationList {
            user_id: seen.user_id,
            items,
            made_at,
            caused_by: Some(seen.view_id),
            latency_ms: latency,
        };
        effects.add_put_record(LIST, user, &list);
        effects.add_emit(&list);
        for (item, neighbours) in &made.moved {
            effects.add_emit(&titles.neighbours(*item, neighbours, made_at).await?);
        }
        Ok(effects)
    }
}

/// Titles that were looked up before. The file is read once and a title never changes, so one that
/// is known stays right; an item without one is looked up again.
#[derive(Default)]
pub(crate) struct Known(Mutex<HashMap<Item, String>>);

/// How many titles are held at most; then they are looked up anew.
const HELD: usize = 100_000;

impl Known {
    fn lock(&self) -> MutexGuard<'_, HashMap<Item, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, item: Item, title: String) {
        let mut known = self.lock();
        if known.len() >= HELD {
            known.clear();
        }
        known.insert(item, title);
    }
}

/// Gives suggestions their titles.
pub(crate) struct Shelf<'a> {
    ctx: &'a Context,
    known: &'a Known,
}

impl<'a> Shelf<'a> {
    pub(crate) fn new(ctx: &'a Context, known: &'a Known) -> Self {
        Self { ctx, known }
    }

    async fn title(&self, item: Item) -> Result<Option<String>> {
        let known = self.known.lock().get(&item).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let title: Option<Title> = self.ctx.get(TITLE, &item.to_string()).await?;
        let title = title.map(|one| one.title);
        if let Some(title) = &title {
            self.known.hold(item, title.clone());
        }
        Ok(title)
    }

    /// A list as its contract has it.
    pub(crate) async fn list(&self, ranked: &[Ranked]) -> Result<Vec<RecommendationListItems>> {
        let mut items = Vec::with_capacity(ranked.len());
        for (one, rank) in ranked.iter().zip(1..) {
            items.push(RecommendationListItems {
                rank,
                item_id: one.item,
                title: self.title(one.item).await?,
                score: one.score,
                method: match one.method {
                    Method::Similar => RecommendationListItemsMethod::Similar,
                    Method::Popular => RecommendationListItemsMethod::Popular,
                },
            });
        }
        Ok(items)
    }

    /// Neighbours as their contract has them.
    pub(crate) async fn neighbours(
        &self,
        item: Item,
        neighbours: &[Neighbour],
        made_at: TimestampMillis,
    ) -> Result<ItemNeighbours> {
        let mut all = Vec::with_capacity(neighbours.len());
        for one in neighbours {
            all.push(ItemNeighboursNeighbours {
                item_id: one.item,
                title: self.title(one.item).await?,
                similarity: one.similarity,
            });
        }
        Ok(ItemNeighbours {
            item_id: item,
            title: self.title(item).await?,
            neighbours: all,
            made_at,
        })
    }
}
