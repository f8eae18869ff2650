//! Follows the domain's own views: what is a session, and what it says about its user.
//!
//! The views are in one partition, so the latest time among them is a watermark for all users:
//! sessions of users who are gone are closed by the views of others. Which users are to be looked
//! at when is kept in documents of one minute each, so that a view touches few of them however
//! many users there are.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use mesh_core::Result;
use mesh_runtime::{Context, Effects, Handler};
use mesh_stream::Received;
use serde::{Deserialize, Serialize};

use crate::patterns::{audience, closed, with_session};
use crate::products::{AudienceMember, SessionClosedBy, View, WatchPattern};
use crate::pseudonym::Pseudonyms;
use crate::sessions::{Open, add, take_due};
use crate::settings::Settings;
use crate::users::{AGE, Age};

/// The documents that hold users with open sessions, by user.
pub const WATCHING: &str = "watching";
/// The documents that hold watch patterns, by user.
pub const PATTERN: &str = "pattern";
/// The documents that hold audience members as published, by pseudonym.
const AUDIENCE: &str = "audience";
/// The documents that hold the users to be looked at, by minute.
const DUE: &str = "due";
/// The document with the latest time of a view.
const WATERMARK: (&str, &str) = ("watermark", "views");

const MINUTE: i64 = 60_000;

/// A user with open sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// The sessions.
    pub open: Vec<Open>,
    /// When the last view came, by the clock.
    pub came: i64,
    /// The minute in which the user is to be looked at.
    minute: Option<i64>,
}

/// Makes sessions, patterns and audiences of views.
pub struct Follow {
    /// The domain's settings.
    pub settings: Settings,
}

#[async_trait]
impl Handler<View> for Follow {
    async fn handle(&self, event: &Received<View>, ctx: &Context) -> Result<Effects> {
        let Some(view) = &event.value else {
            return Ok(Effects::new());
        };
        let (before, at): (Option<i64>, i64) =
            (ctx.get(WATERMARK.0, WATERMARK.1).await?, view.viewed_at.0);
        let watermark = before.map_or(at, |before| before.max(at));
        let mut work = Work::new(ctx, &self.settings);
        let limits = self.settings.limits;
        let user = work.watching(view.user_id).await?;
        user.came = chrono::Utc::now().timestamp_millis();
        add(
            &mut user.open,
            Open::new(view.view_id, view.item_id, at),
            limits,
        );
        let over = take_due(&mut user.open, watermark, limits);
        for session in over {
            // A session of one view that is over at once was over when that view came.
            let late = session.first == view.view_id && session.views == 1;
            let by = match late {
                true => SessionClosedBy::Late,
                false => SessionClosedBy::EventTime,
            };
            work.close(view.user_id, session, by);
        }
        if before.is_none_or(|before| minute(before) < minute(watermark)) {
            work.sweep(watermark).await?;
        }
        let mut effects = work.finish().await?;
        if before != Some(watermark) {
            effects.add_put(WATERMARK.0, WATERMARK.1, &watermark);
        }
        Ok(effects)
    }
}

fn minute(at: i64) -> i64 {
    at.div_euclid(MINUTE)
}

/// Minutes sort as texts as they do as numbers, since no view is older than 1970.
fn minute_key(minute: i64) -> String {
    format!("{minute:012}")
}

