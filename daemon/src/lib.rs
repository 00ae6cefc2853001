//! Shikaku Bridge (資格ブリッジ): the daemon `shikakud`.
//!
//! `domain` holds pure rules, `app` the use cases and their ports; `card`, `upstream` and `store` are adapters that
//! never call each other; `service` translates between the API's wire types and the use cases; `start` alone puts
//! concrete parts together. See ARCHITECTURE.md.

pub mod app;
pub mod card;
pub mod cli;
pub mod config;
pub mod control;
pub mod doctor;
pub mod domain;
pub mod folders;
pub mod formats;
pub mod local_network;
pub mod passkeys;
pub mod pki;
mod qr;
pub mod service;
pub mod service_manager;
pub mod start;
pub mod store;
pub mod system;
pub mod upstream;
