//! Formats: what leaves the daemon as a file or a text, as bytes. Pure, like the domain: no IO, clock or logging, and
//! nothing of HTTP, SQL or cards.

pub mod charset;
