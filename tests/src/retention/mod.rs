//! Retention under trouble: jumping clocks, a full disk, readers that do not let go. What comes out is counted; tests and
//! figures judge it.

#![expect(clippy::expect_used, reason = "a store that does not open ends the measurement with the reason")]

mod boundary;
mod canaries;
mod jumps;
mod site;

pub use boundary::latest_after_boundary;
pub use canaries::{Canaries, canaries_after_purge};
pub use jumps::{Jumps, clock_jumps};
