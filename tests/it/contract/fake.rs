//! A scripted program behind the contract, and a server around it on a real socket.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::{Arc, PoisonError};

use api::codes::Code;
use api::etag::{ETag, Tagged};
use api::guard::Guard;
use api::limits::Limits;
use api::listeners::Listener;
use api::service::{
    Along, Answer, Caller, IdempotencyKey, InquiryOutcome, Presented, Service, ServiceError, SessionKey,
};
use api::wire;
use async_trait::async_trait;
use harness::raw_http::{Reply, exchange};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::sample;

pub const TOKEN: &str = "good-token";

/// Of a session that must change its password first.
pub const NEW_TOKEN: &str = "new-token";

/// How the next calls end.
#[derive(Debug, Clone, Default)]
pub enum Script {
    /// With a full answer.
    #[default]
    Answer,
    /// With a full answer that says that the work goes on.
    Accept,
    /// That the caller has the answer already.
    Known,
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
    /// The token of a terminal that came with the last call.
    terminal: Mutex<Option<String>>,
}

impl Scripted {
    pub fn script(&self, script: Script) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
    }

    /// The token of a terminal that the service has been shown since it was asked the last time.
    pub fn terminal_shown(&self) -> Option<String> {
        self.terminal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn look_at_terminal(&self, token: Option<&str>) {
        *self.terminal.lock().unwrap_or_else(PoisonError::into_inner) = token.map(ToOwned::to_owned);
    }

    pub fn calls(&self) -> usize {
        *self.calls.borrow()
    }

    /// Waits until this many calls have reached the service.
    pub async fn reached(&self, calls: usize) {
        self.calls.subscribe().wait_for(|made| *made >= calls).await.unwrap();
    }

    fn accepts(&self) -> bool {
        matches!(*self.script.lock().unwrap_or_else(PoisonError::into_inner), Script::Accept)
    }

    /// A tagged answer, or that the caller has it.
    pub(super) async fn play_tagged<T>(&self, answer: T) -> Answer<Tagged<T>> {
        let known = matches!(*self.script.lock().unwrap_or_else(PoisonError::into_inner), Script::Known);
        let answer = self.play(answer).await?;
        let etag = ETag::of(b"what it is about");
        Ok(if known { Tagged::known(etag) } else { Tagged::new(etag, answer) })
    }

    pub(super) async fn play<T>(&self, answer: T) -> Answer<T> {
        self.calls.send_modify(|calls| *calls += 1);
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match script {
            Script::Answer | Script::Accept | Script::Known => Ok(answer),
            Script::Fail(error) => Err(error),
            Script::Panic => panic!("CANARY-PANIC"),
            Script::Hang => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Service for Scripted {
    async fn sign_in(&self, _: wire::SignIn, along: Along) -> Answer<wire::Session> {
        assert_eq!(along.certificate, None, "nothing in a request makes one");
        assert!(along.peer.is_some_and(|peer| peer.ip().is_loopback()));
        self.look_at_terminal(along.terminal.as_ref().map(wire::SecretText::expose));
        self.play(sample::session()).await
    }

    async fn authenticate(&self, presented: Presented<'_>) -> Answer<Caller> {
        let Presented { token, terminal, certificate, .. } = presented;
        self.look_at_terminal(terminal);
        assert_eq!(certificate, None, "nothing in a request makes one");
        if token != TOKEN && token != NEW_TOKEN {
            return Err(Code::SessionRequired.into());
        }
        Ok(Caller {
            account: "receipt".to_owned(),
            role: wire::Role::ReceiptComputer,
            session: SessionKey([7; 32]),
            peer: None,
            must_change_password: token == NEW_TOKEN,
        })
    }

    async fn session(&self, caller: &Caller) -> Answer<wire::SessionInfo> {
        self.play(sample::session_info(caller)).await
    }

    async fn sign_out(&self, _: &Caller) -> Answer<()> {
        self.play(()).await
    }

    async fn create_check(
        &self,
        _: &Caller,
        request: wire::NewCheck,
        _: Option<IdempotencyKey>,
    ) -> Answer<wire::Check> {
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

    async fn register_card_use(
        &self,
        _: &Caller,
        _: &str,
        _: wire::CardUseRegistration,
    ) -> Answer<wire::Check> {
        self.play(sample::check()).await
    }

    async fn cancel_check(&self, _: &Caller, _: &str) -> Answer<wire::Check> {
        self.play(sample::failed_check()).await
    }

    async fn set_inquiry_number(
        &self,
        _: &Caller,
        id: i64,
        request: wire::InquiryNumber,
        _: Option<IdempotencyKey>,
    ) -> Answer<InquiryOutcome> {
        let outcome = sample::inquiry_outcome(self.accepts(), request.inquiry_number, id);
        self.play(outcome).await
    }

    async fn set_inquiry_number_of_insurance(
        &self,
        _: &Caller,
        request: wire::InquiryNumberOfInsurance,
        _: Option<IdempotencyKey>,
    ) -> Answer<InquiryOutcome> {
        let outcome = sample::inquiry_outcome(self.accepts(), request.inquiry_number, 42);
        self.play(outcome).await
    }

    async fn inquiry_jobs(&self, _: &Caller, _: wire::InquiryJobQuery) -> Answer<wire::InquiryJobPage> {
        self.play(wire::InquiryJobPage { jobs: vec![sample::failed_job()], next_before: Some(7) }).await
    }

    async fn inquiry_job(&self, _: &Caller, id: i64) -> Answer<wire::InquiryJob> {
        self.play(wire::InquiryJob { job: id, ..sample::failed_job() }).await
    }

    async fn set_inquiry_numbers_in_bulk(
        &self,
        _: &Caller,
        request: wire::BulkInquiry,
        _: Option<IdempotencyKey>,
    ) -> Answer<wire::BulkReceipt> {
        self.play(sample::bulk_receipt(request.items.len())).await
    }

    async fn inquiry_bulk(&self, _: &Caller, id: i64, _: wire::BulkQuery) -> Answer<wire::BulkStand> {
        self.play(wire::BulkStand { receipt: id, ..sample::bulk_stand() }).await
    }

    async fn announcements(&self, _: &Caller) -> Answer<wire::AnnouncementList> {
        self.play(sample::announcements()).await
    }

    async fn readers(&self, _: &Caller) -> Answer<wire::Readers> {
        self.play(sample::readers()).await
    }

    async fn security_settings(&self, _: &Caller) -> Answer<wire::SecuritySettings> {
        self.play(wire::SecuritySettings { visual_confirmation: true, operators_need_code: true }).await
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

/// What the page's script and its browser send for a session.
pub fn page_headers(token: &str) -> String {
    let csrf = Sha256::new().chain_update(b"shikaku-bridge csrf\0").chain_update(token).finalize();
    let csrf = data_encoding::HEXLOWER.encode(&csrf);
    format!("cookie: __Host-shikaku-session={token}\r\nx-shikaku-csrf: {csrf}\r\n")
}

/// The contract's server on a port of its own, around a scripted service.
pub struct Server {
    pub address: SocketAddr,
    pub service: Arc<Scripted>,
    pub stop: CancellationToken,
    place: Listener,
    serving: JoinSet<std::io::Result<()>>,
}

impl Server {
    pub fn start(limits: Limits) -> Self {
        Self::at(Listener::Loopback, |guard| guard, limits)
    }

    /// On a listener with a guard of its own; loopback all the same, and in clear.
    pub fn at(place: Listener, change: impl FnOnce(Guard) -> Guard, limits: Limits) -> Self {
        let listener = api::serve::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let service = Arc::new(Scripted {
            script: Mutex::default(),
            calls: watch::Sender::new(0),
            terminal: Mutex::default(),
        });
        let router = api::router(service.clone(), place, change(Guard::loopback(address.port())), limits);
        let stop = CancellationToken::new();
        let mut serving = JoinSet::new();
        serving.spawn(api::serve::serve(listener, router, limits, None, stop.clone()));
        Self { address, service, stop, place, serving }
    }

    /// A request in the ordinary form, on a connection of its own.
    pub fn request(&self, method: &str, target: &str, token: Option<&str>, body: Option<&str>) -> String {
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let kind =
            body.map(|body| format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
        let (kind, body) = (kind.unwrap_or_default(), body.unwrap_or_default());
        format!("{method} {target} HTTP/1.1\r\nhost: {}\r\n{token}{kind}\r\n{body}", self.address)
    }

    /// The same with the good token, as it travels on this listener.
    pub fn request_there(&self, method: &str, target: &str, body: Option<&str>) -> String {
        if self.place != Listener::Page {
            return self.request(method, target, Some(TOKEN), body);
        }
        let request = self.request(method, target, None, body);
        request.replacen("\r\n", &format!("\r\n{}", page_headers(TOKEN)), 1)
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
