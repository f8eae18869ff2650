//! Things that a client may ask for again, each under a handle that nobody can guess.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use mesh_core::{Error, ErrorKind, Result};

/// Bytes of a handle or a token.
const SECRET: usize = 32;

/// 256 random bits, as text that may stand in a header.
///
/// # Errors
/// If the system has no random numbers.
pub(super) fn secret() -> Result<String> {
    let mut bytes = [0; SECRET];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| Error::internal("the system gives no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A bounded number of things, each kept for a while after it was last asked for.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    /// What they are called in errors.
    what: &'static str,
    most: usize,
    life: Duration,
    items: Mutex<HashMap<Bytes, Item<T>>>,
}

#[derive(Debug)]
struct Item<T> {
    until: Instant,
    thing: T,
}

impl<T: Clone> Shelf<T> {
    pub(super) fn new(what: &'static str, most: usize, life: Duration) -> Self {
        Self {
            what,
            most,
            life,
            items: Mutex::default(),
        }
    }

    /// Keeps `thing` and gives its handle.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceExhausted`] if too many are kept.
    pub(super) fn put(&self, thing: T) -> Result<Bytes> {
        let handle = Bytes::from(secret()?);
        let now = Instant::now();
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.retain(|_, item| item.until > now);
        if items.len() >= self.most {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                "the session keeps too many at a time",
            )
            .with("what", self.what)
            .with("most", self.most)
            .mend("fetch or close those that are open"));
        }
        let until = now + self.life;
        items.insert(handle.clone(), Item { until, thing });
        Ok(handle)
    }

    /// What `handle` stands for.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if this shelf does not hold it, whoever else may.
    pub(super) fn get(&self, handle: &Bytes) -> Result<T> {
        let now = Instant::now();
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let item = items.get_mut(handle).filter(|item| item.until > now);
        let item = item.ok_or_else(|| self.missing())?;
        item.until = now + self.life;
        Ok(item.thing.clone())
    }

    /// Takes it away; none if it is not there.
    pub(super) fn take(&self, handle: &Bytes) -> Option<T> {
        let now = Instant::now();
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let item = items.remove(handle)?;
        (item.until > now).then_some(item.thing)
    }

    pub(super) fn missing(&self) -> Error {
        Error::not_found("this session has nothing under this handle")
            .with("what", self.what)
            .mend("ask for a new one; handles end when they are used, closed or left alone")
    }
}
