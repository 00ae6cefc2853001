//! How soon a stored result lies in `face/`, and what watching costs while nothing happens.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemon::app::access::Authority;
use daemon::app::folders::{FolderAcceptance, FolderBoard, FolderExchange, FolderParts};
use daemon::app::idempotency::Idempotency;
use daemon::app::inquiries::{Inquiries, InquiriesParts};
use daemon::app::ports::{FolderName, ResultStore as _};
use daemon::app::retention::{Retention, RetentionParts};
use daemon::app::tasks::Tasks;
use daemon::domain::folder_file::face_name;
use daemon::domain::identifiers::InstitutionCode;
use daemon::folders::{Folder, start};
use daemon::formats::Charset;
use daemon::service::{FaceXml, JsonForm};
use daemon::store::{Room, Store, StoreConfig};
use tempfile::TempDir;

use super::Place;
use crate::ambient::{HeldClock, HeldKernel, SeededRandom};
use crate::clinic::NOON;
use crate::durability::work::{entry, result_of};
use crate::outage::VirtualLink;
use crate::process::{Running, Site};

/// Results that are stored at the same time, as by a collection.
const AT_ONCE: usize = 10;
/// Longer than anything that works takes.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long results took from their commit to their name in `face/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Results.
    pub results: usize,
    /// 99 of a hundred were there after this.
    pub p99: Duration,
    /// The slowest one.
    pub max: Duration,
}

