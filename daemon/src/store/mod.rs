//! The store: SQLite through sqlx, behind the ports of `app`. Results are kept encrypted, with one key per month, until
//! their retention ends; accounts, sessions and the audit log lie in the same database.
//!
//! Knows nothing of HTTP, the central system or cards, and decides nothing about them: use cases do. Nothing that names
//! a patient is ever written in clear. Writes go through one task (`writer`); results are read through connections of
//! their own (`readers`), everything else through sqlx's pool, all of them read-only; the view `live_results` hides what
//! has expired. One process at a time.
//!
//! A clock that is set back brings nothing back (the high-water mark is persisted with every commit). After a clock that
//! ran ahead, what it hid shows again once a plausible clock says so; nothing is destroyed before.

mod accounts;
mod announcements;
mod archive;
mod audit;
mod ballast;
mod body;
mod clock;
mod collection;
mod commits;
mod crypto;
mod database;
mod desk;
mod direct;
mod error;
mod files;
mod folders;
mod idempotency;
mod identity;
mod inspect;
mod job;
mod keyring;
mod machines;
mod marks;
mod master;
mod merge;
mod news;
mod numbers;
mod passkeys;
mod pending;
mod queue;
mod readers;
mod reads;
mod results;
mod retention;
mod row;
mod sessions;
mod settings;
mod terminals;
mod vitals;
mod waiting;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::sqlite::SqlitePool;
use tokio::sync::{mpsc, oneshot};

pub use archive::{
    Header, QuarantineError, RecoveryKey, RestoreError, Restored, ToRestore, restore, start_empty,
};
pub use audit::{ChainError, ChainHead};
pub use ballast::Room;
pub use database::check_version;
pub use error::OpenError;
pub use files::FileError;
pub(crate) use files::replace_private;
pub use inspect::{Inspection, inspect, is_in_use, sqlite_version};
#[cfg(windows)]
pub use master::SealedFile;
pub use master::{Credential, ExternalKey, KeyProblem, MasterKeySource};

pub use crate::app::ports::Purged;
use crate::app::ports::{AnchorFinding, AuditLog as _, Clock, Random, ResultForm};
use crate::app::tasks::Tasks;
use ballast::Ballast;
use clock::StoreClock;
use keyring::Keyring;
use master::Master;
use news::News;
use readers::Readers;
use writer::{Command, Tx};

/// Where the store lies.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Directory of the database; created with mode 0700.
    pub data_dir: PathBuf,
    /// The keyring file, outside the database. Its directory is created with mode 0700.
    pub keyring: PathBuf,
    /// Where the master key comes from. A file lies in a directory of its own (created with mode 0700): whoever copies
    /// the data directory must not get it along.
    pub master_key: MasterKeySource,
    /// Connections that read at the same time, at least one.
    pub readers: u32,
    /// How much room on the disk is kept.
    pub room: Room,
    /// The audit log's anchor file; without a name it lies in the data directory. Its directory is created with mode
    /// 0700.
    pub anchor: Option<PathBuf>,
}

impl StoreConfig {
    /// The master key's file, if it is one of ours.
    pub fn master_file(&self) -> Option<&Path> {
        match &self.master_key {
            MasterKeySource::File(file) => Some(file),
            MasterKeySource::External(_) => None,
        }
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.data_dir.join("shikaku.db")
    }

    /// The audit log's anchor.
    pub fn audit_anchor(&self) -> PathBuf {
        self.anchor.clone().unwrap_or_else(|| self.data_dir.join("audit.anchor"))
    }
}

/// The open store; implements `ResultStore`, `CollectedResults`, `Announcements`, `InquiryQueue`, `AuditLog`,
/// `Accounts`, `PasskeyStore`, `DeskRecords`, `SessionStore`, `TerminalStore`, `MachineStore`, `Settings`, `RequestMemory`, `FolderLedger`,
/// `RetentionStore`, `StoreRoom` and `StoreVitals`.
pub struct Store {
    writer: mpsc::Sender<Command>,
    readers: SqlitePool,
    results: Readers,
    keyring: Arc<Keyring>,
    clock: Arc<StoreClock>,
    ballast: Arc<Ballast>,
    unfinished: AtomicBool,
    found_at_start: Mutex<Option<AnchorFinding>>,
    config: StoreConfig,
    random: Arc<dyn Random>,
    form: Arc<dyn ResultForm>,
    news: Arc<News>,
    commits: Arc<commits::Commits>,
    backing_up: tokio::sync::Mutex<()>,
}

