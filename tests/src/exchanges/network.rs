//! A network between the adapter and the model of the central system that does, by seeded dice, what networks do: cuts
//! before and after processing, late and doubled answers that meet later questions, answers that change places,
//! gateways that answer in their own name, tokens that are forgotten.
//!
//! One line carries everything, as a kept connection does: an answer that is left on it is what the next question gets,
//! until the adapter gives the line up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use daemon::domain::personal::Secret;
use daemon::upstream::{Exchange, ExchangeError, Reply};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use url::Url;

use super::central::{Central, Question};
use crate::ambient::HeldClock;
use crate::dice::Dice;

/// How long a question whose answer is to change places waits for another one.
const SWAP_PATIENCE: Duration = Duration::from_millis(30);

/// What becomes of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    NeverSent,
    CutBefore,
    CutAfter,
    /// Cut; processed when the next question comes.
    ProcessedLater,
    /// Given up by the asker; the answer stays on the line.
    Late,
    /// The answer comes twice; the second one stays on the line.
    Twice,
    /// Its answer goes to another question in flight, and that one's comes here.
    Swapped,
    /// All tokens are forgotten.
    TokensForgotten,
    /// An answer of a gateway, before or after the question was processed.
    Gateway(u16, bool),
    Garbage,
    Hangs,
}

impl Fate {
    fn throw(dice: &mut Dice) -> Self {
        match dice.below(100) {
            0..=2 => Self::NeverSent,
            3..=5 => Self::CutBefore,
            6..=9 => Self::CutAfter,
            10..=11 => Self::ProcessedLater,
            12..=16 => Self::Late,
            17..=20 => Self::Twice,
            21..=24 => Self::Swapped,
            25..=26 => Self::TokensForgotten,
            27 => Self::Gateway(500, false),
            28 => Self::Gateway(502, true),
            29 => Self::Gateway(503, false),
            30 => Self::Gateway(400, false),
            31 => Self::Gateway(401, false),
            32 => Self::Garbage,
            33 => Self::Hangs,
            _ => Self::Answered,
        }
    }
}

/// The network.
pub(super) struct Network {
    central: Arc<Central>,
    clock: Arc<HeldClock>,
    line: Mutex<Line>,
}

struct Line {
    /// A die for each kind of question, so that the fate of one kind does not hang on how often another is asked.
    dice: [Dice; Question::ALL.len()],
    /// From now on everything is answered.
    healed: bool,
    faults: u64,
    token: u64,
    /// Answers that nobody took yet.
    left: VecDeque<Reply>,
    /// Questions that are still to be processed.
    later: Vec<(Question, Value)>,
    /// An answer that waits for another one to change places with.
    waiting: Option<(oneshot::Sender<Reply>, Reply)>,
}

