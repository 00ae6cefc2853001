//! A whole life of the shipped program with its log at TRACE: accounts, refused and accepted sign-ins, a wrong and a
//! right PIN at a real reader, results, inquiry numbers, a crash, a second start. Afterwards no secret of it stands
//! anywhere: not in the log, the files, the process's environment and arguments, or a core dump, and not in a panic.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use daemon::app::ports::Clock as _;
use daemon::system::SystemClock;
use serde_json::json;

use super::canaries::{Canary, Kind, Scanner, self_test};
use super::site::read_below;
use super::worker;
use crate::card::SimCard;
use crate::clinic::{Credentials, Visitor};
use crate::lane::{Lane, READER};
use crate::personas::{Persona, Personas};
use crate::pki::CardPki;
use crate::process::{Installation, Running, Site};

/// What was looked for and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Secrets looked for, each in many forms.
    pub canaries: u64,
    /// Files and other places looked through.
    pub places: u64,
    /// Bytes looked through.
    pub bytes: u64,
    /// Each find: what, in which form, where.
    pub hits: Vec<String>,
    /// Canaries that the scan did not find where they were planted: it would prove nothing.
    pub blind: Vec<String>,
}

const INQUIRY_NUMBER: &str = "CHART-CANARY-0042";
const WRONG_PASSWORD: &str = "wrong-Canary-Passw0rd";
const WRONG_PIN: &str = "0987";
const PANIC: &str = "Panic-Canary-5577";

/// Lives that life; only inside a lane with vpcd's reader.
pub async fn whole_life(lane: &Lane) -> Report {
    let Site { installation: site, upstream: _upstream, directory } =
        Site::with_reader(READER.to_str().ok(), "trace").await;
    let credentials = site.add_account("receipt", "receipt-computer");
    let persona = Personas::builtin().by_name("leading-zero-pin").expect("a persona");

    let mut running = site.run();
    running.wait_ready();
    let link = lane.insert(SimCard::for_persona(persona, &CardPki::new(), SystemClock.now()));
    let said = live(&site, &credentials, persona).await;
    drop(link);
    let mut canaries = secrets_of(directory.path(), &credentials, persona);
    canaries.extend(said);

    let mut look = Look::new(&canaries);
    look.at_process(&running);
    assert!(running.log().contains("TRACE"), "the log must be at its most talkative");
    let status = running.abort();
    if status.core_dumped() {
        look.report.hits.push("the process left a core dump".to_owned());
    }
    // As the crash left them: with the WAL.
    look.below(&directory.path().join("data"));
    let mut running = site.run();
    running.wait_ready();
    look.at_process(&running);
    assert!(running.stop().success(), "shikakud stops in order");
    look.below(&directory.path().join("data"));
    look.at("the log", &fs::read(directory.path().join("shikakud.log")).expect("a log"), Kind::Text);
    look.at("the panic", &panic_over(PANIC), Kind::Text);
    look.report.canaries = canaries.len() as u64;
    look.report.blind = self_test(&canaries);
    look.report
}

/// What staff does; returns the secrets that arise on the way.
async fn live(site: &Installation, credentials: &Credentials, persona: &Persona) -> Vec<Canary> {
    let now = u64::try_from(SystemClock.now().as_second()).expect("after 1970");
    let code = credentials.code(now);
    let mut visitor = Visitor::at(site.api, Arc::new(SystemClock));
    let mut wrong = credentials.body(&code);
    wrong["password"] = json!(WRONG_PASSWORD);
    assert_eq!(visitor.post("/v1/sessions", &wrong).await.status, 401);
    // Refused for their form: what refuses must not quote it.
    let mut malformed = credentials.body(&code);
    malformed["code"] = json!(["a", &credentials.password]);
    assert!(visitor.post("/v1/sessions", &malformed).await.status >= 400);
    let mut unknown = credentials.body(&code);
    unknown["role"] = json!(&credentials.password);
    visitor.post("/v1/sessions", &unknown).await;
    let signed_in = visitor.post("/v1/sessions", &credentials.body(&code)).await;
    assert_eq!(signed_in.status, 201, "{}", signed_in.code());
    let token = signed_in.json()["token"].as_str().expect("a token").to_owned();
    visitor.set_token(Some(&token));

    let check = visitor.start_check("card_pin").await;
    visitor.wait_for(&check, &["waiting_for_pin"]).await;
    visitor.enter_pin(&check, WRONG_PIN).await;
    visitor.wait_for(&check, &["waiting_for_pin", "failed"]).await;
    visitor.delete(&format!("/v1/checks/{check}")).await;
    let done = visitor.check_with_pin(&persona.card.pin).await;
    assert_eq!(done["phase"], "done", "{done}");
    let result = format!("/v1/results/{}", done["result_id"]);
    assert_eq!(visitor.get(&result).await.status, 200);
    assert_eq!(visitor.get("/v1/results").await.status, 200);
    let number = json!({ "inquiry_number": INQUIRY_NUMBER });
    assert_eq!(visitor.put(&format!("{result}/inquiry-number"), &number).await.status, 200);
    let not_a_number = json!({ "inquiry_number": { "is": INQUIRY_NUMBER } });
    assert!(visitor.put(&format!("{result}/inquiry-number"), &not_a_number).await.status >= 400);
    vec![canary("the code", &code), canary("the session's token", &token)]
}

