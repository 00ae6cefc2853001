//! Service: what the contract needs from the program behind it. Handlers see nothing else.

mod accounts;
mod desk;
mod monitor;
mod passkeys;
mod results;
mod upkeep;

use std::fmt;
use std::net::SocketAddr;

use async_trait::async_trait;

pub use accounts::AccountService;
pub use desk::DeskService;
pub use monitor::MonitorService;
pub use passkeys::PasskeyService;
pub use results::{
    BrokenOff, Bytes, Characters, Document, Events, Export, ExportPart, ExportParts, ReadyChanges, ReadyPage,
    ResultService,
};
pub use upkeep::UpkeepService;

use crate::codes::Code;
use crate::wire;

/// Why a call was refused or failed. The texts come from the table of codes; `detail` adds what only this case knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceError {
    /// The code; it decides the HTTP status.
    pub code: Code,
    /// Seconds after which another attempt makes sense (`Retry-After`).
    pub retry_after: Option<u32>,
    /// The field of the request that is to blame, by its name on the wire.
    pub field: Option<String>,
    /// Japanese, for people; never personal data, never a value from the request.
    pub detail: Option<String>,
    /// The central system's own code, with [`Code::UpstreamRefused`].
    pub upstream_code: Option<String>,
}

impl ServiceError {
    /// An error that says no more than its code.
    pub fn new(code: Code) -> Self {
        Self { code, retry_after: None, field: None, detail: None, upstream_code: None }
    }

    /// Names the field of the request that is to blame.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Adds what only this case knows, in Japanese.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says when to try again, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Adds the central system's own code.
    #[must_use]
    pub fn upstream_code(mut self, code: impl Into<String>) -> Self {
        self.upstream_code = Some(code.into());
        self
    }
}

impl From<Code> for ServiceError {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl std::error::Error for ServiceError {}

/// Names a session inside the service; opaque to the contract (the service uses the hash of the token).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey(pub [u8; 32]);

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Who is calling: proof that the request carried a live session. Only [`Service::authenticate`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Sign-in name of the account.
    pub account: String,
    /// What it may do.
    pub role: wire::Role,
    /// The session.
    pub session: SessionKey,
    /// Who is at the other end of the connection, if the listener knows; for the log only, never for a decision.
    pub peer: Option<SocketAddr>,
    /// Whether the session may do nothing but change the password.
    pub must_change_password: bool,
}

/// SHA-256 of the client certificate (DER) that the connection itself proved. Only [`crate::serve`] makes one; nothing in a
/// request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerCertificate(pub [u8; 32]);

/// What came along with a sign-in; none of it alone says who someone is.
#[derive(Debug, Default)]
pub struct Along {
    /// Where it came from: for the log only, never for a decision.
    pub peer: Option<SocketAddr>,
    /// The token of an enrolled terminal.
    pub terminal: Option<wire::SecretText>,
    /// The client certificate of the connection.
    pub certificate: Option<PeerCertificate>,
    /// The token of an older session, which ends when the sign-in succeeds.
    pub session: Option<wire::SecretText>,
    /// Whether it came to the page's listener; the session works there and nowhere else.
    pub on_page: bool,
}

/// What a request shows of its session.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// The session's token.
    pub token: &'a str,
    /// The token of an enrolled terminal.
    pub terminal: Option<&'a str>,
    /// The client certificate of the connection.
    pub certificate: Option<PeerCertificate>,
    /// Whether it came to the page's listener.
    pub on_page: bool,
}

/// The key with which a client names a request (`Idempotency-Key`); it may name somebody, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// 8 to 128 visible ASCII characters but `"` and `\\`; in quotes, as RFC 8941 writes a string, or without.
    pub fn parse(text: &str) -> Option<Self> {
        let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let key = quoted.unwrap_or(text);
        let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        ((8..=128).contains(&key.len()) && key.bytes().all(allowed)).then(|| Self(key.to_owned()))
    }

    /// The key.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What became of an inquiry number within the time of a request.
#[derive(Clone, PartialEq, Eq)]
pub enum InquiryOutcome {
    /// The central system took it.
    Registered(wire::InquiryNumberSet),
    /// It is stored and will be sent.
    Queued(wire::InquiryJob),
}

/// The answer of a call.
pub type Answer<T> = Result<T, ServiceError>;

