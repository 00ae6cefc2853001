//! A clinic: the real daemon, started by its own composition root, with the simulated central system over real mutual TLS
//! and a simulated reader in its hand. Tests, the sandbox and the figures all stand in one.

#![expect(
    clippy::expect_used,
    reason = "a clinic that does not open ends the test or the sandbox with the reason"
)]

mod browser;
mod machine;
pub mod personas;
mod visitor;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use api::limits::Limits;
use daemon::app::checks::Patience;
use daemon::app::collect::{Report, RunError};
use daemon::app::maintenance::MaintenanceCalendar;
use daemon::app::ports::{Clock, Random, Role, TerminalAuthentication};
use daemon::app::retention::Retention;
use daemon::config::{
    ApiConfig, AuditSection, CollectSection, Config, FolderSection, LanSection, LogSection, MetricsSection,
    Mode, PageSection, StoreSection, TerminalSection,
};
use daemon::control::client::{self, ClientError};
use daemon::control::{Command, Note, Reply, RoleName};
use daemon::start::{Daemon, StartError, Surroundings};
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;

pub use browser::Browser;
pub use machine::{MachineKey, client_tls};
use rustls::ClientConfig;
pub use visitor::{Credentials, Visitor};

use crate::ambient::{HeldClock, HeldKernel, SeededRandom};
use crate::card::SimCard;
use crate::card::readers::{SharedCard, SimReaders, SimReadersHandle};
use crate::contract::Contract;
use crate::personas::Personas;
use crate::pki::CardPki;
use crate::process::secret_of;
use crate::upstream::{Options as UpstreamOptions, SimUpstream};

/// The reader of the front desk.
pub const READER: &str = "Simulated Reader 00 00";
/// The terminal of the front desk.
pub const TERMINAL: &str = "uketsuke-1";
/// 12:00 JST on an ordinary day.
pub const NOON: &str = "2026-07-08T03:00:00Z";

/// What people choose as their password.
pub const CHOSEN: &str = "midori-no-kasa-42";

