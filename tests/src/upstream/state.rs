//! What the simulated central system remembers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daemon::app::ports::{Clock, Random, random_bytes};
use daemon::domain::eligibility::Field;
use daemon::domain::retention::{expiry, jst_day};
use data_encoding::HEXLOWER;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::answers;
use super::inquiries::Asked;
use super::news::Announced;
use crate::personas::{Persona, Personas};

/// How long a token is good for.
pub(super) const TOKEN_LIFE_SECONDS: i64 = 1_800;
const CHALLENGE_LIFE_SECONDS: i64 = 300;

/// A result that was given out, for the results of a period.
#[derive(Clone)]
pub(super) struct Given {
    pub id: String,
    pub terminal: String,
    pub at: Timestamp,
    pub persona: &'static Persona,
}

#[derive(Default)]
struct Inner {
    tokens: HashMap<String, Timestamp>,
    last_step: Option<u64>,
    challenges: HashMap<String, (Vec<u8>, Timestamp)>,
    registered: HashMap<String, bool>,
    inquiry_numbers: HashMap<String, String>,
    results: Vec<Given>,
    /// Results that come in after the next page that is not the last.
    while_paging: Vec<(&'static Persona, String, Timestamp)>,
    announced: Vec<Announced>,
    /// Whether a confirmation leaves its result's id out.
    hide_ids: bool,
    bulks: HashMap<String, Bulk>,
    bulk_polls: usize,
}

/// Items of a bulk with what became of each.
pub(super) type BulkItems = Vec<(Asked, Result<(), &'static str>)>;

/// What is said of a bulk.
pub(super) enum BulkStand {
    Running,
    Done(BulkItems),
}

/// A bulk of inquiry numbers.
enum Bulk {
    /// Asked about this often before it is done.
    Waiting(usize, Vec<Asked>),
    Done(BulkItems),
}

/// The memory, with the clock and randomness it works by.
pub(super) struct State {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    inner: Mutex<Inner>,
}

impl State {
    pub(super) fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock, random, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn in_seconds(&self, seconds: i64) -> Timestamp {
        self.now().checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn unguessable<const N: usize>(&self) -> [u8; N] {
        random_bytes(self.random.as_ref())
    }

    /// Uses up the code of a step; `false` if this or a later step was used before.
    pub(super) fn use_step(&self, step: u64) -> bool {
        let mut inner = self.inner();
        let fresh = inner.last_step.is_none_or(|last| step > last);
        if fresh {
            inner.last_step = Some(step);
        }
        fresh
    }

    pub(super) fn forget_used_codes(&self) {
        self.inner().last_step = None;
    }

    pub(super) fn issue_token(&self) -> String {
        let token = HEXLOWER.encode(&self.unguessable::<32>());
        let (now, until) = (self.now(), self.in_seconds(TOKEN_LIFE_SECONDS));
        let mut inner = self.inner();
        inner.tokens.retain(|_, until| *until > now);
        inner.tokens.insert(token.clone(), until);
        token
    }

    pub(super) fn token_is_good(&self, token: &str) -> bool {
        let now = self.now();
        self.inner().tokens.get(token).is_some_and(|until| *until > now)
    }

    pub(super) fn forget_tokens(&self) {
        self.inner().tokens.clear();
    }

    pub(super) fn issue_challenge(&self) -> (String, Vec<u8>) {
        let id = HEXLOWER.encode(&self.unguessable::<12>());
        let bytes = self.unguessable::<32>().to_vec();
        let (now, until) = (self.now(), self.in_seconds(CHALLENGE_LIFE_SECONDS));
        let mut inner = self.inner();
        inner.challenges.retain(|_, (_, until)| *until > now);
        inner.challenges.insert(id.clone(), (bytes.clone(), until));
        (id, bytes)
    }

    /// Takes a challenge out: it can be answered once, rightly or wrongly.
    pub(super) fn take_challenge(&self, id: &str) -> Option<Vec<u8>> {
        let now = self.now();
        self.inner().challenges.remove(id).filter(|(_, until)| *until > now).map(|(bytes, _)| bytes)
    }

    pub(super) fn set_registered(&self, persona: &str, registered: bool) {
        self.inner().registered.insert(persona.to_owned(), registered);
    }

    pub(super) fn is_registered(&self, persona: &Persona) -> bool {
        self.inner().registered.get(&persona.name).copied().unwrap_or(persona.registered)
    }

    /// Sets a person's number; `false` if it is another person's.
    pub(super) fn set_inquiry_number(&self, person: &str, number: &str) -> bool {
        let mut people = Personas::builtin().iter().map(Persona::person);
        if people.any(|other| other != person && self.inquiry_number(other).as_deref() == Some(number)) {
            return false;
        }
        self.inner().inquiry_numbers.insert(person.to_owned(), number.to_owned());
        true
    }

    /// How often the outcome of each bulk handed in from now on must be asked for before it is there.
    pub(super) fn set_bulk_polls(&self, polls: usize) {
        self.inner().bulk_polls = polls;
    }

    /// Takes a bulk in and returns its receipt number.
    pub(super) fn receive_bulk(&self, items: Vec<Asked>) -> String {
        let receipt = HEXLOWER.encode(&self.unguessable::<8>());
        let mut inner = self.inner();
        let polls = inner.bulk_polls;
        inner.bulks.insert(receipt.clone(), Bulk::Waiting(polls, items));
        receipt
    }

    /// Forgets every bulk, as a central system does that was set up anew.
    pub(super) fn forget_bulks(&self) {
        self.inner().bulks.clear();
    }

    /// What became of a bulk; `None` if there is none.
    pub(super) fn ask_bulk(&self, receipt: &str) -> Option<BulkStand> {
        let items = match self.inner().bulks.get_mut(receipt)? {
            Bulk::Done(items) => return Some(BulkStand::Done(items.clone())),
            Bulk::Waiting(0, items) => items.clone(),
            Bulk::Waiting(polls, _) => {
                *polls -= 1;
                return Some(BulkStand::Running);
            }
        };
        let items: BulkItems = items.into_iter().map(|asked| (asked.clone(), asked.apply(self))).collect();
        self.inner().bulks.insert(receipt.to_owned(), Bulk::Done(items.clone()));
        Some(BulkStand::Done(items))
    }

    /// The number set last, or the one the person comes with.
    pub(super) fn inquiry_number(&self, person: &str) -> Option<String> {
        let set = self.inner().inquiry_numbers.get(person).cloned();
        set.or_else(|| {
            let personas = Personas::builtin().iter().filter(|persona| persona.person() == person);
            let mut results = personas.flat_map(|persona| &persona.answer.results);
            results.find_map(|result| result.get(Field::ReferenceNumber.tag()).cloned())
        })
    }

    /// Makes the body of a persona's result and remembers it as given out.
    pub(super) fn give(&self, persona: &'static Persona, terminal: &str, at: Timestamp) -> Value {
        let number = self.inquiry_number(persona.person());
        let mut body = answers::eligibility(&persona.answer, number.as_deref());
        let mut inner = self.inner();
        let id = format!("SIM{:08}", inner.results.len() + 1);
        if !inner.hide_ids {
            body["UpstreamResultId"] = json!(id);
        }
        inner.results.push(Given { id, terminal: terminal.to_owned(), at, persona });
        body
    }

    pub(super) fn hide_ids(&self, hide: bool) {
        self.inner().hide_ids = hide;
    }

    pub(super) fn add_while_paging(&self, persona: &'static Persona, terminal: &str, at: Timestamp) {
        self.inner().while_paging.push((persona, terminal.to_owned(), at));
    }

    /// Lets the results in that wait for a page to be turned.
    pub(super) fn page_turned(&self) {
        let waiting = std::mem::take(&mut self.inner().while_paging);
        for (persona, terminal, at) in waiting {
            self.give(persona, &terminal, at);
        }
    }

    /// Replaces an announcement with the same id, or adds one.
    pub(super) fn announce(&self, announced: Announced) {
        let mut inner = self.inner();
        inner.announced.retain(|old| old.id != announced.id);
        inner.announced.push(announced);
    }

    pub(super) fn withdraw(&self, id: &str) {
        self.inner().announced.retain(|announced| announced.id != id);
    }

    pub(super) fn announced(&self) -> Vec<Announced> {
        self.inner().announced.clone()
    }

    /// Whether announced maintenance closes everything now.
    pub(super) fn is_closed(&self) -> bool {
        let now = self.now();
        self.inner().announced.iter().any(|announced| announced.closes_everything(now))
    }

    pub(super) fn add_result(&self, persona: &str, terminal: &str, at: Timestamp) -> bool {
        let Some(persona) = Personas::builtin().by_name(persona) else { return false };
        if persona.answer.refusal.is_some() {
            return false;
        }
        self.give(persona, terminal, at);
        true
    }

    /// Results of checks carried out on JST days from `from` to `to`, as long as they may be obtained at all.
    pub(super) fn results(&self, from: Date, to: Date) -> Vec<Given> {
        let now = self.now();
        let asked = |given: &&Given| (from..=to).contains(&jst_day(given.at)) && now < expiry(given.at);
        self.inner().results.iter().filter(asked).cloned().collect()
    }
}
