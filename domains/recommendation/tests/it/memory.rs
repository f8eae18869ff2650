//! The model with all of its state in maps, as the evaluation runs it.

use std::collections::BTreeMap;

use recommendation::model::{
    Decay, Item, Made, Popular, Ranked, Row, State, Viewer, list, needed, view,
};

#[derive(Default)]
pub(crate) struct Memory {
    viewers: BTreeMap<i64, Viewer>,
    rows: BTreeMap<Item, Row>,
    popular: Popular,
}

impl Memory {
    pub(crate) fn view(&mut self, user: i64, item: Item, at: i64) -> Made {
        // Moved out and back: a copy of the rows for each view would take most of the time.
        let viewer = self.viewers.remove(&user).unwrap_or_default();
        let rows = needed(&viewer, item)
            .into_iter()
            .filter_map(|item| Some((item, self.rows.remove(&item)?)))
            .collect();
        let mut state = State {
            viewer,
            rows,
            popular: std::mem::take(&mut self.popular),
        };
        let made = view(&mut state, item, at, Decay::default());
        self.viewers.insert(user, state.viewer);
        self.rows.extend(state.rows);
        self.popular = state.popular;
        made
    }

    pub(crate) fn list(&self, user: i64) -> Vec<Ranked> {
        let viewer = self.viewers.get(&user).cloned().unwrap_or_default();
        let recent = viewer.recent().iter();
        let rows = recent.filter_map(|item| Some((*item, self.rows.get(item)?.clone())));
        list(&State {
            rows: rows.collect(),
            viewer,
            popular: self.popular.clone(),
        })
    }

    pub(crate) fn row(&self, item: Item) -> &Row {
        &self.rows[&item]
    }
}
