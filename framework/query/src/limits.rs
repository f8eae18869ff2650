//! What one principal may use, and leave to run.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use datafusion::common::{DataFusionError, Result as DfResult};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use mesh_core::{Error, ErrorKind, Principal, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the queries of one principal may use, whichever doors they come through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Queries that run at a time; more are refused.
    pub queries: usize,
    /// Bytes of keys and values that one query may read from Kafka.
    pub bytes_scanned: Option<u64>,
    /// Bytes of memory that all its queries together may hold. What can spill does so before
    /// it exceeds them; what cannot fails.
    pub memory_bytes: Option<usize>,
}

impl Default for Limits {
    /// Sixteen queries at a time, and of the rest what the engine has.
    fn default() -> Self {
        Self {
            queries: 16,
            bytes_scanned: None,
            memory_bytes: None,
        }
    }
}

/// Lets queries run, so many of all and so many of each principal.
pub(crate) struct Admission {
    all: Arc<Semaphore>,
    most: usize,
    limits: Limits,
    shares: Mutex<HashMap<Principal, Weak<Share>>>,
}

/// What a principal holds at the moment; it is forgotten when it holds nothing.
#[derive(Debug)]
struct Share {
    running: Arc<Semaphore>,
    memory: AtomicUsize,
}

/// Leave to run one query. Dropping it lets another one in.
#[derive(Debug)]
pub(crate) struct Permit {
    share: Arc<Share>,
    memory_bytes: Option<usize>,
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Admission {
    pub(crate) fn new(most: usize, limits: Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(most)),
            most,
            limits,
            shares: Mutex::default(),
        }
    }

    /// Leave to run one query of `principal` now.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceExhausted`] if too many run.
    pub(crate) fn try_admit(&self, principal: &Principal) -> Result<Permit> {
        let share = self.share(principal);
        let own = Arc::clone(&share.running)
            .try_acquire_owned()
            .map_err(|_| {
                Error::new(
                    ErrorKind::ResourceExhausted,
                    "too many queries of this principal run already",
                )
                .with("most", self.limits.queries)
                .mend("try again when one of them has ended")
            })?;
        let all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| {
            Error::new(ErrorKind::ResourceExhausted, "too many queries run already")
                .with("most", self.most)
                .mend("try again when one of them has ended")
        })?;
        Ok(self.permit(share, own, all))
    }

    /// Leave to run one query of `principal`, waited for in the order in which it was asked
    /// for. Whoever waits for its own queries keeps nobody else waiting.
    pub(crate) async fn admit(&self, principal: &Principal) -> Result<Permit> {
        let closed = |_| Error::internal("the engine lets no queries in");
        let share = self.share(principal);
        let own = Arc::clone(&share.running)
            .acquire_owned()
            .await
            .map_err(closed)?;
        let all = Arc::clone(&self.all)
            .acquire_owned()
            .await
            .map_err(closed)?;
        Ok(self.permit(share, own, all))
    }

    fn permit(
        &self,
        share: Arc<Share>,
        own: OwnedSemaphorePermit,
        all: OwnedSemaphorePermit,
    ) -> Permit {
        Permit {
            share,
            memory_bytes: self.limits.memory_bytes,
            _own: own,
            _all: all,
        }
    }

    fn share(&self, principal: &Principal) -> Arc<Share> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(principal).and_then(Weak::upgrade) {
            return share;
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Share {
            running: Arc::new(Semaphore::new(self.limits.queries)),
            memory: AtomicUsize::new(0),
        });
        shares.insert(principal.clone(), Arc::downgrade(&share));
        share
    }
}

impl Permit {
    /// `pool` as this query may use it.
    pub(crate) fn pool(&self, pool: &Arc<dyn MemoryPool>) -> Arc<dyn MemoryPool> {
        match self.memory_bytes {
            None => Arc::clone(pool),
            Some(most) => Arc::new(SharePool {
                all: Arc::clone(pool),
                share: Arc::clone(&self.share),
                most,
            }),
        }
    }
}

/// The pool of all queries, as far as one principal may use it. It holds the principal's
/// share for as long as something is reserved, also after the query's end.
#[derive(Debug)]
struct SharePool {
    all: Arc<dyn MemoryPool>,
    share: Arc<Share>,
    most: usize,
}

impl SharePool {
    fn take(&self, bytes: usize) -> bool {
        self.share
            .memory
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(bytes).filter(|held| *held <= self.most)
            })
            .is_ok()
    }

    fn give(&self, bytes: usize) {
        self.share.memory.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl MemoryPool for SharePool {
    fn name(&self) -> &str {
        "share"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.all.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.all.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.share.memory.fetch_add(additional, Ordering::Relaxed);
        self.all.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.all.shrink(reservation, shrink);
        self.give(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> DfResult<()> {
        if !self.take(additional) {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} would exceed the {} bytes of its principal",
                reservation.consumer().name(),
                self.most
            )));
        }
        self.all
            .try_grow(reservation, additional)
            .inspect_err(|_| self.give(additional))
    }

    fn reserved(&self) -> usize {
        self.share.memory.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.most)
    }
}

impl fmt::Display for SharePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "share of {} bytes in {}", self.most, self.all)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    fn admission(queries: usize, memory_bytes: Option<usize>) -> Admission {
        let limits = Limits {
            queries,
            memory_bytes,
            ..Limits::default()
        };
        Admission::new(3, limits)
    }

    #[test]
    fn each_principal_has_its_own_queries_and_all_together_have_theirs() {
        let admission = admission(2, None);
        let [anna, bob]: [Principal; 2] = ["anna", "bob"].map(|name| name.parse().unwrap());
        let first = admission.try_admit(&anna).unwrap();
        let _second = admission.try_admit(&anna).unwrap();
        let refused = admission.try_admit(&anna).unwrap_err();
        assert!(refused.message().contains("this principal"), "{refused}");
        let _third = admission.try_admit(&bob).unwrap();
        let refused = admission.try_admit(&bob).unwrap_err();
        assert_eq!(refused.message(), "too many queries run already");
        drop(first);
        admission.try_admit(&bob).unwrap();
        admission.try_admit(&anna).unwrap();
    }

    #[test]
    fn the_queries_of_a_principal_share_its_memory() {
        let admission = admission(3, Some(100));
        let all: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(150));
        let permit = |name: &str| admission.try_admit(&name.parse().unwrap()).unwrap();
        let [one, two, other] = ["anna", "anna", "bob"].map(permit);
        let reserve = |permit: &Permit| MemoryConsumer::new("test").register(&permit.pool(&all));
        let [one, two, other] = [&one, &two, &other].map(reserve);
        one.try_grow(60).unwrap();
        assert!(two.try_grow(60).is_err());
        two.try_grow(40).unwrap();
        // What the pool of all refuses is not counted as the principal's.
        assert!(other.try_grow(60).is_err());
        other.try_grow(50).unwrap();
        drop(one);
        two.try_grow(50).unwrap();
    }
}
