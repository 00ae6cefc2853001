//! Judges a store after a fault: everything that was acknowledged is there, once, and whole; nothing is half done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use daemon::app::ports::{ResultQuery, ResultStore as _, Source, StoredResult};
use daemon::store::Store;
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::site::Site;
use super::work::{INSERTED, NOTED, entry, june_is_live, number_of, result_of};

/// What the writing process has acknowledged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acks {
    /// Checks and the numbers their results were given.
    pub inserted: BTreeMap<String, i64>,
    /// Checks whose results have their inquiry number.
    pub numbered: BTreeSet<String>,
    /// Actors of audit rows.
    pub noted: BTreeSet<String>,
    /// A purge of June has begun: its results may be gone.
    pub purge_begun: bool,
    /// It has ended: they must be gone.
    pub purged: bool,
    /// What contradicts itself already.
    pub contradictions: Vec<String>,
    /// Steps that ended in an error.
    pub errors: u64,
}

impl Acks {
    /// Takes in what a process said; a last line without an end was not said.
    pub fn hear(&mut self, said: &str) {
        for line in said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
            match kind {
                "I" => self.hear_insert(rest),
                "N" => drop(self.numbered.insert(rest.to_owned())),
                "L" => drop(self.noted.insert(rest.to_owned())),
                "P" => self.purge_begun = true,
                "p" => self.purged = true,
                "E" => self.errors += 1,
                "O" | "C" => {}
                _ => self.contradictions.push(line.to_owned()),
            }
        }
    }

    fn hear_insert(&mut self, rest: &str) {
        let Some((check, Ok(id))) = rest.split_once(' ').map(|(check, id)| (check, id.parse())) else {
            return self.contradictions.push(rest.to_owned());
        };
        if let Some(before) = self.inserted.insert(check.to_owned(), id)
            && before != id
        {
            self.contradictions.push(format!("{check} was stored as {before} and as {id}"));
        }
    }

    /// How many things were acknowledged.
    pub fn count(&self) -> u64 {
        (self.inserted.len() + self.numbered.len() + self.noted.len()) as u64
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged and not there, or not as acknowledged.
    pub lost: u64,
    /// There twice.
    pub doubled: u64,
    /// Each broken promise in words; empty if all is well.
    pub findings: Vec<String>,
    /// How long opening took.
    pub reopening: Duration,
    /// Results that are there.
    pub results: u64,
}

impl Verdict {
    fn lose(&mut self, what: &str) {
        self.lost += 1;
        self.findings.push(format!("lost: {what}"));
    }

    fn double(&mut self, what: &str) {
        self.doubled += 1;
        self.findings.push(format!("doubled: {what}"));
    }
}

/// Opens the store as the daemon would and compares; leaves one more result behind, as proof that it still works.
#[expect(clippy::disallowed_methods, reason = "measures how long opening takes")]
pub async fn judge(site: &Site, acks: &Acks) -> Verdict {
    let mut verdict = Verdict { findings: acks.contradictions.clone(), ..Verdict::default() };
    let begun = Instant::now();
    let open = match site.open(june_is_live()).await {
        Ok(open) => open,
        Err(error) => {
            verdict.lost = acks.count();
            verdict.findings.push(format!("the store does not open: {error}"));
            return verdict;
        }
    };
    verdict.reopening = begun.elapsed();
    if let Err(error) = open.store.verify_chain().await {
        verdict.findings.push(format!("the audit chain: {error}"));
    }
    let stored = match everything(&open.store).await {
        Ok(stored) => stored,
        Err(error) => {
            verdict.findings.push(format!("results cannot be read: {error}"));
            Vec::new()
        }
    };
    compare_results(&mut verdict, &stored, acks);
    let probe = format!("07-probe-{}", stored.len());
    if let Err(error) = open.store.insert(&result_of(&probe), &entry("receipt", INSERTED)).await {
        verdict.findings.push(format!("nothing can be stored any more: {error}"));
    }
    open.close().await;
    if let Err(error) = compare_file(site, &mut verdict, &stored, acks).await {
        verdict.findings.push(format!("the database cannot be read: {error}"));
    }
    verdict
}

