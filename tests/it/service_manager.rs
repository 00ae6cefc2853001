//! What a service manager relies on: it hears of ready, alive and stopping, sockets it has opened are taken over, and a stop in the
//! middle of everything keeps within five seconds and loses nothing that was acknowledged.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use daemon::system::SystemClock;
use harness::card::SimCard;
use harness::clinic::Visitor;
use harness::lane::READER;
use harness::personas::Personas;
use harness::pki::CardPki;
use harness::process::{Installation, Running, Site};
use harness::upstream::{Endpoint, Fault};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use crate::lane;

/// Longer than a start under load, shorter than a hung test.
const SOON: Duration = Duration::from_secs(20);

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

/// A service manager's ear.
struct Ear(UnixDatagram);

impl Ear {
    fn at(path: &Path) -> Self {
        Self(UnixDatagram::bind(path).expect("a socket"))
    }

    /// The next thing it is told, if that comes in time.
    fn hear(&self, patience: Duration) -> Option<String> {
        self.0.set_read_timeout(Some(patience)).expect("a timeout");
        let mut said = [0; 256];
        let length = self.0.recv(&mut said).ok()?;
        Some(String::from_utf8_lossy(&said[..length]).trim_end().to_owned())
    }
}

#[test]
fn the_service_manager_hears_of_ready_alive_and_stopping_and_nothing_while_the_writer_hangs() {
    block_on(async {
        let Site { installation, upstream: _upstream, directory } = Site::open("info").await;
        let socket = directory.path().join("notify");
        let ear = Ear::at(&socket);
        let told = [
            ("NOTIFY_SOCKET", socket.to_string_lossy().into_owned()),
            ("WATCHDOG_USEC", 300_000.to_string()),
        ];
        let running = installation.run_managed(&told);
        assert_eq!(ear.hear(SOON).as_deref(), Some("READY=1"), "{}", running.log());
        for _ in 0..5 {
            assert_eq!(ear.hear(SOON).as_deref(), Some("WATCHDOG=1"));
        }
        // Another program holds the database: whoever signs in waits for the writer, and the writer for that program.
        let database = SqliteConnectOptions::new().filename(directory.path().join("data/shikaku.db"));
        let mut other = database.connect().await.expect("the database");
        other.execute("BEGIN IMMEDIATE").await.expect("the write lock");
        let claim =
            json!({ "institution_code": "1312345678", "account": "a", "password": "b", "code": "000000" });
        let visitor = Visitor::at(installation.api, Arc::new(SystemClock));
        #[expect(clippy::disallowed_methods, reason = "somebody else's request, which nobody waits for yet")]
        let signing_in = tokio::spawn(async move { visitor.post("/v1/sessions", &claim).await });
        // It goes on until the writer has begun to wait.
        while ear.hear(Duration::from_millis(900)).is_some() {}
        other.execute("ROLLBACK").await.expect("the lock is let go");
        other.close().await.expect("closed");
        assert_eq!(ear.hear(SOON).as_deref(), Some("WATCHDOG=1"), "{}", running.log());
        assert_eq!(signing_in.await.expect("an answer").status, 401, "{}", running.log());
        let stopped = tokio::task::spawn_blocking(move || running.stop());
        let stopping = std::iter::from_fn(|| ear.hear(SOON)).find(|word| word != "WATCHDOG=1");
        assert_eq!(stopping.as_deref(), Some("STOPPING=1"));
        assert!(stopped.await.expect("it ends").success());
    });
}

#[test]
fn a_socket_that_is_open_already_is_taken_over_and_whoever_came_early_is_answered() {
    block_on(async {
        let Site { installation, upstream: _upstream, directory: _directory } = Site::open("info").await;
        let socket = TcpListener::bind(installation.api).expect("the port");
        let mut early = TcpStream::connect(installation.api).expect("the socket is open");
        write!(early, "GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", installation.api)
            .expect("sent");
        let mut running = installation.run_activated("api", socket);
        running.wait_ready();
        let mut answer = String::new();
        early.set_read_timeout(Some(SOON)).expect("a timeout");
        early.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}\n{}", running.log());
        assert!(running.stop().success());
    });
}

