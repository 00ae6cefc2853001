//! The control channel: how `shikakud <command>` works while the daemon runs.
//!
//! An inbound adapter like the API, for the one person who may log on to the machine: a Unix domain socket in the data
//! directory, one JSON request a connection, answers as JSON lines. The store is locked to one process, so a command goes to
//! the daemon if one runs, and otherwise opens the store itself; both run [`execute()`]. Decides nothing: use cases do.
//!
//! A new command is a variant of [`Command`], an arm in [`execute()`] and a form in [`show`].

pub mod client;
mod command;
mod execute;
mod retention;
mod review;
mod server;
pub mod show;
pub mod transport;

pub use command::{
    AccountAct, AccountLine, Command, Enrolment, FoldersReport, Hidden, MachineLine, Reply, RoleName,
    TerminalLine,
};
pub use execute::{CommandError, Note, Office, Progress, execute};
pub use retention::{Destroyed, Month, RetentionRan, RetentionReport};
pub use review::{Days, RowForm, VerifyReport};
pub use server::serve;