/// What a clinic is opened with.
pub struct Plan {
    /// Everybody's wall clock.
    pub clock: Arc<dyn Clock>,
    /// What the kernel says of it; nothing at first.
    pub kernel: Arc<HeldKernel>,
    /// Everybody's randomness.
    pub random: Arc<dyn Random>,
    /// Where everything is written.
    pub directory: PathBuf,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Whether the API speaks HTTPS.
    pub tls: bool,
    /// The readers of the machine.
    pub readers: Vec<&'static str>,
    /// Whether the central system accepts a certificate without a signature.
    pub accepts_unsigned_visual: bool,
    /// Whole-operation deadline towards the central system, in milliseconds.
    pub upstream_total_ms: u64,
    /// Limit of a card-use registration, in milliseconds.
    pub registration_ms: u64,
    /// The closures that the daemon knows of when it starts, and learns of by this.
    pub maintenance: MaintenanceCalendar,
    /// Opens cards without their PIN.
    pub terminal_authentication: Option<Arc<dyn TerminalAuthentication>>,
    /// Minutes from one collection of results to the next; 0: only on demand.
    pub collect_every_minutes: u32,
    /// Whether the daemon follows that schedule by itself; scenarios that hold the clock hold the schedule as well.
    pub collects_by_itself: bool,
    /// Most results in one answer of the central system.
    pub upstream_page_size: usize,
    /// The limits of the API's listener.
    pub limits: Limits,
    /// How long checks wait for people.
    pub patience: Patience,
    /// The terminals, each with whichever reader there is.
    pub terminals: Vec<&'static str>,
    /// By which names the API is reached on the clinic's network, where it listens there.
    pub lan_hosts: Vec<&'static str>,
    /// The front-desk page, where it is served.
    pub page: Option<PageSection>,
    /// OQS folders.
    pub folders: Vec<FolderSection>,
    /// Accounts that exist from the start.
    pub accounts: Vec<(&'static str, Role)>,
}

impl Plan {
    /// A clinic in a directory, at an instant that moves only when told to; everything else as usual.
    pub fn held(directory: &Path, clock: Arc<HeldClock>) -> Self {
        Self {
            clock,
            kernel: Arc::default(),
            random: Arc::new(SeededRandom::new(1)),
            directory: directory.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: false,
            readers: vec![READER],
            accepts_unsigned_visual: true,
            upstream_total_ms: 10_000,
            registration_ms: 10_000,
            maintenance: MaintenanceCalendar::default(),
            terminal_authentication: None,
            // Most scenarios count what the central system was asked.
            collect_every_minutes: 0,
            collects_by_itself: false,
            upstream_page_size: 100,
            patience: Patience::default(),
            // Scenarios that wait in a loop ask far more often than anybody should.
            limits: Limits { requests_per_second: 1_000_000, ..Limits::default() },
            terminals: vec![TERMINAL],
            lan_hosts: Vec::new(),
            page: None,
            folders: Vec::new(),
            accounts: vec![("receipt", Role::ReceiptComputer)],
        }
    }
}

/// An open clinic.
pub struct Clinic {
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where it listens on the clinic's network, if it does.
    pub lan: Option<SocketAddr>,
    /// Where the front-desk page listens, if it does.
    pub page: Option<SocketAddr>,
    /// The simulated central system.
    pub upstream: SimUpstream,
    /// The hand that puts cards on readers.
    pub readers: SimReadersHandle,
    /// The daemon's configuration.
    pub config: Config,
    readers_plugged: Vec<&'static str>,
    maintenance: MaintenanceCalendar,
    terminal_authentication: Option<Arc<dyn TerminalAuthentication>>,
    limits: Limits,
    patience: Patience,
    collects_by_itself: bool,
    /// What the kernel says of everybody's clock.
    pub kernel: Arc<HeldKernel>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    pki: CardPki,
    contract: Arc<Contract>,
    /// How visitors connect: over TLS without a certificate, or in clear.
    trust: Option<Arc<ClientConfig>>,
    credentials: HashMap<String, Credentials>,
    daemon: Option<Daemon>,
}

impl Clinic {
    /// Opens a clinic: central system first, then the daemon.
    pub async fn open(plan: Plan) -> Self {
        let mut options = UpstreamOptions::new(plan.clock.clone(), plan.random.clone());
        options.accepts_unsigned_visual = plan.accepts_unsigned_visual;
        options.page_size = plan.upstream_page_size;
        let upstream = SimUpstream::start(options).await.expect("the simulated central system starts");
        let config = configuration(&plan, &upstream);
        let mut clinic = Self {
            api: plan.listen,
            lan: None,
            page: None,
            upstream,
            // Until the daemon is started nobody looks at this hand.
            readers: SimReaders::new(&[]).1,
            config,
            readers_plugged: plan.readers,
            maintenance: plan.maintenance,
            terminal_authentication: plan.terminal_authentication,
            limits: plan.limits,
            patience: plan.patience,
            collects_by_itself: plan.collects_by_itself,
            kernel: plan.kernel,
            clock: plan.clock,
            random: plan.random,
            pki: CardPki::new(),
            contract: Arc::new(Contract::committed()),
            trust: None,
            credentials: HashMap::new(),
            daemon: None,
        };
        clinic.restart().await.expect("the daemon starts");
        if clinic.config.api.tls {
            let authority = clinic.authority().await;
            clinic.trust = Some(client_tls(&authority, None, clinic.clock.clone()));
        }
        for (name, role) in plan.accounts {
            clinic.enrol(name, role).await;
        }
        clinic
    }

    /// Stops the daemon, if it runs, and starts it with new readers, as a restart of the machine does.
    pub async fn restart(&mut self) -> Result<(), StartError> {
        self.stop_daemon().await;
        let (readers, hand) = SimReaders::new(&self.readers_plugged);
        let around = Surroundings {
            clock: self.clock.clone(),
            kernel: self.kernel.clone(),
            random: self.random.clone(),
            readers: Box::new(readers),
            terminal_authentication: self.terminal_authentication.clone(),
            maintenance: self.maintenance.clone(),
            limits: self.limits,
            patience: self.patience,
            lan_limits: Limits::lan(),
            sockets: Vec::new(),
            collects_by_itself: self.collects_by_itself,
        };
        let daemon = Daemon::start(&self.config, around).await?;
        self.api = daemon.api;
        self.lan = daemon.lan;
        self.page = daemon.page;
        self.readers = hand;
        self.daemon = Some(daemon);
        Ok(())
    }

    /// Stops the daemon alone.
    pub async fn stop_daemon(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop().await;
        }
    }

    /// Lets the daemon's schedule look at the clock, which elsewhere it does by itself from time to time, and waits for the
    /// run that is due; `None` if none was.
    pub async fn collect_if_due(&self) -> Option<Result<Report, RunError>> {
        let daemon = self.daemon.as_ref().expect("the daemon runs");
        daemon.collect.collect_if_due(self.clock.now()).await
    }

