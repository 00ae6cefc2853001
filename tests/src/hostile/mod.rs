//! Hostile clients: requests that break every rule, a matrix of refusals, and connections that are held open by doing almost nothing.
//! Everything is counted; what must not happen is listed.

pub mod bad_input;
pub mod malformed;
pub mod matrix;
pub mod shapes;
pub mod slow;
