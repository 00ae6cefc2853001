//! Where a store lies, and opening it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use daemon::app::tasks::Tasks;
use daemon::service::JsonForm;
use daemon::store::{OpenError, Room, Store, StoreConfig};
use daemon::system::OsRandom;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::ambient::HeldClock;

/// The directories of one store below a root; they survive whoever writes in them.
#[derive(Debug, Clone)]
pub struct Site {
    /// The directory that holds everything.
    pub root: PathBuf,
}

/// An open store; close it before it is opened again.
pub struct OpenStore {
    /// The store.
    pub store: Arc<Store>,
    /// Its clock.
    pub clock: Arc<HeldClock>,
    tasks: Tasks,
}

impl Site {
    /// A site below an existing directory.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Data, keyring and master key each in a directory of its own, so that no one's sync makes another's name durable.
    pub fn config(&self) -> StoreConfig {
        StoreConfig {
            data_dir: self.root.join("data"),
            keyring: self.root.join("keys/keyring"),
            master_key: self.root.join("master/master.key").into(),
            readers: 2,
            room: Room { ballast: 0, low_water: 0 },
            anchor: None,
        }
    }

    /// Opens the store at an instant. Its randomness is real: keys that a seed repeats would hide that keys were lost.
    ///
    /// # Errors
    /// What the store refuses to open with.
    pub async fn open(&self, now: Timestamp) -> Result<OpenStore, OpenError> {
        let tasks = Tasks::default();
        let clock = Arc::new(HeldClock::at(now));
        let store =
            Store::open(&self.config(), clock.clone(), Arc::new(OsRandom), Arc::new(JsonForm), &tasks)
                .await?;
        Ok(OpenStore { store: Arc::new(store), clock, tasks })
    }

    /// Every file below the root, with its content.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        read_below(&self.root, &mut files);
        files
    }
}

impl OpenStore {
    /// Closes it and waits until nothing runs any more.
    pub async fn close(self) {
        self.store.close().await;
        self.tasks.finish().await;
    }
}

/// Reads every file below a directory. What is no file (a socket) has a name and no content.
pub(super) fn read_below(directory: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_below(&path, files);
        } else {
            let content = if path.is_file() { std::fs::read(&path).expect("a file") } else { Vec::new() };
            files.push((path, content));
        }
    }
}

/// A directory in memory, if this machine offers one: what is proven here does not depend on a disk's speed.
pub fn scratch() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).expect("a temporary directory")
}
