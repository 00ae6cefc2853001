//! The composition root: the only file that puts concrete adapters, use cases and the listener together.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use api::guard::Guard;
use api::limits::Limits;
use api::serve::{self, BindError};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::app::accounts::{MACHINE, ManageAccounts};
use crate::app::audit::ReviewAudit;
use crate::app::backup::KeepBackups;
use crate::app::checks::{Checks, ChecksParts};
use crate::app::credentials::Credentials;
use crate::app::health::Health;
use crate::app::ports::{
    AuditEntry, AuditLog as _, Clock, Random, Source, StoreError, TerminalAuthentication,
};
use crate::app::results::Results;
use crate::app::settings::ChangeSettings;
use crate::app::sign_in::{SignIn, SignInParts};
use crate::app::tasks::Tasks;
use crate::card::desk::Desk;
use crate::card::pcsc::PcscReaders;
use crate::card::readers::Readers;
use crate::config::{Config, ConfigError};
use crate::control::transport::{Listener, PipeError};
use crate::control::{self, Office};
use crate::domain::personal::Secret;
use crate::service::UseCases;
use crate::store::{
    self, OpenError, RecoveryKey, RestoreError, Restored, Store, StoreConfig, replace_private as write_mark,
};
use crate::system::{OsRandom, SystemClock};
use crate::upstream::{ConfigError as UpstreamConfigError, Credentials as UpstreamCredentials, Upstream};

/// What the daemon takes from its surroundings; a harness brings its own.
pub struct Surroundings {
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The readers.
    pub readers: Box<dyn Readers>,
    /// Opens a card's key without its PIN; this machine has no material for it (see the port).
    pub terminal_authentication: Option<Arc<dyn TerminalAuthentication>>,
    /// The limits of the API's listener.
    pub limits: Limits,
}

