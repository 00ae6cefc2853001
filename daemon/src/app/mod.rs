//! Use cases, and the ports they need.
//!
//! Decides what happens and in which order; knows nothing of SQL, HTTP, PC/SC or the wire forms of any of them.

pub mod ports;
pub mod tasks;
