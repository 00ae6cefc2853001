//! Places: how many long answers (exports, event streams, long polls) may be open at once, for one account and in all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::codes::Code;
use crate::limits::Limits;
use crate::service::ServiceError;

/// After how many seconds another attempt makes sense.
const RETRY_AFTER: u32 = 5;

/// Open answers of one kind.
pub(crate) struct Places {
    most: usize,
    most_of_account: usize,
    account_full: Code,
    all_full: Code,
    taken: Mutex<HashMap<String, usize>>,
}

impl Places {
    /// Takes a place; it is given back when what it returns is dropped.
    pub(crate) fn take(self: &Arc<Self>, account: &str) -> Result<Place, ServiceError> {
        let mut taken = self.taken();
        if taken.values().sum::<usize>() >= self.most {
            return Err(ServiceError::new(self.all_full).retry_after(RETRY_AFTER));
        }
        let own = taken.get(account).copied().unwrap_or_default();
        if own >= self.most_of_account {
            return Err(ServiceError::new(self.account_full).retry_after(RETRY_AFTER));
        }
        taken.insert(account.to_owned(), own + 1);
        Ok(Place { places: self.clone(), account: account.to_owned() })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        // One insertion or removal at a time: a panic elsewhere leaves nothing half done.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken.
pub(crate) struct Place {
    places: Arc<Places>,
    account: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match taken.get_mut(&self.account) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                taken.remove(&self.account);
            }
        }
    }
}

/// The places of a router, handed to its handlers.
#[derive(Clone)]
pub(crate) struct AllPlaces {
    /// Event streams and long polls.
    pub streams: Arc<Places>,
    /// Exports.
    pub exports: Arc<Places>,
}

impl AllPlaces {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            streams: Arc::new(Places {
                most: limits.streams,
                most_of_account: limits.streams_of_account,
                account_full: Code::TooManyStreams,
                all_full: Code::StreamsFull,
                taken: Mutex::default(),
            }),
            exports: Arc::new(Places {
                most: limits.exports,
                most_of_account: limits.exports_of_account,
                account_full: Code::TooManyExports,
                all_full: Code::ExportsFull,
                taken: Mutex::default(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_account_and_in_all_and_come_back() {
        let limits = Limits { streams: 3, streams_of_account: 2, ..Limits::default() };
        let streams = AllPlaces::new(&limits).streams;
        let one = streams.take("a").expect("a place");
        let _two = streams.take("a").expect("a place");
        let refused = |account| streams.take(account).err().map(|error| (error.code, error.retry_after));
        assert_eq!(refused("a"), Some((Code::TooManyStreams, Some(RETRY_AFTER))));
        let three = streams.take("b").expect("a place");
        assert_eq!(refused("c"), Some((Code::StreamsFull, Some(RETRY_AFTER))));
        drop(three);
        drop(one);
        let _again = streams.take("a").expect("a place");
        assert_eq!(refused("a"), Some((Code::TooManyStreams, Some(RETRY_AFTER))));
    }
}
