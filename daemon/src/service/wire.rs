//! Domain → wire, field by field; the compiler notices a field that is forgotten.

use api::wire as w;
use jiff::Timestamp;
use jiff::civil::Date;

use super::errors;
use crate::app::checks::{CertificateView, CheckView};
use crate::app::ports::{Origin, PendingNumber, Role, Source, StoredResult};
use crate::domain::admission::{CardKind, Consent, ConsentedBy, EnteredBy};
use crate::domain::certificate::{Standing, advice};
use crate::domain::check::{Failure, Method, Phase, Token};
use crate::domain::eligibility::{Eligibility, Field, Validity};
use crate::domain::remarks::{Disclosure, Remark, disclosure, remarks};
use crate::domain::retention::jst_datetime;

/// An instant in Japan time, RFC 3339 to the second.
pub(super) fn jst(at: Timestamp) -> String {
    format!("{}+09:00", jst_datetime(at).strftime("%Y-%m-%dT%H:%M:%S"))
}

pub(super) fn iso_day(day: Date) -> String {
    day.strftime("%Y-%m-%d").to_string()
}

pub(super) fn role(role: Role) -> w::Role {
    match role {
        Role::Operator => w::Role::Operator,
        Role::ReceiptComputer => w::Role::ReceiptComputer,
        Role::Administrator => w::Role::Administrator,
    }
}

pub(super) fn role_from(role: w::Role) -> Role {
    match role {
        w::Role::Operator => Role::Operator,
        w::Role::ReceiptComputer => Role::ReceiptComputer,
        w::Role::Administrator => Role::Administrator,
    }
}

//------------ Checks -------------------------------------------------------------------------------------------------

/// Both directions of two enums that differ only in where they are declared.
macro_rules! same_words {
    ($to_wire:ident, $from_wire:ident, $name:ident { $($variant:ident),+ }) => {
        same_words!($to_wire, $from_wire, $name as $name { $($variant),+ });
    };
    ($to_wire:ident, $from_wire:ident, $name:ident as $wire:ident { $($variant:ident),+ }) => {
        pub(super) fn $to_wire(value: $name) -> w::$wire {
            match value { $($name::$variant => w::$wire::$variant,)+ }
        }

        pub(super) fn $from_wire(value: w::$wire) -> $name {
            match value { $(w::$wire::$variant => $name::$variant,)+ }
        }
    };
}
pub(super) use same_words;

same_words!(method, method_from, Method { Visual, CardPin, Iphone, AndroidPin });
same_words!(card_kind, card_kind_from, CardKind { WithPhoto, WithoutPhoto, FaceAuthentication });
same_words!(entered_by, entered_by_from, EnteredBy { Patient, LegalRepresentative, Helper });

pub(super) fn consent_from(request: w::CardUseRegistration) -> Consent {
    match (request.consent, request.consented_by) {
        (false, _) => Consent::Declined,
        (true, Some(w::ConsentedBy::Patient) | None) => Consent::Given(ConsentedBy::Patient),
        (true, Some(w::ConsentedBy::LegalRepresentative)) => Consent::Given(ConsentedBy::LegalRepresentative),
    }
}

fn token(token: Token) -> w::Token {
    match token {
        Token::Plastic => w::Token::Plastic,
        Token::Android => w::Token::Android,
        Token::Iphone => w::Token::Iphone,
    }
}

pub(super) fn phase(phase: &Phase) -> w::CheckPhase {
    match phase {
        Phase::FetchingChallenge => w::CheckPhase::FetchingChallenge,
        Phase::WaitingForPin => w::CheckPhase::WaitingForPin,
        Phase::WaitingForCard => w::CheckPhase::WaitingForCard,
        Phase::Reading => w::CheckPhase::Reading,
        Phase::ConfirmingLastTry => w::CheckPhase::ConfirmingLastTry,
        Phase::AskingUpstream => w::CheckPhase::AskingUpstream,
        Phase::OfferingRegistration => w::CheckPhase::OfferingRegistration,
        Phase::Registering => w::CheckPhase::Registering,
        Phase::Done(_) => w::CheckPhase::Done,
        Phase::Failed(_) => w::CheckPhase::Failed,
        Phase::Cancelled => w::CheckPhase::Cancelled,
        Phase::TimedOut => w::CheckPhase::TimedOut,
    }
}

