//! Wire types: what travels as JSON. The doc comments are the descriptions that vendors read in `openapi.yaml`.
//!
//! Requests refuse unknown fields; answers may grow, so clients must ignore fields they do not know.
//! An absent optional field is left out of the JSON, never `null` and never an empty string of our own.

mod check;
mod eligibility;
mod health;
mod result;
mod secret;
mod session;
mod settings;

pub use check::{
    CardKind, Certificate, CertificateState, Check, CheckFailure, CheckPhase, CheckWait, EnteredBy, Method,
    NewCheck, PinEntry, Token,
};
pub use eligibility::{Classification, ElderlyRecipientCertificate, Eligibility, Warning, WarningCode};
pub use health::{
    ClockState, Health, HealthPart, HealthState, Liveness, Reader, ReaderState, Readers, RetentionPart,
};
pub use result::{
    CountQuery, EligibilityResult, InquiryNumber, InquiryNumberSet, Note, ResultCount, ResultPage,
    ResultQuery, Validity, ValidityCode, ValidityFilter, Withheld,
};
pub use secret::SecretText;
pub use session::{Role, Session, SessionInfo, SignIn};
pub use settings::SecuritySettings;
