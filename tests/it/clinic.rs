//! Scenarios at the front desk and at the receipt computer, through the public door.

mod accounts;
mod audited;
mod checks;
mod collect;
mod collect_news;
mod download;
mod enrolment;
mod inquiry_numbers;
mod inquiry_numbers_bulk;
mod machines;
mod methods;
mod patience;
mod people;
mod readers;
mod registration;
mod retention;
mod sessions;
mod sign_in;
mod snapshots;
mod terminals;
mod trouble;
