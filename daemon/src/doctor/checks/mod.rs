//! From what was seen to an outcome: pure, one small function a check.

pub(super) mod desk;
pub(super) mod folders;
pub(super) mod link;
pub(super) mod page;
pub(super) mod store;
mod validity;
