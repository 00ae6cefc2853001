//! Machines: receipt computers with a client certificate, and the daemon's own authority that issues it.

use async_trait::async_trait;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::store::{AuditEntry, StoreError};
use crate::local_network::LocalHost;

/// The daemon's own certificate authority.
#[derive(Clone)]
pub struct CertificateAuthority {
    /// Its certificate, PEM.
    pub certificate: String,
    /// SHA-256 of the certificate (DER).
    pub fingerprint: [u8; 32],
    /// Its key, PKCS#8 (DER).
    pub key: Zeroizing<Vec<u8>>,
}

/// A certificate that was just issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// PEM.
    pub certificate: String,
    /// SHA-256 of the certificate (DER).
    pub fingerprint: [u8; 32],
    /// First instant at which it is too old.
    pub ends_at: Timestamp,
}

/// Why no certificate was issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The request is no PKCS#10 in PEM, has another kind of key than P-256, or is not signed with its own key.
    #[error("the certificate request is not usable")]
    Request,
    /// The authority's key or certificate does not work.
    #[error("no certificate could be made: {0}")]
    Failed(String),
}

/// Makes an authority and certificates. Computes at once, keeps nothing.
pub trait CertificateIssuer: Send + Sync + 'static {
    /// A new authority.
    fn new_authority(&self, now: Timestamp) -> Result<CertificateAuthority, IssueError>;

    /// Whether a client that trusts the authority believes a server certificate for all these hosts.
    fn reaches(
        &self,
        authority: &CertificateAuthority,
        hosts: &[LocalHost],
        now: Timestamp,
    ) -> Result<bool, IssueError>;

    /// The same authority with a certificate of today's form. Its key stays, and with it everything that it has issued.
    fn certify_anew(
        &self,
        authority: &CertificateAuthority,
        now: Timestamp,
    ) -> Result<CertificateAuthority, IssueError>;

    /// A client certificate for the key of a request (PKCS#10, PEM), in the name of an account. Nothing else is taken from the
    /// request.
    fn issue(
        &self,
        authority: &CertificateAuthority,
        account: &str,
        request: &str,
        now: Timestamp,
    ) -> Result<IssuedCertificate, IssueError>;
}

/// A client certificate that was issued and not revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Row number.
    pub id: i64,
    /// Row of the account that it belongs to.
    pub account: i64,
    /// Sign-in name of that account.
    pub account_name: String,
    /// SHA-256 of the certificate (DER).
    pub fingerprint: [u8; 32],
    /// First instant at which it is too old.
    pub ends_at: Timestamp,
}

/// How offering a code ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineOffer {
    /// The code is kept.
    Kept,
    /// There is no such account.
    UnknownAccount,
    /// The account does not belong to a receipt computer.
    OtherRole,
}

/// The authority, the machines, and the codes that enrol them.
#[async_trait]
pub trait MachineStore: Send + Sync + 'static {
    /// The authority, if it was made.
    async fn authority(&self) -> Result<Option<CertificateAuthority>, StoreError>;

    /// Keeps a new authority unless there is one, and returns the one that is kept.
    async fn keep_authority(
        &self,
        new: CertificateAuthority,
        audit: &AuditEntry,
    ) -> Result<CertificateAuthority, StoreError>;

    /// Keeps another certificate of the same authority.
    async fn replace_authority(
        &self,
        anew: CertificateAuthority,
        audit: &AuditEntry,
    ) -> Result<(), StoreError>;

    /// Keeps the hash of a code with which a machine of this account is enrolled once, before an instant.
    async fn offer_machine(
        &self,
        account: &str,
        code_hash: [u8; 32],
        expires_at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<MachineOffer, StoreError>;

    /// The account that a code enrols a machine of; uses nothing up. `None` if the code is wrong, used or too old, or the
    /// account is disabled.
    async fn account_of_code(
        &self,
        code_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<String>, StoreError>;

    /// Uses a code up and keeps its machine's certificate, in one step. `false` if somebody else was faster.
    async fn enrol_machine(
        &self,
        code_hash: [u8; 32],
        issued: &IssuedCertificate,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Keeps the certificate that takes over from another, in place of an earlier one that did. `false` if the other is gone.
    async fn renew_machine(
        &self,
        old: i64,
        issued: &IssuedCertificate,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError>;

    /// Every certificate that was issued and not revoked, by account and age.
    async fn machines(&self) -> Result<Vec<Machine>, StoreError>;

    /// Revokes a certificate and whatever took over from it: who had its key may have renewed it. `false` if there is none of this number.
    async fn revoke_machine(&self, id: i64, audit: &AuditEntry) -> Result<bool, StoreError>;
}
