//! Errors of the store: why it does not open, and how SQLite's errors become the port's.

use std::path::PathBuf;

use sqlx::migrate::MigrateError;

use super::crypto::CryptoError;
use super::files::FileError;
use super::keyring::KeyringError;
use crate::app::ports::StoreError;

/// Why the store did not open; each variant is something an administrator does differently, and its text says what.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or directory cannot be used, or others could get at it.
    #[error(transparent)]
    File(#[from] FileError),
    /// The master key lies in the same directory as what it protects.
    #[error(
        "the master key must be kept apart: {0} lies in the directory of the database or of the keyring; \
         configure another directory for it"
    )]
    MasterKeyNotApart(PathBuf),
    /// There is data, but the master key is gone.
    #[error(
        "the master key {0} is missing although a keyring or a database exists; put the file back from where you \
         keep its copy, nothing can be read without it (never create a new one for old data)"
    )]
    MasterKeyMissing(PathBuf),
    /// There is a database, but its keyring is gone.
    #[error(
        "the keyring {0} is missing although the database exists; put it back together with the database and the \
         master key it belongs to"
    )]
    KeyringMissing(PathBuf),
    /// Keyring and master key do not belong together, or the keyring is damaged.
    #[error(
        "the keyring {0} cannot be opened with this master key; restore keyring and master key from the same time"
    )]
    KeyringUnreadable(PathBuf),
    /// Another process has the store open.
    #[error("another process is using the data directory {0}; stop it first")]
    InUse(PathBuf),
    /// SQLite before 3.51.3 can lose committed rows (sqlite.org/wal.html, section 11).
    #[error(
        "SQLite {0} is too old: versions before 3.51.3 can lose stored results; use the packaged program"
    )]
    SqliteTooOld(String),
    /// A newer program has changed the database.
    #[error(
        "the database was changed by a newer version of this program (schema {0}); install that version again"
    )]
    NewerSchema(i64),
    /// A setting that the promises rest on did not take effect.
    #[error("SQLite did not accept the setting {0}")]
    Setting(&'static str),
    /// The file is not a database, or a damaged one.
    #[error("the database is damaged: {0}; keep a copy of the data directory and restore a backup")]
    Damaged(String),
    /// Damaged data was set aside; nothing opens until an administrator decides.
    #[error(
        "保存データが壊れていたため {0} に移しました。バックアップから復元してください（shikakud restore FILE --recovery-key \
         KEY）。バックアップがなければ、空の状態から始めます（shikakud run --start-empty）。手順は RECOVERY.md にあります"
    )]
    SetAside(PathBuf),
    /// A restore was interrupted.
    #[error("復元が途中で止まっています。shikakud restore をもう一度実行してください")]
    RestoreUnfinished,
    /// The schema could not be brought up to date; the data is as it was before.
    #[error(
        "データベースを新しい版に更新できませんでした（{0}）。データは更新前のままです。前の版を入れ直し、この表示をサポートに\
         知らせてください"
    )]
    UpgradeFailed(String),
    /// The disk is full.
    #[error("the disk is full; free some space and start again")]
    DiskFull,
    /// Anything else SQLite said.
    #[error("the database did not open: {0}")]
    Database(String),
}

const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_NOTADB: i32 = 26;

/// SQLite's primary result code, if the error came from SQLite.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// What SQLite itself says. Its messages name tables, columns and constraints, never bound values.
fn message(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(database) => database.message().to_owned(),
        None => error.to_string(),
    }
}

/// Maps an error of a statement.
pub(super) fn failed(error: &sqlx::Error) -> StoreError {
    match primary_code(error) {
        Some(SQLITE_FULL) => StoreError::DiskFull,
        _ => StoreError::Failed(message(error)),
    }
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        match primary_code(&error) {
            Some(SQLITE_FULL) => Self::DiskFull,
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => Self::Damaged(message(&error)),
            _ => Self::Database(message(&error)),
        }
    }
}

impl From<MigrateError> for OpenError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
                Self::NewerSchema(version)
            }
            MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => cause.into(),
            other => Self::Database(other.to_string()),
        }
    }
}

impl From<KeyringError> for OpenError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::File(file) => Self::File(file),
            KeyringError::MasterKeyMissing(path) => Self::MasterKeyMissing(path),
            KeyringError::KeyringMissing(path) => Self::KeyringMissing(path),
            KeyringError::Unreadable(path) => Self::KeyringUnreadable(path),
            KeyringError::Crypto(cause) => Self::Database(cause.to_string()),
        }
    }
}

impl From<KeyringError> for StoreError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::File(FileError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::StorageFull =>
            {
                Self::DiskFull
            }
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<CryptoError> for StoreError {
    fn from(error: CryptoError) -> Self {
        Self::Failed(error.to_string())
    }
}