/// What one call changes, seen by its later steps.
pub(crate) struct Work<'a> {
    ctx: &'a Context,
    settings: &'a Settings,
    users: BTreeMap<i64, Watching>,
    due: BTreeMap<String, BTreeSet<i64>>,
    over: Vec<(i64, Open, SessionClosedBy)>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(ctx: &'a Context, settings: &'a Settings) -> Self {
        Self {
            ctx,
            settings,
            users: BTreeMap::new(),
            due: BTreeMap::new(),
            over: Vec::new(),
        }
    }

    async fn watching(&mut self, user_id: i64) -> Result<&mut Watching> {
        if !self.users.contains_key(&user_id) {
            let known = self.ctx.get(WATCHING, &user_id.to_string()).await?;
            self.users.insert(user_id, known.unwrap_or_default());
        }
        Ok(self.users.entry(user_id).or_default())
    }

    fn close(&mut self, user_id: i64, session: Open, by: SessionClosedBy) {
        self.over.push((user_id, session, by));
    }

    /// Closes what is over at `watermark`, of the users whose minute has passed.
    async fn sweep(&mut self, watermark: i64) -> Result<()> {
        let now = minute_key(minute(watermark));
        let due: Vec<(String, BTreeSet<i64>)> = self.ctx.scan(DUE, "").await?;
        for (key, users) in due.into_iter().filter(|(key, _)| *key < now) {
            self.due.insert(key, BTreeSet::new());
            for user_id in users {
                let limits = self.settings.limits;
                let user = self.watching(user_id).await?;
                user.minute = None;
                let over = take_due(&mut user.open, watermark, limits);
                for session in over {
                    self.close(user_id, session, SessionClosedBy::EventTime);
                }
            }
        }
        Ok(())
    }

    /// Closes every session of the users from whom nothing came for the gap before `now`, nor
    /// since `started`, by the clock. How many sessions it closes.
    pub(crate) async fn close_idle(&mut self, now: i64, started: i64) -> Result<usize> {
        let limits = self.settings.limits;
        let due: Vec<(String, BTreeSet<i64>)> = self.ctx.scan(DUE, "").await?;
        for (key, mut users) in due {
            let before = users.len();
            for user_id in users.clone() {
                let user = self.watching(user_id).await?;
                let last = user.open.iter().map(|session| session.ended).max();
                let since = user.came.max(started).max(last.unwrap_or(0));
                if since + limits.gap + limits.lateness >= now {
                    // Untouched, so it is not written.
                    self.users.remove(&user_id);
                    continue;
                }
                user.minute = None;
                let over = std::mem::take(&mut user.open);
                users.remove(&user_id);
                for session in over {
                    self.close(user_id, session, SessionClosedBy::Clock);
                }
            }
            if users.len() < before {
                self.due.insert(key, users);
            }
        }
        Ok(self.over.len())
    }

    /// All of it as effects.
    pub(crate) async fn finish(mut self) -> Result<Effects> {
        let mut effects = Effects::new();
        let limits = self.settings.limits;
        for (user_id, mut user) in std::mem::take(&mut self.users) {
            let key = user_id.to_string();
            let first = user.open.iter().map(|session| session.due(limits)).min();
            let Some(first) = first else {
                self.forget(user_id, user.minute).await?;
                effects.add_delete(WATCHING, key);
                continue;
            };
            if user.minute.is_none() {
                let minute = minute(first);
                user.minute = Some(minute);
                self.due_in(minute_key(minute)).await?.insert(user_id);
            }
            effects.add_put(WATCHING, key, &user);
        }
        for (key, users) in &self.due {
            match users.is_empty() {
                true => effects.add_delete(DUE, key),
                false => effects.add_put(DUE, key, users),
            }
        }
        self.publish(&mut effects).await?;
        Ok(effects)
    }

    /// A user without open sessions is not looked at.
    async fn forget(&mut self, user_id: i64, minute: Option<i64>) -> Result<()> {
        if let Some(minute) = minute {
            self.due_in(minute_key(minute)).await?.remove(&user_id);
        }
        Ok(())
    }

    async fn due_in(&mut self, key: String) -> Result<&mut BTreeSet<i64>> {
        if !self.due.contains_key(&key) {
            let known = self.ctx.get(DUE, &key).await?;
            self.due.insert(key.clone(), known.unwrap_or_default());
        }
        Ok(self.due.entry(key).or_default())
    }

    /// Publishes the sessions that are over, and what they change.
    async fn publish(&self, effects: &mut Effects) -> Result<()> {
        if self.over.is_empty() {
            return Ok(());
        }
        let key = self.settings.key.as_ref();
        let pseudonyms = Pseudonyms::of_domain(key, self.ctx, effects).await?;
        let mut patterns: BTreeMap<i64, WatchPattern> = BTreeMap::new();
        for (user_id, session, by) in &self.over {
            effects.add_emit(&closed(*user_id, session, *by));
            let key = user_id.to_string();
            let before = match patterns.remove(user_id) {
                None => self.ctx.get_record(PATTERN, &key).await?,
                before => before,
            };
            let age: Option<Age> = self.ctx.get(AGE, &key).await?;
            let age = age.map(Age::band).transpose()?;
            patterns.insert(*user_id, with_session(before, *user_id, session, age));
        }
        for (user_id, pattern) in patterns {
            effects.add_put_record(PATTERN, user_id.to_string(), &pattern);
            effects.add_emit(&pattern);
            let member = audience(&pattern, pseudonyms.of(user_id))?;
            let key = member.pseudonym.clone();
            let before: Option<AudienceMember> = self.ctx.get_record(AUDIENCE, &key).await?;
            // Only what has changed is published: who reads audiences learns nothing of when
            // somebody watched.
            if before.as_ref() != Some(&member) {
                effects.add_put_record(AUDIENCE, key, &member);
                effects.add_emit(&member);
            }
        }
        Ok(())
    }
}
