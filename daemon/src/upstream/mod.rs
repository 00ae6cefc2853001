//! The central system over HTTPS with mutual TLS: the adapter behind [`CardCheck`] and [`ReceiptLink`].
//!
//! Holds everything that is specific to the central system's interface: endpoints, message forms, sign-in, TLS. Knows
//! nothing of cards, storage or the API. `README.md` beside this file says how to fit it to the official specification.
//!
//! What is repeated, and what never: see `asking::Repeat`.
//!
//! Limit: passwords and codes are wiped where this daemon holds them, but the HTTP and TLS layers keep copies of what
//! they send that nobody can wipe.
//!
//! [`CardCheck`]: crate::app::ports::CardCheck
//! [`ReceiptLink`]: crate::app::ports::ReceiptLink

mod asking;
mod check;
mod config;
mod credentials;
mod exchange;
mod failure;
mod lines;
mod link;
mod probe;
mod proxy;
mod renegotiation;
mod review;
mod session;
mod tls;
mod transport;
mod watch;
mod wire;

use std::sync::Arc;
use std::time::Duration;

pub use config::{ConfigError, Paths, Timeouts, TlsFloor, UpstreamConfig, resolve_path};
pub use credentials::{Account, Credentials};
pub use exchange::{Exchange, ExchangeError, Reply};
pub use probe::{Probed, probe};
pub use proxy::ProxyConfig;
pub use review::{Reviewed, review};

use jiff::{SignedDuration, Timestamp};

use crate::app::ports::{Clock, ClockWitness, Random, RequestId, UpstreamStatus, UpstreamView};
use crate::app::tasks::Tasks;
use crate::domain::identifiers::InstitutionCode;
use asking::Repeat;
use lines::Lines;
use session::Session;
use transport::Endpoints;
use watch::Watch;
use wire::Correlation;

/// How often the files and the certificate's end are looked at while nothing is asked.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// The connection to the central system: both ports on one client, one token.
pub struct Upstream {
    institution: InstitutionCode,
    accepts_unsigned_visual: bool,
    timeouts: Timeouts,
    endpoints: Endpoints,
    lines: Arc<Lines>,
    session: Session,
    watch: Watch,
    random: Arc<dyn Random>,
}

impl Upstream {
    /// Sets the connection up; connects only when asked something.
    pub fn new(
        config: &UpstreamConfig,
        credentials: &Credentials,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, ConfigError> {
        let lines = Lines::new(config, credentials, Arc::clone(&clock))?;
        Self::assemble(config, lines, clock, random)
    }

    /// The same adapter over another network: a model, to try what no real network does on demand. Takes from the
    /// configuration what concerns neither files nor TLS.
    pub fn over(
        exchange: Arc<dyn Exchange>,
        account: Account,
        config: &UpstreamConfig,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, ConfigError> {
        config::check_settings(config)?;
        let lines = Lines::fixed(exchange, account, Arc::clone(&clock));
        Self::assemble(config, lines, clock, random)
    }

    fn assemble(
        config: &UpstreamConfig,
        lines: Lines,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, ConfigError> {
        let endpoints = Endpoints::new(&config.base()?, &config.paths)?;
        let lines = Arc::new(lines);
        Ok(Self {
            institution: lines.current().account.institution.clone(),
            accepts_unsigned_visual: config.accepts_unsigned_visual,
            timeouts: config.timeouts,
            session: Session::new(endpoints.auth.clone(), Arc::clone(&lines), Arc::clone(&clock)),
            endpoints,
            lines,
            watch: Watch::new(clock, Arc::clone(&random)),
            random,
        })
    }

    fn correlation<'a>(&'a self, request: &'a RequestId) -> Correlation<'a> {
        Correlation { institution: &self.institution, request }
    }

    /// Looks at the files and the certificate's end once; [`Upstream::keep_up`] does so again and again.
    pub fn look(&self) {
        let line = self.lines.refresh();
        self.watch.certificate_ends(line.certificate_ends);
    }

    /// Looks after the files and the certificate's end until the process stops.
    pub fn keep_up(self: &Arc<Self>, tasks: &Tasks) {
        let (this, stopping) = (Arc::clone(self), tasks.stopping());
        tasks.start(async move {
            loop {
                this.look();
                if stopping.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
                    return;
                }
            }
        });
    }
}

impl ClockWitness for Upstream {
    fn offset(&self) -> Option<(Timestamp, SignedDuration)> {
        self.watch.offset()
    }
}

impl UpstreamStatus for Upstream {
    fn status(&self) -> UpstreamView {
        let seen = self.watch.seen();
        UpstreamView {
            circuit: seen.circuit,
            answering: seen.answering,
            last_success: seen.last_success,
            last_failure: seen.last_failure,
            clock_offset: seen.offset,
            client_certificate_ends: self.lines.current().certificate_ends,
            renewal: self.lines.renewal(),
        }
    }
}
