//! The adapter over a network made in memory: what a model of a bad network stands on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use daemon::app::ports::{CardCheck as _, UpstreamError, UpstreamStatus as _};
use daemon::domain::breaker::Circuit;
use daemon::domain::identifiers::InstitutionCode;
use daemon::domain::personal::Secret;
use daemon::upstream::{Account, Exchange, ExchangeError, Reply, Upstream, UpstreamConfig};
use harness::ambient::{HeldClock, SeededRandom};
use jiff::SignedDuration;
use serde_json::{Value, json};
use url::Url;

use super::{NOW, request};

/// What becomes of the next question after the sign-in.
enum Next {
    Fails(ExchangeError),
    Says(Reply),
    Hangs,
    Answers,
}

/// Signs everybody in, then does as told; without being told it answers challenges.
#[derive(Default)]
struct Model {
    sign_in: Mutex<VecDeque<Reply>>,
    next: Mutex<VecDeque<Next>>,
    asked: Mutex<Vec<Value>>,
    discarded: Mutex<usize>,
}

#[async_trait]
impl Exchange for Model {
    async fn post(&self, _: &Url, token: Option<&Secret>, body: Vec<u8>) -> Result<Reply, ExchangeError> {
        if token.is_none() {
            if let Some(other) = self.sign_in.lock().unwrap().pop_front() {
                return Ok(other);
            }
            return Ok(Reply::ok(br#"{"IdToken":"t","ExpiresIn":"86400"}"#.to_vec()));
        }
        let question: Value = serde_json::from_slice(&body).unwrap();
        self.asked.lock().unwrap().push(question.clone());
        let next = self.next.lock().unwrap().pop_front().unwrap_or(Next::Answers);
        match next {
            Next::Hangs => std::future::pending().await,
            Next::Fails(error) => Err(error),
            Next::Says(reply) => Ok(reply),
            Next::Answers => {
                let mut header = question.pointer("/XmlMsg/MessageHeader").unwrap().clone();
                header["SegmentOfResult"] = json!("1");
                let body = json!({ "ChallengeId": "c", "Challenge": "MDEyMzQ1Njc4OWFiY2RlZg==" });
                let answer = json!({ "XmlMsg": { "MessageHeader": header, "MessageBody": body } });
                Ok(Reply::ok(answer.to_string().into_bytes()))
            }
        }
    }

    fn discard(&self) {
        *self.discarded.lock().unwrap() += 1;
    }
}

struct Bench {
    model: Arc<Model>,
    clock: Arc<HeldClock>,
    upstream: Upstream,
}

impl Bench {
    fn new() -> Self {
        let model = Arc::new(Model::default());
        let clock = Arc::new(HeldClock::at(NOW.parse().unwrap()));
        let institution = InstitutionCode::parse("1399900001").unwrap();
        let account = Account::new(institution, "link".to_owned(), None, vec![7; 20]).unwrap();
        // Files and TLS are of no concern over a model.
        let config: UpstreamConfig = toml::from_str(
            "base_url = 'https://central.example'\naccount = 'link'\ntotp_secret_file = ''\nroots_file = ''\n\
             client_certificate_file = ''\nclient_key_file = ''",
        )
        .unwrap();
        let random = Arc::new(SeededRandom::new(3));
        let upstream = Upstream::over(model.clone(), account, &config, clock.clone(), random).unwrap();
        Self { model, clock, upstream }
    }

    fn next(&self, next: impl IntoIterator<Item = Next>) {
        self.model.next.lock().unwrap().extend(next);
    }

    async fn ask(&self) -> Result<(), UpstreamError> {
        self.upstream.challenge(&request()).await.map(|_| ())
    }

    fn asked(&self) -> usize {
        self.model.asked.lock().unwrap().len()
    }
}

fn status(status: u16) -> Next {
    Next::Says(Reply { status, ..Reply::ok(Vec::new()) })
}

#[tokio::test]
async fn a_read_is_repeated_twice_at_most_with_the_same_question_and_id() {
    let bench = Bench::new();
    bench.next([Next::Fails(ExchangeError::NotConnected), Next::Fails(ExchangeError::Cut)]);
    assert_eq!(bench.ask().await, Ok(()));
    bench.next([Next::Fails(ExchangeError::TimedOut), status(502), status(504)]);
    let code = "HTTP-504".to_owned();
    assert_eq!(bench.ask().await, Err(UpstreamError::Refused { code }));
    let asked = bench.model.asked.lock().unwrap();
    assert_eq!(asked.len(), 6);
    assert!(asked[0] == asked[1] && asked[1] == asked[2] && asked[3] == asked[4] && asked[4] == asked[5]);
    assert_ne!(asked[2], asked[3]);
}

#[tokio::test]
async fn what_would_not_pass_is_not_repeated() {
    for error in [ExchangeError::Certificate, ExchangeError::Renegotiation, ExchangeError::Unusable] {
        let bench = Bench::new();
        bench.next([Next::Fails(error)]);
        assert_eq!(bench.ask().await, Err(error.into()));
        assert_eq!(bench.asked(), 1, "{error:?}");
    }
    for code in [400, 404, 429, 503] {
        let bench = Bench::new();
        bench.next([status(code)]);
        assert!(bench.ask().await.is_err());
        assert_eq!(bench.asked(), 1, "{code}");
    }
}

#[tokio::test]
async fn after_three_failures_nothing_is_asked_until_one_question_may_try() {
    let bench = Bench::new();
    bench.next((0..3).map(|_| Next::Fails(ExchangeError::Unusable)));
    for _ in 0..3 {
        assert_eq!(bench.ask().await, Err(UpstreamError::Malformed));
    }
    assert!(matches!(bench.upstream.status().circuit, Circuit::Open { .. }));
    assert_eq!(bench.ask().await, Err(UpstreamError::Unreachable), "at once");
    assert_eq!(bench.asked(), 3, "nothing was sent");
    bench.clock.advance(SignedDuration::from_secs(5));
    bench.next([Next::Fails(ExchangeError::Cut)]);
    assert_eq!(bench.ask().await, Err(UpstreamError::Malformed), "the trial is one try");
    assert_eq!(bench.asked(), 4);
    bench.clock.advance(SignedDuration::from_secs(5));
    assert_eq!(bench.ask().await, Err(UpstreamError::Unreachable), "longer the second time");
    bench.clock.advance(SignedDuration::from_secs(5));
    assert_eq!(bench.ask().await, Ok(()));
    assert_eq!(bench.upstream.status().circuit, Circuit::Closed);
}

/// Waiting does not mend a certificate: whoever is held back learns the reason.
#[tokio::test]
async fn while_open_the_reason_that_waiting_does_not_mend_is_told() {
    for error in [ExchangeError::Certificate, ExchangeError::Renegotiation] {
        let bench = Bench::new();
        bench.next((0..3).map(|_| Next::Fails(error)));
        for _ in 0..4 {
            assert_eq!(bench.ask().await, Err(error.into()));
        }
        assert_eq!(bench.asked(), 3);
    }
}

#[tokio::test]
async fn a_server_that_asks_for_time_gets_it() {
    let bench = Bench::new();
    let retry_after = Some(std::time::Duration::from_secs(30));
    bench.next([Next::Says(Reply { status: 429, retry_after, ..Reply::ok(Vec::new()) })]);
    assert_eq!(bench.ask().await, Err(UpstreamError::Refused { code: "HTTP-429".to_owned() }));
    bench.clock.advance(SignedDuration::from_secs(29));
    assert_eq!(bench.ask().await, Err(UpstreamError::Unreachable));
    bench.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(bench.ask().await, Ok(()));
    assert_eq!(bench.asked(), 2);
}

#[tokio::test]
async fn a_question_given_up_while_it_tries_leaves_the_next_one_free() {
    let bench = Bench::new();
    bench.next((0..3).map(|_| Next::Fails(ExchangeError::Unusable)));
    for _ in 0..3 {
        assert!(bench.ask().await.is_err());
    }
    bench.clock.advance(SignedDuration::from_secs(5));
    let id = request();
    bench.next([Next::Hangs]);
    {
        let mut trying = Box::pin(bench.upstream.challenge(&id));
        assert!(!ends_at_once(&mut trying).await);
        assert_eq!(bench.upstream.status().circuit, Circuit::Trying);
        assert_eq!(bench.ask().await, Err(UpstreamError::Unreachable), "one at a time");
    }
    assert_eq!(bench.ask().await, Ok(()));
}

/// Polls once; whether it has ended.
async fn ends_at_once<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_ready())
    })
    .await
}

