//! The daemon as shipped, with as many results as a clinic or a large group has, written through its own store.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use daemon::app::ports::{NewResult, Origin, ResultStore as _, Source, TerminalId};
use daemon::app::tasks::Tasks;
use daemon::domain::check::Method;
use daemon::domain::eligibility::{Confirmation, Eligibility, Field, Validity};
use daemon::domain::personal::Personal;
use daemon::domain::retention::jst_day;
use daemon::service::JsonForm;
use daemon::store::{Room, Store, StoreConfig};
use daemon::system::{OsRandom, SystemClock};
use harness::clinic::{Credentials, MachineKey, TERMINAL, Visitor, client_tls};
use harness::durability::work::entry;
use harness::process::{Installation, Running, free_address};
use harness::upstream::SimUpstream;
use jiff::{SignedDuration, Timestamp};
use rustls::ClientConfig;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::load::{Connection, Target};
use crate::progress;

/// A page of the newest results, whatever their period.
pub const PAGE: &str = "/v1/results?limit=100";

/// As many receipt computers share the load, so that each keeps within the rate that the daemon allows an account.
const ACCOUNTS: usize = 64;

/// The daemon with its surroundings.
pub struct Site {
    /// The daemon.
    pub target: Target,
    /// Its listener on the clinic's network: HTTPS with a client certificate.
    pub lan: Target,
    /// Its bearer tokens.
    pub tokens: Vec<String>,
    /// Where it keeps its data.
    pub directory: TempDir,
    /// Its accounts.
    pub credentials: Vec<Credentials>,
    running: Running,
    upstream: SimUpstream,
    _runtime: Runtime,
}

impl Site {
    /// Starts the daemon with so many results, all of the last days.
    pub fn open(rows: i64) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let installed = runtime.block_on(harness::process::Site::open("warn"));
        let harness::process::Site { installation, upstream, directory } = installed;
        let credentials: Vec<_> = (0..ACCOUNTS)
            .map(|number| installation.add_account(&format!("receipt-{number}"), "receipt-computer"))
            .collect();
        let lan = free_address();
        installation.configure(&format!("[lan]\nlisten = \"{lan}\"\nhosts = [\"{}\"]", lan.ip()));
        runtime.block_on(fill(directory.path(), rows));
        let mut running = installation.run();
        running.wait_ready();
        let tokens = runtime.block_on(async {
            let mut tokens = Vec::with_capacity(ACCOUNTS);
            for credentials in &credentials {
                let mut visitor = Visitor::at(installation.api, Arc::new(SystemClock));
                visitor.sign_in(credentials).await;
                tokens.push(visitor.token().expect("a session").to_owned());
            }
            tokens
        });
        let tls = issue(&installation, directory.path(), &credentials[0].account);
        let process = running.id();
        let target = Target { address: installation.api, process, tls: None };
        let lan = Target { address: lan, process, tls: Some(tls) };
        Self { target, lan, tokens, directory, credentials, running, upstream, _runtime: runtime }
    }

    /// A request by one of the accounts.
    pub fn request(&self, turn: usize, method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
        self.request_to(&self.target, turn, method, path, headers, body)
    }

    /// A page of a hundred.
    pub fn page(&self, target: &Target, turn: usize) -> Vec<u8> {
        self.request_to(target, turn, "GET", PAGE, "", "")
    }

    /// Sets an inquiry number that nobody has; the results take turns.
    pub fn write(&self, turn: usize, rows: i64, number: &str) -> Vec<u8> {
        let result = 1 + i64::try_from(turn).expect("a small number") % rows;
        let body = format!(r#"{{"inquiry_number":"{number}-{turn}"}}"#);
        self.request(turn, "PUT", &format!("/v1/results/{result}/inquiry-number"), "", &body)
    }

    fn request_to(
        &self,
        target: &Target,
        turn: usize,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Vec<u8> {
        let token = &self.tokens[turn % self.tokens.len()];
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
        };
        request(
            target.address,
            method,
            path,
            &format!("Authorization: Bearer {token}\r\n{headers}{length}"),
            body,
        )
    }

    /// From now on the central system is away: a number is acknowledged once it is on disk, and waits there. Returns when the
    /// daemon has noticed.
    pub fn cut_off_upstream(&self) {
        self.upstream.go_down();
        let mut connection = Connection::open(&self.target);
        let write = self.write(0, 1, "first");
        assert_eq!(connection.exchange(&write), 202, "{}", connection.last());
    }

    /// What one request is answered with.
    pub fn ask(&self, path: &str) -> Connection {
        let mut connection = Connection::open(&self.target);
        let status = connection.exchange(&self.request(0, "GET", path, "", ""));
        assert_eq!(status, 200, "{path}: {}", connection.last());
        connection
    }

    /// Stops the daemon.
    pub fn close(self) {
        assert!(self.running.stop().success(), "shikakud stops in order");
    }
}

