//! The contract: wire types, routes, problem codes, guard and listener limits.
//!
//! Knows nothing of cards, SQL, the central system or the domain: handlers translate between HTTP and one
//! [`service::Service`]. The document for vendors, `openapi.yaml`, is generated from here.

pub mod codes;
pub mod problem;
pub mod service;
pub mod wire;
