//! The store on real files: what it promises about personal data, restarts, clocks and concurrent callers.

#![expect(clippy::expect_used, reason = "a failed step is a failed test, and says which")]

mod accounts;
mod aged_audit;
mod anchor;
mod audit;
mod backup;
mod collect;
mod exports;
mod idempotency;
mod keys;
mod opening;
mod queue;
mod reads;
mod refusals;
mod restore;
mod results;
mod retention;
mod retention_trouble;
mod secrecy;
mod support;
