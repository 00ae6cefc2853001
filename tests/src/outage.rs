//! Outages of the central system: inquiry numbers that are taken in meanwhile are all sent afterwards, each person's in
//! their order. Once in virtual time with the real store, once with real processes that are killed.

#![expect(clippy::expect_used, reason = "an outage that cannot be staged ends with the reason")]

mod kills;
mod link;

use std::collections::HashMap;
use std::sync::Arc;

use daemon::app::access::Actor;
use daemon::app::idempotency::Idempotency;
use daemon::app::inquiries::{Inquiries, InquiriesParts};
use daemon::app::ports::{AuditSource, Clock as _, Inquiry, InquiryEnd, InquiryRequest, Role, Subject};
use daemon::app::tasks::Tasks;
use daemon::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use daemon::store::{Room, Store, StoreConfig};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use crate::ambient::{HeldClock, SeededRandom};
use crate::clinic::NOON;
pub use kills::{Kills, kills};
pub(crate) use link::VirtualLink;

/// How long the central system is away.
const AWAY: SignedDuration = SignedDuration::from_hours(8);
/// How many people the numbers are for, so that each person gets several.
const PEOPLE: u32 = 97;

/// What was seen of an outage in virtual time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// Numbers taken in while the central system was away.
    pub taken: usize,
    /// Numbers that never reached it, or whose job did not end as registered.
    pub lost: usize,
    /// People whose numbers arrived in another order than they were taken in.
    pub reordered: usize,
    /// Most requests in flight at the same time.
    pub in_flight_max: usize,
    /// From its return to the end of the last job.
    pub drain: SignedDuration,
}

/// The central system is away for eight hours while `an_hour` numbers are registered every hour, evenly; then it returns.
pub async fn eight_hours(an_hour: u32) -> Outage {
    let directory = TempDir::new().expect("a directory");
    let begin: Timestamp = NOON.parse().expect("an instant");
    let clock = Arc::new(HeldClock::at(begin));
    let link = Arc::new(VirtualLink::back_at(begin + AWAY, clock.clone()));
    let random = Arc::new(SeededRandom::new(8));
    let tasks = Tasks::default();
    let config = StoreConfig {
        data_dir: directory.path().join("data"),
        keyring: directory.path().join("data").join("keyring"),
        master_key: directory.path().join("key").join("master.key").into(),
        room: Room { ballast: 0, low_water: 0 },
        readers: 2,
        anchor: None,
    };
    let store =
        Store::open(&config, clock.clone(), random.clone(), Arc::new(daemon::service::JsonForm), &tasks)
            .await
            .expect("the store opens");
    let store = Arc::new(store);
    let inquiries = Inquiries::open(InquiriesParts {
        queue: store.clone(),
        idempotency: Idempotency::new(store.clone()),
        link: link.clone(),
        clock: clock.clone(),
        random,
        tasks: tasks.clone(),
    })
    .await
    .expect("the queue opens");
    let actor =
        Actor { account: "receipt".to_owned(), role: Role::ReceiptComputer, source: AuditSource::Daemon };

    let mut taken = Vec::new();
    for index in 0..an_hour * 8 {
        let after = AWAY * i32::try_from(index).expect("few") / i32::try_from(an_hour * 8).expect("few");
        work_until(&inquiries, &clock, begin + after).await;
        let inquiry = inquiry(index);
        let ticket = inquiries.take_in(&actor, asked(&inquiry), None).await.expect("taken in");
        taken.push((ticket.id, inquiry));
        inquiries.work_off().await;
    }
    work_until(&inquiries, &clock, begin + AWAY).await;
    while let Some(due) = inquiries.next_due() {
        move_to(&clock, due);
        inquiries.work_off().await;
    }
    let drain = clock.now().duration_since(begin + AWAY);

    let mut unregistered = 0;
    for (id, _) in &taken {
        let job = inquiries.job(&actor, *id).await.expect("a job").job;
        unregistered += usize::from(job.end != Some(InquiryEnd::Registered));
    }
    let (missing, reordered) = compare(taken.iter().map(|(_, inquiry)| inquiry), &link.numbers());
    store.close().await;
    tasks.finish().await;
    Outage {
        taken: taken.len(),
        lost: missing.max(unregistered),
        reordered,
        in_flight_max: link.in_flight_max(),
        drain,
    }
}

/// Moves through everything that is due before an instant, then to it.
async fn work_until(inquiries: &Inquiries, clock: &HeldClock, until: Timestamp) {
    while let Some(due) = inquiries.next_due().filter(|due| *due < until) {
        move_to(clock, due);
        inquiries.work_off().await;
    }
    move_to(clock, until);
}

fn move_to(clock: &HeldClock, at: Timestamp) {
    clock.advance(at.duration_since(clock.now()).max(SignedDuration::ZERO));
}

fn asked(inquiry: &Inquiry) -> InquiryRequest {
    InquiryRequest { subject: Subject::Person(inquiry.person.clone()), number: inquiry.number.clone() }
}

fn inquiry(index: u32) -> Inquiry {
    let number = format!("{:07}", index % PEOPLE);
    Inquiry {
        person: InsuranceIdentifiers::parse("138990", Some("1"), &number, Some("00")).expect("identifiers"),
        number: InquiryNumber::parse(&format!("K-{index}")).expect("a number"),
        result: None,
    }
}

/// Numbers that are missing, and people whose order differs.
fn compare<'i>(
    taken: impl Iterator<Item = &'i Inquiry>,
    arrived: &[(InsuranceIdentifiers, InquiryNumber)],
) -> (usize, usize) {
    let mut sent: HashMap<&InsuranceIdentifiers, Vec<&InquiryNumber>> = HashMap::new();
    for (person, number) in arrived {
        sent.entry(person).or_default().push(number);
    }
    let mut expected: HashMap<&InsuranceIdentifiers, Vec<&InquiryNumber>> = HashMap::new();
    for inquiry in taken {
        expected.entry(&inquiry.person).or_default().push(&inquiry.number);
    }
    let of = |person: &InsuranceIdentifiers| sent.get(person).cloned().unwrap_or_default();
    let missing = |(person, numbers): (&&InsuranceIdentifiers, &Vec<&InquiryNumber>)| {
        let arrived = of(person);
        numbers.iter().filter(|number| !arrived.contains(number)).count()
    };
    let lost = expected.iter().map(missing).sum();
    let reordered = expected.iter().filter(|(person, numbers)| of(person) != **numbers).count();
    (lost, reordered)
}