async fn everything(store: &Store) -> Result<Vec<StoredResult>, String> {
    let mut all: Vec<StoredResult> = Vec::new();
    loop {
        let after = all.last().map(StoredResult::place);
        let page = store.page(&ResultQuery::default(), after, 1_000).await;
        let mut page = page.map_err(|error| error.to_string())?.rows;
        if page.is_empty() {
            return Ok(all);
        }
        all.append(&mut page);
    }
}

fn compare_results(verdict: &mut Verdict, stored: &[StoredResult], acks: &Acks) {
    let mut by_check: BTreeMap<&str, &StoredResult> = BTreeMap::new();
    for result in stored {
        let Source::Own { check_id: check, .. } = &result.content.source else {
            verdict.findings.push("a result from nowhere".to_owned());
            continue;
        };
        if by_check.insert(check, result).is_some() {
            verdict.double(&format!("the result of check {check}"));
        }
        if result.content != result_of(check) {
            verdict.lose(&format!("check {check} holds what is not its own"));
        }
        if acks.purged && check.starts_with("06") {
            verdict.findings.push(format!("check {check} is served after its purge"));
        }
        let number = result.inquiry_number.as_ref();
        if number.is_some_and(|number| *number != number_of(check)) {
            verdict.lose(&format!("check {check} has another's inquiry number"));
        }
    }
    for (check, id) in &acks.inserted {
        if acks.purge_begun && check.starts_with("06") {
            continue;
        }
        match by_check.get(check.as_str()) {
            None => verdict.lose(&format!("the result of check {check}")),
            Some(found) if found.id.0 != *id => verdict.lose(&format!("check {check} under its number {id}")),
            Some(found) if acks.numbered.contains(check) && found.inquiry_number.is_none() => {
                verdict.lose(&format!("the inquiry number of check {check}"));
            }
            Some(_) => {}
        }
    }
    verdict.results = stored.len() as u64;
}

/// What only the file shows: SQLite's own check, and one audit row for each thing done.
async fn compare_file(
    site: &Site,
    verdict: &mut Verdict,
    stored: &[StoredResult],
    acks: &Acks,
) -> Result<(), sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(site.config().database()).read_only(true);
    let mut db = options.connect().await?;
    let check: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut db).await?;
    if check != "ok" {
        verdict.findings.push(format!("integrity_check: {check}"));
    }
    let inserts =
        counted(&mut db, "SELECT hex(results), count(*) FROM audit WHERE action = ?1 GROUP BY 1", INSERTED);
    let inserts = inserts.await?;
    for result in stored {
        let packed = format!("{:016X}", result.id.0);
        match inserts.get(&packed).copied().unwrap_or(0) {
            1 => {}
            0 => verdict.lose(&format!("the audit row of result {}", result.id.0)),
            rows => verdict.double(&format!("{rows} audit rows of result {}", result.id.0)),
        }
    }
    let notes =
        counted(&mut db, "SELECT actor, count(*) FROM audit WHERE action = ?1 GROUP BY 1", NOTED).await?;
    for actor in &acks.noted {
        if !notes.contains_key(actor) {
            verdict.lose(&format!("the audit row of {actor}"));
        }
    }
    for (actor, _) in notes.iter().filter(|(_, rows)| **rows > 1) {
        verdict.double(&format!("the audit row of {actor}"));
    }
    // June's results may be purged; of every other insert the result must be there.
    let rows: usize = inserts.values().map(|rows| usize::try_from(*rows).unwrap_or(0)).sum();
    if !acks.purge_begun && rows != stored.len() + 1 {
        verdict.findings.push(format!("{rows} audit rows of inserts for {} results", stored.len() + 1));
    }
    db.close().await
}

async fn counted(
    db: &mut SqliteConnection,
    sql: &'static str,
    action: &'static str,
) -> Result<BTreeMap<String, i64>, sqlx::Error> {
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).bind(action).fetch_all(db).await?;
    Ok(rows.into_iter().collect())
}
