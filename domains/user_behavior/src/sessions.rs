//! Sessions by an inactivity gap, as session windows of event time (T. Akidau and others, "The
//! Dataflow Model", VLDB 2015): a view within the gap of a session belongs to it, and joins two
//! sessions that it lies between. No platform in here.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::settings::Limits;

/// A session that is not over yet. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The time of the first view.
    pub started: i64,
    /// The time of the last view.
    pub ended: i64,
    /// Its first view by time, of equals the one that came first.
    pub first: Uuid,
    /// How many views it holds.
    pub views: i64,
    /// What was watched.
    pub items: BTreeSet<i64>,
    /// Views by hour of the day in UTC.
    pub hours: Vec<i64>,
    /// Views by weekday in UTC, Monday first.
    pub weekdays: Vec<i64>,
}

/// How many weekdays and hours there are.
const DAYS: usize = 7;
const HOURS: usize = 24;
const HOUR: i64 = 3_600_000;

impl Open {
    /// The session that one view makes.
    pub fn new(view: Uuid, item: i64, at: i64) -> Self {
        let mut hours = vec![0; HOURS];
        let mut weekdays = vec![0; DAYS];
        hours[at.div_euclid(HOUR).rem_euclid(24) as usize] = 1;
        // 1970 began with a Thursday.
        weekdays[(at.div_euclid(24 * HOUR) + 3).rem_euclid(7) as usize] = 1;
        Self {
            started: at,
            ended: at,
            first: view,
            views: 1,
            items: BTreeSet::from([item]),
            hours,
            weekdays,
        }
    }

    /// Until when a view may still come, by the time of views.
    pub fn due(&self, limits: Limits) -> i64 {
        self.ended + limits.gap + limits.lateness
    }

    fn join(&mut self, later: Open) {
        if later.started < self.started {
            self.first = later.first;
        }
        self.started = self.started.min(later.started);
        self.ended = self.ended.max(later.ended);
        self.views += later.views;
        self.items.extend(later.items);
        let add = |all: &mut Vec<i64>, more: Vec<i64>| {
            all.iter_mut()
                .zip(more)
                .for_each(|(one, more)| *one += more);
        };
        add(&mut self.hours, later.hours);
        add(&mut self.weekdays, later.weekdays);
    }
}

/// Adds `view`, the session of one view, to a user's open sessions.
pub fn add(open: &mut Vec<Open>, view: Open, limits: Limits) {
    let near = |session: &Open| {
        session.started - limits.gap <= view.ended && view.started <= session.ended + limits.gap
    };
    let (joined, mut apart): (Vec<Open>, Vec<Open>) =
        std::mem::take(open).into_iter().partition(near);
    // Who came before goes first, so that equal times leave the first view as it is.
    let mut joined = joined.into_iter().chain([view]);
    if let Some(mut session) = joined.next() {
        joined.for_each(|later| session.join(later));
        apart.push(session);
    }
    apart.sort_by_key(|session| session.started);
    *open = apart;
}

/// Takes out the sessions that no view at `watermark` or later can belong to, even one that comes
/// as late as is allowed.
pub fn take_due(open: &mut Vec<Open>, watermark: i64, limits: Limits) -> Vec<Open> {
    open.extract_if(.., |session| session.due(limits) < watermark)
        .collect()
}