#[test]
fn a_socket_in_another_place_than_configured_is_refused_and_one_for_nothing_is_left() {
    block_on(async {
        let Site { installation, upstream: _upstream, directory: _directory } = Site::open("info").await;
        let elsewhere = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let refused = installation.run_activated("api", elsewhere);
        assert_eq!(refused.ended().code(), Some(1));

        let elsewhere = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let mut running = installation.run_activated("page", elsewhere);
        running.wait_ready();
        assert!(running.log().contains("nothing is configured for"), "{}", running.log());
        assert!(running.stop().success());
    });
}

#[test]
fn a_stop_in_the_middle_of_everything_keeps_within_five_seconds_and_loses_nothing() {
    lane::run(
        "service_manager::a_stop_in_the_middle_of_everything_keeps_within_five_seconds_and_loses_nothing",
        |lane| block_on(stopped_in_the_middle(lane)),
    );
}

async fn stopped_in_the_middle(lane: &mut harness::lane::Lane) {
    let Site { installation, upstream, directory: _directory } =
        Site::with_reader(READER.to_str().ok(), "info").await;
    let credentials = installation.add_account("receipt", "receipt-computer");
    let mut running = installation.run();
    running.wait_ready();
    let mut visitor = Visitor::at(installation.api, Arc::new(SystemClock));
    visitor.sign_in(&credentials).await;
    let taro = Personas::builtin().by_name("taro").expect("a built-in persona");
    let now = daemon::app::ports::Clock::now(&SystemClock);
    let link = lane.insert(SimCard::for_persona(taro, &CardPki::new(), now));
    let done = visitor.check_with_pin("1234").await;
    assert_eq!(done["phase"], "done", "{}", running.log());
    drop(link);

    // Acknowledged, and on its way to a central system that never answers.
    upstream.break_down(Endpoint::InquiryNumber, Fault::Hang);
    let number = json!({ "inquiry_number": "K-1" });
    let put = visitor.put(&format!("/v1/results/{}/inquiry-number", done["result_id"]), &number).await;
    assert_eq!(put.status, 202, "{}", put.code());
    let mut events = visitor.open("/v1/events", &[]).await;
    events.until("event: ready\n").await.expect("the stream begins");
    upstream.break_down(Endpoint::Confirm, Fault::Hang);
    upstream.break_down(Endpoint::Results, Fault::Hang);
    let check = visitor.start_check("card_pin").await;
    let _link = lane.insert(SimCard::for_persona(taro, &CardPki::new(), now));
    visitor.enter_pin(&check, "1234").await;
    visitor.wait_for(&check, &["asking_upstream"]).await;
    let collecting = visitor.clone();
    #[expect(clippy::disallowed_methods, reason = "somebody else's request, which nobody waits for yet")]
    let collecting =
        tokio::spawn(async move { collecting.try_call("POST", "/v1/results/collect", None).await });
    upstream.asked(Endpoint::Results, 1).await;

    let (ended, took) = tokio::task::spawn_blocking(move || running.stop_in()).await.expect("it ends");
    assert!(ended.success() && took < Duration::from_secs(5), "{took:?}");
    events.until("event: end\n").await.expect("the stream says that it ends");
    drop(collecting.await);

    upstream.mend();
    upstream.forget_used_codes();
    let running = ready(&installation);
    assert_eq!(visitor.get("/v1/results/count").await.json()["count"], 1, "{}", running.log());
    let registered = async {
        while upstream.inquiry_number("taro").is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, registered).await.expect("the acknowledged number arrives");
    assert!(running.stop().success());
}

fn ready(installation: &Installation) -> Running {
    let mut running = installation.run();
    running.wait_ready();
    running
}

#[test]
fn a_stop_while_it_starts_is_heard_at_once() {
    block_on(async {
        let Site { installation, upstream: _upstream, directory } = Site::open("info").await;
        let mut first = installation.run();
        first.wait_ready();
        assert!(first.stop().success());
        // Another program holds the database: the start waits for it.
        let file = directory.path().join("data/shikaku.db");
        let mut other = SqliteConnectOptions::new().filename(&file).connect().await.expect("the database");
        other.execute("BEGIN IMMEDIATE").await.expect("the write lock");
        let mut running = installation.run();
        running.wait_open(&file.canonicalize().expect("its real path"));
        let (status, took) = running.stop_in();
        assert!(status.success(), "{status}");
        assert!(took < Duration::from_secs(5), "{took:?}");
        other.close().await.expect("closed");
        let mut again = installation.run();
        again.wait_ready();
        assert!(again.stop().success());
    });
}