    /// Creates an account, as an administrator does on the machine while the daemon runs; people choose a password of their
    /// own at their first sign-in.
    pub async fn enrol(&mut self, name: &str, role: Role) -> Credentials {
        self.create_account(name, role).await;
        if role != Role::ReceiptComputer {
            self.choose_password(name).await;
        }
        self.credentials(name)
    }

    /// Carries out a command of the machine, as `shikakud` does: through the daemon if it runs.
    pub async fn control(&self, command: Command) -> Result<Reply, ClientError> {
        client::run(&self.config, &self.clock, &self.random, command, &mut |_| {}).await
    }

    /// The same for a command that must succeed, with what it writes out.
    pub async fn control_writing(&self, command: Command) -> (Reply, String) {
        let mut written = String::new();
        let mut note = |note| {
            if let Note::Out(portion) = note {
                written.push_str(portion.expose());
            }
        };
        let reply = client::run(&self.config, &self.clock, &self.random, command, &mut note).await;
        (reply.expect("the command succeeds"), written)
    }

    /// The first sign-in of a person, with the code of the step before: that of this moment is left for the test.
    async fn choose_password(&mut self, name: &str) {
        let mut credentials = self.credentials(name);
        let earlier = u64::try_from(self.clock.now().as_second()).expect("after 1970") - 30;
        let mut visitor = self.visitor();
        visitor.sign_in_with(&credentials.body(&credentials.code(earlier))).await;
        let body = json!({ "current_password": credentials.password, "new_password": CHOSEN });
        let changed = visitor.put("/v1/accounts/me/password", &body).await;
        assert_eq!(changed.status, 204, "{}", changed.code());
        assert_eq!(visitor.delete("/v1/sessions/current").await.status, 204);
        CHOSEN.clone_into(&mut credentials.password);
        self.credentials.insert(name.to_owned(), credentials);
    }

    /// Creates an account; its first password is still the generated one.
    pub async fn create_account(&mut self, name: &str, role: Role) {
        let command =
            Command::AccountAdd { name: name.to_owned(), role: RoleName::from(role), password: None };
        let Reply::Enrolled(enrolment) = self.control(command).await.expect("the account is created") else {
            panic!("a new account comes with its credentials")
        };
        let password = enrolment.password.expect("a generated password");
        let otpauth = enrolment.otpauth.expect("a new secret");
        let credentials = Credentials {
            institution_code: self.config.institution_code.clone(),
            account: name.to_owned(),
            password: password.expose().to_owned(),
            otpauth: otpauth.expose().to_owned(),
            totp_secret: secret_of(otpauth.expose()),
        };
        self.credentials.insert(name.to_owned(), credentials);
    }

    /// What an account signs in with.
    pub fn credentials(&self, name: &str) -> Credentials {
        self.find_credentials(name).cloned().expect("an account of this clinic")
    }

    /// The same, if there is such an account.
    pub fn find_credentials(&self, name: &str) -> Option<&Credentials> {
        self.credentials.get(name)
    }

    /// The daemon's retention; its task sleeps by the machine's clock, so scenarios call it themselves.
    pub fn retention(&self) -> &Arc<Retention> {
        &self.daemon.as_ref().expect("the daemon runs").retention
    }

    /// Someone who comes to the API; every answer is held against the contract.
    pub fn visitor(&self) -> Visitor {
        let mut visitor = Visitor::new(self.api, self.clock.clone(), self.contract.clone());
        visitor.set_tls(self.trust.clone());
        visitor
    }

    /// Someone who comes to the listener on the clinic's network with a certificate of the daemon's own authority.
    pub fn visitor_on_lan(&self, tls: Arc<ClientConfig>) -> Visitor {
        let lan = self.lan.expect("the daemon listens on the network");
        let mut visitor = Visitor::new(lan, self.clock.clone(), self.contract.clone());
        visitor.set_tls(Some(tls));
        visitor
    }

    /// What to open in a browser.
    pub fn page_address(&self) -> Option<String> {
        Some(self.config.page.as_ref()?.address(self.page?.port()))
    }

    /// A browser that opens the page by its first name; every answer of the contract is held against it.
    pub fn browser(&self) -> Browser {
        let at = self.page.expect("the page is served");
        let section = self.config.page.as_ref().expect("the page is configured");
        let name = section.names().swap_remove(0);
        Browser::new(at, &section.origin(&name, at.port()), self.clock.clone(), self.contract.clone())
    }

