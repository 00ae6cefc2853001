//! The connection in use, and its replacement when the files behind it change: no restart is needed for a new client
//! certificate, new roots, a new password or a new authenticator secret.
//!
//! What counts is the content of the files, not their dates. A set that cannot be used, such as a new certificate beside
//! the old key, changes nothing: the old connection stays and the refusal is told, until the set is whole.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::config::{ConfigError, UpstreamConfig};
use super::credentials::{Account, Credentials, Files, FilesDigest};
use super::exchange::Exchange;
use super::tls::Clients;
use super::transport::Https;
use crate::app::ports::{Clock, Renewal};
use crate::domain::upkeep;

/// One set of files in use.
pub(super) struct Line {
    pub exchange: Arc<dyn Exchange>,
    pub account: Arc<Account>,
    /// First end of validity in our certificate chain, if it can be read.
    pub certificate_ends: Option<Timestamp>,
}

struct State {
    line: Arc<Line>,
    renewal: Renewal,
    /// The set looked at last, whether taken or refused.
    seen: Option<FilesDigest>,
}

/// The line in use, and where the next comes from.
pub(super) struct Lines {
    /// `None` where there are no files: a model of the network.
    source: Option<UpstreamConfig>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl Lines {
    pub(super) fn new(
        config: &UpstreamConfig,
        credentials: &Credentials,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let line = line(config, credentials, &clock)?;
        let state = State { line, renewal: Renewal::None, seen: Some(credentials.digest) };
        Ok(Self { source: Some(config.clone()), clock, state: Mutex::new(state) })
    }

    /// Always the same line.
    pub(super) fn fixed(exchange: Arc<dyn Exchange>, account: Account, clock: Arc<dyn Clock>) -> Self {
        let line = Arc::new(Line { exchange, account: Arc::new(account), certificate_ends: None });
        let state = State { line, renewal: Renewal::None, seen: None };
        Self { source: None, clock, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line in use.
    pub(super) fn current(&self) -> Arc<Line> {
        Arc::clone(&self.state().line)
    }

    /// What became of the last change of the files.
    pub(super) fn renewal(&self) -> Renewal {
        self.state().renewal.clone()
    }

    /// The line to use, after looking at the files: a few kilobytes on a local disk.
    pub(super) fn refresh(&self) -> Arc<Line> {
        let Some(config) = &self.source else { return self.current() };
        let read = Files::read(config);
        let mut state = self.state();
        let digest = read.as_ref().ok().map(Files::digest);
        if digest.is_some() && digest == state.seen {
            return Arc::clone(&state.line);
        }
        let taken = read
            .and_then(|files| Credentials::read(config, &files))
            .and_then(|credentials| line(config, &credentials, &self.clock));
        let at = self.clock.now();
        match taken {
            Ok(line) => {
                tracing::info!("changed files of the connection to the central system were taken over");
                state.line = line;
                state.renewal = Renewal::TakenOver { at };
            }
            Err(error) => {
                let why = error.to_string();
                if !matches!(&state.renewal, Renewal::Refused { why: known, .. } if *known == why) {
                    tracing::warn!(
                        "changed files of the connection are not usable, the old ones stay: {why}"
                    );
                    state.renewal = Renewal::Refused { at, why };
                }
            }
        }
        state.seen = digest;
        Arc::clone(&state.line)
    }
}

fn line(
    config: &UpstreamConfig,
    credentials: &Credentials,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Line>, ConfigError> {
    let clients = Clients::new(config, credentials, Arc::clone(clock))?;
    let ends = credentials.chain().map(|der| validity(der).map(|validity| validity.not_after));
    Ok(Arc::new(Line {
        exchange: Arc::new(Https::new(clients)?),
        account: Arc::clone(&credentials.account),
        certificate_ends: ends.min().flatten(),
    }))
}

/// How long a certificate runs; `None` if the bytes are no certificate.
pub(super) fn validity(der: &[u8]) -> Option<upkeep::Validity> {
    use x509_cert::der::Decode as _;
    let certificate = x509_cert::Certificate::from_der(der).ok()?;
    let validity = certificate.tbs_certificate().validity();
    let instant = |time: x509_cert::time::Time| {
        Timestamp::from_second(i64::try_from(time.to_unix_duration().as_secs()).ok()?).ok()
    };
    Some(upkeep::Validity {
        not_before: instant(validity.not_before)?,
        not_after: instant(validity.not_after)?,
    })
}
