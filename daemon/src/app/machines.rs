//! Machines: receipt computers (レセコン) that nobody sits at, with a client certificate of the daemon's own authority as their
//! second factor.
//!
//! A certificate is enrolled once with an administrator's code, belongs to one account, and replaces nothing but the six-digit
//! code. What is trusted is the fingerprint that is kept here, not the name in the certificate.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::SignedDuration;
use tokio::sync::Mutex;

use super::access::{Authority, audit};
use super::enrolment::{EnrolmentCode, REFUSED_CODE, code_hash, new_code};
use super::ports::{
    AuditLog, AuditSource, CertificateAuthority, CertificateIssuer, Clock, IssueError, IssuedCertificate,
    Machine, MachineOffer, MachineStore, Random, StoreError,
};
use super::retention::Retention;
use crate::domain::clock::Doubt;
use crate::domain::personal::Secret;
use crate::local_network::LocalHost;

/// A certificate can be renewed so long before its end.
pub const RENEWABLE: SignedDuration = SignedDuration::from_hours(60 * 24);

/// Why a machine was not offered, enrolled, renewed or revoked; the texts go to the person at the machine.
#[derive(Debug, thiserror::Error)]
pub enum MachinesError {
    /// There is no such account.
    #[error("その名前のアカウントはありません")]
    UnknownAccount,
    /// The account does not belong to a receipt computer.
    #[error("クライアント証明書を使えるのは、役割が receipt-computer のアカウントだけです")]
    OtherRole,
    /// The account is disabled.
    #[error("そのアカウントは無効にされています")]
    Disabled,
    /// The code is wrong, used or too old.
    #[error("登録コードが違うか、使用済みか、期限が切れています")]
    Code,
    /// The certificate request is not usable.
    #[error("証明書の要求（CSR）が使えません")]
    Request,
    /// Nobody vouches for the clock: begin and end of a certificate come from it.
    #[error("時計が正しいと確かめられないため、証明書を発行しません")]
    Clock(Doubt),
    /// The session did not begin with a certificate, or its certificate is not near its end.
    #[error("証明書の更新は、その証明書でログインしたレセコンが期限の60日前から行えます")]
    NotRenewable,
    /// There is no such certificate.
    #[error("その番号の証明書はありません")]
    Unknown,
    /// The authority does not work.
    #[error("証明書を作れません: {0}")]
    Issuer(String),
    /// The store failed.
    #[error("保存領域が使えません: {0}")]
    Store(#[from] StoreError),
}

impl From<IssueError> for MachinesError {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Request => Self::Request,
            IssueError::Failed(reason) => Self::Issuer(reason),
        }
    }
}

/// What a machine gets.
pub struct EnrolledMachine {
    /// Its certificate.
    pub issued: IssuedCertificate,
    /// The authority's certificate, PEM, for the machine to trust.
    pub authority: String,
}

/// What machines are built from.
pub struct MachinesParts {
    /// Where they are kept.
    pub store: Arc<dyn MachineStore>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// Knows whether the clock is trusted.
    pub retention: Arc<Retention>,
    /// Makes certificates.
    pub issuer: Arc<dyn CertificateIssuer>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for codes.
    pub random: Arc<dyn Random>,
}

/// The machines.
pub struct Machines {
    parts: MachinesParts,
    /// By fingerprint, so that a request costs no query.
    known: RwLock<HashMap<[u8; 32], Machine>>,
    reading: Mutex<()>,
}

impl Machines {
    /// Reads which machines there are.
    pub async fn open(parts: MachinesParts) -> Result<Self, StoreError> {
        let machines = Self { parts, known: RwLock::default(), reading: Mutex::default() };
        machines.read_again().await?;
        Ok(machines)
    }

    /// The machine of a certificate that was presented, unless it has ended.
    pub fn find(&self, fingerprint: &[u8; 32]) -> Option<Machine> {
        let now = self.parts.clock.now();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(fingerprint).filter(|machine| now < machine.ends_at).cloned()
    }

