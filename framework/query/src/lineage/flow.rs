//! How values of one column come from others.

use std::collections::{BTreeMap, BTreeSet};

/// A column of a product.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SourceColumn {
    /// The product's topic.
    pub(crate) topic: String,
    pub(crate) column: String,
}

/// What was done to a value on its way; each contains the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Direct {
    Identity,
    Transformation,
    Aggregation,
}

/// What a value decides without being shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Indirect {
    Join,
    GroupBy,
    Filter,
    Sort,
    Window,
    Conditional,
}

/// How a column takes part in another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// The furthest of what was done to it, if its values are in the other.
    pub(crate) direct: Option<Direct>,
    pub(crate) indirect: BTreeSet<Indirect>,
}

/// Every column that takes part in one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flow(pub(crate) BTreeMap<SourceColumn, Part>);

impl Flow {
    /// The column itself.
    pub(crate) fn of(column: SourceColumn) -> Self {
        let part = Part {
            direct: Some(Direct::Identity),
            indirect: BTreeSet::new(),
        };
        Self(BTreeMap::from([(column, part)]))
    }

    /// Takes in `other` beside what is there.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (column, part) in &other.0 {
            let held = self.0.entry(column.clone()).or_default();
            held.direct = held.direct.max(part.direct);
            held.indirect.extend(&part.indirect);
        }
    }

    /// The same after one more step.
    pub(crate) fn then(mut self, step: Direct) -> Self {
        for part in self.0.values_mut() {
            part.direct = part.direct.map(|before| before.max(step));
        }
        self
    }

    /// The same columns where they only decide something.
    pub(crate) fn deciding(self, what: Indirect) -> Self {
        Self(
            self.0
                .into_keys()
                .map(|column| {
                    let part = Part {
                        direct: None,
                        indirect: BTreeSet::from([what]),
                    };
                    (column, part)
                })
                .collect(),
        )
    }
}
