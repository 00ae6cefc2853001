//! One-time codes with which a device is enrolled: an administrator gets one, whoever types it at the device within the hour
//! enrols it. Knows nothing of what the device is given.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::credentials::{generate_code, normal_code};
use super::ports::Random;
use crate::domain::personal::Secret;

/// How long a code may be used.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// What the audit log says of a code that enrols nothing: wrong, used or too old.
pub(super) const REFUSED_CODE: &str = "enrolment_code_invalid";

/// A code that enrols a device once.
pub struct EnrolmentCode {
    /// The code; shown once.
    pub code: Secret,
    /// First instant at which it is too old.
    pub expires_at: Timestamp,
}

/// A new code.
pub(super) fn new_code(random: &dyn Random, now: Timestamp) -> EnrolmentCode {
    let expires_at = now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX);
    EnrolmentCode { code: generate_code(random), expires_at }
}

/// What is kept of a code, however it was typed.
pub(super) fn code_hash(code: &Secret) -> [u8; 32] {
    Sha256::digest(normal_code(code.expose()).as_bytes()).into()
}
