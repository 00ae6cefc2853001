//! The store: SQLite through sqlx, behind the ports of `app`. Results are kept encrypted, with one key per month, until
//! their retention ends; accounts, sessions and the audit log lie in the same database.
//!
//! Knows nothing of HTTP, the central system or cards, and decides nothing about them: use cases do. Nothing that names
//! a patient is ever written in clear. Writes go through one task (`writer`), reads through a pool of read-only
//! connections and the view `live_results`, which hides what has expired. One process at a time.
//!
//! A clock that is set back brings nothing back (the high-water mark is persisted with every commit). The price: after a
//! clock that ran far ahead, what it hid stays hidden.

mod accounts;
mod audit;
mod crypto;
mod database;
mod error;
mod files;
mod inspect;
mod job;
mod keyring;
mod machines;
mod queue;
mod results;
mod retention;
mod row;
mod sessions;
mod settings;
mod terminals;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::sqlite::SqlitePool;
use tokio::sync::{mpsc, oneshot};

pub use audit::{ChainError, ChainHead};
pub use database::check_version;
pub use error::OpenError;
pub use files::FileError;
pub use inspect::{Inspection, inspect, is_in_use, sqlite_version};
pub use retention::Purged;

use crate::app::ports::{Clock, Random};
use crate::app::tasks::Tasks;
use keyring::Keyring;
use writer::{Command, StoreClock, Tx};

/// Where the store lies.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Directory of the database; created with mode 0700.
    pub data_dir: PathBuf,
    /// The keyring file, outside the database. Its directory is created with mode 0700.
    pub keyring: PathBuf,
    /// The master key file, in a directory of its own (created with mode 0700): whoever copies the data directory must
    /// not get it along.
    pub master_key: PathBuf,
    /// Connections that read at the same time, at least one.
    pub readers: u32,
}

impl StoreConfig {
    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.data_dir.join("shikaku.db")
    }
}

/// The open store; implements `ResultStore`, `InquiryQueue`, `AuditLog`, `Accounts`, `SessionStore`, `TerminalStore`,
/// `MachineStore` and `Settings`.
pub struct Store {
    writer: mpsc::Sender<Command>,
    readers: SqlitePool,
    keyring: Arc<Keyring>,
    clock: Arc<StoreClock>,
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
        tasks: &Tasks,
    ) -> Result<Self, OpenError> {
        prepare_directories(config)?;
        let lock = lock(&config.data_dir)?;
        let database = config.database();
        let database_exists = files::exists(&database)?;
        check_sidecars(&database)?;
        let keyring =
            Keyring::open(&config.keyring, &config.master_key, database_exists, Arc::clone(&random))?;
        drop(files::ensure_private(&database)?);

        let mut connection = database::open_writer(&database).await?;
        let mark: i64 = sqlx::query_scalar("SELECT high_water_us FROM clock WHERE id = 1")
            .fetch_one(&mut connection)
            .await?;
        let clock = Arc::new(StoreClock::new(clock, mark));
        let now_us = clock.now_us();
        sqlx::query("UPDATE clock SET high_water_us = ?1 WHERE id = 1")
            .bind(now_us)
            .execute(&mut connection)
            .await?;
        let readers = database::open_readers(&database, config.readers).await?;

        let keyring = Arc::new(keyring);
        let (writer, commands) = mpsc::channel(writer::QUEUE);
        let context =
            Tx { db: connection, keyring: Arc::clone(&keyring), random, clock: Arc::clone(&clock), now_us };
        tasks.start(writer::run(context, commands, lock));
        Ok(Self { writer, readers, keyring, clock })
    }

    /// Commits what was asked so far, empties the WAL and closes the files. Whatever is asked afterwards fails.
    pub async fn close(&self) {
        self.readers.close().await;
        let (done, closed) = oneshot::channel();
        if self.writer.send(Command::Close(done)).await.is_ok() {
            // An error means that the writer had ended before.
            drop(closed.await);
        }
    }
}

fn prepare_directories(config: &StoreConfig) -> Result<(), OpenError> {
    let (keyring, master) = (files::directory_of(&config.keyring), files::directory_of(&config.master_key));
    for directory in [&config.data_dir, &keyring, &master] {
        files::private_directory(directory)?;
    }
    check_apart(config)
}

fn check_apart(config: &StoreConfig) -> Result<(), OpenError> {
    let (keyring, master) = (files::directory_of(&config.keyring), files::directory_of(&config.master_key));
    let real =
        |path: &Path| path.canonicalize().map_err(|source| FileError::Io { path: path.to_owned(), source });
    let apart = real(&master)?;
    if apart == real(&config.data_dir)? || apart == real(&keyring)? {
        return Err(OpenError::MasterKeyNotApart(config.master_key.clone()));
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
