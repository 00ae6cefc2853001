//! A scripted program behind the contract, and a server around it on a real socket.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

use api::codes::Code;
use api::guard::Guard;
use api::limits::Limits;
use api::service::{Answer, Caller, Service, ServiceError, SessionKey};
use api::wire;
use async_trait::async_trait;
use harness::raw_http::{Reply, exchange};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub const TOKEN: &str = "good-token";

/// How the next calls end.
#[derive(Debug, Clone, Default)]
pub enum Script {
    /// With a full answer.
    #[default]
    Answer,
    /// With this error.
    Fail(ServiceError),
    /// In a panic that carries a canary.
    Panic,
    /// Never.
    Hang,
}

/// Plays the script; counts the calls that reached it.
pub struct Scripted {
    script: Mutex<Script>,
    calls: watch::Sender<usize>,
}

impl Scripted {
    pub fn script(&self, script: Script) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
    }

    pub fn calls(&self) -> usize {
        *self.calls.borrow()
    }

    /// Waits until this many calls have reached the service.
    pub async fn reached(&self, calls: usize) {
        self.calls.subscribe().wait_for(|made| *made >= calls).await.unwrap();
    }

    async fn play<T>(&self, answer: T) -> Answer<T> {
        self.calls.send_modify(|calls| *calls += 1);
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match script {
            Script::Answer => Ok(answer),
            Script::Fail(error) => Err(error),
            Script::Panic => panic!("CANARY-PANIC"),
            Script::Hang => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Service for Scripted {
    async fn sign_in(&self, _: wire::SignIn, peer: Option<SocketAddr>) -> Answer<wire::Session> {
        assert!(peer.is_some_and(|peer| peer.ip().is_loopback()));
        self.play(sample::session()).await
    }

    async fn authenticate(&self, token: &str) -> Answer<Caller> {
        if token != TOKEN {
            return Err(Code::SessionRequired.into());
        }
        Ok(Caller {
            account: "receipt".to_owned(),
            role: wire::Role::ReceiptComputer,
            session: SessionKey([7; 32]),
            peer: None,
        })
    }

    async fn session(&self, caller: &Caller) -> Answer<wire::SessionInfo> {
        self.play(sample::session_info(caller)).await
    }

    async fn sign_out(&self, _: &Caller) -> Answer<()> {
        self.play(()).await
    }

    async fn create_check(&self, _: &Caller, request: wire::NewCheck) -> Answer<wire::Check> {
        self.play(wire::Check { method: request.method, ..sample::check() }).await
    }

    /// A wait never ends by itself here.
    async fn check(&self, _: &Caller, _: &str, after: Option<i64>, seconds: u32) -> Answer<wire::Check> {
        let check = self.play(sample::check()).await?;
        if after.is_some() && seconds > 0 {
            return std::future::pending().await;
        }
        Ok(check)
    }

    async fn enter_pin(&self, _: &Caller, _: &str, _: wire::PinEntry) -> Answer<wire::Check> {
        self.play(sample::check()).await
    }

    async fn confirm_last_try(&self, _: &Caller, _: &str) -> Answer<wire::Check> {
        self.play(sample::check()).await
    }

    async fn cancel_check(&self, _: &Caller, _: &str) -> Answer<wire::Check> {
        self.play(sample::failed_check()).await
    }

    async fn results(&self, _: &Caller, _: wire::ResultQuery) -> Answer<wire::ResultPage> {
        let results = vec![sample::full_result(), sample::withheld_result()];
        self.play(wire::ResultPage { results, next_cursor: Some("bmV4dA".to_owned()) }).await
    }

    async fn count_results(&self, _: &Caller, _: wire::ResultQuery) -> Answer<wire::ResultCount> {
        self.play(wire::ResultCount { count: 17 }).await
    }

    async fn result(&self, _: &Caller, id: i64) -> Answer<wire::EligibilityResult> {
        self.play(wire::EligibilityResult { id, ..sample::full_result() }).await
    }

    async fn set_inquiry_number(
        &self,
        _: &Caller,
        id: i64,
        request: wire::InquiryNumber,
    ) -> Answer<wire::InquiryNumberSet> {
        let set = wire::InquiryNumberSet { inquiry_number: request.inquiry_number, results: vec![id] };
        self.play(set).await
    }

    async fn readers(&self, _: &Caller) -> Answer<wire::Readers> {
        self.play(sample::readers()).await
    }

    async fn security_settings(&self, _: &Caller) -> Answer<wire::SecuritySettings> {
        self.play(wire::SecuritySettings { visual_confirmation: true }).await
    }

    async fn set_security_settings(
        &self,
        _: &Caller,
        settings: wire::SecuritySettings,
    ) -> Answer<wire::SecuritySettings> {
        self.play(settings).await
    }

    async fn health(&self, _: &Caller) -> Answer<wire::Health> {
        self.play(sample::health()).await
    }
}

/// The contract's server on a port of its own, around a scripted service.
pub struct Server {
    pub address: SocketAddr,
    pub service: Arc<Scripted>,
    pub stop: CancellationToken,
    serving: JoinSet<std::io::Result<()>>,
}

impl Server {
    pub fn start(limits: Limits) -> Self {
        let listener = api::serve::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let service = Arc::new(Scripted { script: Mutex::default(), calls: watch::Sender::new(0) });
        let router = api::router(service.clone(), Guard::loopback(address.port()), limits);
        let stop = CancellationToken::new();
        let mut serving = JoinSet::new();
        serving.spawn(api::serve::serve(listener, router, limits, stop.clone()));
        Self { address, service, stop, serving }
    }

    /// A request in the ordinary form, on a connection of its own.
    pub fn request(&self, method: &str, target: &str, token: Option<&str>, body: Option<&str>) -> String {
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let kind =
            body.map(|body| format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        let (kind, body) = (kind.unwrap_or_default(), body.unwrap_or_default());
        format!("{method} {target} HTTP/1.1\r\nhost: {}\r\n{token}{kind}\r\n{body}", self.address)
    }

    /// Sends bytes and reads one answer.
    pub async fn send(&self, request: impl AsRef<[u8]>) -> Reply {
        exchange(self.address, request).await.unwrap()
    }

    /// Waits until the server has stopped.
    pub async fn stopped(&mut self) {
        self.serving.join_next().await.unwrap().unwrap().unwrap();
    }
}

mod sample {
    use super::*;

    pub fn session() -> wire::Session {
        wire::Session {
            token: TOKEN.to_owned(),
            account: "receipt".to_owned(),
            role: wire::Role::ReceiptComputer,
            expires_at: "2026-07-09T00:00:00+09:00".to_owned(),
            idle_timeout_s: 1800,
        }
    }

    pub fn session_info(caller: &Caller) -> wire::SessionInfo {
        wire::SessionInfo {
            account: caller.account.clone(),
            role: caller.role,
            expires_at: "2026-07-09T00:00:00+09:00".to_owned(),
            idle_timeout_s: 1800,
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
            check_id: "c1".to_owned(),
            checked_at: "2026-07-08T12:00:00+09:00".to_owned(),
            confirmed_for: "2026-07-08".to_owned(),
            method: wire::Method::CardPin,
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
            inquiry_number: None,
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
        }
    }
}