fn canary(name: &str, value: impl AsRef<[u8]>) -> Canary {
    Canary { name: name.to_owned(), value: value.as_ref().to_vec() }
}

fn secrets_of(directory: &Path, credentials: &Credentials, persona: &Persona) -> Vec<Canary> {
    let master = fs::read(directory.join("key/master.key")).expect("the master key");
    let seed = data_encoding::BASE32_NOPAD.decode(credentials.totp_secret.as_bytes()).expect("Base32");
    let tls_key = fs::read_to_string(directory.join("secrets/upstream-client-key.pem")).expect("a key");
    let tls_key = tls_key.lines().nth(1).expect("its first line");
    let mut canaries = vec![
        canary("the master key", master),
        canary("the key towards the central system", tls_key),
        canary("the seed of the codes", seed),
        canary("the seed of the codes in Base32", &credentials.totp_secret),
        canary("the password", &credentials.password),
        canary("a wrong password", WRONG_PASSWORD),
        canary("the PIN", &persona.card.pin),
        canary("a wrong PIN", WRONG_PIN),
        canary("the inquiry number", INQUIRY_NUMBER),
        canary("what a panic was about", PANIC),
    ];
    let result = persona.answer.fields().next().expect("a result");
    for (field, value) in result {
        // Short codes stand everywhere by chance.
        if value.chars().count() >= 5 {
            canaries.push(canary(&format!("the person's {field:?}"), value));
        }
    }
    canaries
}

struct Look {
    scanner: Scanner,
    report: Report,
}

impl Look {
    fn new(canaries: &[Canary]) -> Self {
        Self { scanner: Scanner::new(canaries), report: Report::default() }
    }

    fn at(&mut self, place: &str, content: &[u8], kind: Kind) {
        self.report.places += 1;
        self.report.bytes += content.len() as u64;
        let finds = self.scanner.scan(content, kind);
        self.report.hits.extend(finds.into_iter().map(|find| format!("{find} in {place}")));
    }

    fn at_process(&mut self, running: &Running) {
        for file in ["cmdline", "environ"] {
            let content = fs::read(running.proc_directory().join(file)).expect("/proc");
            assert!(file != "cmdline" || content.starts_with(b"/"), "not the process that was meant");
            self.at(file, &content, Kind::Text);
        }
    }

    fn below(&mut self, directory: &Path) {
        let mut files = Vec::new();
        read_below(directory, &mut files);
        assert!(files.len() >= 4, "database, keyring, lock and mark: {}", files.len());
        for (path, content) in files {
            self.at(&path.display().to_string(), &content, Kind::Binary);
        }
    }
}

/// What a process that logs as the daemon does leaves behind when it panics over a secret.
fn panic_over(secret: &str) -> Vec<u8> {
    let mut command = Command::new(worker::program());
    command.arg("panic").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("store-worker starts");
    child.stdin.take().expect("its input").write_all(secret.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("panicked") && text.contains("store-worker.rs"), "it must have panicked: {text}");
    [output.stdout, output.stderr].concat()
}
