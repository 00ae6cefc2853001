//! The matrix Host × Origin × credential × operation: what may be answered with success, and nothing beside it.

use std::net::SocketAddr;

use daemon::app::ports::Role;
use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::clinic::{Browser, OpenClinic, Visitor};
use crate::contract::{Contract, Operation};
use crate::raw_http::Raw;

/// A credential that a request carries.
#[derive(Debug, Clone)]
pub struct Credential {
    /// What it is.
    pub name: &'static str,
    /// The header lines with their ends, or nothing.
    pub header: String,
    /// Whether it is good enough for what changes nothing.
    pub reads: bool,
}

impl Credential {
    /// A bearer token.
    pub fn bearer(name: &'static str, token: &str) -> Self {
        Self::line(name, &format!("authorization: Bearer {token}\r\n"))
    }

    /// Any header line, or none.
    pub fn line(name: &'static str, line: &str) -> Self {
        Self { name, header: line.to_owned(), reads: false }
    }
}

/// A listener that is asked.
#[derive(Debug, Clone)]
pub struct Door {
    address: SocketAddr,
    /// The Host by which it is called.
    host: String,
    /// The Origins of foreign pages.
    foreign: Vec<String>,
}

impl Door {
    /// The API: no page is its own.
    pub fn api(address: SocketAddr) -> Self {
        let own = format!("http://{address}");
        Self {
            address,
            host: address.to_string(),
            foreign: vec![own.clone(), format!("{own}\r\norigin: http://evil.example")],
        }
    }

    /// The front-desk page on this machine alone, beside an API.
    pub fn page(address: SocketAddr, api: SocketAddr) -> Self {
        let host = format!("localhost:{}", address.port());
        let foreign = [
            format!("http://{address}"),
            format!("https://{host}"),
            format!("http://localhost:{}", api.port()),
            format!("http://{host}\r\norigin: http://evil.example"),
            format!("http://{host}\r\nsec-fetch-site: cross-site"),
            format!("http://{host}\r\nsec-fetch-site: same-site"),
        ];
        Self { address, host, foreign: foreign.into() }
    }
}

/// What came of the matrix.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Cells that were asked.
    pub cells: usize,
    /// Cells that were answered with success although something was wrong.
    pub unexpected: Vec<String>,
}

/// Before the password is changed, a session may do this much.
const BEFORE_THE_CHANGE: &[&str] = &["get_session", "sign_out", "change_password"];

/// Values of Host that are not this listener's, with and without its port.
pub fn foreign_hosts(port: u16) -> Vec<String> {
    let names = [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example.127.0.0.1",
        "localhost.",
        "localhost.evil.example",
        "evillocalhost",
        "LOCALHOST",
        "Localhost",
        "127.0.0.2",
        "127.1",
        "127.0.1",
        "0.0.0.0",
        "0",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.01",
        "127.0.0.1.",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "::1",
        "[::1%25lo]",
        "user@127.0.0.1",
        "user:pw@localhost",
        "127.0.0.1%00",
        "127.0.0.1,evil.example",
        "127.0.0.1@evil.example",
        "ｌocalhost",
        "localhost%2e",
        "ip6-localhost",
        "broadcasthost",
        "192.168.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "*",
        "127.0.0.1\\evil.example",
        "127.0.0.1/evil.example",
        "http://127.0.0.1",
        "localhost.localdomain",
        "localhost.local",
        "xn--localhost",
        "xn--lcalhost-9cg",
        "lоcalhost",
        "127。0。0。1",
        "null",
    ];
    let mut hosts: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
    hosts.extend(["127.0.0.1", "localhost", "[::1]", "", ":", "evil.example"].map(str::to_owned));
    hosts.extend([
        format!(":{port}"),
        format!("127.0.0.1:{port}0"),
        format!("127.0.0.1:0{port}"),
        format!("localhost:+{port}"),
    ]);
    hosts.extend([
        format!("127.0.0.1:{}", port ^ 1),
        "127.0.0.1:0".to_owned(),
        "localhost:80".to_owned(),
        "localhost:443".to_owned(),
    ]);
    hosts
}

/// Lines about where a request comes from; only the first is of no foreign page.
fn origins(door: &Door) -> Vec<String> {
    let everywhere = [
        "",
        "origin: http://evil.example\r\n",
        "origin: null\r\n",
        "origin:\r\n",
        "sec-fetch-site: cross-site\r\n",
        "sec-fetch-site: same-site\r\n",
    ];
    let foreign = door.foreign.iter().map(|origin| format!("origin: {origin}\r\n"));
    everywhere.into_iter().map(str::to_owned).chain(foreign).collect()
}

/// Connections at once.
const AT_ONCE: usize = 8;

/// The states that a credential can be in, in a clinic; the good one first.
pub async fn credentials(open: &mut OpenClinic) -> Vec<Credential> {
    let mut ended = open.clinic.visitor();
    open.clock.advance(SignedDuration::from_secs(60));
    ended.sign_in(&open.credentials).await;
    assert_eq!(ended.delete("/v1/sessions/current").await.status, 204);
    let mut new = open.clinic.visitor();
    open.clinic.create_account("hanako", Role::Operator).await;
    new.sign_in(&open.clinic.credentials("hanako")).await;
    let token = |visitor: &Visitor| visitor.token().unwrap_or_default().to_owned();
    vec![
        Credential::bearer("good", &token(&open.visitor)),
        Credential::line("none", ""),
        Credential::line("no bearer", "authorization: Basic cmVjZWlwdDpwYXNz\r\n"),
        Credential::bearer("unknown", "dGhpcyB0b2tlbiB3YXMgbmV2ZXIgaXNzdWVk"),
        Credential::bearer("ended", &token(&ended)),
        Credential::bearer("password to change", &token(&new)),
    ]
}

