//! Harness: the simulated My Number card with its synthetic PKI, the simulated central system, the invented people, the
//! links to real PC/SC, and the clinic that puts them around the daemon. Depends on the product, never the other way.

pub mod ambient;
pub mod authenticator;
pub mod c_library;
pub mod card;
pub mod clinic;
pub mod contract;
pub mod dice;
pub mod durability;
pub mod exchanges;
pub mod folders;
pub mod front_desk;
pub mod fuzz_targets;
pub mod hostile;
pub mod ifd_driver;
pub mod kanji;
pub mod lane;
pub mod outage;
pub mod personas;
pub mod pki;
pub mod process;
pub mod prometheus;
pub mod raw_http;
pub mod retention;
pub mod sandbox;
pub mod schedules;
pub mod terminal;
pub mod upstream;
