//! Use cases, and the ports they need.
//!
//! Decides what happens and in which order; knows nothing of SQL, HTTP, PC/SC or the wire forms of any of them.

pub mod access;
pub mod accounts;
pub mod announcements;
pub mod audit;
pub mod backup;
pub mod checks;
pub mod collect;
pub mod credentials;
pub mod desk_records;
pub mod endings;
pub mod enrolment;
pub mod events;
pub mod folders;
pub mod health;
pub mod idempotency;
pub mod inquiries;
pub mod machines;
pub mod maintenance;
pub mod monitor;
pub mod own_account;
pub mod passkeys;
pub mod ports;
pub mod results;
pub mod retention;
pub mod sessions;
pub mod settings;
pub mod sign_in;
mod strangers;
pub mod tally;
pub mod tasks;
pub mod terminals;
mod tickets;
