//! The formats that receipt computers read: every invented person in every format, read back by readers that are not ours.

mod consumers;
mod documents;
mod pages;
mod properties;
mod support;
