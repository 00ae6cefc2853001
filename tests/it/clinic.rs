//! Scenarios at the front desk and at the receipt computer, through the public door.

mod checks;
mod collect;
mod collect_news;
mod download;
mod methods;
mod people;
mod readers;
mod sign_in;
mod snapshots;
mod trouble;
