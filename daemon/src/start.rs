//! The composition root: the only file that puts concrete adapters, use cases and the listener together.

mod audit;
mod desk;
mod folders;
mod listeners;
mod mode;
mod monitor;
mod page;
mod passkeys;
mod people;
mod places;
mod recovery;

use std::net::SocketAddr;
use std::sync::Arc;

use api::limits::Limits;
use api::service::Service;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

pub(crate) use self::desk::connected_readers;
use self::listeners::Ports;
pub use self::mode::ModeError;
use self::mode::claim_mode;
pub(crate) use self::mode::marked_mode;
pub use self::page::review_page;
use self::people::{People, review_audit};
pub(crate) use self::places::store_paths;
pub(crate) use self::recovery::{recovery_key, restore_backup, start_empty};
use crate::app::announcements::News;
use crate::app::checks::Patience;
use crate::app::collect::{Collect, CollectParts};
use crate::app::desk_records::KeepDeskRecords;
use crate::app::health::Health;
use crate::app::idempotency::Idempotency;
use crate::app::inquiries::{Inquiries, InquiriesParts};
use crate::app::machines::MachinesError;
use crate::app::maintenance::MaintenanceCalendar;
use crate::app::ports::{
    Clock, ClockWitness, KernelClock, Random, StoreError, StoreVitals as _, TerminalAuthentication,
};
use crate::app::results::Results;
use crate::app::retention::{Retention, RetentionParts};
use crate::app::settings::ChangeSettings;
use crate::app::tally::Tally;
use crate::app::tasks::Tasks;
use crate::card::desk::Desk;
use crate::card::pcsc::PcscReaders;
use crate::card::readers::Readers;
use crate::config::{Config, ConfigError};
use crate::control::transport::{Listener, PipeError};
use crate::control::{self, Office};
use crate::pki::{self, TlsError};
use crate::service::{JsonForm, UseCases};
use crate::service_manager::HandedSocket;
pub(crate) use crate::store::ToRestore;
use crate::store::{OpenError, RestoreError, Store};
use crate::system::{OsRandom, SystemClock, TimeService};
use crate::upstream::{ConfigError as UpstreamConfigError, Credentials as UpstreamCredentials, Upstream};

/// What the daemon takes from its surroundings; a harness brings its own.
pub struct Surroundings {
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// What the kernel says of it.
    pub kernel: Arc<dyn KernelClock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The readers.
    pub readers: Box<dyn Readers>,
    /// Opens a card's key without its PIN; this machine has no material for it (see the port).
    pub terminal_authentication: Option<Arc<dyn TerminalAuthentication>>,
    /// The announced closures, as far as they are known at the start.
    pub maintenance: MaintenanceCalendar,
    /// The limits of the API's listener on loopback.
    pub limits: Limits,
    /// How long checks wait for people.
    pub patience: Patience,
    /// The limits of the one on the clinic's network.
    pub lan_limits: Limits,
    /// Sockets that are open already, by the name of their listener; one that is not among them is opened.
    pub sockets: Vec<HandedSocket>,
    /// Whether the collection runs on its own schedule. Who holds the clock in hand holds the schedule as well: the
    /// daemon's own look would come at some moment of real time.
    pub collects_by_itself: bool,
}

impl Surroundings {
    /// The machine's clock, randomness and PC/SC readers.
    pub fn of_this_machine() -> std::io::Result<Self> {
        Ok(Self {
            clock: Arc::new(SystemClock),
            kernel: Arc::new(TimeService),
            random: Arc::new(OsRandom),
            readers: Box::new(PcscReaders::new()?),
            terminal_authentication: None,
            maintenance: MaintenanceCalendar::default(),
            limits: Limits::default(),
            patience: Patience::default(),
            lan_limits: Limits::lan(),
            sockets: Vec::new(),
            collects_by_itself: true,
        })
    }
}