/// A certificate for a receipt computer on the network, from the running daemon.
fn issue(installation: &Installation, directory: &Path, account: &str) -> Arc<ClientConfig> {
    let (key, request) = (MachineKey::default(), directory.join("machine.csr"));
    std::fs::write(&request, key.request()).expect("a file");
    let mut command = installation.command(&["machine", "issue"]);
    let output = command.arg("--csr").arg(&request).arg("--out").arg(directory).arg(account).output();
    let output = output.expect("shikakud starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name| std::fs::read_to_string(directory.join(name)).expect("an issued file");
    client_tls(&read("shikaku-ca.pem"), Some((&read("machine.pem"), &key)), Arc::new(SystemClock))
}

/// A request as it goes over the wire.
pub fn request(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n{body}").into_bytes()
}

/// Stores results through the daemon's own store, while the daemon does not run.
#[expect(clippy::disallowed_methods, reason = "the results are of the last days, as the daemon sees them")]
pub async fn fill(root: &Path, rows: i64) {
    let config = StoreConfig {
        data_dir: root.join("data"),
        keyring: root.join("data/keyring"),
        master_key: root.join("key/master.key").into(),
        room: Room { ballast: 0, low_water: 0 },
        readers: 2,
        anchor: None,
    };
    let tasks = Tasks::default();
    let store =
        Store::open(&config, Arc::new(SystemClock), Arc::new(OsRandom), Arc::new(JsonForm), &tasks).await;
    let store = Arc::new(store.expect("the store opens"));
    // None is in the future, and none so old that the end of a month would hide it.
    let last = Timestamp::now() - SignedDuration::from_secs(60);
    let step = SignedDuration::from_micros(86_400_000_000 * 2 / rows);
    let mut inserts = JoinSet::new();
    for number in 0..rows {
        if number % 100_000 == 0 {
            progress(format_args!("results stored: {number} of {rows}"));
        }
        let store = Arc::clone(&store);
        let result = result(number, last - step * i32::try_from(rows - number).expect("a small number"));
        inserts.spawn(async move { store.insert(&result, &entry("figures", "check.done")).await });
        if inserts.len() >= 512 {
            inserts.join_next().await.expect("one").expect("it ends").expect("stored");
        }
    }
    for stored in inserts.join_all().await {
        stored.expect("stored");
    }
    store.close().await;
    tasks.finish().await;
}

/// A person of their own with everything that an insured person usually has.
fn result(number: i64, processed_at: Timestamp) -> NewResult {
    let fields = [
        (Field::InsuredCardClassification, "01".to_owned()),
        (Field::InsurerNumber, "  138057".to_owned()),
        (Field::InsuredCardSymbol, "１２ー３４".to_owned()),
        (Field::InsuredIdentificationNumber, format!("{number:08}")),
        (Field::InsuredBranchNumber, "01".to_owned()),
        (Field::PersonalFamilyClassification, "1".to_owned()),
        (Field::Name, format!("計測　太郎{number}")),
        (Field::NameKana, "ケイソク　タロウ".to_owned()),
        (Field::Sex1, "1".to_owned()),
        (Field::Birthdate, "19690410".to_owned()),
        (Field::Address, "東京都架空区計測一丁目二番三号".to_owned()),
        (Field::PostNumber, "1000000".to_owned()),
        (Field::QualificationDate, "20200401".to_owned()),
        (Field::InsuredCertificateIssuanceDate, "20250401".to_owned()),
        (Field::InsuredCardValidDate, "20250401".to_owned()),
        (Field::InsurerName, "架空健康保険組合".to_owned()),
    ];
    let person = Eligibility::from_fields(fields.map(|(field, value)| (field, Personal::new(value))));
    NewResult {
        source: Source::Own { check_id: format!("figures-{number}"), method: Method::CardPin },
        terminal: TerminalId(TERMINAL.to_owned()),
        origin: Origin::Sandbox,
        confirmation: Confirmation {
            processed_at,
            confirmed_for: jst_day(processed_at),
            validity: Validity::Valid,
            note: None,
            eligibilities: vec![person],
            upstream_id: None,
        },
    }
}
