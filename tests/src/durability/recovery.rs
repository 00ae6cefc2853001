//! What happens when files are damaged, and how long the way back takes: corruption at random, restore, breach drill.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemon::app::audit::ReviewAudit;
use daemon::app::ports::{
    AuditEntry, AuditLog as _, AuditRange, AuditTrail as _, Backups as _, ResultQuery, ResultStore as _,
};
use daemon::domain::check::ResultId;
use daemon::domain::personal::Secret;
use daemon::store::{RecoveryKey, ToRestore, restore};
use daemon::system::OsRandom;

use super::site::{OpenStore, Site, scratch};
use super::work::{entry, june_is_live, result_of};
use crate::dice::Dice;

/// Stored results of the store that is damaged.
const RESULTS: i64 = 60;

/// What came of the damage.
#[derive(Debug, Default)]
pub struct Damage {
    /// How often files were damaged.
    pub cases: u64,
    /// How often the store refused to open.
    pub refused: u64,
    /// How often it opened and a read failed.
    pub read_errors: u64,
    /// Results that came back as something else than what was stored: there must be none.
    pub wrong_rows: u64,
    /// Each wrong one, with its case.
    pub findings: Vec<String>,
}

/// Damages the files of a store, each time in one way: bits, a piece, the end, the write-ahead log of another store.
pub async fn damage(seed: u64, cases: u64) -> Damage {
    let (closed, open_files, foreign) = (scratch(), scratch(), scratch());
    let site = Site::at(closed.path());
    fill(&site, RESULTS, "07").await.close().await;
    // The same with rows that are still in the write-ahead log, as a crash leaves them.
    let running = Site::at(foreign.path());
    let open = fill(&running, RESULTS, "07").await;
    copy(foreign.path(), open_files.path());
    open.close().await;
    let other = scratch();
    let open = fill(&Site::at(other.path()), 3, "08").await;
    let wal = fs::read(other.path().join("data/shikaku.db-wal")).expect("a log");
    open.close().await;

    let mut report = Damage::default();
    for case in seed..seed + cases {
        let mut dice = Dice::new(case);
        let victim = scratch();
        copy(if dice.percent(50) { closed.path() } else { open_files.path() }, victim.path());
        let what = hurt(victim.path(), &wal, &mut dice);
        judge(&Site::at(victim.path()), &mut report, &format!("case {case}: {what}")).await;
        report.cases += 1;
    }
    report
}

async fn fill(site: &Site, results: i64, month: &str) -> OpenStore {
    let open = site.open(june_is_live()).await.expect("the store opens");
    for number in 1..=results {
        let id = open.store.insert(&result_of(&check(month, number)), &entry("damage", "check.end")).await;
        assert_eq!(id, Ok(ResultId(number)));
    }
    open
}

fn check(month: &str, number: i64) -> String {
    format!("{month}-{number}")
}

/// Copies a directory with everything below it.
pub(super) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            fs::create_dir_all(&target).expect("a directory");
            let mode = fs::metadata(&path).expect("a directory").permissions();
            fs::set_permissions(&target, mode).expect("its mode");
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file");
        }
    }
}

fn hurt(root: &Path, foreign_wal: &[u8], dice: &mut Dice) -> String {
    let files = [
        "data/shikaku.db",
        "data/shikaku.db",
        "data/shikaku.db-wal",
        "data/shikaku.db-shm",
        "data/audit.anchor",
    ];
    let name = dice.pick(&files);
    let path = root.join(name);
    let Ok(mut content) = fs::read(&path) else {
        return swap(root, foreign_wal);
    };
    if content.is_empty() {
        return swap(root, foreign_wal);
    }
    let at = dice.below(content.len());
    let what = match dice.below(5) {
        0 | 1 => {
            content[at] ^= 1 << dice.below(8);
            "a bit"
        }
        2 => {
            let end = (at + 1 + dice.below(4096)).min(content.len());
            content[at..end].fill(if dice.percent(50) { 0 } else { 0xff });
            "a piece"
        }
        3 => {
            content.truncate(at);
            "the end"
        }
        _ => return swap(root, foreign_wal),
    };
    fs::write(&path, content).expect("written");
    format!("{what} of {name} at {at}")
}

fn swap(root: &Path, foreign_wal: &[u8]) -> String {
    let path = root.join("data/shikaku.db-wal");
    fs::write(&path, foreign_wal).expect("written");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("private");
    "another store's write-ahead log".to_owned()
}

async fn judge(site: &Site, report: &mut Damage, what: &str) {
    let Ok(open) = site.open(june_is_live()).await else {
        report.refused += 1;
        return;
    };
    let page = open.store.page(&ResultQuery::default(), None, 200).await;
    let mut failed = page.is_err();
    let mut found = page.map_or(Vec::new(), |page| page.rows);
    for number in 1..=RESULTS {
        match open.store.get(ResultId(number)).await {
            Ok(one) => found.extend(one),
            Err(_) => failed = true,
        }
    }
    for one in found {
        if one.content != result_of(&check("07", one.id.0)) {
            report.wrong_rows += 1;
            report.findings.push(format!("{what}: result {}", one.id.0));
        }
    }
    report.read_errors += u64::from(failed);
    open.close().await;
}

