//! The simulated central system: a real TLS server that demands the facility's client certificate, checks the card's
//! certificate and signature, and answers about the invented people.
//!
//! Speaks the style of `daemon::upstream`, written a second time from the description and not from the daemon's types,
//! so that a slip on one side shows. Library for tests and the sandbox, and the binary `sim-upstream` for vendors.
//!
//! Faults are scripted per endpoint with [`SimUpstream::script`]; each is used up by one request. Codes it invents:
//! `CARD_NOT_REGISTERED`, `CERTIFICATE_EXPIRED`, `CHALLENGE_UNKNOWN`, `CERTIFICATE_UNTRUSTED`, `SIGNATURE_INVALID`,
//! `PERSON_UNKNOWN`, `NUMBER_IN_USE`, `RECEPTION_UNKNOWN`, `REQUEST_INVALID`, `TICKET_UNKNOWN`, `TOKEN_INVALID`, `CODE_WRONG`, `CODE_USED`, `ACCOUNT_WRONG`,
//! `MAINTENANCE`.
//!
//! Card-use registration goes on in the background when nobody waits for it any more, as the manual says of the real one;
//! it is closed from 03:00 to 06:00 JST by the simulator's clock and in the closures it was told of.

mod answers;
mod console;
mod fault;
mod files;
mod inquiries;
mod line;
mod news;
pub mod pki;
pub mod proxy;
mod registration;
mod routes;
mod state;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use daemon::app::ports::{Clock, Random, random_bytes};
use daemon::app::tasks::Tasks;
use jiff::Timestamp;
use tokio::net::TcpListener;

use crate::personas::Personas;

pub use fault::{Endpoint, Fault, NotUnderstood};
pub use files::{Files, FilesError};
use line::TlsListener;
pub use news::Announced;
use pki::{ServerCertificate, TestPki, TlsVersions};
use routes::Shared;
use state::State;

/// What the simulated central system is started with.
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Its clock: tokens, one-time codes, certificates' grace, retention.
    pub clock: Arc<dyn Clock>,
    /// Its randomness: tokens, challenges.
    pub random: Arc<dyn Random>,
    /// The certificates of both sides.
    pub pki: TestPki,
    /// Which certificate it shows.
    pub server_certificate: ServerCertificate,
    /// Which TLS versions it speaks.
    pub tls_versions: TlsVersions,
    /// Whether a certificate without signature is accepted (目視).
    pub accepts_unsigned_visual: bool,
    /// Most results in one answer.
    pub page_size: usize,
    /// How long a card-use registration takes; the real one about 15 seconds.
    pub registration_time: Duration,
}

impl Options {
    /// Loopback, any free port, ordinary certificates.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock,
            random,
            pki: TestPki::new(),
            server_certificate: ServerCertificate::Good,
            tls_versions: TlsVersions::Both,
            accepts_unsigned_visual: true,
            page_size: 100,
            registration_time: Duration::ZERO,
        }
    }
}

/// The one facility it knows, with its sign-in.
#[derive(Clone)]
pub struct Facility {
    /// 機関コード.
    pub institution_code: String,
    /// Account of the receipt computer link.
    pub account: String,
    /// Password of the account.
    pub password: String,
    /// Authenticator secret, raw.
    pub totp_secret: [u8; 20],
}

impl Facility {
    fn new(random: &dyn Random) -> Self {
        Self {
            institution_code: "1399900001".to_owned(),
            account: "sim-receipt-computer".to_owned(),
            password: data_encoding::BASE32_NOPAD.encode(&random_bytes::<10>(random)),
            totp_secret: random_bytes(random),
        }
    }
}

/// A running simulated central system.
pub struct SimUpstream {
    address: SocketAddr,
    facility: Facility,
    pki: TestPki,
    accepts_unsigned_visual: bool,
    shared: Arc<Shared>,
    tasks: Tasks,
}

