//! One schedule: patients at their readers, collections of the period and inquiry numbers at once, on the real use cases,
//! the real adapter and the real store; at the end the network is good, what is still to do is done, and it is judged.

use std::sync::Arc;
use std::time::Duration;

use daemon::app::access::Actor;
use daemon::app::checks::{Checks, ChecksParts, NewCheck, Patience, Terminal};
use daemon::app::collect::{Collect, CollectParts};
use daemon::app::idempotency::Idempotency;
use daemon::app::inquiries::{Inquiries, InquiriesParts};
use daemon::app::maintenance::MaintenanceCalendar;
use daemon::app::ports::{
    AuditEntry, AuditSource, Clock as _, InquiryRequest, NewResult, Origin, ResultQuery, ResultStore as _,
    Role, Source, Subject, TerminalId,
};
use daemon::app::tasks::Tasks;
use daemon::domain::check::{Method, Phase, ResultId};
use daemon::domain::identifiers::{InquiryNumber, InstitutionCode};
use daemon::domain::personal::Pin;
use daemon::store::Store;
use daemon::upstream::{Account, Upstream, UpstreamConfig};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::central::{Central, People};
use super::desk::{Desk, Open, OwnQueue, reader};
use super::judge::{EndedCheck, Evidence, judge};
use super::network::Network;
use super::{Plant, Report, Tally};
use crate::ambient::{HeldClock, SeededRandom};
use crate::dice::Dice;

/// Deadline of one operation: long enough for a repetition, short enough that what hangs does not hold things up.
const TOTAL_MS: u64 = 450;
/// Longest wait for a check to move on; a schedule that gets here is stuck.
const PATIENCE: Duration = Duration::from_secs(20);
/// Seconds of a schedule's confirmations; the next schedule's begin after them.
pub(super) const SECONDS: i64 = 4;

/// Where a schedule is played.
pub(super) struct Stage {
    /// The store; shared with other schedules.
    pub store: Arc<Store>,
    /// The instant at the begin of every schedule, which is also the store's.
    pub now: Timestamp,
    /// The first second of this schedule's confirmations: no other schedule of this store has the same.
    pub base: Timestamp,
}

struct Site {
    network: Arc<Network>,
    central: Arc<Central>,
    people: People,
    clock: Arc<HeldClock>,
    tasks: Tasks,
    checks: Checks,
    collect: Collect,
    inquiries: Inquiries,
    actor: Actor,
}

/// Plays and judges.
pub(super) async fn play(stage: &Stage, seed: u64, plant: Plant) -> Report {
    let mut dice = Dice::new(seed);
    let site = Site::open(stage, seed, plant, &mut dice).await;
    let mut findings = Vec::new();
    let count = site.people.count();
    let visits: Vec<Visit> = (0..count).map(|person| Visit::plan(person, &mut dice)).collect();
    let collections = 1 + dice.below(2);
    let numbers: Vec<InquiryRequest> = (0..=dice.below(2)).map(|_| site.inquiry(seed, &mut dice)).collect();
    let (ended, (), ()) = tokio::join!(
        join_all(visits.iter().map(|visit| site.visit(visit))),
        site.collect(collections),
        site.number(numbers),
    );
    let checks: Vec<EndedCheck> = ended.into_iter().flatten().collect();
    let faults = site.network.heal();
    if let Err(finding) = site.finish().await {
        findings.push(finding);
    }
    site.tasks.finish().await;
    if plant == Plant::Double {
        repeat_a_row(stage, &checks).await;
    }
    let rows = rows(stage).await;
    let (truths, taken) = site.central.truth();
    let people = (0..count).map(|person| site.people.eligibility(person)).collect();
    let tally = Tally {
        schedules: 1,
        checks: checks.len() as u64,
        done: checks.iter().filter(|check| check.result.is_some()).count() as u64,
        confirmations: truths.len() as u64,
        numbers: taken.len() as u64,
        faults,
        ..Tally::default()
    };
    let verdict = judge(&Evidence { people, truths, taken, checks, rows });
    findings.extend(verdict.findings);
    Report { tally: Tally { double_rows: verdict.double_rows, mixups: verdict.mixups, ..tally }, findings }
}

