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
        "マスターキー {0} が、データベースまたは鍵束と同じディレクトリにあります。store.master_key_file に別の\
         ディレクトリ（できれば別の媒体）を設定してください"
    )]
    MasterKeyNotApart(PathBuf),
    /// There is data, but the master key is gone.
    #[error(
        "データがあるのに、マスターキー {0} がありません。保管しているコピーをその場所に戻してください。\
         新しい鍵を作っても、保存済みのデータは読めません"
    )]
    MasterKeyMissing(PathBuf),
    /// The master key is kept outside (systemd credential), and was not handed over.
    #[error(
        "外部のマスターキー {name} を読めません: {problem}。サービスの LoadCredentialEncrypted= を確認してください"
    )]
    ExternalKey {
        /// Its configured name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The master key is a systemd credential, and systemd did not start this process.
    #[error(
        "マスターキー {0} は、サービスとして動く shikakud だけに渡されます。鍵を失ったのではありません。サービスを始めるか（systemctl \
         start shikaku-bridge）、止めてから行うコマンドは、鍵を渡して実行してください: sudo systemd-run --pty --wait --collect \
         --uid=shikaku-bridge -p LoadCredentialEncrypted=master-key:/etc/credstore.encrypted/shikaku-bridge.master-key \
         shikakud …（手順は RECOVERY.md にあります）"
    )]
    KeyNotHanded(String),
    /// There is a database, but its keyring is gone.
    #[error(
        "データベースがあるのに、鍵束 {0} がありません。データベース、鍵束、マスターキーの、同じ時点のものを\
         そろえて戻してください"
    )]
    KeyringMissing(PathBuf),
    /// Keyring and master key do not belong together, or the keyring is damaged.
    #[error(
        "鍵束 {0} は、このマスターキーで開けません。鍵束とマスターキーの、同じ時点のものをそろえて戻してください"
    )]
    KeyringUnreadable(PathBuf),
    /// Another process has the store open.
    #[error("データのディレクトリ {0} は別のプロセスが使用中です。先にそれを止めてください")]
    InUse(PathBuf),
    /// SQLite before 3.51.3 can lose committed rows (sqlite.org/wal.html, section 11).
    #[error(
        "SQLite {0} は古すぎます。3.51.3より前の版は保存した結果を失うことがあります。配布されたプログラムを\
         使ってください"
    )]
    SqliteTooOld(String),
    /// A newer program has changed the database.
    #[error(
        "データベースは、より新しい版のプログラムで使われています（スキーマ {0}）。その版をもう一度入れてください"
    )]
    NewerSchema(i64),
    /// A setting that the promises rest on did not take effect.
    #[error("SQLiteが設定 {0} を受け付けません。データのディレクトリが書き込めるか確認してください")]
    Setting(&'static str),
    /// The file is not a database, or a damaged one.
    #[error(
        "データベースが壊れています: {0}。データのディレクトリのコピーを取り、バックアップから復元してください"
    )]
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
    #[error("ディスクに空きがありません。不要なファイルを消してから、もう一度起動してください")]
    DiskFull,
    /// Anything else SQLite said.
    #[error("データベースを開けません: {0}")]
    Database(String),
}

impl OpenError {
    /// Whether only a person can end it: the next try would find the same. What may pass by itself, a full disk, a medium that is not
    /// there yet, another process, is none of these.
    pub fn needs_a_person(&self) -> bool {
        match self {
            Self::MasterKeyNotApart(_)
            | Self::KeyringMissing(_)
            | Self::KeyringUnreadable(_)
            | Self::SqliteTooOld(_)
            | Self::NewerSchema(_)
            | Self::Damaged(_)
            | Self::SetAside(_)
            | Self::RestoreUnfinished
            | Self::UpgradeFailed(_) => true,
            Self::File(_)
            | Self::MasterKeyMissing(_)
            | Self::ExternalKey { .. }
            | Self::KeyNotHanded(_)
            | Self::InUse(_)
            | Self::Setting(_)
            | Self::DiskFull
            | Self::Database(_) => false,
        }
    }
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

/// Maps an error of a read. A row's own values are never in it: columns are read by number.
pub(super) fn read_failed(error: &rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::SqliteFailure(code, _) if code.code == rusqlite::ErrorCode::DiskFull => {
            StoreError::DiskFull
        }
        rusqlite::Error::SqliteFailure(_, Some(message)) => StoreError::Failed(message.clone()),
        other => StoreError::Failed(other.to_string()),
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
            KeyringError::File(FileError::Io { source, .. })
                if source.kind() == std::io::ErrorKind::StorageFull =>
            {
                Self::DiskFull
            }
            KeyringError::File(file) => Self::File(file),
            KeyringError::MasterKeyMissing(path) => Self::MasterKeyMissing(path),
            KeyringError::NotHanded(name) => Self::KeyNotHanded(name),
            KeyringError::External { name, problem } => Self::ExternalKey { name, problem },
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
