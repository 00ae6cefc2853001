//! A visitor of the API: a typed client over raw HTTP that holds every answer against the committed contract.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use daemon::app::ports::Clock;
use rustls::ClientConfig;
use serde_json::{Value, json};

use crate::contract::Contract;
use crate::raw_http::{Raw, Reply};

/// What an account signs in with.
#[derive(Clone)]
pub struct Credentials {
    /// 機関コード.
    pub institution_code: String,
    /// Sign-in name.
    pub account: String,
    /// Password.
    pub password: String,
    /// The `otpauth://` address for the authenticator app.
    pub otpauth: String,
    /// Base32 secret of the authenticator app.
    pub totp_secret: String,
}

impl Credentials {
    /// The six-digit code at an instant (seconds since 1970).
    pub fn code(&self, at: u64) -> String {
        let secret = totp_rs::Secret::try_from_base32(&self.totp_secret).expect("a Base32 secret");
        let totp = totp_rs::Builder::new().with_secret(secret).build().expect("an RFC 6238 secret");
        totp.generate(at).to_string()
    }

    /// The body of a sign-in with a code.
    pub fn body(&self, code: &str) -> Value {
        json!({
            "institution_code": self.institution_code,
            "account": self.account,
            "password": self.password,
            "code": code,
        })
    }
}

/// Someone who comes to the API.
#[derive(Clone)]
pub struct Visitor {
    api: SocketAddr,
    clock: Arc<dyn Clock>,
    contract: Arc<Contract>,
    token: Option<String>,
    terminal: Option<String>,
    key: Option<String>,
    tls: Option<Arc<ClientConfig>>,
}

impl Visitor {
    /// Someone who comes to an API of any process.
    pub fn at(api: SocketAddr, clock: Arc<dyn Clock>) -> Self {
        Self::new(api, clock, Arc::new(Contract::committed()))
    }

    pub(super) fn new(api: SocketAddr, clock: Arc<dyn Clock>, contract: Arc<Contract>) -> Self {
        Self { api, clock, contract, token: None, terminal: None, key: None, tls: None }
    }

    /// Sends a request; the answer is checked against the contract before anyone sees it.
    pub async fn call(&self, method: &str, target: &str, body: Option<&Value>) -> Reply {
        self.try_call(method, target, body).await.expect("the API answers")
    }

    /// As [`Visitor::call`]; an error if the connection was refused.
    pub async fn try_call(&self, method: &str, target: &str, body: Option<&Value>) -> io::Result<Reply> {
        let mut connection = self.send(method, target, &[], body).await?;
        let reply = connection.reply().await?;
        self.contract.check(method, target, &reply).expect("the answer keeps the contract");
        Ok(reply)
    }

    /// GET with headers of one's own.
    pub async fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Reply {
        let reply = async { self.send("GET", target, headers, None).await?.reply().await };
        let reply = reply.await.expect("the API answers");
        self.contract.check("GET", target, &reply).expect("the answer keeps the contract");
        reply
    }

    /// GET whose answer is read as it comes.
    pub async fn open(&self, target: &str, headers: &[(&str, &str)]) -> Raw {
        self.send("GET", target, headers, None).await.expect("the API accepts connections")
    }

    async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> io::Result<Raw> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let token = self.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n"));
        let terminal = self.terminal.as_ref().map(|token| format!("Shikaku-Terminal: {token}\r\n"));
        let key = self.key.as_ref().map(|key| format!("Idempotency-Key: {key}\r\n"));
        let content = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let more: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let more = more.concat();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}{}{}{more}{}\r\n{body}",
            self.api,
            token.unwrap_or_default(),
            terminal.unwrap_or_default(),
            key.unwrap_or_default(),
            if body.is_empty() { "" } else { &content },
        );
        let mut connection = match &self.tls {
            Some(tls) => Raw::connect_tls(self.api, tls.clone()).await?,
            None => Raw::connect(self.api).await?,
        };
        connection.send(request).await?;
        Ok(connection)
    }

    /// GET.
    pub async fn get(&self, target: &str) -> Reply {
        self.call("GET", target, None).await
    }

    /// POST with a JSON body.
    pub async fn post(&self, target: &str, body: &Value) -> Reply {
        self.call("POST", target, Some(body)).await
    }

    /// PUT with a JSON body.
    pub async fn put(&self, target: &str, body: &Value) -> Reply {
        self.call("PUT", target, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, target: &str) -> Reply {
        self.call("DELETE", target, None).await
    }

    /// Signs in with the code of this moment and keeps the token.
    pub async fn sign_in(&mut self, credentials: &Credentials) {
        let now = u64::try_from(self.clock.now().as_second()).expect("after 1970");
        self.sign_in_with(&credentials.body(&credentials.code(now))).await;
    }

    /// As [`Visitor::sign_in`]; `false` if the code was used already.
    pub async fn try_sign_in(&mut self, credentials: &Credentials) -> bool {
        let now = u64::try_from(self.clock.now().as_second()).expect("after 1970");
        let reply = self.post("/v1/sessions", &credentials.body(&credentials.code(now))).await;
        self.token = reply.json()["token"].as_str().map(ToOwned::to_owned);
        self.token.is_some()
    }

    /// Signs in with a body of one's own and keeps the token.
    pub async fn sign_in_with(&mut self, body: &Value) {
        let reply = self.post("/v1/sessions", body).await;
        assert_eq!(reply.status, 201, "{}", reply.code());
        self.token = reply.json()["token"].as_str().map(ToOwned::to_owned);
    }

    /// Uses another token, or none.
    pub fn set_token(&mut self, token: Option<&str>) {
        self.token = token.map(ToOwned::to_owned);
    }

    /// Comes from an enrolled terminal, or from none.
    pub fn set_terminal(&mut self, token: Option<&str>) {
        self.terminal = token.map(ToOwned::to_owned);
    }

    /// The same visitor, whose requests carry a key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// Connects over TLS, or in clear.
    pub fn set_tls(&mut self, tls: Option<Arc<ClientConfig>>) {
        self.tls = tls;
    }

    /// The token in use.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Starts a check; panics if it is refused.
    pub async fn start_check(&self, method: &str) -> String {
        let reply = self.post("/v1/checks", &json!({ "method": method })).await;
        assert_eq!(reply.status, 201, "{}", reply.code());
        reply.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Enters a PIN.
    pub async fn enter_pin(&self, check: &str, pin: &str) -> Reply {
        self.put(&format!("/v1/checks/{check}/pin"), &json!({ "pin": pin })).await
    }

    /// Waits by long polls until the check is in one of the phases, and returns it.
    pub async fn wait_for(&self, check: &str, phases: &[&str]) -> Value {
        let mut seen = 0;
        loop {
            let target = format!("/v1/checks/{check}?after_revision={seen}&wait_seconds=10");
            let stand = self.get(&target).await.json();
            let phase = stand["phase"].as_str().expect("a phase").to_owned();
            if phases.contains(&phase.as_str()) {
                return stand;
            }
            let ended = ["done", "failed", "cancelled", "timed_out"].contains(&phase.as_str());
            let revision = stand["revision"].as_i64().expect("a revision");
            assert!(!ended && revision > seen, "waiting for {phases:?}, the check stays at {stand}");
            seen = revision;
        }
    }

    /// A whole check with PIN of the card that lies on the reader; returns the check at its end.
    pub async fn check_with_pin(&self, pin: &str) -> Value {
        let check = self.start_check("card_pin").await;
        self.wait_for(&check, &["waiting_for_pin"]).await;
        self.enter_pin(&check, pin).await;
        self.wait_for(&check, &["done", "failed"]).await
    }
}
