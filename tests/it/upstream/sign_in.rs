//! Signing in to the receipt computer link: tokens, one-time codes, and what must never be seen of them.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use daemon::app::ports::{Answer, CardCheck as _, Clock, UpstreamError};
use daemon::upstream::{Credentials, Upstream};
use harness::ambient::SeededRandom;
use harness::upstream::Endpoint;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{NOW, World, person, request};

#[tokio::test]
async fn a_token_that_is_no_longer_taken_is_replaced_once() {
    let world = World::new().await;
    let upstream = world.upstream();
    world.confirmed(&upstream, "taro").await;
    let challenge = upstream.challenge(&request()).await.unwrap();
    world.sim.forget_tokens();
    world.next_code();

    let answer = upstream.confirm(&request(), &world.proof("taro", &challenge)).await;

    assert!(matches!(answer, Ok(Answer::Confirmed(_))), "{answer:?}");
    assert_eq!(world.sim.requests(Endpoint::Auth), 2);
    assert_eq!(world.sim.requests(Endpoint::Confirm), 3, "the refused one and its only repetition");
}

#[tokio::test]
async fn a_token_about_to_end_is_replaced_before_it_is_used() {
    let world = World::new().await;
    let upstream = world.upstream();
    world.confirmed(&upstream, "taro").await;
    world.clock.advance(SignedDuration::from_secs(1_799));
    world.confirmed(&upstream, "taro").await;
    assert_eq!(world.sim.requests(Endpoint::Auth), 2);
    assert_eq!(world.sim.requests(Endpoint::Confirm), 2, "no confirm was refused");
}

/// A code is taken once; with the next one too far away the caller is told at once instead of sending it again.
#[tokio::test]
async fn a_used_code_is_never_sent_again() {
    let world = World::new().await;
    let upstream = world.upstream();
    world.confirmed(&upstream, "taro").await;
    world.sim.forget_tokens();
    assert_eq!(upstream.challenge(&request()).await, Err(UpstreamError::Unreachable), "nothing was sent");
    assert_eq!(world.sim.requests(Endpoint::Auth), 1);
    world.next_code();
    assert!(upstream.challenge(&request()).await.is_ok());
}

/// After a restart the daemon does not know that this half minute's code is used up.
#[tokio::test]
async fn a_code_used_before_a_restart_is_followed_by_the_next_one() {
    let world = World::new().await;
    world.confirmed(&world.upstream(), "taro").await;
    let restarted = world.upstream();
    assert_eq!(restarted.challenge(&request()).await, Err(UpstreamError::Unreachable), "nothing was asked");
    assert_eq!(world.sim.requests(Endpoint::Challenge), 1);
    world.next_code();
    assert!(restarted.challenge(&request()).await.is_ok());
}

#[tokio::test]
async fn a_sign_in_with_the_wrong_password_is_refused_with_its_code() {
    let world = World::new().await;
    std::fs::write(&world.files.password, "wrong\n").unwrap();
    assert_eq!(
        world.upstream().challenge(&request()).await,
        Err(UpstreamError::SignInRefused { code: "ACCOUNT_WRONG".to_owned() })
    );
}

#[tokio::test]
async fn checks_at_the_same_time_share_one_sign_in() {
    let world = World::new().await;
    let upstream = world.upstream();
    let ids = [request(), request(), request()];
    let (a, b, c) =
        tokio::join!(upstream.challenge(&ids[0]), upstream.challenge(&ids[1]), upstream.challenge(&ids[2]));
    let mut seen = [a.unwrap().id, b.unwrap().id, c.unwrap().id];
    seen.sort();
    assert!(seen[0] != seen[1] && seen[1] != seen[2]);
    assert_eq!(world.sim.requests(Endpoint::Auth), 1);
}

/// Runs with real time from an instant on.
struct RunningClock {
    from: Timestamp,
    started: Instant,
}

impl Clock for RunningClock {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.started.elapsed()).unwrap();
        self.from.checked_add(elapsed).unwrap()
    }
}

#[tokio::test]
async fn a_sign_in_waits_for_the_next_code_where_that_is_soon() {
    let world = World::new().await;
    // One second before the next code.
    let from = NOW.parse::<Timestamp>().unwrap().checked_add(SignedDuration::from_secs(29)).unwrap();
    let config = world.config();
    let credentials = Credentials::load(&config).unwrap();
    let clock = RunningClock { from, started: Instant::now() };
    let random = Arc::new(SeededRandom::new(2));
    let upstream = Upstream::new(&config, &credentials, Arc::new(clock), random).unwrap();
    upstream.challenge(&request()).await.unwrap();
    world.sim.forget_tokens();
    assert!(upstream.challenge(&request()).await.is_ok());
    assert_eq!(world.sim.requests(Endpoint::Auth), 2);
}

/// Everything logged, as one text.
#[derive(Clone, Default)]
pub(super) struct Log(pub Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_of_a_check_holds_the_request_id_and_nothing_personal_or_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // While there is only one, what a thread without any registers first stays silent for all.
    let _another = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(std::io::sink).finish());
    let _guard = tracing::subscriber::set_default(subscriber);
    let world = World::new().await;
    let upstream = world.upstream();
    let (asked, id) = (request(), request());
    let challenge = upstream.challenge(&asked).await.unwrap();
    upstream.confirm(&id, &world.proof("taro", &challenge)).await.unwrap();

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains(&id.0), "the log works");
    // They are counted, so one of them may end in the digits of the number.
    let text = text.replace(&asked.0, "").replace(&id.0, "");
    let facility = world.sim.facility();
    let taro = &person("taro").answer.results[0];
    let certificate = data_encoding::BASE64.encode(&world.certificate("taro"));
    for (what, secret) in [
        ("password", facility.password.as_str()),
        ("account", &facility.account),
        ("name", &taro["Name"]),
        ("number", &taro["InsuredIdentificationNumber"]),
        ("challenge", &data_encoding::BASE64.encode(&challenge.bytes)),
        ("certificate", &certificate[..64]),
    ] {
        assert!(!text.contains(secret), "{what} in the log");
    }
}
