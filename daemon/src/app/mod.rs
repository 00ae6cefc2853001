//! Use cases, and the ports they need.
//!
//! Decides what happens and in which order; knows nothing of SQL, HTTP, PC/SC or the wire forms of any of them.

pub mod access;
pub mod accounts;
pub mod audit;
pub mod backup;
pub mod checks;
pub mod credentials;
pub mod health;
pub mod maintenance;
pub mod ports;
pub mod results;
pub mod settings;
pub mod sign_in;
pub mod tasks;
