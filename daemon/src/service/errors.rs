//! Use-case errors → codes of the contract. Every variant is named: a new one must be decided here.

use api::codes::Code;
use api::service::ServiceError;

use crate::app::access::Forbidden;
use crate::app::accounts::{AccountsError, fault_text};
use crate::app::announcements::NewsError;
use crate::app::audit::ReviewError;
use crate::app::checks::{CreateError, InputError};
use crate::app::collect::{CollectError, RunError};
use crate::app::credentials::CredentialsError;
use crate::app::desk_records::DeskRecordsError;
use crate::app::folders::AcceptanceError;
use crate::app::idempotency::KeyError;
use crate::app::inquiries::InquiryError;
use crate::app::machines::MachinesError;
use crate::app::own_account::OwnAccountError;
use crate::app::passkeys::PasskeysError;
use crate::app::ports::{InquiryFailure, StoreError, UpstreamError};
use crate::app::results::ResultsError;
use crate::app::settings::SettingsError;
use crate::app::sign_in::SignInError;
use crate::app::terminals::TerminalsError;
use crate::domain::admission::Refusal;
use crate::domain::check::Failure;
use crate::domain::queue::Later;

pub(super) fn sign_in(error: SignInError) -> ServiceError {
    match error {
        // A locked account answers like a wrong password: whoever guesses must not learn that it exists.
        SignInError::Refused | SignInError::Locked => Code::SignInFailed.into(),
        SignInError::CodeUsed { retry_after } | SignInError::Delayed { retry_after } => {
            ServiceError::new(Code::SignInDelayed).retry_after(retry_after)
        }
        SignInError::Store(error) => store(error),
        SignInError::Credentials(error) => hashing(&error),
    }
}

fn hashing(error: &CredentialsError) -> ServiceError {
    tracing::error!(%error, "a password could not be evaluated");
    Code::Internal.into()
}

pub(super) fn own_account(error: OwnAccountError) -> ServiceError {
    match error {
        OwnAccountError::Wrong => Code::WrongCredentials.into(),
        OwnAccountError::Delayed { retry_after } => {
            ServiceError::new(Code::SignInDelayed).retry_after(retry_after)
        }
        OwnAccountError::Password(fault) => {
            ServiceError::new(Code::PasswordUnacceptable).field("new_password").detail(fault_text(&fault))
        }
        OwnAccountError::NothingOffered => Code::TotpNotOffered.into(),
        OwnAccountError::Store(error) => store(error),
        OwnAccountError::Credentials(error) => hashing(&error),
    }
}

pub(super) fn passkeys(error: PasskeysError) -> ServiceError {
    match error {
        PasskeysError::Forbidden => Code::ForbiddenRole.into(),
        PasskeysError::Unavailable => Code::PasskeysUnavailable.into(),
        PasskeysError::Proof(error) => own_account(error),
        PasskeysError::Refused => Code::PasskeyRefused.into(),
        PasskeysError::TooMany => Code::TooManyPasskeys.into(),
        PasskeysError::NotFound => Code::PasskeyNotFound.into(),
        PasskeysError::Store(error) => store(error),
    }
}

pub(super) fn desk_records(error: DeskRecordsError) -> ServiceError {
    match error {
        DeskRecordsError::Forbidden => Code::ForbiddenRole.into(),
        DeskRecordsError::UnknownTerminal => ServiceError::new(Code::UnknownTerminal).field("terminal"),
        DeskRecordsError::NoResult => ServiceError::new(Code::ResultNotFound).field("result"),
        DeskRecordsError::Store(error) => store(error),
    }
}

pub(super) fn folders(error: AcceptanceError) -> ServiceError {
    match error {
        AcceptanceError::NotConfigured => Code::FoldersNotConfigured.into(),
        AcceptanceError::Store(error) => store(error),
    }
}

pub(super) fn accounts(error: AccountsError) -> ServiceError {
    match error {
        AccountsError::Name => {
            let rule = AccountsError::Name.to_string();
            ServiceError::new(Code::InvalidRequest).field("account").detail(rule)
        }
        AccountsError::Password(fault) => {
            ServiceError::new(Code::PasswordUnacceptable).detail(fault_text(&fault))
        }
        AccountsError::Exists => ServiceError::new(Code::AccountExists).field("account"),
        AccountsError::Unknown => Code::AccountNotFound.into(),
        AccountsError::LastAdministrator => Code::LastAdministrator.into(),
        AccountsError::Store(error) => store(error),
        AccountsError::Credentials(error) => hashing(&error),
    }
}

