//! What takes somebody's access away: a change of credentials, a device that goes. Done to its end, on disk and in memory, whether or
//! not whoever asked for it waits.
//!
//! On disk the sessions end in the transaction of the change, so that a crash leaves none; here they end in memory. A change that
//! the store answers with an error may stand all the same: then they end as well.

use std::sync::Arc;

use super::access::Authority;
use super::machines::{Machines, MachinesError};
use super::ports::{
    AccountChange, Accounts, AuditEntry, AuditSource, Changed, EnrolledTerminal, Owner, PasskeyStore,
    StoreError,
};
use super::sessions::Sessions;
use super::tasks::Tasks;
use super::terminals::{Terminals, TerminalsError};
use crate::domain::personal::Secret;

/// The use case of all that end something.
#[derive(Clone)]
pub struct Endings {
    /// Where accounts are kept.
    pub accounts: Arc<dyn Accounts>,
    /// Where passkeys are kept.
    pub passkeys: Arc<dyn PasskeyStore>,
    /// Sessions, which end.
    pub sessions: Arc<Sessions>,
    /// Enrolled terminals.
    pub terminals: Arc<Terminals>,
    /// Receipt computers with a certificate.
    pub machines: Arc<Machines>,
    /// What is done to its end.
    pub tasks: Tasks,
}

impl Endings {
    /// Changes an account: as an administrator, or as its owner, whose session goes on.
    pub(super) async fn change_account(
        &self,
        name: &str,
        owner: Option<Owner>,
        change: AccountChange,
        entry: AuditEntry,
    ) -> Result<Changed, StoreError> {
        let (this, name) = (self.clone(), name.to_owned());
        self.tasks.to_the_end(async move { this.change(&name, owner, change, &entry).await }).await
    }

    async fn change(
        &self,
        name: &str,
        owner: Option<Owner>,
        change: AccountChange,
        entry: &AuditEntry,
    ) -> Result<Changed, StoreError> {
        let (takes_away, removes) = (change.takes_away(), matches!(change, AccountChange::Remove));
        let chosen = matches!(change, AccountChange::Password { .. });
        let changed = self.accounts.change(name, owner, change, entry).await;
        if takes_away && matches!(changed, Ok(Changed::Done) | Err(_)) {
            self.sessions.forget_account(name, owner.map(|owner| owner.session));
        }
        if let (Ok(Changed::Done), Some(owner), true) = (&changed, owner, chosen) {
            self.sessions.lift_restriction(&owner.session);
        }
        if removes {
            // Its certificates went with it; the network's door goes by what is known here.
            self.machines.read_again().await?;
        }
        changed
    }

    /// Removes one passkey of an account, or all of them; how many they were. One that is not found ends nothing.
    pub(super) async fn remove_passkeys(
        &self,
        account: &str,
        which: Option<i64>,
        kept: Option<[u8; 32]>,
        entry: AuditEntry,
    ) -> Result<u64, StoreError> {
        let (this, account) = (self.clone(), account.to_owned());
        let work = async move {
            let removed = this.passkeys.remove_passkeys(&account, which, kept, &entry).await;
            if which.is_none() || !matches!(removed, Ok(0)) {
                this.sessions.forget_account(&account, kept);
            }
            removed
        };
        self.tasks.to_the_end(work).await
    }

    /// Enrols a terminal, as `Terminals::enrol` does; sessions at an older one of its name end.
    pub async fn enrol_terminal(
        &self,
        code: Secret,
        source: AuditSource,
    ) -> Result<(EnrolledTerminal, Secret), TerminalsError> {
        let this = self.clone();
        let work = async move {
            let enrolled = this.terminals.enrol(&code, source).await?;
            this.sessions.end_of_lost_devices().await?;
            Ok(enrolled)
        };
        self.tasks.to_the_end(work).await
    }

    /// Removes a terminal, with the sessions that are bound to it.
    pub async fn remove_terminal(&self, by: &Authority, name: &str) -> Result<(), TerminalsError> {
        let (this, by, name) = (self.clone(), by.clone(), name.to_owned());
        let work = async move {
            this.terminals.remove(&by, &name).await?;
            this.sessions.end_of_lost_devices().await?;
            Ok(())
        };
        self.tasks.to_the_end(work).await
    }

    /// Revokes a certificate and whatever took over from it, with the sessions that are bound to them.
    pub async fn revoke_machine(&self, by: &Authority, id: i64) -> Result<(), MachinesError> {
        let (this, by) = (self.clone(), by.clone());
        let work = async move {
            this.machines.revoke(&by, id).await?;
            this.sessions.end_of_lost_devices().await?;
            Ok(())
        };
        self.tasks.to_the_end(work).await
    }
}
