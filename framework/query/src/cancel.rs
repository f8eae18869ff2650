//! Ending a statement from elsewhere.

use tokio::sync::watch;

use mesh_core::{Error, ErrorKind};

/// Told once, heard by whoever waits, then and later.
#[derive(Debug, Clone)]
pub(crate) struct Cancel {
    told: watch::Sender<bool>,
}

impl Cancel {
    pub(crate) fn new() -> Self {
        Self {
            told: watch::Sender::new(false),
        }
    }

    pub(crate) fn cancel(&self) {
        self.told.send_replace(true);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        *self.told.borrow()
    }

    pub(crate) async fn cancelled(&self) {
        // The sender is ours, so that it cannot close before it is told.
        self.told.subscribe().wait_for(|told| *told).await.ok();
    }

    /// The outcome of `work`, or that it was cancelled, and then `work` is dropped at once.
    ///
    /// # Errors
    /// [`cancelled`]; else as `work`.
    pub(crate) async fn or<T>(
        &self,
        work: impl Future<Output = mesh_core::Result<T>>,
    ) -> mesh_core::Result<T> {
        tokio::select! {
            biased;
            () = self.cancelled() => Err(cancelled()),
            done = work => done,
        }
    }
}

/// The error of a statement that was cancelled.
pub(crate) fn cancelled() -> Error {
    Error::new(ErrorKind::Conflict, "the statement was cancelled").mend("run it again")
}