impl Network {
    pub(super) fn new(central: Arc<Central>, clock: Arc<HeldClock>, seed: u64) -> Self {
        let die = |kind: usize| Dice::new(seed.rotate_left(8) ^ kind as u64);
        let line = Line {
            dice: std::array::from_fn(die),
            healed: false,
            faults: 0,
            token: 0,
            left: VecDeque::new(),
            later: Vec::new(),
            waiting: None,
        };
        Self { central, clock, line: Mutex::new(line) }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is on the way arrives, and from now on the network is a good one. Returns how many faults there were.
    pub(super) fn heal(&self) -> u64 {
        let mut line = self.line();
        line.healed = true;
        self.process_later(&mut line);
        line.left.clear();
        line.waiting = None;
        line.faults
    }

    fn process_later(&self, line: &mut Line) {
        for (question, asked) in std::mem::take(&mut line.later) {
            self.central.answer(question, &asked);
        }
    }

    /// Throws the fate of a question; time goes on meanwhile.
    fn fate(&self, line: &mut Line, question: Question) -> Fate {
        if line.healed {
            return Fate::Answered;
        }
        let dice = &mut line.dice[question as usize];
        if dice.percent(10) {
            self.clock.advance(SignedDuration::from_secs(1 + i64::from(dice.percent(30)) * 30));
        }
        let fate = Fate::throw(dice);
        line.faults += u64::from(fate != Fate::Answered);
        fate
    }

    /// The central system's answer.
    fn process(&self, line: &mut Line, question: Question, token: Option<&Secret>, asked: &Value) -> Reply {
        if question == Question::SignIn {
            line.token += 1;
            return Reply::ok(
                json!({ "IdToken": token_text(line.token), "ExpiresIn": "3600" }).to_string().into(),
            );
        }
        if token.is_none_or(|token| token.expose() != token_text(line.token)) {
            return status(401);
        }
        Reply::ok(self.central.answer(question, asked))
    }
}

fn token_text(number: u64) -> String {
    format!("token-{number}")
}

fn status(status: u16) -> Reply {
    Reply { status, ..Reply::ok(Vec::new()) }
}

/// What is to be done once the line is free again.
enum Then {
    Answer(Result<Reply, ExchangeError>),
    Wait(oneshot::Receiver<Reply>),
    Hang,
}

impl Network {
    fn ask(&self, question: Question, token: Option<&Secret>, asked: &Value) -> Then {
        let mut line = self.line();
        self.process_later(&mut line);
        let fate = self.fate(&mut line, question);
        let unprocessed = match fate {
            Fate::NeverSent => Some(Err(ExchangeError::NotConnected)),
            Fate::CutBefore => Some(Err(ExchangeError::Cut)),
            Fate::ProcessedLater => {
                line.later.push((question, asked.clone()));
                Some(Err(ExchangeError::Cut))
            }
            Fate::Gateway(code, false) => Some(Ok(status(code))),
            Fate::TokensForgotten => {
                line.token += 1;
                None
            }
            Fate::Answered | Fate::CutAfter | Fate::Late | Fate::Twice | Fate::Swapped => None,
            Fate::Gateway(_, true) | Fate::Garbage | Fate::Hangs => None,
        };
        if let Some(answer) = unprocessed {
            return Then::Answer(answer);
        }
        let own = self.process(&mut line, question, token, asked);
        match fate {
            Fate::CutAfter => return Then::Answer(Err(ExchangeError::Cut)),
            Fate::Gateway(code, _) => return Then::Answer(Ok(status(code))),
            Fate::Garbage => return Then::Answer(Ok(Reply::ok(b"<html>".to_vec()))),
            Fate::Hangs => return Then::Hang,
            Fate::Late => {
                line.left.push_back(own);
                return Then::Answer(Err(ExchangeError::TimedOut));
            }
            Fate::Twice => line.left.extend([own.clone(), own]),
            Fate::Swapped if line.waiting.is_none() => {
                let (give, taken) = oneshot::channel();
                line.waiting = Some((give, own));
                return Then::Wait(taken);
            }
            Fate::Swapped | Fate::Answered | Fate::TokensForgotten => match line.waiting.take() {
                Some((other, theirs)) => {
                    // Nobody may be waiting for it any more.
                    let _ = other.send(own);
                    line.left.push_back(theirs);
                }
                None => line.left.push_back(own),
            },
            Fate::NeverSent | Fate::CutBefore | Fate::ProcessedLater => {}
        }
        // First come, first served: what was left on the line before comes first.
        Then::Answer(line.left.pop_front().ok_or(ExchangeError::Cut))
    }
}

#[async_trait]
impl Exchange for Network {
    async fn post(&self, url: &Url, token: Option<&Secret>, body: Vec<u8>) -> Result<Reply, ExchangeError> {
        let question = Question::of(url.path()).ok_or(ExchangeError::Unusable)?;
        let asked: Value = serde_json::from_slice(&body).map_err(|_| ExchangeError::Unusable)?;
        // Others ask meanwhile.
        tokio::task::yield_now().await;
        match self.ask(question, token, &asked) {
            Then::Answer(answer) => answer,
            Then::Hang => std::future::pending().await,
            Then::Wait(taken) => match tokio::time::timeout(SWAP_PATIENCE, taken).await {
                Ok(Ok(reply)) => Ok(reply),
                // Nobody came: its own answer, if it is still there.
                Ok(Err(_)) | Err(_) => {
                    let own = self.line().waiting.take();
                    own.map(|(_, own)| own).ok_or(ExchangeError::Cut)
                }
            },
        }
    }

    fn discard(&self) {
        self.line().left.clear();
    }
}
