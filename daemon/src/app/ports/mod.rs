//! Ports: what the use cases need from the outside, in the words of the use cases.
//!
//! Owned by their consumer. An error enum per port; its variants are what a use case does differently.

mod accounts;
mod ambient;
mod audit;
mod backup;
mod card;
mod central;
mod collect;
mod desk;
mod folders;
mod idempotency;
mod machines;
mod passkeys;
mod queue;
mod retention;
mod sessions;
mod settings;
mod store;
mod vitals;

pub use crate::domain::person_search::PersonFilter;
pub use accounts::{
    Account, AccountChange, AccountSummary, Accounts, Attempt, Changed, CreateAccountError, Device,
    NewAccount, Owner, Role, SignInProof, Standing,
};
pub use ambient::{Clock, ClockWitness, KernelClock, Random, random_bytes};
pub use audit::{
    AnchorFinding, AuditRange, AuditRecord, AuditSource, AuditTrail, Tampering, Verified, VerifyError,
};
pub use backup::{ArchiveStep, BackupError, BackupMade, Backups, HearsSteps, Part};
pub use card::{
    CardCertificate, CardDesk, CardError, CardEvent, CardExchange, CardService, DeskView, Opening,
    ReaderName, ReaderState, ReaderView, SignedChallenge, Signing, TerminalAuthentication,
};
pub use central::{
    Answer, BulkItem, BulkOutcome, CardCheck, CardUseRegistration, Challenge, LastFailure, LinkedResult,
    Proof, ReceiptLink, RegistrationError, RegistrationTicket, Renewal, RequestId, UpstreamError,
    UpstreamStatus, UpstreamView,
};
pub use collect::{Announcements, Batch, CollectedResults, KeptAnnouncement, Merged};
pub use desk::{ChecklistRecord, DeskRecords, IncidentRecord};
pub use folders::{
    Acceptance, DueFile, Echo, FileBytes, FileKind, FolderFollowed, FolderLedger, FolderName, FolderRequest,
    FolderStand, KnownRequest, NewAnswer, NewFace, WaitingRequest,
};
pub use idempotency::{Keyed, Made, Remembered, RequestMemory};
pub use machines::{
    CertificateAuthority, CertificateIssuer, IssueError, IssuedCertificate, Machine, MachineOffer,
    MachineStore,
};
pub use passkeys::{
    Kept, NewPasskey, Passkey, PasskeyAssertion, PasskeyChallenge, PasskeyCreation, PasskeyKey,
    PasskeyRefusal, PasskeyStore, PasskeyVerifier, UserHandle,
};
pub use queue::{
    BulkStand, Inquiry, InquiryEnd, InquiryFailure, InquiryJob, InquiryQueue, InquiryRequest, Intake,
    JobState, OnDisk, PendingInquiry, Subject, TakenIn,
};
pub use retention::{LastPurge, MonthStock, Purged, RetentionStore, Stock, StoreRoom};
pub use sessions::{EnrolledTerminal, SessionRecord, SessionStore, TerminalStore};
pub use settings::Settings;
pub use store::{
    AuditEntry, AuditLog, NewResult, Origin, Page, PageAfter, PendingNumber, ReadyResult, ResultForm,
    ResultQuery, ResultStore, ResultsMark, Source, StoreError, StoredResult, TerminalId,
};
pub use vitals::{Footprint, ProcessUse, ProcessVitals, StoreVitals};
