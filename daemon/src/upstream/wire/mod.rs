//! The messages of the central system, in the JSON form of `XmlMsg`. Private to the adapter.
//!
//! Field names and values inside `ResultOfQualificationConfirmation` and `ReferenceNumberRegistrationInfo` are those
//! that software in the field parses today. **The rest is an assumption**, in the style of the full-type system, which
//! only the simulated central system proves; fitting the adapter to the official specification means editing this
//! folder:
//!
//! | operation | request | answer |
//! |---|---|---|
//! | auth | plain object: `MedicalInstitutionCode`, `Account`, `Password`, `OneTimePassword`, `ArbitraryFileIdentifier` | plain object: `IdToken`, `ExpiresIn` (seconds) |
//! | challenge | header only | `ChallengeId`, `Challenge` (Base64) |
//! | confirm | `ChallengeId`, `Certificate`, `Signature` (Base64), or `Certificate` alone for 目視 | the eligibility message, with an optional `UpstreamResultId`; with `CARD_NOT_REGISTERED`, a `RegistrationTicket` if the card can be registered here |
//! | card-use registration | `RegistrationTicket`, `ConsentTime` (YYYYMMDDhhmmss in Japan time) | the eligibility message, so that nobody has to sign again |
//! | results | `From`, `To` (YYYYMMDD), `Cursor` | `Results`: list of `UpstreamResultId`, `Terminal` and one eligibility each; `NextCursor` while there are more |
//! | announcements | header only | `Announcements`: list of `Id`, `PublishedAt` (YYYYMMDDhhmmss), `Kind` (1 notice, 2 outage, 3 maintenance), `Title`, `Body`, `Url`; with `ClosedFrom`, `ClosedUntil` and `ClosedScope` (1 everything, 2 card-use registration) where something is closed |
//! | inquiry number | `ReferenceNumberRegistrationInfo` | `ProcessingResultStatus`, `ReferenceNumber` |
//! | inquiry numbers in bulk (OQSmuimm01) | list of `ReferenceNumberRegistrationInfo` | `ReceptionNumber`, `ReceptionDateTime` |
//! | outcome of a bulk (OQSmuimm02) | `ReceptionNumber` | `SegmentOfResult` 2 while running; then `ReferenceNumberRegistrationResult`: for each item in its order `ProcessingResultStatus`, `ProcessingResultCode`, `ReferenceNumber` |
//!
//! Every answer in `XmlMsg` form carries our institution code and our request id; one that does not belongs to somebody
//! else and is thrown away unread.

mod announcement;
mod answer;
mod bulk;
mod person;
mod request;

pub(super) use announcement::{announcements, read_announcements};
pub(super) use answer::{
    read_card_use_registration, read_challenge, read_confirmation, read_error, read_registration,
    read_results, read_token,
};
pub(super) use bulk::{bulk_outcome, inquiry_bulk, read_bulk_outcome, read_reception};
pub(super) use request::{auth, card_use_registration, challenge, confirm, inquiry_number, results};

use crate::app::ports::{RequestId, UpstreamError};
use crate::domain::identifiers::InstitutionCode;

/// 処理結果コード: the card is not registered as a health insurance card (assumption).
const NOT_REGISTERED: &str = "CARD_NOT_REGISTERED";
/// 処理結果コード: the certificate is past its grace period (assumption).
const CERTIFICATE_EXPIRED: &str = "CERTIFICATE_EXPIRED";
/// エラーコード: the one-time code was used before (assumption).
pub(super) const CODE_USED: &str = "CODE_USED";
/// エラーコード: closed for maintenance (assumption).
const MAINTENANCE: &str = "MAINTENANCE";

/// What ties an answer to its request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Correlation<'a> {
    pub institution: &'a InstitutionCode,
    pub request: &'a RequestId,
}

/// A challenge must be hard to guess and fit into one card command: 16 to 64 bytes.
const CHALLENGE_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// A page of results, with the place where the next begins.
pub(super) struct Page {
    pub results: Vec<crate::app::ports::LinkedResult>,
    pub next: Option<String>,
}

/// A token as received.
pub(super) struct Token {
    pub text: crate::domain::personal::Secret,
    /// Seconds it is good for, if the central system said so.
    pub expires_in: Option<u32>,
}

/// Why an answer is not a success.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WireError {
    /// Cannot be understood; names the rule it breaks, never its content.
    Malformed(&'static str),
    /// Refused with a code, already reduced to harmless characters.
    Refused(String),
    /// Closed for maintenance.
    Maintenance,
}

impl WireError {
    fn from_code(code: &str) -> Self {
        if code == MAINTENANCE { Self::Maintenance } else { Self::Refused(harmless(code)) }
    }
}

impl From<WireError> for UpstreamError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Malformed(_) => Self::Malformed,
            WireError::Refused(code) => Self::Refused { code },
            WireError::Maintenance => Self::Maintenance,
        }
    }
}

/// A code that may leave the adapter: what it holds is decided by the other side, and it ends up in logs and pages.
pub(super) fn harmless(code: &str) -> String {
    const LONGEST: usize = 32;
    code.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).take(LONGEST).collect()
}

#[cfg(test)]
mod tests;