/// Why the daemon did not start; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The `[upstream]` section or one of its files is not usable.
    #[error("中央システムの設定が使えません: {0}")]
    Upstream(#[from] UpstreamConfigError),
    /// The store does not open.
    #[error("保存領域を開けません: {0}")]
    Open(#[from] OpenError),
    /// A backup was not restored.
    #[error("復元できません: {0}")]
    Restore(#[from] RestoreError),
    /// The store opened and then failed.
    #[error("保存領域が使えません: {0}")]
    Store(#[from] StoreError),
    /// The data directory belongs to the other mode.
    #[error("データの種類が違います: {0}")]
    Mode(#[from] ModeError),
    /// The certificate authority cannot be had.
    #[error("認証局が使えません: {0}")]
    Authority(#[from] MachinesError),
    /// A listener has no TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The control channel cannot be had.
    #[error(transparent)]
    Control(#[from] PipeError),
    /// A socket that was handed over is not the one that was configured.
    #[error(
        "systemdから渡されたソケット {name} は {found} で待ち受けていますが、設定は {wanted} です。shikaku-bridge.socket と設定をそろえてください"
    )]
    HandedSocket {
        /// The listener's name.
        name: &'static str,
        /// Where the socket listens.
        found: SocketAddr,
        /// Where the configuration wants it.
        wanted: SocketAddr,
    },
    /// The address of a listener cannot be had.
    #[error("[{section}] の {address} で待ち受けできません: {problem}")]
    Bind {
        /// Its section of the configuration.
        section: &'static str,
        /// Where it was to listen.
        address: SocketAddr,
        /// Why not.
        problem: String,
    },
    /// The operating system refused a thread or an address.
    #[error("OSの資源を使えません: {0}")]
    System(#[from] std::io::Error),
}

impl StartError {
    /// Whether only a person can end it, so that another try is in vain.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::Open(error) => error.needs_a_person(),
            Self::Mode(error) => matches!(error, ModeError::Other { .. }),
            _ => false,
        }
    }
}

/// A running daemon.
pub struct Daemon {
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where it listens on the clinic's network, if it does.
    pub lan: Option<SocketAddr>,
    /// Where the front-desk page listens, if it does.
    pub page: Option<SocketAddr>,
    /// The collection of results: on its own schedule, or driven by whoever holds the daemon.
    pub collect: Collect,
    /// Destroys what has expired; runs by itself, and whenever it is told to.
    pub retention: Arc<Retention>,
    tasks: Tasks,
    /// What uses the store.
    work: Tasks,
    store: Arc<Store>,
    desk: Arc<Desk>,
    ended: oneshot::Receiver<()>,
    control_ended: oneshot::Receiver<()>,
}

impl Daemon {
    /// Starts everything; returns once the API accepts connections.
    pub async fn start(config: &Config, around: Surroundings) -> Result<Self, StartError> {
        let tasks = Tasks::default();
        let central = Arc::new(Upstream::new(
            &config.upstream,
            &UpstreamCredentials::load(&config.upstream)?,
            around.clock.clone(),
            around.random.clone(),
        )?);
        let taken = Ports::take(config, around.sockets)?;
        let (api, lan, page) = (taken.api, taken.lan, taken.page);
        let store = Arc::new(open_store(config, &around.clock, &around.random, &tasks).await?);
        let retention = Arc::new(retention(&store, &around.clock, around.kernel, Some(central.clone())));
        // What has expired is destroyed before anything is answered, if the clock is plausible; otherwise as soon as it is. Until
        // then it is hidden.
        let overdue = retention.is_due();
        if overdue {
            look_at_retention(&retention).await;
        }
        let desk = Arc::new(Desk::start(around.readers)?);
        central.keep_up(&tasks);
        let parts = Parts {
            clock: around.clock,
            random: around.random,
            terminal_authentication: around.terminal_authentication,
            maintenance: around.maintenance,
            patience: around.patience,
            tasks: tasks.apart(),
            retention: retention.clone(),
            tally: Arc::default(),
        };
        let work = parts.tasks.clone();
        let people = People::open(config, &parts.clock, &parts.random, &store, &retention, &work).await?;
        let collect = Collect::open(collect_parts(config, &parts, &store, &central)).await?;
        let limits = (around.limits, around.lan_limits);
        let listeners = taken.equip(config, &people, &parts.random, &limits).await?;
        let records = Arc::new(desk::records(config, &parts, &people, &store));
        let adapters =
            Adapters { store: &store, desk: &desk, central: &central, records: &records, api, page };
        let service: Arc<dyn Service> =
            Arc::new(use_cases(config, &parts, &people, &adapters, &collect).await?);
        let control_ended = start_control(config, people.office(retention.clone()), &tasks)?;
        let review = review_audit(&store, &parts.clock);
        let keep_years = config.audit.keep_years;
        tasks.start(audit::prune(review, records, retention.clone(), keep_years, tasks.stopping()));
        desk.looked_once().await;
        let ended = listeners.start(&service, &tasks);
        if !overdue {
            // The kernel may be slow to tell of its clock; nobody waits for that where nothing is to be destroyed.
            look_at_retention(&retention).await;
        }
        retention.keep_running(&tasks);
        if around.collects_by_itself {
            collect.start();
        }
        let sandbox = config.mode.is_sandbox();
        let (tls, lan_shown) = (config.api.tls, lan.map(tracing::field::display));
        let page_shown = config.page.as_ref().zip(page).map(|(section, at)| section.address(at.port()));
        tracing::info!(%api, tls, lan = lan_shown, page = page_shown, sandbox, "ready");
        Ok(Self { api, lan, page, collect, retention, tasks, work, store, desk, ended, control_ended })
    }

    /// Resolves when the API's listeners have ended by themselves: the daemon is of no more use.
    pub async fn ended(&mut self) {
        // Nothing is sent: the end of the channel is the word.
        let _ = (&mut self.ended).await;
    }

    /// Its pulse, for whoever restarts a program that hangs.
    pub fn pulse(&self) -> Pulse {
        Pulse { tasks: self.tasks.clone(), store: self.store.clone() }
    }

    /// Stops: open requests are answered within the listener's deadline, the card is let go, the store is closed.
    pub async fn stop(self) {
        self.tasks.stopping().cancel();
        // All listeners answer what is open; those answers still need the store. A card session under way ends meanwhile.
        let (_, _, desk) = tokio::join!(self.ended, self.control_ended, self.desk.stop());
        if let Err(error) = desk {
            tracing::error!(%error, "while stopping");
        }
        // What a check has come to is still written down.
        self.work.finish().await;
        self.store.close().await;
        self.tasks.finish().await;
    }
}

/// Feels whether the program is alive.
pub struct Pulse {
    tasks: Tasks,
    store: Arc<Store>,
}

impl Pulse {
    /// Resolves once the runtime has run a task and in it the store's writer has answered. `false`: there is no writer any more.
    pub async fn beats(&self) -> bool {
        let (store, (sign, seen)) = (self.store.clone(), oneshot::channel());
        self.tasks.start(async move {
            // Nobody may be waiting any more.
            let _ = sign.send(store.writer_answers().await);
        });
        seen.await.unwrap_or(false)
    }
}

async fn look_at_retention(retention: &Retention) {
    if let Err(error) = retention.run_if_due().await {
        tracing::error!(%error, "what has expired could not be destroyed yet");
    }
}

/// A key that a machine could have made, and its certificate request; both PEM.
pub(crate) fn new_machine_key(account: &str) -> Result<(Zeroizing<String>, String), StartError> {
    Ok(pki::new_key(account).map_err(TlsError::Issue)?)
}

/// Listens for commands; the receiver resolves when the last one is answered.
fn start_control(
    config: &Config,
    office: Office,
    tasks: &Tasks,
) -> Result<oneshot::Receiver<()>, StartError> {
    let listener = Listener::bind(&config.store.directory)?;
    let office = Arc::new(office);
    let (end, ended) = oneshot::channel();
    let stopping = tasks.stopping();
    tasks.start(async move {
        control::serve(listener, office, stopping).await;
        // Nobody may be waiting for the end.
        let _ = end.send(());
    });
    Ok(ended)
}

/// The store and its commands in this process, while no daemon runs. Close the store before the tasks are finished.
pub(crate) async fn open_office(
    config: &Config,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    tasks: &Tasks,
) -> Result<(Arc<Store>, Office), StartError> {
    let store = Arc::new(open_store(config, clock, random, tasks).await?);
    let retention = Arc::new(retention(&store, clock, Arc::new(TimeService), None));
    match People::open(config, clock, random, &store, &retention, tasks).await {
        Ok(people) => Ok((store, people.office(retention))),
        Err(error) => {
            store.close().await;
            Err(error)
        }
    }
}

struct Parts {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    terminal_authentication: Option<Arc<dyn TerminalAuthentication>>,
    maintenance: MaintenanceCalendar,
    patience: Patience,
    tasks: Tasks,
    retention: Arc<Retention>,
    tally: Arc<Tally>,
}

/// Retention of an open store; a command without a daemon asks nobody on the network for the time.
fn retention(
    store: &Arc<Store>,
    clock: &Arc<dyn Clock>,
    kernel: Arc<dyn KernelClock>,
    witness: Option<Arc<dyn ClockWitness>>,
) -> Retention {
    Retention::new(RetentionParts {
        store: store.clone(),
        room: store.clone(),
        clock: clock.clone(),
        kernel,
        witness,
    })
}

fn collect_parts(
    config: &Config,
    parts: &Parts,
    store: &Arc<Store>,
    central: &Arc<Upstream>,
) -> CollectParts {
    CollectParts {
        link: central.clone(),
        results: store.clone(),
        announcements: store.clone(),
        calendar: parts.maintenance.clone(),
        audit: store.clone(),
        clock: parts.clock.clone(),
        random: parts.random.clone(),
        tasks: parts.tasks.clone(),
        every: config.collect.every(),
        origin: config.mode.origin(),
    }
}

/// What the use cases reach through their ports.
struct Adapters<'a> {
    store: &'a Arc<Store>,
    desk: &'a Arc<Desk>,
    central: &'a Arc<Upstream>,
    records: &'a Arc<KeepDeskRecords>,
    /// Where the API listens.
    api: SocketAddr,
    /// Where the front-desk page listens, if it does.
    page: Option<SocketAddr>,
}

async fn use_cases(
    config: &Config,
    parts: &Parts,
    people: &People,
    adapters: &Adapters<'_>,
    collect: &Collect,
) -> Result<UseCases, StartError> {
    let Parts { clock, random, tasks, retention, .. } = parts;
    let &Adapters { store, desk, central, records, api, page } = adapters;
    let origin = config.mode.origin();
    let idempotency = Idempotency::new(store.clone());
    let inquiries = Inquiries::open(InquiriesParts {
        queue: store.clone(),
        idempotency: idempotency.clone(),
        link: central.clone(),
        clock: clock.clone(),
        random: random.clone(),
        tasks: tasks.clone(),
    })
    .await?;
    inquiries.start();
    let folders = folders::start(config, parts, people, store, &inquiries).await?;
    let checks = desk::checks(config, parts, store, desk, central, idempotency);
    let events = desk::events(parts, people, store, desk, &checks, collect);
    let sign_in = Arc::new(people.sign_in(config, store, parts)?);
    let own_account = Arc::new(people.own_account(config, store, parts)?);
    let site = passkeys::site(config, api, page);
    let health = Arc::new(Health {
        desk: desk.clone(),
        upstream: central.clone(),
        store: store.clone(),
        trail: store.clone(),
        retention: retention.clone(),
        inquiries: inquiries.clone(),
        collect: collect.clone(),
        folders,
        clock: clock.clone(),
    });
    Ok(UseCases {
        passkeys: passkeys::passkeys(site, parts, people, store, &sign_in, &own_account),
        sign_in,
        sessions: people.sessions.clone(),
        terminals: people.terminals.clone(),
        machines: people.machines.clone(),
        endings: people.endings.clone(),
        accounts: people.accounts.clone(),
        own_account,
        checks,
        results: Arc::new(Results { store: store.clone(), audit: store.clone(), tasks: parts.tasks.clone() }),
        events,
        monitor: monitor::monitor(config, parts, people, store, &health).await?,
        health,
        collect: collect.clone(),
        news: News { store: store.clone() },
        inquiries,
        settings: ChangeSettings { store: store.clone() },
        desk_records: records.clone(),
        folders: people.folders.clone(),
        review: review_audit(store, clock),
        retention: retention.clone(),
        institution: config.institution()?,
        origin,
        stopping: tasks.stopping(),
    })
}

/// Opens the configured store, after making sure that it holds the configured kind of data.
pub(crate) async fn open_store(
    config: &Config,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    tasks: &Tasks,
) -> Result<Store, StartError> {
    let store =
        Store::open(&store_paths(config), clock.clone(), random.clone(), Arc::new(JsonForm), tasks).await?;
    if let Err(error) = claim_mode(&config.store.directory, config.mode.word()) {
        store.close().await;
        return Err(error.into());
    }
    Ok(store)
}
