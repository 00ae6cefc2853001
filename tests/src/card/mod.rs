//! The simulated My Number card: what its JPKI application holds and answers, and its link to a virtual reader.
//!
//! [`SimCard`] takes command bytes and gives answer bytes; it plugs into the daemon through [`readers`], or, through
//! [`vpcd`] and [`ifd`], into a real pcscd. It proves what a client sends, not what a real card answers: the facts come from public
//! observations of real cards, and where those are silent the code says so.

mod apdu;
mod faults;
mod files;
pub mod ifd;
mod instructions;
mod link;
mod log;
mod pin;
pub mod readers;
mod sim;
pub mod terminal;
pub mod vpcd;

pub use faults::Faults;
pub use log::ApduRecord;
pub use sim::{Behaviour, SimCard};

/// The ATR that most current cards answer.
pub const ATR_CURRENT: &[u8] = &[
    0x3B, 0xDA, 0x13, 0xFF, 0x81, 0xFB, 0x46, 0x80, 0x12, 0x39, 0x2F, 0x31, 0xC1, 0x73, 0xC6, 0x01, 0xC0,
    0x3B,
];

/// The only ATR that OpenSC 0.23 knows as JPKI.
pub const ATR_OPENSC: &[u8] = &[0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0xFE, 0x45, 0x14];

/// A contactless ATR (Type B), as a PC/SC part 3 reader builds it.
pub const ATR_CONTACTLESS: &[u8] =
    &[0x3B, 0x88, 0x80, 0x01, 0x00, 0x00, 0x05, 0xE0, 0xB3, 0x81, 0xA1, 0x00, 0x7F];