/// The same at the front-desk page, for somebody who may change things; what the good one needs is what no foreign page can have.
pub async fn page_credentials(open: &mut OpenClinic) -> Vec<Credential> {
    let mut administrator = open.clinic.browser();
    open.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(administrator.sign_in(&open.clinic.credentials("kanri")).await.status, 201);
    let mut operator = open.clinic.browser();
    assert_eq!(operator.sign_in(&open.clinic.credentials("uketsuke")).await.status, 201);
    let (session, csrf) = ("__Host-shikaku-session", "__Host-shikaku-csrf");
    let kept = |browser: &Browser, name: &str| browser.cookie(name).unwrap_or_default().to_owned();
    let cookie = format!("cookie: {session}={}\r\n", kept(&administrator, session));
    let with = |csrf: &str| format!("{cookie}x-shikaku-csrf: {csrf}\r\n");
    let bearer = open.visitor.token().unwrap_or_default().to_owned();
    let reading = |name, line: &str| Credential { reads: true, ..Credential::line(name, line) };
    vec![
        reading("good", &with(&kept(&administrator, csrf))),
        Credential::line("none", "x-shikaku-csrf: 0\r\n"),
        reading("no token", &cookie),
        reading("another session's token", &with(&kept(&operator, csrf))),
        reading("two tokens", &format!("{}x-shikaku-csrf: 0\r\n", with(&kept(&administrator, csrf)))),
        Credential::line("two sessions", &format!("{}{cookie}", with(&kept(&administrator, csrf)))),
        Credential::bearer("bearer", &bearer),
        Credential::bearer("the cookie as a bearer", &kept(&administrator, session)),
        Credential::line(
            "a bearer as the cookie",
            &format!("cookie: {session}={bearer}\r\nx-shikaku-csrf: 0\r\n"),
        ),
        Credential::line(
            "a bearer beside the cookie",
            &format!("{}authorization: Bearer {bearer}\r\n", with(&kept(&administrator, csrf))),
        ),
    ]
}

/// Asks every cell: all Hosts and Origins for every credential, or (`whole` is false) all of them for the first credential, which is the
/// good one, and every credential where Host and Origin are right.
pub async fn run(door: &Door, credentials: &[Credential], whole: bool) -> Outcome {
    let contract = Contract::committed();
    let (mut outcome, mut asking) = (Outcome::default(), JoinSet::new());
    for operation in contract.operations() {
        if asking.len() >= AT_ONCE {
            add(&mut outcome, asking.join_next().await);
        }
        let body = contract.sample_body(&operation).map(|body| body.to_string()).unwrap_or_default();
        asking.spawn(row(door.clone(), operation, body, credentials.to_vec(), whole));
    }
    while !asking.is_empty() {
        add(&mut outcome, asking.join_next().await);
    }
    outcome
}

fn add(outcome: &mut Outcome, row: Option<Result<Outcome, tokio::task::JoinError>>) {
    match row {
        Some(Ok(row)) => {
            outcome.cells += row.cells;
            outcome.unexpected.extend(row.unexpected);
        }
        _ => outcome.unexpected.push("a row was not asked".to_owned()),
    }
}

async fn row(
    door: Door,
    operation: Operation,
    body: String,
    credentials: Vec<Credential>,
    whole: bool,
) -> Outcome {
    let Door { address, host: ours, .. } = door.clone();
    let mut hosts = vec![ours.clone()];
    hosts.extend(foreign_hosts(address.port()));
    let mut outcome = Outcome::default();
    let mut connection = None;
    for host in &hosts {
        for (at, origin) in origins(&door).iter().enumerate() {
            for (which, credential) in credentials.iter().enumerate() {
                let allowed_in = *host == ours && at == 0;
                if !whole && which > 0 && !allowed_in {
                    continue;
                }
                // What is right in every way is asked elsewhere; here it would only change the clinic.
                let reads = credential.reads && operation.method == "GET";
                if allowed_in && (which == 0 || reads || !operation.secured) {
                    continue;
                }
                let request = request(&operation, host, origin, &credential.header, &body);
                let status = ask(&mut connection, address, &request).await;
                let changing = credential.name == "password to change"
                    && allowed_in
                    && BEFORE_THE_CHANGE.contains(&operation.id.as_str());
                outcome.cells += 1;
                if (200..300).contains(&status) && !changing {
                    let (id, credential) = (&operation.id, credential.name);
                    outcome
                        .unexpected
                        .push(format!("{id}: {status} for host {host:?}, {origin:?}, {credential}"));
                }
            }
        }
    }
    outcome
}

fn request(operation: &Operation, host: &str, origin: &str, credential: &str, body: &str) -> String {
    let content = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    let (method, path) = (&operation.method, operation.path.replace("{id}", "1"));
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{origin}{credential}{}\r\n{body}",
        if body.is_empty() { "" } else { &content }
    )
}

/// The status of an answer, on the connection of the one before where it is still open; 0 if there is none.
async fn ask(connection: &mut Option<Raw>, address: SocketAddr, request: &str) -> u16 {
    for _ in 0..2 {
        let mut raw = match connection.take() {
            Some(raw) => raw,
            None => match Raw::connect(address).await {
                Ok(raw) => raw,
                Err(_) => return 0,
            },
        };
        if raw.send(request).await.is_ok()
            && let Ok(reply) = raw.reply().await
        {
            let closes = reply.header("connection") == Some("close");
            *connection = (!closes).then_some(raw);
            return reply.status;
        }
    }
    0
}
