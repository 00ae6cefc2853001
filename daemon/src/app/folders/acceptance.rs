//! Acceptance: whoever may read the folders needs no MFA. Without an administrator's word, on record, nothing is put there.

use std::sync::Arc;

use tokio::sync::watch;

use crate::app::access::Authority;
use crate::app::ports::{Acceptance, FolderLedger, StoreError};

/// Why it was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptanceError {
    /// No folder is configured.
    #[error("フォルダーが設定されていません（設定ファイルの [[folders]]）")]
    NotConfigured,
    /// The store failed.
    #[error("保存領域が使えません: {0}")]
    Store(#[from] StoreError),
}

/// A configured folder, and whether it is meant by what is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredFolder {
    /// Its name.
    pub name: String,
    /// Its path.
    pub root: String,
    /// Whether an administrator has accepted that its readers need no MFA.
    pub accepted: bool,
}

/// What is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptanceView {
    /// The configured folders.
    pub folders: Vec<ConfiguredFolder>,
    /// The record.
    pub record: Option<Acceptance>,
}

/// The administrator's word about the folders.
pub struct FolderAcceptance {
    ledger: Arc<dyn FolderLedger>,
    /// Names and paths.
    folders: Vec<(String, String)>,
    state: watch::Sender<Option<Acceptance>>,
}

impl FolderAcceptance {
    /// Reads what is on record. `folders`: the configured ones, each by name and path.
    pub async fn open(
        ledger: Arc<dyn FolderLedger>,
        folders: Vec<(String, String)>,
    ) -> Result<Self, StoreError> {
        let state = watch::Sender::new(ledger.acceptance().await?);
        Ok(Self { ledger, folders, state })
    }

    /// What is on record, as it changes.
    pub fn watch(&self) -> watch::Receiver<Option<Acceptance>> {
        self.state.subscribe()
    }

    /// What is on record, folder by folder.
    pub fn view(&self, _: &Authority) -> AcceptanceView {
        let record = self.state.borrow().clone();
        let folders = self.folders.iter().map(|(name, root)| ConfiguredFolder {
            name: name.clone(),
            root: root.clone(),
            accepted: covers(record.as_ref(), root),
        });
        AcceptanceView { folders: folders.collect(), record }
    }

    /// Accepts for every folder that is configured now.
    pub async fn accept(&self, by: &Authority) -> Result<(), AcceptanceError> {
        if self.folders.is_empty() {
            return Err(AcceptanceError::NotConfigured);
        }
        let roots: Vec<_> = self.folders.iter().map(|(_, root)| root.clone()).collect();
        self.set(by, "settings.folders_accepted", &roots).await
    }

    /// Takes the acceptance back: nothing more is read or written there.
    pub async fn withdraw(&self, by: &Authority) -> Result<(), AcceptanceError> {
        self.set(by, "settings.folders_withdrawn", &[]).await
    }

    async fn set(
        &self,
        by: &Authority,
        action: &'static str,
        roots: &[String],
    ) -> Result<(), AcceptanceError> {
        let entry = by.audit(action, &roots.len().to_string());
        let record = self.ledger.set_acceptance(by.name(), roots, &entry).await?;
        self.state.send_replace(record);
        Ok(())
    }
}

/// Whether a folder is meant by what is on record.
pub fn covers(record: Option<&Acceptance>, root: &str) -> bool {
    record.is_some_and(|record| record.roots.iter().any(|meant| meant == root))
}
