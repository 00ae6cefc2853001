//! Who may come in, put together: accounts, terminals, machines and sessions.

use std::sync::Arc;

use super::{Parts, StartError};
use crate::app::accounts::ManageAccounts;
use crate::app::audit::ReviewAudit;
use crate::app::backup::KeepBackups;
use crate::app::credentials::Credentials;
use crate::app::endings::Endings;
use crate::app::folders::FolderAcceptance;
use crate::app::machines::{Machines, MachinesParts};
use crate::app::own_account::OwnAccount;
use crate::app::ports::{Clock, Random};
use crate::app::retention::Retention;
use crate::app::sessions::{Sessions, SessionsParts};
use crate::app::sign_in::{SignIn, SignInParts};
use crate::app::tasks::Tasks;
use crate::app::terminals::Terminals;
use crate::config::{Config, page_idle_limit};
use crate::control::Office;
use crate::pki::Certificates;
use crate::store::Store;

/// Who may come in: the use cases that the API and the control channel share.
pub(super) struct People {
    store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    mode: &'static str,
    pub(super) terminals: Arc<Terminals>,
    pub(super) machines: Arc<Machines>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) endings: Endings,
    pub(super) accounts: Arc<ManageAccounts>,
    pub(super) folders: Arc<FolderAcceptance>,
    credentials: Arc<Credentials>,
}

impl People {
    pub(super) async fn open(
        config: &Config,
        clock: &Arc<dyn Clock>,
        random: &Arc<dyn Random>,
        store: &Arc<Store>,
        retention: &Arc<Retention>,
        tasks: &Tasks,
    ) -> Result<Self, StartError> {
        let terminals = Terminals::open(store.clone(), store.clone(), clock.clone(), random.clone());
        let terminals = Arc::new(terminals.await?);
        let machines = MachinesParts {
            store: store.clone(),
            audit: store.clone(),
            retention: retention.clone(),
            issuer: Arc::new(Certificates::new(random.clone())),
            clock: clock.clone(),
            random: random.clone(),
        };
        let machines = Arc::new(Machines::open(machines).await?);
        let sessions = SessionsParts {
            store: store.clone(),
            audit: store.clone(),
            terminals: terminals.clone(),
            machines: machines.clone(),
            page_idle: page_idle_limit(config.page.as_ref()),
            clock: clock.clone(),
            random: random.clone(),
        };
        let sessions = Arc::new(Sessions::open(sessions).await?);
        let endings = Endings {
            accounts: store.clone(),
            passkeys: store.clone(),
            sessions: sessions.clone(),
            terminals: terminals.clone(),
            machines: machines.clone(),
            tasks: tasks.clone(),
        };
        let credentials = Arc::new(Credentials::new(random.clone()));
        let accounts = Arc::new(ManageAccounts {
            institution: config.institution()?,
            accounts: store.clone(),
            settings: store.clone(),
            endings: endings.clone(),
            credentials: credentials.clone(),
            random: random.clone(),
        });
        let configured = config.folders.iter().map(|folder| (folder.name.clone(), folder.root_text()));
        let folders = Arc::new(FolderAcceptance::open(store.clone(), configured.collect()).await?);
        let (store, clock, mode) = (store.clone(), clock.clone(), config.mode.word());
        Ok(Self {
            store,
            clock,
            mode,
            terminals,
            machines,
            sessions,
            endings,
            accounts,
            folders,
            credentials,
        })
    }

    pub(super) fn sign_in(
        &self,
        config: &Config,
        store: &Arc<Store>,
        parts: &Parts,
    ) -> Result<SignIn, StartError> {
        Ok(SignIn::new(SignInParts {
            institution: config.institution()?,
            accounts: store.clone(),
            settings: store.clone(),
            sessions: self.sessions.clone(),
            terminals: self.terminals.clone(),
            machines: self.machines.clone(),
            announcements: store.clone(),
            audit: store.clone(),
            credentials: self.credentials.clone(),
            clock: parts.clock.clone(),
            random: parts.random.clone(),
            tally: parts.tally.clone(),
        }))
    }

    pub(super) fn own_account(
        &self,
        config: &Config,
        store: &Arc<Store>,
        parts: &Parts,
    ) -> Result<OwnAccount, StartError> {
        Ok(OwnAccount {
            institution: config.institution()?,
            accounts: store.clone(),
            settings: store.clone(),
            endings: self.endings.clone(),
            audit: store.clone(),
            credentials: self.credentials.clone(),
            clock: parts.clock.clone(),
            random: parts.random.clone(),
        })
    }

    pub(super) fn office(&self, retention: Arc<Retention>) -> Office {
        Office {
            retention,
            folders: self.folders.clone(),
            accounts: self.accounts.clone(),
            terminals: self.terminals.clone(),
            machines: self.machines.clone(),
            endings: self.endings.clone(),
            audit: review_audit(&self.store, &self.clock),
            backups: KeepBackups { store: self.store.clone(), log: self.store.clone(), mode: self.mode },
        }
    }
}

pub(super) fn review_audit(store: &Arc<Store>, clock: &Arc<dyn Clock>) -> ReviewAudit {
    ReviewAudit { trail: store.clone(), log: store.clone(), results: store.clone(), clock: clock.clone() }
}
