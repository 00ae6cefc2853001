//! `shikakud doctor`: looks at everything a check needs, and says in Japanese what is wrong and what to do.
//!
//! An inbound adapter like the command line. `codes` holds every outcome with its words; the files below `checks` are
//! pure rules from what was seen to an outcome; `machine` looks at files, disk and USB, `network` at addresses
//! and names; `wiring` and `page` alone call the adapters and put the lines in order; `report` shows them. Works beside a running daemon and without one, changes
//! nothing, signs in nowhere, presents no PIN. Shows no secret and nothing of a certificate but how long it runs.

mod checks;
mod codes;
mod machine;
mod network;
mod page;
mod report;
mod wiring;

pub use codes::{Code, State};
pub use report::{Finding, Form, Report};
pub use wiring::{Asked, examine};