    /// Whether a certificate was not revoked.
    pub fn is_enrolled(&self, id: i64) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().any(|known| known.id == id)
    }

    /// The daemon's own authority; made at first need.
    pub async fn authority(&self) -> Result<CertificateAuthority, MachinesError> {
        if let Some(authority) = self.parts.store.authority().await? {
            return Ok(authority);
        }
        let new = self.parts.issuer.new_authority(self.parts.clock.now())?;
        let entry = audit("shikakud", AuditSource::Daemon, "machine.new_authority", "ok".to_owned());
        Ok(self.parts.store.keep_authority(new, &entry).await?)
    }

    /// The authority, able to sign for these hosts. One that an earlier version made for fewer is certified anew: what it has issued
    /// stays good, and whoever trusts its older certificate goes on reaching what that one reached.
    pub async fn authority_for(&self, hosts: &[LocalHost]) -> Result<CertificateAuthority, MachinesError> {
        let (authority, now) = (self.authority().await?, self.parts.clock.now());
        if self.parts.issuer.reaches(&authority, hosts, now)? {
            return Ok(authority);
        }
        let anew = self.parts.issuer.certify_anew(&authority, now)?;
        let entry = audit("shikakud", AuditSource::Daemon, "machine.renew_authority", "ok".to_owned());
        self.parts.store.replace_authority(anew.clone(), &entry).await?;
        tracing::warn!(
            "the authority's certificate was renewed for more names: clients must trust the new one to use them"
        );
        Ok(anew)
    }

    /// A code with which whoever has it enrols a machine of this account, once, within the hour.
    pub async fn offer(&self, by: &Authority, account: &str) -> Result<EnrolmentCode, MachinesError> {
        let new = new_code(&*self.parts.random, self.parts.clock.now());
        let entry = by.audit("machine.enrol_code", account);
        match self.parts.store.offer_machine(account, code_hash(&new.code), new.expires_at, &entry).await? {
            MachineOffer::Kept => Ok(new),
            MachineOffer::UnknownAccount => Err(MachinesError::UnknownAccount),
            MachineOffer::OtherRole => Err(MachinesError::OtherRole),
        }
    }

    /// Issues a certificate for the key of a request. A request that is not usable, or a clock that is not trusted, leaves
    /// the code as it is. Whatever is refused is in the audit log: it may be somebody who guesses.
    pub async fn enrol(
        &self,
        code: &Secret,
        request: &str,
        source: AuditSource,
    ) -> Result<EnrolledMachine, MachinesError> {
        let enrolled = self.try_to_enrol(code, request, source).await;
        if let Some(word) = enrolled.as_ref().err().and_then(refusal) {
            self.parts.audit.append(&audit("machine", source, "machine.enrol", word.to_owned())).await?;
        }
        enrolled
    }

    async fn try_to_enrol(
        &self,
        code: &Secret,
        request: &str,
        source: AuditSource,
    ) -> Result<EnrolledMachine, MachinesError> {
        let (now, code) = (self.parts.clock.now(), code_hash(code));
        let account = self.parts.store.account_of_code(code, now).await?.ok_or(MachinesError::Code)?;
        self.parts.retention.judge_clock().await.map_err(MachinesError::Clock)?;
        let authority = self.authority().await?;
        let issued = self.parts.issuer.issue(&authority, &account, request, now)?;
        let entry = audit("machine", source, "machine.enrol", String::new());
        if !self.parts.store.enrol_machine(code, &issued, now, &entry).await? {
            return Err(MachinesError::Code);
        }
        self.read_again().await?;
        Ok(EnrolledMachine { issued, authority: authority.certificate })
    }

    /// Issues a certificate to whoever administers, for a machine of this account that cannot enrol by itself: what carries it
    /// there is up to them. A request that is not usable changes nothing.
    pub async fn issue(
        &self,
        by: &Authority,
        account: &str,
        request: &str,
    ) -> Result<EnrolledMachine, MachinesError> {
        // Whoever administers stands before the clock and vouches for it.
        let now = self.parts.clock.now();
        let authority = self.authority().await?;
        let issued = self.parts.issuer.issue(&authority, account, request, now)?;
        // The same two steps as elsewhere, with a code that nobody else ever sees.
        let code = self.offer(by, account).await?.code;
        let entry = by.audit("machine.enrol", account);
        if !self.parts.store.enrol_machine(code_hash(&code), &issued, now, &entry).await? {
            return Err(MachinesError::Disabled);
        }
        self.read_again().await?;
        Ok(EnrolledMachine { issued, authority: authority.certificate })
    }

    /// Issues the certificate that takes over from the one that a session is bound to. Both work until the old one ends: the
    /// answer can be lost on its way.
    pub async fn renew(
        &self,
        bound_to: Option<i64>,
        request: &str,
        source: AuditSource,
    ) -> Result<EnrolledMachine, MachinesError> {
        let now = self.parts.clock.now();
        let old = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let found = known.values().find(|machine| Some(machine.id) == bound_to);
            found.filter(|machine| machine.ends_at.duration_since(now) <= RENEWABLE).cloned()
        };
        let old = old.ok_or(MachinesError::NotRenewable)?;
        self.parts.retention.judge_clock().await.map_err(MachinesError::Clock)?;
        let authority = self.authority().await?;
        let issued = self.parts.issuer.issue(&authority, &old.account_name, request, now)?;
        let entry = audit(&old.account_name, source, "machine.renew", String::new());
        if !self.parts.store.renew_machine(old.id, &issued, now, &entry).await? {
            return Err(MachinesError::NotRenewable);
        }
        self.read_again().await?;
        Ok(EnrolledMachine { issued, authority: authority.certificate })
    }

    /// Every certificate that was not revoked; those that have ended stay until the account's next enrolment.
    pub async fn list(&self) -> Result<Vec<Machine>, StoreError> {
        self.parts.store.machines().await
    }

    /// Revokes a certificate and whatever took over from it; their sessions end with [`super::endings::Endings`].
    pub(super) async fn revoke(&self, by: &Authority, id: i64) -> Result<(), MachinesError> {
        let entry = by.audit("machine.revoke", &id.to_string());
        let revoked = self.parts.store.revoke_machine(id, &entry).await;
        // Also after an error: it may stand all the same.
        self.read_again().await?;
        if revoked? { Ok(()) } else { Err(MachinesError::Unknown) }
    }

    /// Looks again at what is kept.
    pub(super) async fn read_again(&self) -> Result<(), StoreError> {
        // One after the other: what was read before a change must not take the place of what was read after it.
        let _turn = self.reading.lock().await;
        let machines = self.parts.store.machines().await?;
        let known = machines.into_iter().map(|machine| (machine.fingerprint, machine)).collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }
}

/// The word of a refusal in the audit log; a store that failed has no row to be written to.
fn refusal(error: &MachinesError) -> Option<&'static str> {
    match error {
        MachinesError::Code => Some(REFUSED_CODE),
        MachinesError::Request => Some("certificate_request_invalid"),
        MachinesError::Clock(_) => Some("clock_untrusted"),
        MachinesError::UnknownAccount
        | MachinesError::OtherRole
        | MachinesError::Disabled
        | MachinesError::NotRenewable
        | MachinesError::Unknown
        | MachinesError::Issuer(_) => Some("internal"),
        MachinesError::Store(_) => None,
    }
}