#[tokio::test]
async fn an_answer_to_another_question_costs_the_connection_it_came_on() {
    let bench = Bench::new();
    let stranger = br#"{"XmlMsg":{"MessageHeader":{"SegmentOfResult":"1","ArbitraryFileIdentifier":"x"}}}"#;
    bench.next([Next::Says(Reply::ok(stranger.to_vec()))]);
    assert_eq!(bench.ask().await, Err(UpstreamError::Malformed));
    assert_eq!(*bench.model.discarded.lock().unwrap(), 1);
    assert_eq!(bench.ask().await, Ok(()));
}

/// Was kept: the next question then got the answer to this sign-in.
#[tokio::test]
async fn a_sign_in_that_gets_another_questions_answer_costs_the_connection_it_came_on() {
    let bench = Bench::new();
    bench.model.sign_in.lock().unwrap().push_back(Reply::ok(br#"{"XmlMsg":{}}"#.to_vec()));
    assert_eq!(bench.ask().await, Err(UpstreamError::Malformed));
    assert_eq!(*bench.model.discarded.lock().unwrap(), 1);
    bench.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(bench.ask().await, Ok(()));
}

#[tokio::test]
async fn the_servers_clock_is_compared_with_every_answer() {
    let bench = Bench::new();
    let date = Some("2026-10-08T01:00:31Z".parse().unwrap());
    bench.next([Next::Says(Reply { date, status: 404, ..Reply::ok(Vec::new()) })]);
    assert!(bench.ask().await.is_err());
    assert_eq!(bench.upstream.status().clock_offset, Some(SignedDuration::from_secs(31)));
}
