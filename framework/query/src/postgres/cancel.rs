//! Requests to cancel what another connection runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mesh_core::{Error, Result};
use tokio::sync::Notify;

/// The connections that can be asked to stop, by their numbers.
#[derive(Default)]
pub(super) struct Cancels {
    known: Mutex<HashMap<i32, Arc<Cancel>>>,
}

/// What one connection runs.
pub(super) struct Cancel {
    secret: i32,
    running: Mutex<Option<Arc<Notify>>>,
}

/// One connection's place among those that can be asked to stop.
pub(super) struct Ticket {
    pub(super) pid: i32,
    pub(super) secret: i32,
    cancel: Arc<Cancel>,
}

impl Cancels {
    /// Numbers a connection.
    ///
    /// # Errors
    /// If there is no randomness.
    pub(super) fn enter(&self) -> Result<Ticket> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut random = [0; 8];
        let (pid, secret) = loop {
            aws_lc_rs::rand::fill(&mut random)
                .map_err(|_| Error::internal("there is no randomness for a connection's key"))?;
            let [a, b, c, d, secret @ ..] = random;
            let pid = i32::from_be_bytes([a & 0x7f, b, c, d]);
            if pid > 0 && !known.contains_key(&pid) {
                break (pid, i32::from_be_bytes(secret));
            }
        };
        let cancel = Arc::new(Cancel {
            secret,
            running: Mutex::default(),
        });
        known.insert(pid, Arc::clone(&cancel));
        Ok(Ticket {
            pid,
            secret,
            cancel,
        })
    }

    /// Takes out a connection that has ended.
    pub(super) fn leave(&self, pid: i32) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&pid);
    }

    /// Stops what connection `pid` runs now, if the secret is its own.
    pub(super) fn request(&self, pid: i32, secret: i32) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(cancel) = known.get(&pid).filter(|cancel| cancel.secret == secret) else {
            return;
        };
        let running = cancel
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = running.as_ref() {
            running.notify_one();
        }
    }
}

impl Ticket {
    /// A statement begins; what is given is notified when it is to stop. A request that comes
    /// while nothing runs is not for what runs later.
    pub(super) fn begin(&self) -> Arc<Notify> {
        let notify = Arc::new(Notify::new());
        *self.running() = Some(Arc::clone(&notify));
        notify
    }

    pub(super) fn end(&self) {
        *self.running() = None;
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Arc<Notify>>> {
        self.cancel
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::FutureExt;

    use super::*;

    #[test]
    fn only_what_runs_now_is_stopped_and_only_by_who_has_the_secret() {
        let cancels = Cancels::default();
        let ticket = cancels.enter().unwrap();
        cancels.request(ticket.pid, ticket.secret);
        let running = ticket.begin();
        assert!(
            running.notified().now_or_never().is_none(),
            "it came before"
        );
        cancels.request(ticket.pid, ticket.secret.wrapping_add(1));
        cancels.request(ticket.pid.wrapping_add(1), ticket.secret);
        assert!(running.notified().now_or_never().is_none());
        cancels.request(ticket.pid, ticket.secret);
        assert!(running.notified().now_or_never().is_some());
        ticket.end();
        cancels.leave(ticket.pid);
        assert!(cancels.known.lock().unwrap().is_empty());
    }
}
