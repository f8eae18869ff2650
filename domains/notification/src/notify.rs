//! From an event's meaning to what is done about it at once.

use std::time::Duration;

use mesh_core::{EventId, Record, Result, TimestampMillis};
use mesh_runtime::{Context, Effects};
use mesh_stream::Received;

use crate::api::PREFERENCE;
use crate::notice::{Ending, Notice, Template, notice_id};
use crate::products::{DeliveryChannel, DeliveryStatus, Preference};
use crate::queue::{Pending, QUEUED, RETRY};
use crate::routing::{Route, route};

/// The documents that say which notifications are done with, by id; the value is when.
pub const DONE: &str = "done";

/// What an event means to a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Meaning {
    /// Whom to tell.
    pub client_id: i64,
    /// What to tell.
    pub template: Template,
    /// The number that the text names.
    pub reference: Option<String>,
}

/// Begins notifications.
#[derive(Debug)]
pub struct Notify {
    /// Whether there is a mail server.
    pub by_email: bool,
    /// Events that were published longer ago are not told any more: who reads a topic from
    /// its beginning must not send last year's news.
    pub oldest: Duration,
}

impl Notify {
    /// Tells a client of `event`, once however often the event comes.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn tell<R: Record>(
        &self,
        event: &Received<R>,
        meaning: Meaning,
        ctx: &Context,
    ) -> Result<Effects> {
        let cause = event.headers.event_id.0;
        let id = notice_id(cause);
        let key = id.to_string();
        // The inbox knows an event for `inbox_days`; this knows it for ever.
        let known = ctx.get::<i64>(DONE, &key).await?.is_some()
            || ctx.get::<Pending>(QUEUED, &key).await?.is_some()
            || ctx.get::<Pending>(RETRY, &key).await?.is_some();
        if known {
            return Ok(Effects::new());
        }
        let now = TimestampMillis::now().0;
        let notice = Notice {
            id,
            cause,
            cause_topic: event.topic.clone(),
            client_id: meaning.client_id,
            template: meaning.template,
            reference: meaning.reference,
            requested_at: now,
        };
        if self.is_stale(event.timestamp, now) {
            return Ok(finish(&notice, Ending::suppressed(None, 0, "STALE")));
        }
        let client = meaning.client_id.to_string();
        let preference: Option<Preference> = ctx.get_record(PREFERENCE, &client).await?;
        Ok(
            match route(meaning.template, preference.as_ref(), self.by_email) {
                Route::Hold(channel, reason) => {
                    finish(&notice, Ending::suppressed(channel, 0, reason))
                }
                Route::Log => {
                    log(&notice);
                    finish(&notice, logged(0))
                }
                Route::Email { address, language } => {
                    // What tells of an erasure outlives the preference that holds the address.
                    let to = (meaning.template == Template::Erased).then_some((address, language));
                    Effects::new().put(QUEUED, key, &Pending::new(notice, to))
                }
            },
        )
    }

    fn is_stale(&self, published_at: i64, now: i64) -> bool {
        let oldest = i64::try_from(self.oldest.as_millis()).unwrap_or(i64::MAX);
        published_at >= 0 && now.saturating_sub(published_at) > oldest
    }
}

/// Writes a notification to the log: its kind and its id, and nothing of the client.
pub(crate) fn log(notice: &Notice) {
    tracing::info!(
        delivery_id = %notice.id,
        template = notice.template.as_str(),
        "notification"
    );
}

/// The ending of a notification that went to the log, after some attempts by e-mail.
pub(crate) fn logged(attempts: i32) -> Ending {
    Ending {
        channel: Some(DeliveryChannel::Log),
        status: DeliveryStatus::Sent,
        attempts: attempts.saturating_add(1),
        reason: None,
    }
}

/// Publishes how a notification ended, and notes that it has.
pub(crate) fn finish(notice: &Notice, ending: Ending) -> Effects {
    let delivery = notice.delivery(ending);
    Effects::new()
        .put(DONE, notice.id.to_string(), &delivery.finished_at.0)
        .emit_as(EventId(notice.id), &delivery)
}
