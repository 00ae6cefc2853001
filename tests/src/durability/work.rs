//! What the process that writes does: clients that insert results, set inquiry numbers and append audit rows, around the
//! end of a month with its purge. Every success is said on standard output, one line each, after its commit.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use daemon::app::ports::{
    AuditEntry, AuditLog as _, AuditSource, Inquiry, InquiryEnd, InquiryQueue as _, NewResult, Origin,
    ResultStore as _, Source, StoreError, TerminalId,
};
use daemon::domain::check::{Method, ResultId};
use daemon::domain::eligibility::{Confirmation, Eligibility, Field, Validity};
use daemon::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use daemon::domain::personal::Personal;
use daemon::domain::retention::jst_day;
use daemon::store::{OpenError, Store};
use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;

use super::site::{OpenStore, Site};

/// What is done, and by how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct Work {
    /// Clients at the same time
    #[arg(long, default_value_t = 8)]
    pub clients: usize,
    /// Steps of each client before the month ends
    #[arg(long, default_value_t = 0)]
    pub before: usize,
    /// Steps of each client after it
    #[arg(long, default_value_t = 0)]
    pub after: usize,
    /// The month ends: June is purged
    #[arg(long)]
    pub purge: bool,
    /// June has ended before
    #[arg(long)]
    pub june_is_over: bool,
    /// Tells this process's checks from those of others in the same directory
    #[arg(long, default_value_t = 0)]
    pub round: u64,
}

/// The last second of 2026-07 in Japan: results of June are served for a last second.
pub fn june_is_live() -> Timestamp {
    june_is_gone() - SignedDuration::from_secs(1)
}

/// The first instant of 2026-08 in Japan.
pub fn june_is_gone() -> Timestamp {
    "2026-07-31T15:00:00Z".parse().expect("an instant")
}

/// The result of a check. The check's name begins with its month (06 to 08), and everything follows from it, so that a
/// result under the wrong check shows.
pub fn result_of(check: &str) -> NewResult {
    let month = check.get(..2).expect("a check's name begins with its month");
    let start: Timestamp = format!("2026-{month}-10T00:00:00Z").parse().expect("an instant");
    let spread = check.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let processed_at = start + SignedDuration::from_micros(i64::from(spread));
    let person = Eligibility::from_fields([
        (Field::InsurerNumber, Personal::new("  138057")),
        (Field::InsuredCardSymbol, Personal::new("１２ー３４")),
        (Field::InsuredIdentificationNumber, Personal::new(check)),
        (Field::Name, Personal::new(format!("耐久 {check}"))),
        (Field::Birthdate, Personal::new("19690410")),
    ]);
    NewResult {
        source: Source::Own { check_id: check.to_owned(), method: Method::CardPin },
        terminal: TerminalId("uketsuke-1".to_owned()),
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

/// The inquiry number that belongs to a check.
pub fn number_of(check: &str) -> InquiryNumber {
    InquiryNumber::parse(&format!("CHART-{check}")).expect("an inquiry number")
}

/// An audit row by this actor.
pub fn entry(actor: &str, action: &'static str) -> AuditEntry {
    AuditEntry {
        actor: actor.to_owned(),
        action,
        source: AuditSource::Daemon,
        terminal: Some(TerminalId("uketsuke-1".to_owned())),
        results: Vec::new(),
        outcome: "ok".to_owned(),
    }
}

/// What an insert writes into the audit log.
pub const INSERTED: &str = "check.done";
/// What an inquiry number that is taken in writes into the audit log.
const QUEUED: &str = "inquiry_number.queued";
/// A row that stands for itself.
pub const NOTED: &str = "result.read";

/// One line, in one piece. Whoever reads it may be gone: the work goes on.
fn say(line: &str) {
    let _ = io::stdout().write_all(format!("{line}\n").as_bytes());
}

/// Does the work in a directory. Errors of single steps are said, not returned: the next step follows, as the next
/// request would.
///
/// # Errors
/// The store does not open.
pub async fn work(root: &Path, plan: Work) -> Result<(), OpenError> {
    let now = if plan.june_is_over { june_is_gone() } else { june_is_live() };
    let open = Arc::new(Site::at(root).open(now).await?);
    say("O");
    let mut clients = JoinSet::new();
    for client in 0..plan.clients {
        let open = Arc::clone(&open);
        clients.spawn(async move { be_client(&open, plan, client).await });
    }
    while clients.join_next().await.is_some() {}
    if let Ok(open) = Arc::try_unwrap(open) {
        open.close().await;
    }
    say("C");
    Ok(())
}

async fn be_client(open: &OpenStore, plan: Work, client: usize) {
    for step in 0..plan.before {
        let month = ["06", "07"][step % 2];
        let month = if plan.june_is_over { "08" } else { month };
        take_step(open, &format!("{month}-{}-{client}-{step}", plan.round), step).await;
    }
    if plan.purge && client == 0 {
        say("P");
        open.clock.set(june_is_gone());
        match open.store.purge(june_is_gone()).await {
            Ok(_) => say("p"),
            Err(error) => say(&format!("E purge: {error}")),
        }
    }
    for step in plan.before..plan.before + plan.after {
        let month = ["07", "08"][step % 2];
        take_step(open, &format!("{month}-{}-{client}-{step}", plan.round), step).await;
    }
}

/// Takes the number of a check's person in and registers it; returns the results changed.
async fn register(store: &Store, check: &str) -> Result<Vec<ResultId>, StoreError> {
    let person = result_of(check).confirmation.eligibilities.first().and_then(InsuranceIdentifiers::of);
    let person = person.expect("everybody here has identifiers");
    let inquiry = Inquiry { person, number: number_of(check), result: None };
    let taken = store.take_in(&inquiry, &entry("receipt", QUEUED), None).await?;
    let (job, _) = taken.expect("nobody has the number");
    Ok(store.end(&[(job, InquiryEnd::Registered)]).await?.concat())
}

async fn take_step(open: &OpenStore, check: &str, step: usize) {
    let store = &open.store;
    let result = result_of(check);
    let id = match store.insert(&result, &entry("receipt", INSERTED)).await {
        Ok(id) => id,
        Err(error) => return say(&format!("E insert: {error}")),
    };
    say(&format!("I {check} {}", id.0));
    if step.is_multiple_of(3) {
        match store.insert(&result, &entry("receipt", INSERTED)).await {
            Ok(again) => say(&format!("I {check} {}", again.0)),
            Err(error) => say(&format!("E insert again: {error}")),
        }
    }
    if step % 4 == 1 && !check.starts_with("06") {
        match register(store, check).await {
            Ok(changed) if changed == [id] => say(&format!("N {check}")),
            Ok(changed) => say(&format!("X {check}: the number went to {changed:?}")),
            Err(error) => say(&format!("E number: {error}")),
        }
    }
    if step.is_multiple_of(2) {
        match store.append(&entry(check, NOTED)).await {
            Ok(()) => say(&format!("L {check}")),
            Err(error) => say(&format!("E append: {error}")),
        }
    }
}
