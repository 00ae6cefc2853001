//! Signs of life: what whoever watches the program is told about its store and its process.

use std::time::Duration;

use async_trait::async_trait;

use super::store::StoreError;

/// What the store takes on the disk, in bytes; what the system does not tell is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Footprint {
    /// The database file.
    pub database: Option<u64>,
    /// Its write-ahead log.
    pub log: Option<u64>,
    /// Free space that may still be written.
    pub free: Option<u64>,
}

/// How the store is, for whoever watches.
#[async_trait]
pub trait StoreVitals: Send + Sync + 'static {
    /// Resolves when the writer has come to this question: everything asked before is done. `false`: there is no writer any more.
    /// Writes nothing and touches no disk itself.
    async fn writer_answers(&self) -> bool;

    /// Whether commits succeed: what became of the last one, and after half a minute without any, or while they fail, of one that
    /// is made to find out. Not for whoever restarts the program: that makes no disk sound and no room on one.
    async fn writes(&self) -> Result<(), StoreError>;

    /// What the store takes on the disk.
    fn footprint(&self) -> Footprint;
}

/// What the process takes from the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessUse {
    /// Memory that is in RAM, bytes.
    pub resident: u64,
    /// Open file descriptors.
    pub open_files: u64,
    /// Threads.
    pub threads: u64,
    /// Processor time, user and system.
    pub processor: Duration,
}

/// Says what the process takes.
pub trait ProcessVitals: Send + Sync + 'static {
    /// What it takes now; `None` where the system does not tell.
    fn usage(&self) -> Option<ProcessUse>;
}
