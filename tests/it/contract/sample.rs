//! Answers with every field filled.

use api::codes::Code;
use api::service::{Caller, InquiryOutcome};
use api::wire;

use super::fake::TOKEN;

pub fn session() -> wire::Session {
    wire::Session {
        token: Some(TOKEN.to_owned()),
        account: "receipt".to_owned(),
        role: wire::Role::ReceiptComputer,
        expires_at: "2026-07-09T00:00:00+09:00".to_owned(),
        idle_timeout_s: 1800,
        announcements: announcements(),
        password_change_required: false,
    }
}

pub fn collected() -> wire::Collected {
    wire::Collected {
        complete: true,
        from: Some("2026-07-06".to_owned()),
        to: Some("2026-07-08".to_owned()),
        added: Some(3),
        updated: Some(1),
        known: Some(14),
    }
}

fn closure() -> wire::Closure {
    wire::Closure {
        from: "2026-07-09T01:00:00+09:00".to_owned(),
        until: "2026-07-09T05:00:00+09:00".to_owned(),
        scope: wire::ClosureScope::Everything,
    }
}

pub fn announcements() -> wire::AnnouncementList {
    let announcement = wire::Announcement {
        id: "N1".to_owned(),
        published_at: "2026-07-08T09:00:00+09:00".to_owned(),
        kind: wire::AnnouncementKind::Maintenance,
        title: "システムメンテナンスのお知らせ".to_owned(),
        body: Some("一行目\n二行目".to_owned()),
        url: Some("https://portal.example/n1".to_owned()),
        closure: Some(closure()),
        new: true,
    };
    wire::AnnouncementList { new_count: 1, announcements: vec![announcement] }
}

pub fn session_info(caller: &Caller) -> wire::SessionInfo {
    wire::SessionInfo {
        account: caller.account.clone(),
        role: caller.role,
        expires_at: "2026-07-09T00:00:00+09:00".to_owned(),
        idle_timeout_s: 1800,
        password_change_required: caller.must_change_password,
        terminal: Some("uketsuke-1".to_owned()),
    }
}

pub fn check() -> wire::Check {
    wire::Check {
        id: "c1".to_owned(),
        revision: 1,
        method: wire::Method::CardPin,
        phase: wire::CheckPhase::WaitingForPin,
        terminal: "uketsuke-1".to_owned(),
        reader: "Reader 00 00".to_owned(),
        created_at: "2026-07-08T12:00:00+09:00".to_owned(),
        card_kind: Some(wire::CardKind::WithoutPhoto),
        entered_by: Some(wire::EnteredBy::LegalRepresentative),
        visual_after_lock_of: Some("c0".to_owned()),
        certificate: Some(wire::Certificate {
            not_after: "2028-02-17T23:59:59+09:00".to_owned(),
            state: wire::CertificateState::ExpiresSoon,
            issuer_known: true,
            warning: Some("電子証明書の有効期限が3か月以内に切れます。".to_owned()),
        }),
        result_id: None,
        failure: None,
    }
}

pub fn failed_check() -> wire::Check {
    let failure = wire::CheckFailure { tries_left: Some(2), ..wire::CheckFailure::new(Code::WrongPin) };
    wire::Check { phase: wire::CheckPhase::Failed, failure: Some(failure), ..check() }
}

/// Every field filled.
pub fn full_result() -> wire::EligibilityResult {
    wire::EligibilityResult {
        id: 42,
        source: wire::ResultSource::Own,
        check_id: Some("c1".to_owned()),
        checked_at: "2026-07-08T12:00:00+09:00".to_owned(),
        confirmed_for: "2026-07-08".to_owned(),
        method: Some(wire::Method::CardPin),
        terminal: "uketsuke-1".to_owned(),
        validity: wire::Validity {
            code: wire::ValidityCode::Valid,
            raw: "1".to_owned(),
            label: "有効".to_owned(),
        },
        searchable: true,
        sandbox: true,
        expires_at: "2026-09-01T00:00:00+09:00".to_owned(),
        version: 1,
        inquiry_number: Some("K-1".into()),
        inquiry_number_pending: Some(wire::PendingInquiryNumber {
            job: 7,
            state: wire::PendingState::Failed,
            failure: Some(wire::InquiryFailure::new(Code::InquiryNumberInUse, None)),
        }),
        note: Some(wire::Note { code: "N1".to_owned(), message: "知らせ".to_owned() }),
        withheld: wire::Withheld::None,
        eligibilities: vec![full_eligibility()],
    }
}

fn full_eligibility() -> wire::Eligibility {
    wire::Eligibility {
        classification: Some(wire::Classification { code: "01".to_owned(), label: "一般".to_owned() }),
        insurer_number: Some("  123456".into()),
        insured_card_symbol: Some("１２".into()),
        insured_identification_number: Some("0034".into()),
        insured_branch_number: Some("01".into()),
        personal_family_classification: Some("1".into()),
        insured_name: Some("資格 太郎".into()),
        name: Some("資格 ●郎".into()),
        name_of_other: Some("他資格 太郎".into()),
        name_kana: Some("シカク タロウ".into()),
        name_of_other_kana: Some("タシカク タロウ".into()),
        sex1: Some("3".into()),
        sex2: Some("1".into()),
        birthdate: Some("19540502".into()),
        address: Some("住所".into()),
        post_number: Some("1050000".into()),
        qualification_date: Some("20250401".into()),
        disqualification_date: Some("20260331".into()),
        insured_certificate_issuance_date: Some("20250401".into()),
        insured_card_valid_date: Some("20250401".into()),
        insured_card_expiration_date: Some("20260331".into()),
        insured_partial_contribution_ratio: Some("020".into()),
        preschool_classification: Some("1".into()),
        reason_of_loss: Some("99".into()),
        insurer_name: Some("限定資格保険組合".into()),
        elderly_recipient_certificate: Some(wire::ElderlyRecipientCertificate {
            date: Some("20250801".into()),
            valid_start_date: Some("20250801".into()),
            valid_end_date: Some("20260731".into()),
            contribution_ratio: Some("020".into()),
        }),
        reference_number: Some("K-1".into()),
        warnings: vec![wire::Warning {
            code: wire::WarningCode::ReplacedCharacter,
            message: "「●」が含まれます。".to_owned(),
        }],
    }
}

