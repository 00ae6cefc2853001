//! Where the configured store lies, and who keeps its master key.

use std::sync::Arc;

use crate::config::Config;
use crate::store::{Credential, MasterKeySource, Room, StoreConfig};
use crate::system::credentials_directory;

/// Connections that read at the same time: more than the cores of a clinic's PC brings nothing.
const READERS: u32 = 4;

/// Where the configured store lies.
pub(crate) fn store_paths(config: &Config) -> StoreConfig {
    StoreConfig {
        data_dir: config.store.directory.clone(),
        keyring: config.store.directory.join("keyring"),
        master_key: master_key(config),
        readers: READERS,
        anchor: config.audit.anchor_file.clone(),
        room: Room {
            ballast: config.store.ballast_mib.saturating_mul(1 << 20),
            low_water: config.store.low_water_mib.saturating_mul(1 << 20),
        },
    }
}

fn master_key(config: &Config) -> MasterKeySource {
    #[cfg(windows)]
    if let Some(file) = config.store.sealed_file() {
        return MasterKeySource::External(Arc::new(crate::store::SealedFile(file)));
    }
    match config.store.credential() {
        Some(name) => MasterKeySource::External(Arc::new(Credential {
            name: name.to_owned(),
            directory: credentials_directory(),
        })),
        None => config.store.master_key_file.clone().into(),
    }
}
