//! Tests that enter by the public door.

mod contract;
