//! Ports: what the use cases need from the outside, in the words of the use cases.
//!
//! Owned by their consumer. An error enum per port; its variants are what a use case does differently.

mod accounts;
mod ambient;
mod audit;
mod backup;
mod card;
mod central;
mod settings;
mod store;

pub use accounts::{
    Account, Accounts, Attempt, CreateAccountError, NewAccount, Role, SessionRecord, SessionStore,
};
pub use ambient::{Clock, Random, random_bytes};
pub use audit::{
    AnchorFinding, AuditRange, AuditRecord, AuditTrail, Source, Tampering, Verified, VerifyError,
};
pub use backup::{BackupError, BackupMade, Backups};
pub use card::{
    CardCertificate, CardDesk, CardError, CardEvent, CardExchange, CardService, DeskView, Opening,
    ReaderName, ReaderState, ReaderView, SignedChallenge, Signing, TerminalAuthentication,
};
pub use central::{
    Answer, CardCheck, Challenge, LinkedResult, Proof, ReceiptLink, RequestId, UpstreamError, UpstreamHealth,
    UpstreamStatus,
};
pub use settings::Settings;
pub use store::{
    AuditEntry, AuditLog, NewResult, Origin, PageAfter, ResultQuery, ResultStore, StoreError, StoredResult,
    TerminalId,
};
