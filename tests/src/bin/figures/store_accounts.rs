//! Signing in under attack: a code is good once, whoever else sends it and whatever dies meanwhile; a hundred guesses are
//! evaluated and no more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use daemon::app::ports::{Accounts as _, Clock as _, Device, NewAccount, Role, SignInProof, Standing};
use daemon::app::tasks::Tasks;
use daemon::service::JsonForm;
use daemon::store::{Room, Store, StoreConfig};
use daemon::system::{OsRandom, SystemClock};
use harness::clinic::{Clinic, Credentials, OpenClinic};
use harness::process::Site;
use harness::raw_http::exchange;
use jiff::SignedDuration;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{figure, median};

/// Codes that 64 callers send at the same time, each.
const CODES: u64 = 1_000;
/// Callers at the same time.
const CALLERS: usize = 64;
/// Accounts whose code is sent again after the process was killed.
const KILLED: usize = 20;
/// Guesses, over so many connections.
const GUESSES: u64 = 10_000;
const CONNECTIONS: usize = 50;

/// Measures both figures.
pub async fn measure() {
    let doubles = raced().await + replayed_after_kill().await;
    figure("store.totp_double_accepts", doubles);
    figure("store.guesses_evaluated_max", guessed().await);
    answered_alike().await;
}

/// How often a code was accepted more than once, or never, by one of 64 callers.
async fn raced() -> u64 {
    let directory = TempDir::new().expect("a directory");
    let config = StoreConfig {
        data_dir: directory.path().join("data"),
        keyring: directory.path().join("data/keyring"),
        master_key: directory.path().join("key/master.key").into(),
        room: Room { ballast: 0, low_water: 0 },
        readers: 2,
        anchor: None,
    };
    let tasks = Tasks::default();
    let store =
        Store::open(&config, Arc::new(SystemClock), Arc::new(OsRandom), Arc::new(JsonForm), &tasks).await;
    let store = Arc::new(store.expect("the store opens"));
    let account = NewAccount {
        name: "receipt".to_owned(),
        role: Role::ReceiptComputer,
        password_hash: "$argon2id$invented".to_owned(),
        totp_secret: vec![7; 20].into(),
        must_change: false,
    };
    let audit = daemon::app::ports::AuditEntry {
        actor: "machine".to_owned(),
        action: "account.create",
        source: daemon::app::ports::AuditSource::Machine,
        terminal: None,
        results: Vec::new(),
        outcome: "ok".to_owned(),
    };
    store.create(&account, &audit).await.expect("the account is created");
    let account = store.list().await.expect("a list").first().expect("the account").id;
    let of = Standing { account, epoch: 0 };
    let mut wrong = 0;
    for step in 1..=CODES {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let store = store.clone();
            callers.spawn(async move {
                store.succeed(of, Device::Anywhere, SignInProof::Step(step)).await.expect("an answer")
            });
        }
        let accepted = callers.join_all().await.into_iter().filter(|accepted| *accepted).count();
        wrong += u64::from(accepted != 1);
    }
    store.close().await;
    tasks.finish().await;
    wrong
}

/// How many codes were accepted again by the process that came after a killed one.
async fn replayed_after_kill() -> u64 {
    let Site { installation: site, upstream: _upstream, directory: _directory } = Site::open("warn").await;
    let accounts: Vec<Credentials> = (0..KILLED)
        .map(|number| site.add_account(&format!("receipt-{number}"), "receipt-computer"))
        .collect();
    let mut running = site.run();
    running.wait_ready();
    let now = u64::try_from(SystemClock.now().as_second()).expect("after 1970");
    let bodies: Vec<Value> =
        accounts.iter().map(|credentials| credentials.body(&credentials.code(now))).collect();
    for body in &bodies {
        assert_eq!(sign_in(site.api, body).await, 201, "a code is good once");
    }
    let id = i32::try_from(running.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(id, Signal::KILL).expect("the process runs");
    drop(running);
    let mut again = site.run();
    again.wait_ready();
    let mut accepted = 0;
    for body in &bodies {
        accepted += u64::from(sign_in(site.api, body).await == 201);
    }
    assert!(again.stop().success(), "shikakud stops in order");
    accepted
}

/// How many of 10,000 guesses were evaluated, by the failures that the audit log holds. The clock moves on by a minute
/// again and again, so that waiting does not spare any.
async fn guessed() -> u64 {
    let open = Arc::new(OpenClinic::at_noon().await);
    let sent = Arc::new(AtomicU64::new(0));
    let mut guessers = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let (open, sent) = (open.clone(), sent.clone());
        guessers.spawn(async move {
            loop {
                let number = sent.fetch_add(1, Ordering::Relaxed);
                if number >= GUESSES {
                    return;
                }
                if number % 100 == 0 {
                    open.clock.advance(SignedDuration::from_secs(60));
                }
                let mut body = open.credentials.body(&format!("{:06}", number % 1_000_000));
                // Half of them guess the code, half the password.
                if connection % 2 == 0 {
                    body["password"] = Value::from(format!("guess-{number}"));
                }
                let status = sign_in(open.clinic.api, &body).await;
                assert!(status == 401 || status == 429, "a guess was answered {status}");
            }
        });
    }
    guessers.join_all().await;
    evaluated(&open.clinic).await
}

/// How long each kind of refusal takes to answer: nobody may learn from it what was wrong. The kinds take turns, so that whatever
/// else the machine does falls on all of them. Prints the median of each and how far the slowest lies behind the fastest.
#[expect(clippy::disallowed_methods, reason = "measures")]
async fn answered_alike() {
    const ROUNDS: usize = 31;
    let open = OpenClinic::at_noon().await;
    let wrong_code = open.credentials.body("000000");
    let (mut unknown, mut wrong_password) = (wrong_code.clone(), wrong_code.clone());
    unknown["account"] = Value::from("nobody");
    wrong_password["password"] = Value::from("kasa-to-neko-77");
    let mut kinds = [
        ("unknown", unknown, Vec::new()),
        ("password", wrong_password, Vec::new()),
        ("code", wrong_code, Vec::new()),
    ];
    for _ in 0..ROUNDS {
        for (kind, body, measured) in &mut kinds {
            // Far enough for the next attempt to be evaluated.
            open.clock.advance(SignedDuration::from_hours(2));
            let begun = Instant::now();
            assert_eq!(sign_in(open.clinic.api, body).await, 401, "{kind}");
            measured.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
    }
    let medians = kinds.map(|(kind, _, measured)| (kind, median(measured)));
    for (kind, median) in medians {
        figure(&format!("store.sign_in_refused_{kind}_ms"), format!("{median:.2}"));
    }
    let fold = |seed: f64, choose: fn(f64, f64) -> f64| medians.iter().map(|one| one.1).fold(seed, choose);
    figure(
        "store.sign_in_refused_spread_ms",
        format!("{:.2}", fold(0.0, f64::max) - fold(f64::MAX, f64::min)),
    );
}

async fn evaluated(clinic: &Clinic) -> u64 {
    let path = clinic.config.store.directory.join("shikaku.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
    let mut database = sqlx::ConnectOptions::connect(&options).await.expect("the database");
    let count: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM audit WHERE action = 'session.sign_in' AND outcome = 'sign_in_failed'",
    )
    .fetch_one(&mut database)
    .await
    .expect("a count");
    u64::try_from(count).expect("not negative")
}

/// The status of a sign-in; the answer's text is of no interest here.
async fn sign_in(api: SocketAddr, body: &Value) -> u16 {
    let body = body.to_string();
    let request = format!(
        "POST /v1/sessions HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(api, request).await.expect("the API answers").status
}