    /// The certificate of the daemon's own authority, as `shikakud machine ca` shows it.
    pub async fn authority(&self) -> String {
        match self.control(Command::MachineAuthority).await.expect("the daemon has an authority") {
            Reply::Authority { certificate, .. } => certificate,
            other => panic!("{other:?}"),
        }
    }

    /// The card of a persona, as issued today.
    pub fn card(&self, persona: &str) -> SharedCard {
        let persona = Personas::builtin().by_name(persona).expect("a persona of the data file");
        Arc::new(Mutex::new(SimCard::for_persona(persona, &self.pki, self.clock.now())))
    }

    /// Holds a persona's card on the front desk's reader.
    pub fn tap(&self, persona: &str) -> SharedCard {
        let card = self.card(persona);
        self.readers.insert(READER, &card);
        card
    }

    /// The next patient holds a card on the front desk's reader, after the daemon has seen the one before taken away: only
    /// then is a PIN typed at once certainly meant for the new card.
    pub async fn next_patient(&self, visitor: &Visitor, persona: &str) -> SharedCard {
        let card = self.card(persona);
        self.next_card(visitor, &card).await;
        card
    }

    /// As [`Clinic::next_patient`], with a card of one's own.
    pub async fn next_card(&self, visitor: &Visitor, card: &SharedCard) {
        self.readers.take(READER);
        while visitor.get("/v1/readers").await.json()["readers"][0]["state"] != "empty" {
            tokio::task::yield_now().await;
        }
        self.readers.insert(READER, card);
    }

    /// The instant everybody's clock shows.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Closes the clinic.
    pub async fn close(mut self) {
        self.stop_daemon().await;
        self.upstream.stop().await;
    }
}

fn configuration(plan: &Plan, upstream: &SimUpstream) -> Config {
    let secrets = plan.directory.join("secrets");
    std::fs::create_dir_all(&secrets).expect("a directory for secrets");
    let files = upstream.write_files(&secrets).expect("the central system's files");
    let mut section = files.config().expect("its configuration");
    section.timeouts.total_ms = plan.upstream_total_ms;
    section.timeouts.registration_ms = plan.registration_ms;
    Config {
        institution_code: upstream.facility().institution_code.clone(),
        mode: Mode::Sandbox,
        api: ApiConfig { listen: plan.listen, allowed_hosts: Vec::new(), tls: plan.tls },
        lan: (!plan.lan_hosts.is_empty()).then(|| LanSection {
            // The network of a test is this machine.
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            hosts: plan.lan_hosts.iter().map(|&host| host.to_owned()).collect(),
            every_address: false,
        }),
        page: plan.page.clone(),
        store: StoreSection {
            ballast_mib: 1,
            low_water_mib: 1,
            ..StoreSection::new(plan.directory.join("data"), plan.directory.join("key").join("master.key"))
        },
        audit: AuditSection::default(),
        terminals: plan
            .terminals
            .iter()
            .map(|&id| TerminalSection { id: id.to_owned(), reader: None })
            .collect(),
        upstream: section,
        collect: CollectSection { every_minutes: plan.collect_every_minutes },
        folders: plan.folders.clone(),
        log: LogSection::default(),
        metrics: MetricsSection { enabled: true },
    }
}

/// A clinic in a directory of its own, with a held clock and one signed-in receipt computer: where most scenarios begin.
pub struct OpenClinic {
    /// The clinic.
    pub clinic: Clinic,
    /// Its clock.
    pub clock: Arc<HeldClock>,
    /// The receipt computer's credentials.
    pub credentials: Credentials,
    /// The receipt computer, signed in.
    pub visitor: Visitor,
    /// Where everything is written; removed at the end.
    pub directory: TempDir,
}

impl OpenClinic {
    /// Opens it at noon.
    pub async fn at_noon() -> Self {
        Self::with(|_| {}).await
    }

    /// Opens it with a plan of one's own.
    pub async fn with(change: impl FnOnce(&mut Plan)) -> Self {
        let directory = TempDir::new().expect("a directory");
        let clock = Arc::new(HeldClock::at(NOON.parse().expect("an instant")));
        let mut plan = Plan::held(directory.path(), clock.clone());
        change(&mut plan);
        let clinic = Clinic::open(plan).await;
        let credentials = clinic.credentials("receipt");
        let mut visitor = clinic.visitor();
        visitor.sign_in(&credentials).await;
        Self { clinic, clock, credentials, visitor, directory }
    }
}
