//! The contract's gates: the committed document, its truth, its coverage, its security, and bad input of every kind.

mod coverage;
mod document;
mod fake;
mod guard;
mod input;
mod listener;