/// How long things take.
#[derive(Debug)]
pub struct Timed {
    /// The list of affected persons.
    pub affected: Duration,
    /// The whole audit log and its anchor.
    pub verify: Duration,
    /// A backup, read back.
    pub backup: Duration,
    /// From a damaged database: refusal, restore, open again.
    pub recovery: Duration,
    /// A commit of one audit row, the anchor included, milliseconds.
    pub commit_ms: f64,
    /// Writing and syncing the anchor alone, milliseconds.
    pub anchor_ms: f64,
}

/// Measures with so many audit rows, each of which answered ten results.
#[expect(clippy::disallowed_methods, reason = "measures real work")]
pub async fn time(rows: i64) -> Timed {
    let directory = tempfile::TempDir::new().expect("a directory on a disk");
    let site = Site::at(directory.path());
    let open = fill(&site, 2_000, "07").await;
    let once = Instant::now();
    for _ in 0..200 {
        open.store.append(&entry("speed", "result.count")).await.expect("appended");
    }
    let commit_ms = once.elapsed().as_secs_f64() * 5.0;
    let anchor_ms = sync_ms(&directory.path().join("anchor"));
    let mut jobs = tokio::task::JoinSet::new();
    for row in 0..rows {
        let results = (0..10).map(|more| ResultId(1 + (row * 7 + more * 13) % 2_500)).collect();
        let (store, entry) = (open.store.clone(), AuditEntry { results, ..entry("speed", "result.list") });
        jobs.spawn(async move { store.append(&entry).await.expect("appended") });
        if jobs.len() > 500 {
            jobs.join_next().await;
        }
    }
    while jobs.join_next().await.is_some() {}

    let review = ReviewAudit {
        trail: open.store.clone(),
        log: open.store.clone(),
        results: open.store.clone(),
        clock: open.clock.clone(),
    };
    let begun = Instant::now();
    let answered = review.answered(AuditRange::default(), &|_| {}).await.expect("readable");
    let mut numbers = std::collections::HashMap::new();
    let all: Vec<_> = answered.into_iter().collect();
    let mut listed = 0;
    for some in all.chunks(ReviewAudit::at_once()) {
        listed += review.name(some.to_vec(), &mut numbers).await.expect("named").len();
    }
    let affected = begun.elapsed();
    assert_eq!((listed, numbers.len()), (2_500, 2_000), "results that are gone are listed without a name");

    let begun = Instant::now();
    open.store.verify(&|_| {}).await.expect("an intact log");
    let verify = begun.elapsed();

    let key = RecoveryKey::generate(&OsRandom);
    let begun = Instant::now();
    let made = open
        .store
        .back_up(directory.path(), &Secret::new(key.to_string()), "sandbox", Arc::new(|_| ()))
        .await
        .expect("a backup");
    let backup = begun.elapsed();
    open.close().await;

    let config = site.config();
    let length = fs::metadata(config.database()).expect("a database").len();
    fs::File::options()
        .write(true)
        .open(config.database())
        .and_then(|file| file.set_len(length / 2))
        .expect("cut");
    let begun = Instant::now();
    assert!(site.open(june_is_live()).await.is_err(), "half a database does not open");
    let clock = crate::ambient::HeldClock::at(june_is_live());
    let random: Arc<dyn daemon::app::ports::Random> = Arc::new(OsRandom);
    let asked = ToRestore {
        archive: &made.file,
        recovery: &Secret::new(key.to_string()),
        mode: "sandbox",
        set_aside: false,
        hears: &|_| (),
    };
    let restored = restore(&config, asked, &clock, &random).await;
    assert_eq!(restored.expect("restored").results, 2_000);
    let open = site.open(june_is_live()).await.expect("it opens");
    assert!(open.store.get(ResultId(2_000)).await.expect("readable").is_some());
    let recovery = begun.elapsed();
    open.close().await;
    Timed { affected, verify, backup, recovery, commit_ms, anchor_ms }
}

/// What a write of a sector in place and its sync cost on this disk.
#[expect(clippy::disallowed_methods, reason = "measures real work")]
fn sync_ms(path: &Path) -> f64 {
    use std::os::unix::fs::FileExt as _;
    fs::write(path, [0; 1024]).expect("a file");
    let file = fs::File::options().write(true).open(path).expect("a file");
    file.sync_all().expect("synced");
    let begun = Instant::now();
    for turn in 0..200_u64 {
        file.write_all_at(&[7; 512], 512 * (turn % 2)).and_then(|()| file.sync_data()).expect("written");
    }
    begun.elapsed().as_secs_f64() * 5.0
}
