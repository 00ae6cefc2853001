//! The store on real files: what it promises about personal data, restarts, clocks and concurrent callers.

#![expect(clippy::expect_used, reason = "a failed step is a failed test, and says which")]

mod access;
mod accounts;
mod aged_audit;
mod anchor;
mod anchored_commits;
mod audit;
mod audit_review;
mod backup;
mod clocks;
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
mod retention_looks;
mod retention_marks;
mod retention_trouble;
mod secrecy;
mod support;
