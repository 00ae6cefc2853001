//! The service manager that started the program: the sockets it has opened, what it is told, and how it asks the program to stop.
//!
//! One file a kind of system, with the same functions. Knows nothing of what the program does.

#[cfg(unix)]
mod systemd;
#[cfg(windows)]
mod windows;

use std::net::TcpListener;

#[cfg(unix)]
pub use systemd::*;
#[cfg(windows)]
pub use windows::*;

/// A socket that the service manager has opened, and its name (`FileDescriptorName=`).
pub type HandedSocket = (String, TcpListener);