/// The program behind the contract. It decides roles ([`Code::ForbiddenRole`]), writes the audit log, and never blocks.
#[async_trait]
pub trait Service:
    AccountService + PasskeyService + DeskService + MonitorService + ResultService + UpkeepService
{
    /// Signs in with all factors at once. Unknown account, wrong password, wrong or used code and a locked account get
    /// the same [`Code::SignInFailed`] after the same work; [`Code::SignInDelayed`] must also come for unknown names.
    async fn sign_in(&self, request: wire::SignIn, along: Along) -> Answer<wire::Session>;

    /// Finds the session of a token; [`Code::SessionRequired`] if there is none, or if it began on the page and is presented
    /// elsewhere or the other way round, or if it is bound to another terminal than the one whose token is presented, or to another
    /// certificate than that of the connection. Called before every other call.
    async fn authenticate(&self, presented: Presented<'_>) -> Answer<Caller>;

    /// The caller's session.
    async fn session(&self, caller: &Caller) -> Answer<wire::SessionInfo>;

    /// Ends the caller's session.
    async fn sign_out(&self, caller: &Caller) -> Answer<()>;

    /// Starts a check and answers at once. The same key with the same request, here and below, gets the answer of what
    /// the first call did; [`Code::IdempotencyKeyReused`] with another request, [`Code::IdempotencyKeyInUse`] while the
    /// first call lasts.
    async fn create_check(
        &self,
        caller: &Caller,
        request: wire::NewCheck,
        key: Option<IdempotencyKey>,
    ) -> Answer<wire::Check>;

    /// A check. With `after_revision`, waits up to `wait_seconds` (0 to 25) for a later revision or the end of the
    /// check, then answers with the check as it is.
    async fn check(
        &self,
        caller: &Caller,
        id: &str,
        after_revision: Option<i64>,
        wait_seconds: u32,
    ) -> Answer<wire::Check>;

    /// Takes the PIN over for the one VERIFY of this check.
    async fn enter_pin(&self, caller: &Caller, id: &str, pin: wire::PinEntry) -> Answer<wire::Check>;

    /// Confirms with the patient's consent that the last PIN try may be used.
    async fn confirm_last_try(&self, caller: &Caller, id: &str) -> Answer<wire::Check>;

    /// Takes the decision about card-use registration. With consent, the registration begins once that is on record.
    async fn register_card_use(
        &self,
        caller: &Caller,
        id: &str,
        request: wire::CardUseRegistration,
    ) -> Answer<wire::Check>;

    /// Cancels a check that the central system is not working on.
    async fn cancel_check(&self, caller: &Caller, id: &str) -> Answer<wire::Check>;

    /// The operators' announcements, the newest first; for any role.
    async fn announcements(&self, caller: &Caller) -> Answer<wire::AnnouncementList>;

    /// Sets the inquiry number of a result's person, here and at the central system; durable when this returns.
    async fn set_inquiry_number(
        &self,
        caller: &Caller,
        id: i64,
        request: wire::InquiryNumber,
        key: Option<IdempotencyKey>,
    ) -> Answer<InquiryOutcome>;

    /// Sets the inquiry number of the person with these insurance identifiers.
    async fn set_inquiry_number_of_insurance(
        &self,
        caller: &Caller,
        request: wire::InquiryNumberOfInsurance,
        key: Option<IdempotencyKey>,
    ) -> Answer<InquiryOutcome>;

    /// What became of the numbers that were taken in, the newest first.
    async fn inquiry_jobs(
        &self,
        caller: &Caller,
        query: wire::InquiryJobQuery,
    ) -> Answer<wire::InquiryJobPage>;

    /// What became of a number that was taken in.
    async fn inquiry_job(&self, caller: &Caller, id: i64) -> Answer<wire::InquiryJob>;

    /// Takes inquiry numbers in bulk; durable when this returns.
    async fn set_inquiry_numbers_in_bulk(
        &self,
        caller: &Caller,
        request: wire::BulkInquiry,
        key: Option<IdempotencyKey>,
    ) -> Answer<wire::BulkReceipt>;

    /// What became of a bulk.
    async fn inquiry_bulk(&self, caller: &Caller, id: i64, query: wire::BulkQuery)
    -> Answer<wire::BulkStand>;

    /// The readers as they are now.
    async fn readers(&self, caller: &Caller) -> Answer<wire::Readers>;

    /// The security settings; for any role.
    async fn security_settings(&self, caller: &Caller) -> Answer<wire::SecuritySettings>;

    /// Changes the security settings and answers with them; administrators only, audited.
    async fn set_security_settings(
        &self,
        caller: &Caller,
        settings: wire::SecuritySettings,
    ) -> Answer<wire::SecuritySettings>;

    /// The health of the program's parts.
    async fn health(&self, caller: &Caller) -> Answer<wire::Health>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_with_and_without_quotes_and_is_never_shown() {
        let key = |text: &str| IdempotencyKey::parse(text).map(|key| key.expose().to_owned());
        let uuid = "8e03978e-40d5-43dd-bc93-6894a57f9324";
        assert_eq!(key(uuid).as_deref(), Some(uuid));
        assert_eq!(key(&format!("\"{uuid}\"")).as_deref(), Some(uuid));
        assert_eq!(key(&"k".repeat(128)), Some("k".repeat(128)));
        assert!(!format!("{:?}", IdempotencyKey::parse(uuid)).contains("8e03"));
        let long = "k".repeat(129);
        for bad in [
            "",
            "\"\"",
            "short-7",
            "\"8e03978e",
            "8e03978e\"",
            "with space",
            "back\\slash",
            "番号番号番号",
            &long,
        ] {
            assert_eq!(key(bad), None, "{bad}");
        }
    }
}
