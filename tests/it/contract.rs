//! The contract's gates: the committed document, its truth, its coverage, its security, and bad input of every kind.

#![expect(clippy::unwrap_used, reason = "tests: a panic is the failure")]

mod compatible;
pub mod coverage;
mod document;
mod fake;
mod fake_accounts;
mod fake_monitor;
mod fake_people;
mod fake_results;
mod fake_upkeep;
mod guard;
mod headers;
mod input;
mod listener;
mod listeners;
mod problems;
mod reads;
mod roles;
mod sample;
