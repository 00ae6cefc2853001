//! Wire types: what travels as JSON. The doc comments are the descriptions that vendors read in `openapi.yaml`.
//!
//! Requests refuse unknown fields; answers may grow, so clients must ignore fields they do not know.
//! An absent optional field is left out of the JSON, never `null` and never an empty string of our own.

mod account;
mod announcement;
mod check;
mod collect;
mod desk;
mod eligibility;
mod event;
mod folders;
mod health;
mod inquiry;
mod machine;
mod monitor;
mod passkey;
mod result;
mod result_form;
mod result_query;
mod secret;
mod selected;
mod session;
mod settings;
mod terminal;
mod upkeep;

pub use account::{
    Account, AccountReset, AccountStatus, Accounts, Enrolment, NewAccount, PasswordChange, PasswordProof,
    RecoveryCodes, TotpConfirmation, TotpOffer,
};
pub use announcement::{Announcement, AnnouncementKind, AnnouncementList, Closure, ClosureScope};
pub use check::{
    CardKind, CardUseRegistration, Certificate, CertificateState, Check, CheckFailure, CheckPhase, CheckWait,
    ConsentedBy, EnteredBy, Method, NewCheck, PinEntry, Token,
};
pub use collect::{CollectHealth, Collected, MaintenanceHealth};
pub use desk::{
    Checklist, ChecklistGroup, ChecklistItem, ChecklistItemName, ChecklistRecord, Incident, IncidentKind,
    IncidentMeasure, IncidentPage, IncidentQuery, NewChecklistRecord, NewIncident,
};
pub use eligibility::{Classification, ElderlyRecipientCertificate, Eligibility, Warning, WarningCode};
pub use event::{
    CheckEvent, EndEvent, EndReason, Event, ExpiredEvent, HEARTBEAT, NoContent, ReadersEvent, ResultEvent,
    SeenReader,
};
pub use folders::{ConfiguredFolder, FolderAcceptance, FolderAccess, FolderSettings};
pub use health::{
    CircuitState, ClockState, FoldersHealth, Health, HealthPart, HealthState, Liveness, Notice, QueueHealth,
    Reader, ReaderState, Readers, RetentionPart, TerminalReader, UpstreamLink,
};
pub use inquiry::{
    BulkInquiry, BulkInquiryItem, BulkOutcome, BulkQuery, BulkReceipt, BulkStand, BulkState, InquiryFailure,
    InquiryJob, InquiryJobFilter, InquiryJobPage, InquiryJobQuery, InquiryNumber, InquiryNumberOfInsurance,
    InquiryNumberSet, InquiryState, Insurance, PendingInquiryNumber, PendingState,
};
pub use machine::{MachineCertificate, MachineEnrolment, MachineRenewal};
pub use monitor::{Readiness, UnreadyReason};
pub use passkey::{
    NewPasskey, Passkey, PasskeyAlgorithm, PasskeyAsked, PasskeyCreationOptions, PasskeyDescriptor,
    PasskeyEnrolment, PasskeyProof, PasskeyRequestOptions, PasskeySelection, PasskeySignIn, PasskeySite,
    PasskeyUser, Passkeys,
};
pub use result::{EligibilityResult, Note, ResultSource, Validity, ValidityCode, ValidityFilter, Withheld};
pub use result_form::{
    Charset, ExportQuery, ExportSummary, ExportedResults, FhirBundle, OneQuery, ResultForm, ResultFormat,
    XmlMsgDocument,
};
pub use result_query::{
    ChangesQuery, CountQuery, ResultChanges, ResultCount, ResultPage, ResultQuery, ResultSearch,
    ResultSearchCount, SelectedChanges, SelectedPage,
};
pub use secret::SecretText;
pub use selected::{ChangeList, OneResult, ResultList, SelectedResult};
pub use session::{
    Role, Session, SessionEntry, SessionInfo, SessionQuery, SessionScope, Sessions, SignIn, SignInBegun,
    SignInClaim,
};
pub use settings::SecuritySettings;
pub use terminal::{
    EnrolledTerminal, EnrolledTerminals, EnrolmentCode, NewTerminal, TerminalEnrolment, TerminalToken,
};
pub use upkeep::{AuditPage, AuditQuery, AuditRow, LastPurge, RetainedMonth, RetentionStatus};

/// Reads an optional field of a request: it may be absent and is never `null`, as the contract says.
fn given<'de, D: serde::Deserializer<'de>, T: serde::Deserialize<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}