impl SimUpstream {
    /// Starts listening; from then on it answers until [`SimUpstream::stop`].
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let address = listener.local_addr()?;
        let tasks = Tasks::default();
        let facility = Facility::new(options.random.as_ref());
        let shared = Arc::new(Shared {
            facility: facility.clone(),
            accepts_unsigned_visual: options.accepts_unsigned_visual,
            page_size: options.page_size,
            state: State::new(options.clock, options.random),
            registry: registration::Registry::new(options.registration_time),
            tasks: tasks.clone(),
            script: fault::Script::default(),
            traffic: Arc::default(),
            clock_ahead: AtomicI64::default(),
            maintenance: AtomicBool::default(),
            stopping: tasks.stopping(),
        });
        let tls = options.pki.server_config(options.server_certificate, options.tls_versions);
        let listener = TlsListener::start(listener, tls, &shared, &tasks)?;
        let service = routes::router(Arc::clone(&shared)).into_make_service_with_connect_info::<line::Peer>();
        let stopping = tasks.stopping();
        tasks.start(async move {
            if let Err(error) =
                axum::serve(listener, service).with_graceful_shutdown(stopping.cancelled_owned()).await
            {
                tracing::error!("the simulated central system ended: {error}");
            }
        });
        let accepts_unsigned_visual = options.accepts_unsigned_visual;
        Ok(Self { address, facility, pki: options.pki, accepts_unsigned_visual, shared, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The facility it knows.
    pub fn facility(&self) -> &Facility {
        &self.facility
    }

    /// Its certificates.
    pub fn pki(&self) -> &TestPki {
        &self.pki
    }

    /// Lets the next request to an endpoint meet a fault; several for one endpoint are met in this order.
    pub fn script(&self, endpoint: Endpoint, fault: Fault) {
        self.shared.script.push(endpoint, fault);
    }

    /// Lets every further request to an endpoint meet a fault, until [`SimUpstream::mend`].
    pub fn break_down(&self, endpoint: Endpoint, fault: Fault) {
        self.shared.script.stand(endpoint, fault);
    }

    /// Closes every connection, those that are open at their next request.
    pub fn go_down(&self) {
        for (_, endpoint) in Endpoint::WORDS {
            self.break_down(endpoint, Fault::Close);
        }
        self.refuse_connections(usize::MAX);
    }

    /// Takes every fault back that has not happened yet, and opens again. Announcements stay.
    pub fn mend(&self) {
        self.shared.script.mend();
        self.refuse_connections(0);
        self.hang_connections(0);
        self.set_maintenance(false);
        self.set_date_ahead(0);
    }

    /// Closes the next `count` connections before TLS.
    pub fn refuse_connections(&self, count: usize) {
        self.shared.traffic.refuse.store(count, Ordering::SeqCst);
    }

    /// Accepts the next `count` connections and says nothing, not even TLS.
    pub fn hang_connections(&self, count: usize) {
        self.shared.traffic.mute.store(count, Ordering::SeqCst);
    }

    /// Lets the `Date` of its answers be so many seconds ahead of its clock, or behind.
    pub fn set_date_ahead(&self, seconds: i64) {
        self.shared.clock_ahead.store(seconds, Ordering::SeqCst);
    }

    /// Closes for maintenance, or opens again.
    pub fn set_maintenance(&self, closed: bool) {
        self.shared.maintenance.store(closed, Ordering::SeqCst);
    }

    /// Requests that reached an endpoint, faults included.
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.shared.script.seen(endpoint)
    }

    /// Waits until this was asked so often since the start.
    pub async fn asked(&self, endpoint: Endpoint, requests: usize) {
        self.shared.script.until(endpoint, requests).await;
    }

    /// Decrypted bytes received over all connections.
    pub fn received_bytes(&self) -> u64 {
        self.shared.traffic.received.load(Ordering::SeqCst)
    }

    /// The time it spent on answers so far, from a request that has arrived whole to its answer: the simulator's own
    /// share of what is measured. Requests that met a fault do not count.
    pub fn answering_time(&self) -> Duration {
        Duration::from_nanos(self.shared.traffic.answering.load(Ordering::SeqCst))
    }

    /// TCP connections accepted.
    pub fn connections(&self) -> usize {
        self.shared.traffic.connections.load(Ordering::SeqCst)
    }

    /// The client certificates (DER) of all requests, in their order.
    pub fn client_certificates(&self) -> Vec<Vec<u8>> {
        self.shared.traffic.certificates()
    }

    /// Forgets all tokens, so that the next request with one is answered 401.
    pub fn forget_tokens(&self) {
        self.shared.state.forget_tokens();
    }

    /// Takes one-time codes again that were used, so that a daemon started again need not wait for the next one.
    pub fn forget_used_codes(&self) {
        self.shared.state.forget_used_codes();
    }

    /// Registers a persona's card for use as a health insurance card (利用登録), or takes it back.
    pub fn set_registered(&self, persona: &str, registered: bool) {
        self.shared.state.set_registered(persona, registered);
    }

    /// From now on no card-use registration comes to its end, until [`SimUpstream::finish_registrations`].
    pub fn hold_registrations(&self) {
        self.shared.registry.hold(true);
    }

    /// Lets card-use registrations come to their end, and returns when those begun have.
    pub async fn finish_registrations(&self) {
        self.shared.registry.hold(false);
        self.shared.registry.settled().await;
    }

    /// Waits until this many requests to register a persona's card have been taken up.
    pub async fn registration_begun(&self, persona: &str, requests: usize) {
        self.shared.registry.begun(persona, requests).await;
    }

    /// Requests to register a persona's card that came in whole, with a good token and ticket.
    pub fn registrations(&self, persona: &str) -> usize {
        self.shared.registry.requests(persona)
    }

    /// Closes card-use registration from an instant until another, as announced maintenance does.
    pub fn close_registration(&self, from: Timestamp, until: Timestamp) {
        self.shared.registry.close(from, until);
    }

    /// The inquiry number a person has; see `Persona::person`.
    pub fn inquiry_number(&self, person: &str) -> Option<String> {
        self.shared.state.inquiry_number(person)
    }

    /// How often the outcome of each bulk of inquiry numbers handed in from now on must be asked for before it is done.
    pub fn set_bulk_polls(&self, polls: usize) {
        self.shared.state.set_bulk_polls(polls);
    }

    /// Forgets every bulk of inquiry numbers, so that their receipt numbers are unknown.
    pub fn forget_bulks(&self) {
        self.shared.state.forget_bulks();
    }

    /// Adds the result of a check on another terminal of the facility; `false` if there is no such persona, or it
    /// would get no result.
    pub fn add_result(&self, persona: &str, terminal: &str, at: Timestamp) -> bool {
        self.shared.state.add_result(persona, terminal, at)
    }

    /// Adds such a result as soon as a page of results with a next one was answered: while somebody is turning pages.
    pub fn add_result_while_paging(&self, persona: &str, terminal: &str, at: Timestamp) -> bool {
        let Some(persona) = Personas::builtin().by_name(persona) else { return false };
        self.shared.state.add_while_paging(persona, terminal, at);
        true
    }

    /// Whether confirmations leave out the id of the result that they make.
    pub fn hide_result_ids(&self, hide: bool) {
        self.shared.state.hide_ids(hide);
    }

    /// Announces something, in place of what has the same id. Inside a window that closes everything every endpoint
    /// answers `MAINTENANCE`.
    pub fn announce(&self, announced: Announced) {
        self.shared.state.announce(announced);
    }

    /// Takes an announcement back, and its closure with it.
    pub fn withdraw(&self, id: &str) {
        self.shared.state.withdraw(id);
    }

    /// Writes certificates, secrets and a ready-made `upstream.toml` into a directory.
    pub fn write_files(&self, directory: &std::path::Path) -> Result<Files, FilesError> {
        files::write(self, directory)
    }

    /// Stops answering and waits until every connection is closed.
    pub async fn stop(&self) {
        self.tasks.finish().await;
    }
}