/// Stores results, ten at a time one after the other, and looks when their files have their names.
#[expect(clippy::disallowed_methods, reason = "measures")]
pub async fn face_lag(results: usize) -> Lag {
    let directory = TempDir::new().expect("a directory");
    let place = Place::make(directory.path());
    let tasks = Tasks::default();
    let store = open(directory.path(), &tasks).await;
    let board = serve(&store, &place, &tasks).await;
    // Results from here on are new ones.
    while !board.health().is_some_and(|health| health.known) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let face = place.path("face");
    let (mut stored, mut seen) = (HashMap::new(), BTreeMap::new());
    for first in (0..results).step_by(AT_ONCE) {
        let checks: Vec<_> = (first..results.min(first + AT_ONCE)).map(|n| format!("07-{n}")).collect();
        let inserts = checks.iter().map(|check| {
            let (store, result) = (store.clone(), result_of(check));
            async move {
                let name_at = result.confirmation.processed_at;
                let id = store.insert(&result, &entry("figures", "check.done")).await.expect("stored");
                (face_name(id, name_at), Instant::now())
            }
        });
        stored.extend(futures_util::future::join_all(inserts).await);
        look(&face, &mut seen);
    }
    let begun = Instant::now();
    while seen.len() < results && begun.elapsed() < PATIENCE {
        look(&face, &mut seen);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    store.close().await;
    tasks.finish().await;
    let missing = PATIENCE;
    let mut lags: Vec<Duration> = stored
        .iter()
        .map(|(name, at)| {
            seen.get(name).map_or(missing, |seen: &Instant| seen.saturating_duration_since(*at))
        })
        .collect();
    lags.sort_unstable();
    let at = |share: usize| lags.get(lags.len() * share / 100).or(lags.last()).copied().unwrap_or(missing);
    Lag { results, p99: at(99), max: lags.last().copied().unwrap_or(missing) }
}

#[expect(clippy::disallowed_methods, reason = "measures")]
fn look(face: &Path, seen: &mut BTreeMap<String, Instant>) {
    let now = Instant::now();
    for entry in fs::read_dir(face).expect("the folder").flatten() {
        // A temporary name is none yet.
        if let Some(name) = entry.file_name().into_string().ok().filter(|name| !name.starts_with('.')) {
            seen.entry(name).or_insert(now);
        }
    }
}

async fn open(directory: &Path, tasks: &Tasks) -> Arc<Store> {
    let config = StoreConfig {
        data_dir: directory.join("data"),
        keyring: directory.join("data").join("keyring"),
        master_key: directory.join("key").join("master.key").into(),
        room: Room { ballast: 0, low_water: 0 },
        readers: 4,
        anchor: None,
    };
    let clock = Arc::new(HeldClock::at(NOON.parse().expect("an instant")));
    let random = Arc::new(SeededRandom::new(5));
    let store = Store::open(&config, clock, random, Arc::new(JsonForm), tasks).await;
    Arc::new(store.expect("the store opens"))
}

/// The adapter with everything that it needs, and nothing else of the daemon.
async fn serve(store: &Arc<Store>, place: &Place, tasks: &Tasks) -> FolderBoard {
    let clock = Arc::new(HeldClock::at(NOON.parse().expect("an instant")));
    let random = Arc::new(SeededRandom::new(6));
    let inquiries = Inquiries::open(InquiriesParts {
        queue: store.clone(),
        idempotency: Idempotency::new(store.clone()),
        link: Arc::new(VirtualLink::back_at(jiff::Timestamp::MIN, clock.clone())),
        clock: clock.clone(),
        random,
        tasks: tasks.clone(),
    });
    let root = place.root().display().to_string();
    let folders = vec![("figures".to_owned(), root.clone())];
    let acceptance = FolderAcceptance::open(store.clone(), folders).await.expect("the store answers");
    acceptance.accept(&Authority::machine()).await.expect("a folder is configured");
    let board = FolderBoard::default();
    let exchange = FolderExchange::open(FolderParts {
        ledger: store.clone(),
        results: store.clone(),
        audit: store.clone(),
        inquiries: inquiries.await.expect("the queue opens"),
        acceptance: Arc::new(acceptance),
        retention: Arc::new(Retention::new(RetentionParts {
            store: store.clone(),
            room: store.clone(),
            clock: clock.clone(),
            kernel: Arc::new(HeldKernel::default()),
            witness: None,
        })),
        board: board.clone(),
        clock,
    });
    let exchange = Arc::new(exchange.await.expect("the store answers"));
    let institution = InstitutionCode::parse("1312345678").expect("ten digits");
    let charset = Charset::Cp932;
    let folder = Folder {
        name: FolderName("figures".to_owned()),
        root: place.root().to_owned(),
        root_text: root,
        charset,
        institution: institution.clone(),
        faces: true,
        inquiry_numbers: true,
        every: Duration::from_secs(5),
        form: Arc::new(FaceXml { institution, charset }),
    };
    start(folder, &exchange, tasks);
    board
}

/// What watching a folder costs the shipped program while nothing happens, in percent of one processor: with a folder that has
/// a thousand files in it, less the same without a folder. Each is the middle of five spans, so that what is done once an
/// hour does not count as what is done always.
pub async fn idle_cpu_percent(over: Duration) -> f64 {
    let with = idle(true, over).await;
    let without = idle(false, over).await;
    let more = with.saturating_sub(without);
    100.0 * more.as_secs_f64() / over.as_secs_f64()
}

async fn idle(with_folder: bool, over: Duration) -> Duration {
    let Site { installation, upstream, directory } = Site::open("warn").await;
    if with_folder {
        let place = Place::make(directory.path());
        for number in 0..1_000 {
            let name = format!("OQSsiquc01res_face_{number}_20260708120000.xml");
            fs::write(place.path("face").join(name), "x").expect("a file");
        }
        installation.configure("[[folders]]\nname = \"receipt\"\nroot = \"oqs\"");
        let accepted = installation.command(&["folders", "accept"]).output().expect("shikakud starts");
        assert!(accepted.status.success(), "the administrator accepts");
    }
    let mut running = installation.run();
    running.wait_ready();
    // What belongs to the start is over.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let mut spans = Vec::new();
    for _ in 0..5 {
        let before = used(&running);
        tokio::time::sleep(over).await;
        spans.push(used(&running).saturating_sub(before));
    }
    drop(running);
    upstream.stop().await;
    spans.sort_unstable();
    spans.get(2).copied().unwrap_or_default()
}

/// Time on a processor of all threads so far.
fn used(running: &Running) -> Duration {
    let tasks = fs::read_dir(running.proc_directory().join("task")).expect("its threads").flatten();
    let of = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(tasks.filter_map(of).sum())
}
