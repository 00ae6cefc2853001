//! Terminals (端末) that are enrolled once with an administrator's code and known by a token afterwards.
//!
//! A terminal's token is no credential: it signs nobody in. It gives its attempts a failure counter of their own, and its
//! sessions work nowhere else.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::access::{Authority, audit};
use super::enrolment::{EnrolmentCode, REFUSED_CODE, code_hash, new_code};
use super::ports::{
    AuditLog, AuditSource, Clock, EnrolledTerminal, Random, StoreError, TerminalStore, random_bytes,
};
use crate::domain::personal::Secret;

/// Why a terminal was not offered, enrolled or removed; the texts go to the person at the machine.
#[derive(Debug, thiserror::Error)]
pub enum TerminalsError {
    /// The name breaks its rule.
    #[error("端末の名前は英数字と - _ の64文字以内です")]
    Name,
    /// The code is wrong, used or too old.
    #[error("登録コードが違うか、使用済みか、期限が切れています")]
    Code,
    /// There is no such terminal.
    #[error("その名前の端末はありません")]
    Unknown,
    /// The store failed.
    #[error("保存領域が使えません: {0}")]
    Store(#[from] StoreError),
}

/// The enrolled terminals.
pub struct Terminals {
    store: Arc<dyn TerminalStore>,
    audit: Arc<dyn AuditLog>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// Token hash to row, so that a request costs no query.
    known: RwLock<HashMap<[u8; 32], i64>>,
    reading: Mutex<()>,
}

impl Terminals {
    /// Reads which terminals are enrolled.
    pub async fn open(
        store: Arc<dyn TerminalStore>,
        audit: Arc<dyn AuditLog>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StoreError> {
        let terminals =
            Self { store, audit, clock, random, known: RwLock::default(), reading: Mutex::default() };
        terminals.read_again().await?;
        Ok(terminals)
    }

    /// The terminal of a token.
    pub fn find(&self, token: &str) -> Option<i64> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&hash(token)).copied()
    }

    /// Whether a terminal is still enrolled.
    pub fn is_enrolled(&self, id: i64) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().any(|known| *known == id)
    }

    /// A code with which whoever has it enrols a terminal of this name, once, within the hour.
    pub async fn offer(&self, by: &Authority, name: &str) -> Result<EnrolmentCode, TerminalsError> {
        let named = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !named {
            return Err(TerminalsError::Name);
        }
        let new = new_code(&*self.random, self.clock.now());
        let entry = by.audit("terminal.enrol_code", name);
        self.store.offer_terminal(name, code_hash(&new.code), new.expires_at, &entry).await?;
        Ok(new)
    }

    /// Enrols a terminal and returns its token, which is shown once; a code that enrols nothing is in the audit log, because it may
    /// be somebody who guesses. Sessions at an older one of the same name end with
    /// [`super::endings::Endings`].
    pub(super) async fn enrol(
        &self,
        code: &Secret,
        source: AuditSource,
    ) -> Result<(EnrolledTerminal, Secret), TerminalsError> {
        let token = Secret::new(data_encoding::BASE64URL_NOPAD.encode(&random_bytes::<32>(&*self.random)));
        let entry = audit("terminal", source, "terminal.enrol", String::new());
        let now = self.clock.now();
        let code = code_hash(code);
        let Some(enrolled) = self.store.enrol_terminal(code, hash(token.expose()), now, &entry).await? else {
            self.audit.append(&audit("terminal", source, "terminal.enrol", REFUSED_CODE.to_owned())).await?;
            return Err(TerminalsError::Code);
        };
        self.read_again().await?;
        Ok((enrolled, token))
    }

    /// The name of one that is enrolled.
    pub async fn name_of(&self, id: i64) -> Result<Option<String>, StoreError> {
        let all = self.store.terminals().await?;
        Ok(all.into_iter().find(|terminal| terminal.id == id).map(|terminal| terminal.name))
    }

    /// Every enrolled terminal.
    pub async fn list(&self) -> Result<Vec<EnrolledTerminal>, StoreError> {
        self.store.terminals().await
    }

    /// Removes a terminal; its sessions end with [`super::endings::Endings`].
    pub(super) async fn remove(&self, by: &Authority, name: &str) -> Result<(), TerminalsError> {
        let removed = self.store.remove_terminal(name, &by.audit("terminal.remove", name)).await;
        // Also after an error: it may stand all the same.
        self.read_again().await?;
        if removed? { Ok(()) } else { Err(TerminalsError::Unknown) }
    }

    async fn read_again(&self) -> Result<(), StoreError> {
        // One after the other: what was read before a change must not take the place of what was read after it.
        let _turn = self.reading.lock().await;
        let terminals = self.store.terminals().await?;
        let known = terminals.into_iter().map(|terminal| (terminal.token_hash, terminal.id)).collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