pub(super) fn check(view: CheckView) -> w::Check {
    let (result_id, failure) = match &view.phase {
        Phase::Done(id) => (Some(id.0), None),
        Phase::Failed(reason) => (None, Some(failure(reason))),
        _ => (None, None),
    };
    w::Check {
        id: view.id,
        revision: view.revision,
        method: method(view.method),
        phase: phase(&view.phase),
        terminal: view.terminal.0,
        reader: view.reader.0,
        created_at: jst(view.created_at),
        card_kind: view.card_kind.map(card_kind),
        entered_by: view.entered_by.map(entered_by),
        visual_after_lock_of: view.visual_after_lock_of,
        certificate: view.certificate.as_ref().map(certificate),
        result_id,
        failure,
    }
}

fn certificate(view: &CertificateView) -> w::Certificate {
    w::Certificate {
        not_after: jst(view.not_after),
        state: match view.standing {
            Standing::NotYetValid => w::CertificateState::NotYetValid,
            Standing::Valid => w::CertificateState::Valid,
            Standing::ExpiresSoon => w::CertificateState::ExpiresSoon,
            Standing::InGrace => w::CertificateState::InGrace,
            Standing::PastGrace => w::CertificateState::PastGrace,
        },
        issuer_known: view.issuer.is_some(),
        warning: advice(view.standing, view.token, view.issuer),
    }
}

fn failure(failure: &Failure) -> w::CheckFailure {
    let mut wire = w::CheckFailure::new(errors::failure(failure));
    if let Failure::WrongPin { tries_left } | Failure::PhoneWrongPin { tries_left } = failure {
        wire.tries_left = Some(*tries_left);
    }
    if let Failure::WrongToken { found } = failure {
        wire.token = Some(token(*found));
    }
    if let Failure::UpstreamRefused { code } = failure {
        wire.upstream_code = Some(code.clone());
    }
    wire
}

//------------ Results ------------------------------------------------------------------------------------------------

pub(super) fn result(stored: &StoredResult) -> w::EligibilityResult {
    let content = &stored.content;
    let confirmation = &content.confirmation;
    let (source, check_id, how) = match &content.source {
        Source::Own { check_id, method: how } => {
            (w::ResultSource::Own, Some(check_id.clone()), Some(method(*how)))
        }
        Source::Elsewhere => (w::ResultSource::Elsewhere, None, None),
    };
    w::EligibilityResult {
        id: stored.id.0,
        source,
        check_id,
        checked_at: jst(confirmation.processed_at),
        confirmed_for: iso_day(confirmation.confirmed_for),
        method: how,
        terminal: content.terminal.0.clone(),
        validity: validity(&confirmation.validity),
        searchable: confirmation.is_searchable(),
        sandbox: content.origin == Origin::Sandbox,
        expires_at: jst(stored.expires_at),
        version: stored.version,
        inquiry_number: stored.inquiry_number.as_ref().map(|number| number.expose().to_owned()),
        inquiry_number_pending: stored.pending.as_ref().map(pending),
        note: confirmation
            .note
            .as_ref()
            .map(|note| w::Note { code: note.code.clone(), message: note.message.clone() }),
        withheld: withheld(&confirmation.eligibilities),
        eligibilities: confirmation.eligibilities.iter().map(eligibility).collect(),
    }
}

fn pending(pending: &PendingNumber) -> w::PendingInquiryNumber {
    let failure = pending.failure.as_ref().map(super::inquiry::failure);
    let state = if failure.is_some() { w::PendingState::Failed } else { w::PendingState::Queued };
    w::PendingInquiryNumber { job: pending.job.0, state, failure }
}

fn validity(validity: &Validity) -> w::Validity {
    let (code, label) = match validity {
        Validity::Valid => (w::ValidityCode::Valid, "有効"),
        Validity::Invalid => (w::ValidityCode::Invalid, "無効"),
        Validity::InvalidNewExists => (w::ValidityCode::InvalidNewExists, "無効（新しい資格あり）"),
        Validity::NotFound => (w::ValidityCode::NotFound, "該当資格なし"),
        Validity::Multiple => (w::ValidityCode::Multiple, "複数該当"),
        Validity::Unknown(_) => (w::ValidityCode::Unknown, "不明な資格有効性"),
    };
    w::Validity { code, raw: validity.code().to_owned(), label: label.to_owned() }
}

