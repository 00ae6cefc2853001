//! Harness: simulators, clients and checks that tests, sandbox and figures share.

pub mod contract;
pub mod raw_http;
