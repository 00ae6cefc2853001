//! Scenarios at the front desk and at the receipt computer, through the public door.

mod checks;
mod download;
mod methods;
mod people;
mod readers;
mod retention;
mod sign_in;
mod snapshots;
mod trouble;
