//! Values and rules of the field, as pure functions.
//!
//! Knows nothing of async, IO, clocks, serialisation or logging: time is always an argument, and nothing here can
//! fail for a reason outside its input.

pub mod admission;
pub mod announcement;
pub mod breaker;
pub mod certificate;
pub mod check;
pub mod checklist;
pub mod clock;
pub mod collection;
pub mod eligibility;
pub mod era;
pub mod folder_file;
pub mod identifiers;
pub mod incident;
pub mod lockout;
pub mod maintenance;
pub mod merge;
pub mod password;
pub mod person_search;
pub mod personal;
pub mod queue;
pub mod remarks;
pub mod retention;
pub mod upkeep;
