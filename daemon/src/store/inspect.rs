//! Looks at the store without opening it: whether it would open, and why not. Changes nothing.

use std::fs::TryLockError;
use std::path::Path;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::files::{self, FileError};
use super::master::Master;
use super::{OpenError, StoreConfig, check_apart, check_sidecars, check_version, database, keyring};

/// What was found; everything else is an [`OpenError`], the one that opening would end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspection {
    /// Nothing is there yet: the first start creates it.
    New,
    /// Another process has it open, so nothing more can be said.
    InUse,
    /// It would open.
    Usable {
        /// Its schema; older ones are brought up to date when it is opened.
        schema: i64,
    },
}

/// Whether another process has the store open. The lock is let go at once: a daemon that starts in that moment, a few
/// microseconds, is told that the store is in use.
pub fn is_in_use(data_dir: &Path) -> Result<bool, FileError> {
    let path = data_dir.join("lock");
    let Some(file) = files::open_private(&path, true)? else { return Ok(false) };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(FileError::Io { path, source }),
    }
}

/// Looks at directories, lock, keys and database as [`super::Store::open`] would.
pub async fn inspect(config: &StoreConfig) -> Result<Inspection, OpenError> {
    if !files::exists(&config.data_dir)? {
        return Ok(Inspection::New);
    }
    files::refuse_links(&config.data_dir)?;
    files::check_directory(&config.data_dir)?;
    if is_in_use(&config.data_dir)? {
        return Ok(Inspection::InUse);
    }
    let database = config.database();
    let has_database = files::exists(&database)?;
    if !has_database && !files::exists(&config.keyring)? {
        return Ok(Inspection::New);
    }
    if let Some(master) = config.master_file() {
        let directory = files::directory_of(master);
        if !files::exists(&directory)? {
            return Err(OpenError::MasterKeyMissing(master.to_owned()));
        }
        files::refuse_links(&directory)?;
        files::check_directory(&directory)?;
    }
    check_apart(config)?;
    check_sidecars(&database)?;
    keyring::check(&config.keyring, &Master::of(&config.master_key, &config.keyring)?)?;
    if files::open_private(&database, false)?.is_none() {
        return Ok(Inspection::New);
    }
    let mut reader = database::open_reader(&database).await?;
    let schema: i64 =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut reader).await?;
    let newest = database::MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
    if schema > newest { Err(OpenError::NewerSchema(schema)) } else { Ok(Inspection::Usable { schema }) }
}

/// The version of SQLite that this program brings along.
///
/// # Errors
/// [`OpenError::SqliteTooOld`] names a version that can lose results.
pub async fn sqlite_version() -> Result<String, OpenError> {
    let mut memory = SqliteConnectOptions::new().in_memory(true).connect().await?;
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut memory).await?;
    check_version(&version)?;
    Ok(version)
}
