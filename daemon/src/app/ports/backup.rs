//! Backups of the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::personal::Secret;

/// A backup that was written and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupMade {
    /// The archive.
    pub file: PathBuf,
    /// How many results it holds.
    pub results: u64,
    /// From when on none of its results may be restored; none if it holds none.
    pub results_expire_at: Option<Timestamp>,
}

/// How far something is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// What is done.
    pub done: u64,
    /// What there is.
    pub whole: u64,
}

/// How far a backup or its restore is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveStep {
    /// The database is being copied; how far is not known.
    Copying,
    /// The archive is being written.
    Writing(Part),
    /// What was written is being read back.
    ReadingBack(Part),
    /// The archive is being opened.
    Opening(Part),
    /// What was in it is being checked and brought up to date; how far is not known.
    Checking,
}

/// Hears how far it is, often and from any thread; must not wait.
pub type HearsSteps = Arc<dyn Fn(ArchiveStep) + Send + Sync>;

/// Why no backup was written; nothing is left where it would lie. The texts say what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// The recovery key is none.
    #[error("復旧鍵が正しくありません。shikakud recovery-key で作ったファイルを指定してください")]
    RecoveryKey,
    /// The directory or the disk.
    #[error(
        "バックアップを書けません: {0}。shikakud を動かすユーザーが書ける、空きのあるディレクトリを指定してください"
    )]
    Target(String),
    /// The store failed, or what was written does not read back.
    #[error("バックアップを作れません: {0}")]
    Failed(String),
}

/// Writes backups while the store is in use.
#[async_trait]
pub trait Backups: Send + Sync + 'static {
    /// Writes an archive of everything that has not expired into a directory, encrypted under a recovery key, and reads
    /// it back. `mode` is the kind of data (`production`, `sandbox`); `hears` is told how far it is.
    async fn back_up(
        &self,
        directory: &Path,
        recovery: &Secret,
        mode: &str,
        hears: HearsSteps,
    ) -> Result<BackupMade, BackupError>;
}
