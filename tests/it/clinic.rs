//! Scenarios at the front desk and at the receipt computer, through the public door.

mod checks;
mod download;
mod inquiry_numbers;
mod inquiry_numbers_bulk;
mod methods;
mod people;
mod readers;
mod retention;
mod sign_in;
mod snapshots;
mod trouble;
