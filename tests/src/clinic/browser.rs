//! A browser at the front-desk page, as far as the daemon can tell: it keeps cookies, says where a request comes from, and sends the
//! page's token with whatever changes something. What a real one does is tested in `tests/page`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use daemon::app::ports::Clock;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;

use super::Credentials;
use crate::contract::Contract;
use crate::raw_http::{Raw, Reply};

/// The cookie that the page's scripts can read.
const CSRF: &str = "__Host-shikaku-csrf";

/// Someone at the page.
#[derive(Clone)]
pub struct Browser {
    at: SocketAddr,
    /// The origin of the page that is open.
    pub origin: String,
    clock: Arc<dyn Clock>,
    contract: Arc<Contract>,
    tls: Option<Arc<ClientConfig>>,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(super) fn new(at: SocketAddr, origin: &str, clock: Arc<dyn Clock>, contract: Arc<Contract>) -> Self {
        Self { at, origin: origin.to_owned(), clock, contract, tls: None, cookies: BTreeMap::new() }
    }

    /// Trusts this and nothing else.
    #[must_use]
    pub fn trusting(mut self, tls: Arc<ClientConfig>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// A cookie that it keeps.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    /// Keeps a cookie, or forgets it.
    pub fn set_cookie(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.cookies.insert(name.to_owned(), value.to_owned()),
            None => self.cookies.remove(name),
        };
    }

    /// As the page's script asks; an answer of the contract is held against it.
    pub async fn call(&mut self, method: &str, target: &str, body: Option<&Value>) -> Reply {
        let reply = self.ask(method, target, &self.own_headers(method), body).await;
        if target.starts_with("/v1/") {
            self.contract.check(method, target, &reply).expect("the answer keeps the contract");
        }
        self.keep(&reply);
        reply
    }

    /// The headers that the page and its browser send of themselves.
    pub fn own_headers(&self, method: &str) -> Vec<(String, String)> {
        let mut headers = vec![("Sec-Fetch-Site".to_owned(), "same-origin".to_owned())];
        if method != "GET" {
            headers.push(("Origin".to_owned(), self.origin.clone()));
            headers.push(("X-Shikaku-CSRF".to_owned(), self.cookie(CSRF).unwrap_or_default().to_owned()));
        }
        headers
    }

    /// With these headers and the cookies that it keeps; keeps nothing.
    pub async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(String, String)],
        body: Option<&Value>,
    ) -> Reply {
        let body = body.map(Value::to_string).unwrap_or_default();
        let content = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies =
            if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}{cookies}{}\r\n{body}",
            self.host(),
            lines.concat(),
            if body.is_empty() { "" } else { &content },
        );
        let mut connection = self.connect().await;
        connection.send(request).await.expect("the page's listener reads");
        connection.reply().await.expect("the page's listener answers")
    }

    async fn connect(&self) -> Raw {
        let connected = match &self.tls {
            None => Raw::connect(self.at).await,
            Some(tls) => {
                let host = self.host().rsplit_once(':').map_or(self.host(), |(host, _)| host);
                let name = ServerName::try_from(host.to_owned()).expect("a name");
                Raw::connect_tls_to(self.at, name, tls.clone()).await
            }
        };
        connected.expect("the page's listener accepts connections")
    }

    /// The origin without its scheme.
    pub fn host(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_, host)| host)
    }

    /// Takes over what an answer sets, by the rules that a browser has for these names.
    fn keep(&mut self, reply: &Reply) {
        for (_, line) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (cookie, attributes) = line.split_once("; ").expect("attributes");
            for needed in ["Path=/", "Secure", "SameSite=Strict"] {
                assert!(
                    attributes.split("; ").any(|attribute| attribute == needed),
                    "{needed}: {attributes}"
                );
            }
            assert!(!attributes.contains("Domain"), "__Host-");
            let (name, value) = cookie.split_once('=').expect("a value");
            assert!(name.starts_with("__Host-"), "{name}");
            assert_eq!(attributes.contains("HttpOnly"), name != CSRF, "{name}: {attributes}");
            self.set_cookie(name, Some(value).filter(|_| !attributes.contains("Max-Age=0")));
        }
    }

    /// Signs in with the code of this moment.
    pub async fn sign_in(&mut self, credentials: &Credentials) -> Reply {
        let now = u64::try_from(self.clock.now().as_second()).expect("after 1970");
        self.call("POST", "/v1/sessions", Some(&credentials.body(&credentials.code(now)))).await
    }
}
