//! Scenarios at the front desk and at the receipt computer, through the public door.

mod accounts;
mod checks;
mod download;
mod methods;
mod people;
mod readers;
mod sessions;
mod sign_in;
mod snapshots;
mod terminals;
mod trouble;
