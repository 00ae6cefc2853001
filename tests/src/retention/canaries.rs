//! Canaries on a full disk: nothing of what has expired is left in any file, while readers read and not a byte is free.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use daemon::app::ports::{Purged, ResultQuery, ResultStore as _, StoreError, StoreRoom as _};
use daemon::app::tasks::Tasks;
use daemon::domain::retention::expiry;
use daemon::store::{Room, Store};
use jiff::{SignedDuration, Timestamp};

use super::site::{Open, Site, store};

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an observation of its own")]
pub struct Canaries {
    /// Strings that lay in clear in the files before.
    pub before: usize,
    /// Strings found in any file after the purge.
    pub left: usize,
    /// Results that the purge deleted.
    pub deleted: u64,
    /// Results of the next month that are still served.
    pub kept: u64,
    /// Whether a write was refused before the purge: the disk was really full.
    pub refused: bool,
    /// Whether new checks were refused then.
    pub low: bool,
    /// Whether a result can be stored after the purge, without a restart and with the disk filled as before.
    pub resumed: bool,
    /// Whether new checks are begun again then.
    pub room: bool,
}

/// Each result's check stands in clear, as nothing of a person does: its canary.
const CANARY: &[u8] = b"canary-";
const MIB: u64 = 1 << 20;
const TOGETHER: u32 = 500;
const READERS: usize = 8;

/// Fills a small disk at `directory` (some 100 MiB) with `count` results that expire and with nothing, then purges.
pub async fn canaries_after_purge(directory: &Path, count: u32) -> Canaries {
    let june: Timestamp = "2026-06-10T03:00:00Z".parse().expect("an instant");
    let july = june + SignedDuration::from_hours(30 * 24);
    let room = Room { ballast: 8 * MIB, low_water: MIB };
    let mut site = Site::new(directory, june, room);
    let open = site.open().await;
    fill(&open.store, "canary", june, count).await;
    fill(&open.store, "kept", july, 20).await;
    let readers = Tasks::default();
    let reading = Arc::new(AtomicBool::new(true));
    for _ in 0..READERS {
        readers.start(keep_reading(open.store.clone(), reading.clone()));
    }
    let before = scan(directory);
    fill_disk(directory);
    let refused = exhaust(&open.store, july).await == StoreError::DiskFull;
    let low = open.store.has_room().is_err();

    let gone = expiry(june);
    site.clock.advance(gone.duration_since(site.now()));
    site.kernel.say(Some(true));
    let purged = purge(&open).await;
    let left = scan(directory);
    let kept = open.store.count(&ResultQuery::default()).await.expect("readable");
    let resumed = store(&open.store, "after", site.now()).await.is_ok();
    let has_room = open.store.has_room().is_ok();
    reading.store(false, Ordering::SeqCst);
    readers.finish().await;
    open.stop().await;
    Canaries { before, left, deleted: purged.results, kept, refused, low, resumed, room: has_room }
}

async fn purge(open: &Open) -> Purged {
    let run = open.retention.run_if_due().await.expect("a purge works on a full disk");
    run.purged.expect("something was due")
}

/// Stores results, many in one transaction.
async fn fill(target: &Arc<Store>, name: &str, at: Timestamp, count: u32) {
    for first in (0..count).step_by(TOGETHER as usize) {
        let one = |number: u32| {
            let target = target.clone();
            let check = format!("{name}-{number:05}");
            async move { store(&target, &check, at).await.expect("stored") }
        };
        futures_util::future::join_all((first..count.min(first + TOGETHER)).map(one)).await;
    }
}

/// Reads pages and single results without a pause.
async fn keep_reading(store: Arc<Store>, reading: Arc<AtomicBool>) {
    while reading.load(Ordering::SeqCst) {
        let page = store.page(&ResultQuery::default(), None, 200).await.expect("readable");
        for result in page.rows.iter().take(5) {
            // May have expired in between.
            drop(store.get(result.id).await.expect("readable"));
        }
        tokio::task::yield_now().await;
    }
}

/// Takes every byte that is free.
fn fill_disk(directory: &Path) {
    let mut filler = File::create(directory.join("filler")).expect("a file");
    let mut piece = vec![0x5A; 1 << 20];
    while !piece.is_empty() {
        if filler.write_all(&piece).is_err() {
            piece.truncate(piece.len() / 2);
        }
    }
}

/// Stores results until one is refused: blocks that files have already take a few more.
async fn exhaust(target: &Store, at: Timestamp) -> StoreError {
    let mut number = 0;
    loop {
        number += 1;
        if let Err(error) = store(target, &format!("last-{number}"), at).await {
            return error;
        }
    }
}

/// How many canaries lie in the files below a directory.
fn scan(directory: &Path) -> usize {
    let mut found = 0;
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found += scan(&path);
        } else if let Ok(content) = fs::read(&path) {
            found += content.windows(CANARY.len()).filter(|window| *window == CANARY).count();
        }
    }
    found
}