fn withheld(eligibilities: &[Eligibility]) -> w::Withheld {
    let mut disclosures = eligibilities.iter().map(disclosure).peekable();
    if disclosures.peek().is_none() {
        return w::Withheld::None;
    }
    let disclosures: Vec<_> = disclosures.collect();
    if disclosures.iter().all(|disclosure| *disclosure == Disclosure::Nothing) {
        w::Withheld::All
    } else if disclosures.iter().all(|disclosure| *disclosure == Disclosure::Full) {
        w::Withheld::None
    } else {
        w::Withheld::Part
    }
}

fn eligibility(person: &Eligibility) -> w::Eligibility {
    let text = |field: Field| person.get(field).map(|value| value.expose().to_owned());
    w::Eligibility {
        classification: text(Field::InsuredCardClassification)
            .zip(person.classification())
            .map(|(code, known)| w::Classification { code, label: known.label() }),
        insurer_number: text(Field::InsurerNumber),
        insured_card_symbol: text(Field::InsuredCardSymbol),
        insured_identification_number: text(Field::InsuredIdentificationNumber),
        insured_branch_number: text(Field::InsuredBranchNumber),
        personal_family_classification: text(Field::PersonalFamilyClassification),
        insured_name: text(Field::InsuredName),
        name: text(Field::Name),
        name_of_other: text(Field::NameOfOther),
        name_kana: text(Field::NameKana),
        name_of_other_kana: text(Field::NameOfOtherKana),
        sex1: text(Field::Sex1),
        sex2: text(Field::Sex2),
        birthdate: text(Field::Birthdate),
        address: text(Field::Address),
        post_number: text(Field::PostNumber),
        qualification_date: text(Field::QualificationDate),
        disqualification_date: text(Field::DisqualificationDate),
        insured_certificate_issuance_date: text(Field::InsuredCertificateIssuanceDate),
        insured_card_valid_date: text(Field::InsuredCardValidDate),
        insured_card_expiration_date: text(Field::InsuredCardExpirationDate),
        insured_partial_contribution_ratio: text(Field::InsuredPartialContributionRatio),
        preschool_classification: text(Field::PreschoolClassification),
        reason_of_loss: text(Field::ReasonOfLoss),
        insurer_name: text(Field::InsurerName),
        elderly_recipient_certificate: elderly(person),
        reference_number: text(Field::ReferenceNumber),
        warnings: remarks(person).into_iter().map(warning).collect(),
    }
}

fn elderly(person: &Eligibility) -> Option<w::ElderlyRecipientCertificate> {
    let text = |field: Field| person.get(field).map(|value| value.expose().to_owned());
    person.iter().any(|(field, _)| field.in_elderly_recipient_certificate()).then(|| {
        w::ElderlyRecipientCertificate {
            date: text(Field::ElderlyRecipientCertificateDate),
            valid_start_date: text(Field::ElderlyRecipientValidStartDate),
            valid_end_date: text(Field::ElderlyRecipientValidEndDate),
            contribution_ratio: text(Field::ElderlyRecipientContributionRatio),
        }
    })
}

fn warning(remark: Remark) -> w::Warning {
    let code = match remark {
        Remark::UnknownCode(_) => w::WarningCode::UnknownCode,
        Remark::RetiredClassification => w::WarningCode::RetiredClassification,
        Remark::ReplacedCharacter => w::WarningCode::ReplacedCharacter,
        Remark::BirthdateUnknown => w::WarningCode::BirthdateUnknown,
        Remark::BackOfCard => w::WarningCode::BackOfCard,
        Remark::LossAnnounced => w::WarningCode::LossAnnounced,
        Remark::MedicalAssistance => w::WarningCode::MedicalAssistance,
        Remark::PartlyWithheld => w::WarningCode::PartlyWithheld,
    };
    w::Warning { code, message: remark.message() }
}
