//! OQS folders: receipt computers that know only files, careful, careless and hostile ones.

mod acceptance;
mod faces;
mod requests;
mod support;
mod trouble;
