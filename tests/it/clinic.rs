//! Scenarios at the front desk and at the receipt computer, through the public door.

mod audited;
mod checks;
mod download;
mod methods;
mod people;
mod readers;
mod sign_in;
mod snapshots;
mod trouble;