impl Surroundings {
    /// The machine's clock, randomness and PC/SC readers.
    pub fn of_this_machine() -> std::io::Result<Self> {
        Ok(Self {
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            readers: Box::new(PcscReaders::new()?),
            terminal_authentication: None,
            limits: Limits::default(),
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
    /// The control channel cannot be had.
    #[error(transparent)]
    Control(#[from] PipeError),
    /// The API's address is taken.
    #[error("APIの待ち受けができません: {0}")]
    Bind(#[from] BindError),
    /// The operating system refused a thread or an address.
    #[error("OSの資源を使えません: {0}")]
    System(#[from] std::io::Error),
}

/// A running daemon.
pub struct Daemon {
    /// Where the API listens.
    pub api: SocketAddr,
    tasks: Tasks,
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
            UpstreamCredentials::load(&config.upstream)?,
            around.clock.clone(),
        )?);
        let listener = serve::bind(config.api.listen)?;
        let api = listener.local_addr()?;
        let store = Arc::new(open_store(config, &around.clock, &around.random, &tasks).await?);
        let desk = Arc::new(Desk::start(around.readers)?);
        let parts = Parts {
            clock: around.clock,
            random: around.random,
            terminal_authentication: around.terminal_authentication,
            tasks: tasks.clone(),
        };
        let service = use_cases(config, &parts, &store, &desk, &central).await?;
        let guard = Guard::loopback(api.port()).and_hosts(config.api.allowed_hosts.iter().cloned());
        let router = api::router(Arc::new(service), guard, around.limits);
        let control_ended = start_control(config, &parts, &store, &tasks)?;
        let (end, ended) = oneshot::channel();
        let stopping = tasks.stopping();
        tasks.start(async move {
            if let Err(error) = serve::serve(listener, router, around.limits, stopping).await {
                tracing::error!(%error, "the API's listener ended");
            }
            // Nobody may be waiting for the end.
            let _ = end.send(());
        });
        tasks.start(prune_audit(
            parts.clock.clone(),
            store.clone(),
            config.audit.keep_years,
            tasks.stopping(),
        ));
        tracing::info!(%api, sandbox = config.mode.is_sandbox(), "ready");
        Ok(Self { api, tasks, store, desk, ended, control_ended })
    }

    /// Resolves when the API's listener has ended by itself: the daemon is of no more use.
    pub async fn ended(&mut self) {
        // A listener that vanished without a word has ended as well.
        let _ = (&mut self.ended).await;
    }

    /// Stops: open requests are answered within the listener's deadline, the card is let go, the store is closed.
    pub async fn stop(self) {
        self.tasks.stopping().cancel();
        // Both listeners answer what is open; those answers still need the store.
        let _ = self.ended.await;
        let _ = self.control_ended.await;
        if let Err(error) = self.desk.stop().await {
            tracing::error!(%error, "while stopping");
        }
        self.store.close().await;
        self.tasks.finish().await;
    }
}

/// Listens for commands; the receiver resolves when the last one is answered.
fn start_control(
    config: &Config,
    parts: &Parts,
    store: &Arc<Store>,
    tasks: &Tasks,
) -> Result<oneshot::Receiver<()>, StartError> {
    let listener = Listener::bind(&config.store.directory)?;
    let office = Arc::new(office(config.mode.word(), &parts.clock, &parts.random, store));
    let (end, ended) = oneshot::channel();
    let stopping = tasks.stopping();
    tasks.start(async move {
        control::serve(listener, office, stopping).await;
        // Nobody may be waiting for the end.
        let _ = end.send(());
    });
    Ok(ended)
}

/// How often the audit log is looked at for rows past its own retention.
const PRUNE_EVERY: Duration = Duration::from_hours(24);

/// Removes audit rows past their retention, at the start and every day.
async fn prune_audit(clock: Arc<dyn Clock>, store: Arc<Store>, keep_years: u8, stopping: CancellationToken) {
    let audit = ReviewAudit { trail: store.clone(), log: store.clone(), results: store, clock };
    loop {
        match audit.prune(keep_years).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "audit rows past their retention were removed"),
            Err(error) => tracing::error!(%error, "audit rows past their retention were not removed"),
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(PRUNE_EVERY) => {}
        }
    }
}

fn office(
    mode: &'static str,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    store: &Arc<Store>,
) -> Office {
    Office {
        audit: ReviewAudit {
            trail: store.clone(),
            log: store.clone(),
            results: store.clone(),
            clock: clock.clone(),
        },
        backups: KeepBackups { store: store.clone(), log: store.clone(), mode },
        accounts: ManageAccounts {
            accounts: store.clone(),
            credentials: Arc::new(Credentials::new(random.clone())),
            random: random.clone(),
        },
    }
}

/// The store and its commands in this process, while no daemon runs. Close the store before the tasks are finished.
pub(crate) async fn open_office(
    config: &Config,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    tasks: &Tasks,
) -> Result<(Arc<Store>, Office), StartError> {
    let store = Arc::new(open_store(config, clock, random, tasks).await?);
    let office = office(config.mode.word(), clock, random, &store);
    Ok((store, office))
}

struct Parts {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    terminal_authentication: Option<Arc<dyn TerminalAuthentication>>,
    tasks: Tasks,
}

async fn use_cases(
    config: &Config,
    parts: &Parts,
    store: &Arc<Store>,
    desk: &Arc<Desk>,
    central: &Arc<Upstream>,
) -> Result<UseCases, StartError> {
    let Parts { clock, random, terminal_authentication, tasks } = parts;
    let origin = config.mode.origin();
    Ok(UseCases {
        sign_in: SignIn::open(SignInParts {
            institution: config.institution()?,
            accounts: store.clone(),
            sessions: store.clone(),
            audit: store.clone(),
            credentials: Arc::new(Credentials::new(random.clone())),
            clock: clock.clone(),
            random: random.clone(),
        })
        .await?,
        checks: Checks::new(ChecksParts {
            desk: desk.clone(),
            central: central.clone(),
            store: store.clone(),
            audit: store.clone(),
            clock: clock.clone(),
            random: random.clone(),
            tasks: tasks.clone(),
            settings: store.clone(),
            terminal_authentication: terminal_authentication.clone(),
            terminals: config.terminals(),
            origin,
        }),
        results: Results {
            store: store.clone(),
            audit: store.clone(),
            link: central.clone(),
            random: random.clone(),
            tasks: tasks.clone(),
        },
        health: Health {
            desk: desk.clone(),
            upstream: central.clone(),
            store: store.clone(),
            trail: store.clone(),
        },
        settings: ChangeSettings { store: store.clone() },
        origin,
    })
}

/// Where the configured store lies.
pub(crate) fn store_paths(config: &Config) -> StoreConfig {
    StoreConfig {
        data_dir: config.store.directory.clone(),
        keyring: config.store.directory.join("keyring"),
        master_key: config.store.master_key_file.clone(),
        readers: READERS,
        anchor: config.audit.anchor_file.clone(),
    }
}

/// Opens the configured store, after making sure that it holds the configured kind of data.
pub(crate) async fn open_store(
    config: &Config,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    tasks: &Tasks,
) -> Result<Store, StartError> {
    let store = Store::open(&store_paths(config), clock.clone(), random.clone(), tasks).await?;
    if let Err(error) = claim_mode(&config.store.directory, config.mode.word()) {
        store.close().await;
        return Err(error.into());
    }
    Ok(store)
}

/// Restores a backup for this configuration; no daemon runs meanwhile.
pub(crate) async fn restore_backup(
    config: &Config,
    archive: &Path,
    recovery: &Secret,
    set_aside: bool,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> Result<Restored, StartError> {
    let paths = store_paths(config);
    let mode = config.mode.word();
    let restored = store::restore(&paths, archive, recovery, mode, set_aside, &**clock, random).await?;
    // Opened once before anything listens: the schema is brought up to date and the log says what happened.
    let tasks = Tasks::default();
    let store = open_store(config, clock, random, &tasks).await?;
    let entry = AuditEntry {
        actor: MACHINE.to_owned(),
        action: "store.restored",
        source: Source::Machine,
        terminal: None,
        results: Vec::new(),
        outcome: format!("ok:{}", restored.header.created_us),
    };
    let noted = store.append(&entry).await;
    store.close().await;
    tasks.finish().await;
    noted?;
    Ok(restored)
}

/// Sets aside whatever data there is, so that the next start begins with nothing.
pub(crate) fn start_empty(
    config: &Config,
    clock: &dyn Clock,
) -> Result<Option<std::path::PathBuf>, StartError> {
    Ok(store::start_empty(&store_paths(config), clock.now())?)
}

/// A new recovery key as text.
pub(crate) fn recovery_key(random: &dyn Random) -> zeroize::Zeroizing<String> {
    RecoveryKey::generate(random)
}

/// Connections that read at the same time: more than the cores of a clinic's PC brings nothing.
const READERS: u32 = 4;

/// Why a data directory is not usable in this mode.
#[derive(Debug, thiserror::Error)]
pub enum ModeError {
    /// It holds the other kind of data.
    #[error("{directory} は {found} のデータです。{wanted} には別の directory を設定してください")]
    Other {
        /// The directory.
        directory: std::path::PathBuf,
        /// What it holds.
        found: String,
        /// What was configured.
        wanted: &'static str,
    },
    /// Its mark could not be read or written.
    #[error("データの種類の印を読み書きできません: {0}")]
    Unreadable(#[from] std::io::Error),
    /// Its mark could not be written.
    #[error("データの種類の印を書けません: {0}")]
    Unwritable(#[from] store::FileError),
}

/// The file that marks a data directory with its mode.
const MODE_MARK: &str = "mode";

/// The mode a data directory is marked with, if it is marked yet.
pub(crate) fn marked_mode(directory: &Path) -> std::io::Result<Option<String>> {
    match std::fs::read_to_string(directory.join(MODE_MARK)) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Marks a new data directory with its mode, for ever: sandbox data never mixes with real data.
fn claim_mode(directory: &Path, wanted: &'static str) -> Result<(), ModeError> {
    let Some(found) = marked_mode(directory)? else {
        // Whole or not at all, also after a loss of power: half a mark would lock the owner out.
        write_mark(&directory.join(MODE_MARK), wanted.as_bytes())?;
        return Ok(());
    };
    if found == wanted {
        Ok(())
    } else {
        Err(ModeError::Other { directory: directory.to_owned(), found, wanted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_belongs_to_one_mode_for_ever() {
        let directory = std::env::temp_dir().join(format!("shikaku-mode-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        assert!(claim_mode(&directory, "sandbox").is_ok());
        assert!(claim_mode(&directory, "sandbox").is_ok());
        let refused = claim_mode(&directory, "production").unwrap_err();
        assert!(matches!(refused, ModeError::Other { found, .. } if found == "sandbox"));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
