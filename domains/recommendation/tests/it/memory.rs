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
    fn state(&self, user: i64, items: impl Fn(&Viewer) -> Vec<Item>) -> State {
        let viewer = self.viewers.get(&user).cloned().unwrap_or_default();
        let rows = items(&viewer)
            .into_iter()
            .filter_map(|item| Some((item, self.rows.get(&item)?.clone())))
            .collect();
        State {
            viewer,
            rows,
            popular: self.popular.clone(),
        }
    }

    pub(crate) fn view(&mut self, user: i64, item: Item, at: i64) -> Made {
        let mut state = self.state(user, |viewer| needed(viewer, item));
        let made = view(&mut state, item, at, Decay::default());
        self.viewers.insert(user, state.viewer);
        self.rows.extend(state.rows);
        self.popular = state.popular;
        made
    }

    pub(crate) fn list(&self, user: i64) -> Vec<Ranked> {
        list(&self.state(user, |viewer| viewer.recent().to_vec()))
    }

    pub(crate) fn row(&self, item: Item) -> &Row {
        &self.rows[&item]
    }
}