/// How one patient's visit goes.
struct Visit {
    person: usize,
    method: Method,
    /// How often the check is begun again after it failed.
    again: usize,
}

impl Visit {
    fn plan(person: usize, dice: &mut Dice) -> Self {
        let method = if dice.percent(60) { Method::CardPin } else { Method::Visual };
        Self { person, method, again: dice.below(3) }
    }
}

impl Site {
    async fn open(stage: &Stage, seed: u64, plant: Plant, dice: &mut Dice) -> Self {
        let people = People::of(seed, 2 + dice.below(3), dice);
        let confuses = plant == Plant::MixUp;
        let central = Arc::new(Central::new(people.clone(), seed, stage.base, confuses, dice));
        let clock = Arc::new(HeldClock::at(stage.now));
        let network = Arc::new(Network::new(central.clone(), clock.clone(), seed));
        let random = Arc::new(SeededRandom::new(seed));
        let upstream = Arc::new(
            Upstream::over(network.clone(), account(), &config(), clock.clone(), random.clone())
                .expect("the adapter stands"),
        );
        let tasks = Tasks::default();
        let store = stage.store.clone();
        let name = |person| TerminalId(reader(person).0);
        let terminals = (0..people.count())
            .map(|person| Terminal { id: name(person), reader: Some(reader(person)) })
            .collect();
        let idempotency = Idempotency::new(store.clone());
        let checks = Checks::new(ChecksParts {
            desk: Arc::new(Desk::new(people.count())),
            central: upstream.clone(),
            store: store.clone(),
            room: store.clone(),
            idempotency: idempotency.clone(),
            audit: store.clone(),
            settings: Arc::new(Open),
            terminal_authentication: None,
            maintenance: MaintenanceCalendar::default(),
            clock: clock.clone(),
            random: random.clone(),
            tasks: tasks.clone(),
            terminals,
            patience: Patience::default(),
            origin: Origin::Sandbox,
            tally: Arc::default(),
        });
        let collect = Collect::open(CollectParts {
            link: upstream.clone(),
            results: store.clone(),
            announcements: store.clone(),
            calendar: MaintenanceCalendar::default(),
            audit: store.clone(),
            clock: clock.clone(),
            random: random.clone(),
            tasks: tasks.clone(),
            every: None,
            origin: Origin::Sandbox,
        });
        let inquiries = Inquiries::open(InquiriesParts {
            queue: Arc::new(OwnQueue(store)),
            idempotency,
            link: upstream,
            clock: clock.clone(),
            random,
            tasks: tasks.clone(),
        });
        let collect = collect.await.expect("the store answers");
        let inquiries = inquiries.await.expect("the store answers");
        let actor =
            Actor { account: "receipt".to_owned(), role: Role::ReceiptComputer, source: AuditSource::Daemon };
        Self { network, central, people, clock, tasks, checks, collect, inquiries, actor }
    }

    /// A number for somebody: their own, or now and then the same for two.
    fn inquiry(&self, seed: u64, dice: &mut Dice) -> InquiryRequest {
        let person = dice.below(self.people.count());
        let number = if dice.percent(20) { 0 } else { person + 10 * dice.below(2) };
        InquiryRequest {
            subject: Subject::Person(self.people.identifiers(person)),
            number: InquiryNumber::parse(&format!("K-{seed}-{number}")).expect("a number"),
        }
    }

    /// One patient: a check, and again after a failure.
    async fn visit(&self, visit: &Visit) -> Vec<EndedCheck> {
        let mut ended = Vec::new();
        for _ in 0..=visit.again {
            let Some((id, result)) = self.check(visit).await else { break };
            ended.push(EndedCheck { id, person: visit.person, result });
            if result.is_some() {
                break;
            }
            // Staff read the message and try again; meanwhile there is a new one-time code.
            self.clock.advance(SignedDuration::from_secs(31));
        }
        ended
    }