/// Nothing disclosed.
pub fn withheld_result() -> wire::EligibilityResult {
    wire::EligibilityResult {
        source: wire::ResultSource::Elsewhere,
        check_id: None,
        method: None,
        inquiry_number: None,
        inquiry_number_pending: None,
        note: None,
        withheld: wire::Withheld::All,
        eligibilities: vec![wire::Eligibility::default()],
        ..full_result()
    }
}

pub fn readers() -> wire::Readers {
    let reader = |name: &str, check_id: Option<String>| wire::Reader {
        name: name.to_owned(),
        state: wire::ReaderState::Card,
        check_id,
    };
    wire::Readers {
        service_available: true,
        methods: vec![wire::Method::Visual, wire::Method::CardPin],
        visual_after_lock: true,
        readers: vec![reader("Reader 00 00", Some("c1".into())), reader("Reader 01 00", None)],
        terminals: vec![wire::TerminalReader {
            terminal: "uketsuke-1".to_owned(),
            reader: Some("Reader 00 00".to_owned()),
        }],
    }
}

pub fn health() -> wire::Health {
    wire::Health {
        state: wire::HealthState::Degraded,
        version: "0.1.0".to_owned(),
        sandbox: true,
        card: wire::HealthPart::troubled(wire::HealthState::Degraded, Code::NoReader),
        upstream: wire::HealthPart::well(wire::HealthState::Unknown),
        store: wire::HealthPart::well(wire::HealthState::Ok),
        collect: wire::CollectHealth {
            part: wire::HealthPart::troubled(wire::HealthState::Degraded, Code::UpstreamMaintenance),
            scheduled: true,
            last_complete_at: Some("2026-07-08T12:00:00+09:00".to_owned()),
            added: Some(3),
            paused_until: Some("2026-07-09T05:00:00+09:00".to_owned()),
        },
        maintenance: wire::MaintenanceHealth { now: Some(closure()), next: Some(closure()) },
        retention: wire::RetentionPart::new(
            wire::HealthPart::troubled(wire::HealthState::Degraded, Code::RetentionWaitsForClock),
            3_600,
            wire::ClockState::Unsynchronised,
        ),
        link: wire::UpstreamLink {
            circuit: wire::CircuitState::Closed,
            circuit_open_until: None,
            last_success_at: None,
            last_failure_at: None,
            last_failure_code: None,
            clock_offset_seconds: Some(0),
            client_certificate_not_after: Some("2026-11-30T23:59:59+09:00".to_owned()),
            days_left: Some(53),
            files_renewed_at: None,
        },
        notices: vec![wire::Notice::of(Code::ClientCertificateEnding)],
        queue: wire::QueueHealth {
            part: wire::HealthPart::troubled(wire::HealthState::Degraded, Code::UpstreamUnreachable),
            depth: 3,
            oldest_s: Some(90),
        },
        folders: wire::FoldersHealth {
            part: wire::HealthPart::troubled(wire::HealthState::Degraded, Code::FolderUnavailable),
            waiting: 1,
            due: 2,
            refused: 0,
            ambiguous: 1,
        },
    }
}

pub fn inquiry_outcome(accepted: bool, inquiry_number: String, result: i64) -> InquiryOutcome {
    if accepted {
        let waiting = wire::InquiryJob { state: wire::InquiryState::Queued, failure: None, ..failed_job() };
        return InquiryOutcome::Queued(waiting);
    }
    InquiryOutcome::Registered(wire::InquiryNumberSet {
        job: 7,
        state: wire::InquiryState::Registered,
        inquiry_number,
        results: vec![result],
    })
}

pub fn failed_job() -> wire::InquiryJob {
    wire::InquiryJob {
        job: 7,
        state: wire::InquiryState::Failed,
        taken_at: "2026-07-08T12:00:00+09:00".to_owned(),
        receipt: Some(3),
        results: vec![41, 42],
        failure: Some(wire::InquiryFailure::new(Code::UpstreamRefused, Some("ASRV00001E".to_owned()))),
    }
}

pub fn bulk_receipt(items: usize) -> wire::BulkReceipt {
    wire::BulkReceipt {
        receipt: 3,
        state: wire::BulkState::Processing,
        taken_at: "2026-07-08T12:00:00+09:00".to_owned(),
        items: u32::try_from(items).expect("few items"),
    }
}

pub fn bulk_stand() -> wire::BulkStand {
    let outcome =
        |position, state, failure| wire::BulkOutcome { position, state, results: vec![41], failure };
    let failure = wire::InquiryFailure::new(Code::InquiryNumberInUse, None);
    wire::BulkStand {
        receipt: 3,
        state: wire::BulkState::Processing,
        taken_at: "2026-07-08T12:00:00+09:00".to_owned(),
        items: 4,
        registered: 1,
        failed: 1,
        outcomes: vec![
            outcome(0, wire::InquiryState::Registered, None),
            outcome(1, wire::InquiryState::Failed, Some(failure)),
            outcome(2, wire::InquiryState::Sending, None),
        ],
        next_position: Some(3),
    }
}