pub(super) fn terminals(error: TerminalsError) -> ServiceError {
    match error {
        TerminalsError::Name => {
            let rule = TerminalsError::Name.to_string();
            ServiceError::new(Code::InvalidRequest).field("name").detail(rule)
        }
        TerminalsError::Code => Code::EnrolmentCodeInvalid.into(),
        TerminalsError::Unknown => Code::TerminalNotFound.into(),
        TerminalsError::Store(error) => store(error),
    }
}

pub(super) fn machines(error: MachinesError) -> ServiceError {
    match error {
        MachinesError::UnknownAccount
        | MachinesError::OtherRole
        | MachinesError::Disabled
        | MachinesError::Unknown => {
            // Only whoever gives commands on the machine can name an account or a certificate.
            tracing::error!(%error, "a machine was named that is none");
            Code::Internal.into()
        }
        MachinesError::Code => Code::EnrolmentCodeInvalid.into(),
        MachinesError::Request => ServiceError::new(Code::CertificateRequestInvalid).field("csr"),
        MachinesError::NotRenewable => Code::RenewalRefused.into(),
        MachinesError::Clock(_) => Code::ClockUntrusted.into(),
        MachinesError::Issuer(_) => {
            tracing::error!(%error, "the certificate authority failed");
            Code::Internal.into()
        }
        MachinesError::Store(error) => store(error),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the last holder of the error: passed to map_err as it is")]
pub(super) fn store(error: StoreError) -> ServiceError {
    tracing::error!(%error, "the store failed");
    match error {
        StoreError::DiskFull => Code::StoreFull.into(),
        StoreError::Failed(_) | StoreError::Corrupt { .. } => Code::Internal.into(),
    }
}

pub(super) fn forbidden(_: Forbidden) -> ServiceError {
    Code::ForbiddenRole.into()
}

pub(super) fn create(error: CreateError) -> ServiceError {
    match error {
        CreateError::Forbidden => Code::ForbiddenRole.into(),
        CreateError::UnknownTerminal => ServiceError::new(Code::UnknownTerminal).field("terminal"),
        CreateError::CardServiceUnavailable => Code::CardServiceUnavailable.into(),
        CreateError::CardServiceRefused => Code::CardServiceRefused.into(),
        CreateError::NoReader => Code::NoReader.into(),
        CreateError::ReaderRequired => ServiceError::new(Code::ReaderRequired).field("reader"),
        CreateError::ReaderUnavailable => Code::ReaderUnavailable.into(),
        CreateError::ReaderBusy | CreateError::TooMany => Code::ReaderBusy.into(),
        CreateError::NotAdmitted(refusal) => not_admitted(refusal),
        CreateError::Key(error) => key(error),
        CreateError::Gone => ServiceError::new(Code::CheckNotFound).detail(
            "この Idempotency-Key で始めた資格確認は、もう参照できません。新しく始めるときは、別の値を使ってください",
        ),
        CreateError::Store(error) => store(error),
    }
}

fn key(error: KeyError) -> ServiceError {
    /// Seconds after which most requests have ended.
    const SOON: u32 = 1;
    match error {
        KeyError::Running => ServiceError::new(Code::IdempotencyKeyInUse).retry_after(SOON),
        KeyError::Reused => ServiceError::new(Code::IdempotencyKeyReused).field("Idempotency-Key"),
        KeyError::Store(error) => store(error),
    }
}

fn not_admitted(refusal: Refusal) -> ServiceError {
    match refusal {
        Refusal::Contradiction => ServiceError::new(Code::InvalidRequest)
            .field("method")
            .detail("card_kind は visual と card_pin、visual_after_lock_of は visual のときだけ指定できます"),
        Refusal::NoPhoto => ServiceError::new(Code::VisualWithoutPhoto).field("card_kind"),
        Refusal::NoPin => ServiceError::new(Code::PinOnFaceCard).field("card_kind"),
        Refusal::NoLock => ServiceError::new(Code::VisualSwitchRefused).field("visual_after_lock_of"),
        Refusal::VisualDisabled => ServiceError::new(Code::VisualDisabled).field("method"),
        Refusal::VisualImpossible => Code::VisualNeedsTerminalMaterial.into(),
    }
}

pub(super) fn settings(error: SettingsError) -> ServiceError {
    match error {
        SettingsError::Forbidden => Code::ForbiddenRole.into(),
        SettingsError::Store(error) => store(error),
    }
}

pub(super) fn review(error: ReviewError) -> ServiceError {
    match error {
        ReviewError::Forbidden => Code::ForbiddenRole.into(),
        ReviewError::Store(error) => store(error),
    }
}

pub(super) fn collect(error: CollectError) -> ServiceError {
    match error {
        CollectError::Forbidden => Code::ForbiddenRole.into(),
        CollectError::Run(RunError::Upstream(error)) => upstream(error),
        CollectError::Run(RunError::Store(error)) => store(error),
    }
}

fn upstream(error: UpstreamError) -> ServiceError {
    let problem = ServiceError::new(upstream_code(&error));
    match error {
        UpstreamError::Refused { code } | UpstreamError::SignInRefused { code } => {
            problem.upstream_code(code)
        }
        UpstreamError::Unreachable
        | UpstreamError::Timeout
        | UpstreamError::ClientCertificate
        | UpstreamError::Renegotiation
        | UpstreamError::Malformed
        | UpstreamError::Maintenance => problem,
    }
}

pub(super) fn news(error: NewsError) -> ServiceError {
    match error {
        NewsError::Forbidden => Code::ForbiddenRole.into(),
        NewsError::Store(error) => store(error),
    }
}

pub(super) fn input(error: InputError) -> ServiceError {
    match error {
        InputError::Forbidden => Code::ForbiddenRole.into(),
        InputError::NotFound => Code::CheckNotFound.into(),
        InputError::WrongPhase => Code::WrongPhase.into(),
        InputError::Store(error) => store(error),
    }
}

pub(super) fn results(error: ResultsError) -> ServiceError {
    match error {
        ResultsError::Forbidden => Code::ForbiddenRole.into(),
        ResultsError::NotFound => Code::ResultNotFound.into(),
        ResultsError::UnknownPlace => super::query::bad_cursor(),
        ResultsError::Store(error) => store(error),
    }
}

/// Seconds after which a full queue may have room again: the longest wait of the queue.
const QUEUE_WAIT: u32 = 60;

pub(super) fn inquiry(error: InquiryError) -> ServiceError {
    match error {
        InquiryError::Forbidden => Code::ForbiddenRole.into(),
        InquiryError::NotFound => Code::InquiryJobNotFound.into(),
        InquiryError::QueueFull => ServiceError::new(Code::InquiryQueueFull).retry_after(QUEUE_WAIT),
        InquiryError::Failed(failure) => {
            let error = ServiceError::new(inquiry_failure(&failure));
            match failure {
                InquiryFailure::Refused { code } => error.upstream_code(code),
                InquiryFailure::ResultNotFound
                | InquiryFailure::PersonUnknown
                | InquiryFailure::PersonAmbiguous
                | InquiryFailure::PersonNotFound
                | InquiryFailure::NumberInUse => error,
            }
        }
        InquiryError::Key(error) => key(error),
        InquiryError::Store(error) => store(error),
    }
}

/// The code of an inquiry number that failed.
pub(super) fn inquiry_failure(failure: &InquiryFailure) -> Code {
    match failure {
        InquiryFailure::ResultNotFound => Code::ResultNotFound,
        InquiryFailure::PersonUnknown => Code::InquiryPersonUnknown,
        InquiryFailure::PersonAmbiguous => Code::InquiryPersonAmbiguous,
        InquiryFailure::PersonNotFound => Code::InquiryPersonNotFound,
        InquiryFailure::NumberInUse => Code::InquiryNumberInUse,
        InquiryFailure::Refused { .. } => Code::UpstreamRefused,
    }
}

/// The code of why inquiry numbers wait.
pub(super) fn later(why: Later) -> Code {
    match why {
        Later::Unreachable => Code::UpstreamUnreachable,
        Later::Timeout => Code::UpstreamTimeout,
        Later::Maintenance => Code::UpstreamMaintenance,
        Later::Certificate => Code::UpstreamCertificate,
        Later::Renegotiation => Code::UpstreamRenegotiation,
        Later::SignIn => Code::UpstreamRefused,
        Later::Malformed => Code::UpstreamMalformed,
        Later::NotStored => Code::NotStored,
    }
}

/// The code of a failed check.
pub(super) fn failure(failure: &Failure) -> Code {
    match failure {
        Failure::CardServiceUnavailable => Code::CardServiceUnavailable,
        Failure::CardServiceRefused => Code::CardServiceRefused,
        Failure::ReaderUnavailable => Code::ReaderUnavailable,
        Failure::CardInUse => Code::CardInUse,
        Failure::CardRemoved => Code::CardRemoved,
        Failure::NotJpkiCard => Code::NotJpkiCard,
        Failure::CardUnreadable => Code::CardUnreadable,
        Failure::WrongPin { .. } => Code::WrongPin,
        Failure::PinLocked => Code::PinLocked,
        Failure::PhoneWrongPin { .. } => Code::WrongPinPhone,
        Failure::PhonePinLocked => Code::PinLockedPhone,
        Failure::PhoneNotUnlocked => Code::PhoneNotUnlocked,
        Failure::WrongToken { .. } => Code::WrongToken,
        Failure::VisualNeedsTerminalMaterial => Code::VisualNeedsTerminalMaterial,
        Failure::NotRegistered => Code::CardUseNotRegistered,
        Failure::PhoneNotRegistered => Code::CardUseNotRegisteredPhone,
        Failure::RegistrationClosed => Code::CardUseRegistrationClosed,
        Failure::RegistrationPending => Code::CardUseRegistrationPending,
        Failure::CertificateExpired => Code::CertificateExpired,
        Failure::PhoneCertificateExpired => Code::CertificateExpiredPhone,
        Failure::UpstreamUnreachable => Code::UpstreamUnreachable,
        Failure::UpstreamTimeout => Code::UpstreamTimeout,
        Failure::UpstreamMaintenance => Code::UpstreamMaintenance,
        Failure::ClientCertificate => Code::UpstreamCertificate,
        Failure::UpstreamRenegotiation => Code::UpstreamRenegotiation,
        Failure::UpstreamMalformed => Code::UpstreamMalformed,
        Failure::UpstreamRefused { .. } => Code::UpstreamRefused,
        Failure::NotStored => Code::NotStored,
    }
}

/// The code of a failed question to the central system.
pub(super) fn upstream_code(error: &UpstreamError) -> Code {
    match error {
        UpstreamError::Unreachable => Code::UpstreamUnreachable,
        UpstreamError::Timeout => Code::UpstreamTimeout,
        UpstreamError::Refused { .. } | UpstreamError::SignInRefused { .. } => Code::UpstreamRefused,
        UpstreamError::ClientCertificate => Code::UpstreamCertificate,
        UpstreamError::Renegotiation => Code::UpstreamRenegotiation,
        UpstreamError::Malformed => Code::UpstreamMalformed,
        UpstreamError::Maintenance => Code::UpstreamMaintenance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::check::Token;

    /// The audit log writes `Failure::code`, the API `Code::as_str`: they must be the same words.
    #[test]
    fn the_audit_log_and_the_api_use_the_same_codes() {
        for example in [
            Failure::CardServiceUnavailable,
            Failure::CardServiceRefused,
            Failure::ReaderUnavailable,
            Failure::CardInUse,
            Failure::CardRemoved,
            Failure::NotJpkiCard,
            Failure::CardUnreadable,
            Failure::WrongPin { tries_left: 2 },
            Failure::PinLocked,
            Failure::PhoneWrongPin { tries_left: 2 },
            Failure::PhonePinLocked,
            Failure::PhoneNotUnlocked,
            Failure::WrongToken { found: Token::Plastic },
            Failure::PhoneNotRegistered,
            Failure::PhoneCertificateExpired,
            Failure::VisualNeedsTerminalMaterial,
            Failure::NotRegistered,
            Failure::RegistrationClosed,
            Failure::RegistrationPending,
            Failure::CertificateExpired,
            Failure::UpstreamUnreachable,
            Failure::UpstreamTimeout,
            Failure::UpstreamMaintenance,
            Failure::ClientCertificate,
            Failure::UpstreamRenegotiation,
            Failure::UpstreamMalformed,
            Failure::UpstreamRefused { code: "X".to_owned() },
            Failure::NotStored,
        ] {
            assert_eq!(failure(&example).as_str(), example.code());
        }
        for example in [
            InquiryFailure::ResultNotFound,
            InquiryFailure::PersonUnknown,
            InquiryFailure::PersonAmbiguous,
            InquiryFailure::PersonNotFound,
            InquiryFailure::NumberInUse,
            InquiryFailure::Refused { code: "X".to_owned() },
        ] {
            assert_eq!(inquiry_failure(&example).as_str(), example.code());
        }
    }
}
