//! systemd, or whatever speaks its protocol. Where there is none, nothing is told and there are no sockets.
//! `sd_notify(3)`, `sd_listen_fds(3)`, `sd_watchdog_enabled(3)`.

use std::io;
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::HandedSocket;
use crate::system::handed_socket_names;

/// Takes over what was handed to this process; call it once, before any other thread runs.
///
/// # Errors
/// Something that is no listening TCP socket was handed over.
pub fn take_sockets() -> io::Result<Vec<HandedSocket>> {
    let mut handed = ListenFd::from_env();
    let mut names = handed_socket_names().into_iter();
    let mut sockets = Vec::new();
    for index in 0..handed.len() {
        let name = names.next().unwrap_or_default();
        if let Some(socket) = handed.take_tcp_listener(index)? {
            sockets.push((name, socket));
        }
    }
    Ok(sockets)
}

/// Whether systemd runs this machine.
pub fn is_systemd() -> bool {
    sd_notify::booted().unwrap_or(false)
}

/// The program accepts connections.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The program ends.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The program is alive.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How often a sign of life is to be given, if the service manager waits for one: three times in its patience, so that one late
/// answer costs nothing.
pub fn sign_of_life_every() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|patience| patience / 3).filter(|every| !every.is_zero())
}

/// A manager that cannot be told will judge by what it does not hear.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, ?state, "the service manager could not be told");
    }
}

/// Requests to stop: SIGTERM, or Ctrl-C on a terminal.
pub struct StopRequests(Signal);

impl StopRequests {
    /// Listens from now on.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn listen() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::terminate())?))
    }

    /// Resolves when the program is to stop.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
}
