//! What is remembered of requests that carry a key (Idempotency-Key), so that a lost answer never does something twice.

use std::fmt;

use async_trait::async_trait;

use super::store::StoreError;
use crate::domain::queue::{BulkId, JobId};

/// A request by its key: whose it is, how it is called, and what it asks for.
#[derive(Clone, PartialEq, Eq)]
pub struct Keyed {
    /// The account; keys of different accounts never meet.
    pub account: String,
    /// The key that its sender chose. It may name somebody, so it is kept as a keyed hash only.
    pub key: String,
    /// SHA-256 of the operation and everything it was asked for with.
    pub request: [u8; 32],
}

impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("account", &self.account).finish_non_exhaustive()
    }
}

/// What a request brought about; its answer can be given again from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// A job of the queue of inquiry numbers.
    Job(JobId),
    /// A bulk of inquiry numbers.
    Bulk(BulkId),
    /// A check, by its id.
    Check(String),
}

/// What is remembered of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// [`Keyed::request`].
    pub request: [u8; 32],
    /// What it brought about.
    pub made: Made,
}

/// Requests of the last 24 hours by their keys. What is written to the queue is remembered in the queue's own transaction.
#[async_trait]
pub trait RequestMemory: Send + Sync + 'static {
    /// What is remembered of the account's request with this key.
    async fn remembered(&self, account: &str, key: &str) -> Result<Option<Remembered>, StoreError>;

    /// Remembers a request whose effect is not in the store; durable when this returns.
    async fn remember(&self, request: &Keyed, made: &Made) -> Result<(), StoreError>;

    /// Forgets a request that brought nothing about after all.
    async fn forget(&self, request: &Keyed) -> Result<(), StoreError>;
}