impl Store {
    /// Opens the store, or creates it at the first start; brings its schema up to date.
    ///
    /// The writer runs in `tasks` and ends with [`Store::close`] or when the store is dropped, not when the tasks are
    /// told to stop: requests that are being answered still commit their audit rows. So close the store before waiting
    /// for `tasks` to finish.
    pub async fn open(
        config: &StoreConfig,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        form: Arc<dyn ResultForm>,
        tasks: &Tasks,
    ) -> Result<Self, OpenError> {
        prepare_directories(config)?;
        let lock = lock(&config.data_dir)?;
        archive::guard(config)?;
        archive::remove_leftovers(config)?;
        let database = config.database();
        let database_exists = files::exists(&database)?;
        check_sidecars(&database)?;
        let master = Master::of(&config.master_key, &config.keyring)?;
        let has_aside = archive::has_aside(config)?;
        if has_aside && !database_exists {
            keyring::renew_master(&config.keyring, &master, &*random)?;
        }
        let keyring = Keyring::open(&config.keyring, master, database_exists, Arc::clone(&random))?;
        drop(files::ensure_private(&database)?);

        let mut connection = match database::open_writer(&database).await {
            Ok(connection) => archive::upgrade::run(connection, config).await?,
            Err(OpenError::Damaged(reason)) => {
                tracing::error!(reason, "the database is damaged");
                return Err(OpenError::SetAside(archive::set_aside(config, clock.now())?));
            }
            Err(other) => return Err(other),
        };
        let (high_us, plausible_us): (i64, i64) =
            sqlx::query_as("SELECT high_water_us, plausible_us FROM clock WHERE id = 1")
                .fetch_one(&mut connection)
                .await?;
        let unfinished: bool = sqlx::query_scalar("SELECT unfinished FROM retention WHERE id = 1")
            .fetch_one(&mut connection)
            .await?;
        let clock = Arc::new(StoreClock::new(clock, high_us, plausible_us));
        let now_us = clock.now_us();
        let identity = identity::of(&mut connection, &*random, has_aside, now_us).await?;
        let change: i64 = sqlx::query_scalar("SELECT change FROM results_sequence WHERE id = 1")
            .fetch_one(&mut connection)
            .await?;
        let news = Arc::new(News::new(identity, change, Arc::clone(&clock)));
        let ballast = Arc::new(Ballast::new(&config.data_dir, config.room));
        make_room(&ballast);
        writer::leave_no_old_log(&mut connection).await?;
        sqlx::query("UPDATE clock SET high_water_us = ?1 WHERE id = 1")
            .bind(now_us)
            .execute(&mut connection)
            .await?;
        // SQLite syncs the WAL's name only if it has just created it, and tells nobody if that fails.
        files::sync_directory(&config.data_dir)?;
        let readers = database::open_readers(&database, config.readers).await?;
        let results = Readers::open(&database, config.readers)?;

        let keyring = Arc::new(keyring);
        let (ledger, finding) = audit::begin(&mut connection, &config.audit_anchor(), &keyring).await?;
        let (writer, commands) = mpsc::channel(writer::QUEUE);
        let commits = Arc::new(commits::Commits::default());
        let context = Tx {
            db: connection,
            keyring: Arc::clone(&keyring),
            random: Arc::clone(&random),
            clock: Arc::clone(&clock),
            form: Arc::clone(&form),
            news: Arc::clone(&news),
            now_us,
            numbers: numbers::Numbers::default(),
            ledger,
            commits: Arc::clone(&commits),
        };
        tasks.start(writer::run(context, direct::Direct::new(&database), commands, lock));
        let store = Self {
            writer,
            readers,
            results,
            keyring,
            clock,
            ballast,
            unfinished: AtomicBool::new(unfinished),
            found_at_start: Mutex::new(None),
            config: config.clone(),
            random,
            form,
            news,
            commits,
            backing_up: tokio::sync::Mutex::new(()),
        };
        if let Some(finding) = finding {
            store.record(finding).await?;
        }
        Ok(store)
    }

    /// Writes down what is wrong with the anchor, before the first commit replaces it.
    async fn record(&self, finding: AnchorFinding) -> Result<(), OpenError> {
        if let Err(error) = self.append(&audit::finding_entry(finding)).await {
            self.close().await;
            return Err(OpenError::Database(error.to_string()));
        }
        if finding == AnchorFinding::Begun {
            return Ok(());
        }
        tracing::error!(finding = finding.word(), "the audit log does not agree with its anchor");
        *self.found_at_start.lock().unwrap_or_else(PoisonError::into_inner) = Some(finding);
        Ok(())
    }

    /// Commits what was asked so far, empties the WAL and closes the files. Whatever is asked afterwards fails.
    pub async fn close(&self) {
        self.results.close().await;
        self.readers.close().await;
        let (done, closed) = oneshot::channel();
        if self.writer.send(Command::Close(done)).await.is_ok() {
            // An error means that the writer had ended before.
            drop(closed.await);
        }
    }
}

/// A disk too full for the ballast is no reason not to open: what is due can still be destroyed with what there is.
fn make_room(ballast: &Ballast) {
    match ballast.restore() {
        Ok(true) => {}
        Ok(false) => tracing::warn!("too little space for the ballast that purging on a full disk needs"),
        Err(error) => tracing::warn!(%error, "no ballast"),
    }
}

fn prepare_directories(config: &StoreConfig) -> Result<(), OpenError> {
    let keyring = files::directory_of(&config.keyring);
    let master = config.master_file().map(files::directory_of);
    let anchor = files::directory_of(&config.audit_anchor());
    let directories = [Some(&config.data_dir), Some(&keyring), master.as_ref(), Some(&anchor)];
    for directory in directories.into_iter().flatten() {
        files::refuse_links(directory)?;
        files::private_directory(directory)?;
    }
    check_apart(config)
}

fn check_apart(config: &StoreConfig) -> Result<(), OpenError> {
    let Some(master) = config.master_file() else { return Ok(()) };
    let real =
        |path: &Path| path.canonicalize().map_err(|source| FileError::Io { path: path.to_owned(), source });
    let apart = real(&files::directory_of(master))?;
    if apart == real(&config.data_dir)? || apart == real(&files::directory_of(&config.keyring))? {
        return Err(OpenError::MasterKeyNotApart(master.to_owned()));
    }
    Ok(())
}

/// Two processes with their own idea of the keyring would destroy each other's keys. The system lets go of the lock
/// when the process ends, however it ends.
fn lock(data_dir: &Path) -> Result<File, OpenError> {
    let path = data_dir.join("lock");
    let file = files::ensure_private(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(FileError::Io { path, source }.into()),
    }
}

/// SQLite gives new `-wal` and `-shm` files the database's mode; old ones are checked like the database itself.
fn check_sidecars(database: &Path) -> Result<(), OpenError> {
    for suffix in ["-wal", "-shm", "-journal"] {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        drop(files::open_private(Path::new(&name), false)?);
    }
    Ok(())
}
