//! Fetches that wait for data.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::sync::lock;

/// Those who wait for a partition to grow; an append costs one atomic read when nobody does.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    count: AtomicUsize,
    list: Mutex<Vec<Arc<Notify>>>,
}

impl Waiters {
    pub(crate) fn add(&self, notify: &Arc<Notify>) {
        let mut list = lock(&self.list);
        list.push(Arc::clone(notify));
        self.count.store(list.len(), Ordering::SeqCst);
    }

    pub(crate) fn remove(&self, notify: &Arc<Notify>) {
        let mut list = lock(&self.list);
        list.retain(|other| !Arc::ptr_eq(other, notify));
        self.count.store(list.len(), Ordering::SeqCst);
    }

    /// Whether there was anybody to wake.
    pub(crate) fn wake(&self) -> bool {
        let any = self.count.load(Ordering::SeqCst) > 0;
        if any {
            for notify in lock(&self.list).iter() {
                notify.notify_one();
            }
        }
        any
    }
}

/// A wait on several partitions, which ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Waiter {
    notify: Arc<Notify>,
    partitions: Vec<Arc<super::Partition>>,
}

impl Waiter {
    pub(crate) fn new(partitions: Vec<Arc<super::Partition>>) -> Self {
        let notify = Arc::new(Notify::new());
        for partition in &partitions {
            partition.waiters().add(&notify);
        }
        Self { notify, partitions }
    }

    /// Returns when one of the partitions has grown or gone since the last call.
    pub(crate) async fn changed(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        for partition in &self.partitions {
            partition.waiters().remove(&self.notify);
        }
    }
}