    /// One check to its end; `None` if it could not begin.
    async fn check(&self, visit: &Visit) -> Option<(String, Option<ResultId>)> {
        let new = NewCheck {
            method: visit.method,
            terminal: Some(TerminalId(reader(visit.person).0)),
            reader: None,
            card_kind: None,
            entered_by: None,
            visual_after_lock_of: None,
        };
        let mut view = self.checks.create(&self.actor, &new, None).await.ok()?;
        let id = view.id.clone();
        if visit.method == Method::CardPin {
            let pin = Pin::parse("1234").expect("four digits");
            // Refused if the check has failed already.
            drop(self.checks.enter_pin(&self.actor, &id, pin).await);
        }
        while !view.phase.is_end() {
            let seen = view.revision;
            view = self.checks.wait(&self.actor, &id, seen, PATIENCE).await.ok()?;
            assert!(view.revision > seen, "a check is stuck in {:?}", view.phase);
        }
        let result = if let Phase::Done(result) = view.phase { Some(result) } else { None };
        Some((id, result))
    }

    /// Collections on demand, one after the other; they may fail.
    async fn collect(&self, times: usize) {
        for _ in 0..times {
            drop(self.collect.collect_now(&self.actor).await);
        }
    }

    async fn number(&self, numbers: Vec<InquiryRequest>) {
        for number in numbers {
            // Refused where the number stands on somebody else's results.
            drop(self.inquiries.take_in(&self.actor, number, None).await);
            self.inquiries.work_off().await;
        }
    }

    /// Over the good network: every number is sent, and the whole period is collected.
    async fn finish(&self) -> Result<(), String> {
        /// More than any schedule needs.
        const TRIES: usize = 30;
        self.clock.advance(SignedDuration::from_mins(2));
        for _ in 0..TRIES {
            self.inquiries.work_off().await;
            let Some(due) = self.inquiries.next_due() else { break };
            let wait = due.duration_since(self.clock.now()).max(SignedDuration::from_secs(1));
            self.clock.advance(wait);
        }
        if self.inquiries.next_due().is_some() {
            return Err("an inquiry number was never done with".to_owned());
        }
        self.clock.advance(SignedDuration::from_secs(31));
        let collected = self.collect.collect_now(&self.actor).await;
        collected.map(|_| ()).map_err(|error| format!("the last collection failed: {error:?}"))
    }
}

/// What is stored of this schedule.
async fn rows(stage: &Stage) -> Vec<daemon::app::ports::StoredResult> {
    let query = ResultQuery {
        from: Some(stage.base),
        until: Some(stage.base + SignedDuration::from_secs(SECONDS)),
        ..ResultQuery::default()
    };
    stage.store.page(&query, None, 100).await.expect("the store answers").rows
}

/// Plants a second row of a confirmation.
async fn repeat_a_row(stage: &Stage, checks: &[EndedCheck]) {
    let Some(id) = checks.iter().find_map(|check| check.result) else { return };
    let stored = stage.store.get(id).await.expect("the store answers").expect("a result");
    let method = Method::Visual;
    let again =
        NewResult { source: Source::Own { check_id: "planted".to_owned(), method }, ..stored.content };
    let audit = AuditEntry {
        actor: "receipt".to_owned(),
        action: "check.end",
        source: AuditSource::Daemon,
        terminal: None,
        results: Vec::new(),
        outcome: "ok".to_owned(),
    };
    stage.store.insert(&again, &audit).await.expect("the store takes it");
}

fn account() -> Account {
    let institution = InstitutionCode::parse("1399900001").expect("ten digits");
    Account::new(institution, "link".to_owned(), None, vec![7; 20]).expect("a secret of 20 bytes")
}

/// Files and TLS are of no concern over a model.
fn config() -> UpstreamConfig {
    let mut config: UpstreamConfig = toml::from_str(
        "base_url = 'https://central.example'\naccount = 'link'\ntotp_secret_file = ''\nroots_file = ''\n\
         client_certificate_file = ''\nclient_key_file = ''\naccepts_unsigned_visual = true",
    )
    .expect("a configuration");
    config.timeouts.total_ms = TOTAL_MS;
    config.timeouts.results_ms = 4 * TOTAL_MS;
    config
}
