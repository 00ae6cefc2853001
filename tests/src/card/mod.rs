//! The simulated My Number card: what its JPKI application holds and answers, and its link to a virtual reader.
//!
//! [`SimCard`] takes command bytes and gives answer bytes; it plugs into the daemon through [`readers`], or, through
//! [`vpcd`] and [`ifd`], into a real pcscd. It proves what a client sends, not what a real card answers: the facts come from public
//! observations of real cards, and where those are silent the code says so.

mod apdu;
mod atr;
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

pub use atr::{ATR_CONTACTLESS, ATR_CURRENT, ATR_OPENSC, ATRS, Atr, atr_by_name};
pub use faults::Faults;
pub use log::ApduRecord;
pub use sim::{Behaviour, PinWatch, SimCard};
