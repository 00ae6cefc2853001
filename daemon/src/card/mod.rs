//! The card and its reader: implements the port `app::ports::CardDesk` over PC/SC.
//!
//! From the inside out: [`apdu`], [`tlv`] and [`x509`] are the bytes; [`protocol`] holds one small sans-IO protocol per exchange with
//! the card; [`drive`] is all the IO such a protocol gets; [`session`] puts the protocols of one card session in order;
//! [`readers`] is the seam to the readers, [`pcsc`] its production side; [`desk`] owns the one thread in which all of it
//! runs. Must not know HTTP, SQL, the central system, or what a check is.

pub mod apdu;
pub mod desk;
pub mod drive;
pub mod pcsc;
pub mod protocol;
pub mod readers;
pub mod session;
pub mod survey;
pub mod tlv;
pub mod x509;

#[cfg(test)]
mod scripted;
