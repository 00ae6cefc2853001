//! Purge: what has expired is in no file any more, although readers were at it.

use std::path::Path;

use daemon::app::ports::{ResultQuery, ResultStore as _};
use daemon::store::Purged;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::task::JoinSet;

use super::block_on;
use super::site::{OpenStore, Site};
use super::work::{INSERTED, entry, june_is_gone, june_is_live, result_of};

/// What a purge left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Places where a canary stood in clear before.
    pub before: u64,
    /// Places where one stands afterwards, with readers still open.
    pub left: u64,
    /// Places where one stands after closing.
    pub left_after_closing: u64,
    /// What the purge said.
    pub purged: Purged,
    /// Results of the next month, which must all be left.
    pub kept: u64,
}

/// The check's name stands in clear, so it shows what deleting leaves behind.
const CANARY: &str = "CANARY-";
/// Results that must survive.
pub const KEPT: u64 = 100;

/// Stores so many canaries in a directory and lets them expire, with readers that page all the time, one whose read
/// transaction holds the checkpoint up, and one that stays open to the end.
pub fn run(directory: &Path, canaries: u64) -> Report {
    block_on(async {
        let site = Site::at(directory);
        let open = site.open(june_is_live()).await.expect("the store opens");
        insert(&open, "06", canaries).await;
        insert(&open, "07", KEPT).await;
        let before = found(&site);

        let mut holding = reader(&site).await;
        holding.execute("BEGIN; SELECT count(*) FROM results").await.expect("a read transaction");
        let idle = reader(&site).await;
        open.clock.set(june_is_gone());
        let mut paging = JoinSet::new();
        for _ in 0..4 {
            let store = open.store.clone();
            paging
                .spawn(async move { while store.page(&ResultQuery::default(), None, 100).await.is_ok() {} });
        }
        let (purged, ()) = tokio::join!(open.store.purge(june_is_gone()), release(&site, holding));
        let purged = purged.expect("a purge");
        let left = found(&site);
        paging.shutdown().await;
        let kept = open.store.count(&ResultQuery::default()).await.expect("a count");
        open.close().await;
        idle.close().await.expect("closed");
        Report { before, left, left_after_closing: found(&site), purged, kept }
    })
}

async fn insert(open: &OpenStore, month: &str, count: u64) {
    let mut running = JoinSet::new();
    for number in 0..count {
        let (store, check) = (open.store.clone(), format!("{month}-{CANARY}{number:06}"));
        running.spawn(async move { store.insert(&result_of(&check), &entry("receipt", INSERTED)).await });
        if running.len() >= 64 {
            running.join_next().await.expect("one runs").expect("no panic").expect("stored");
        }
    }
    for stored in running.join_all().await {
        stored.expect("stored");
    }
}

async fn reader(site: &Site) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(site.config().database()).read_only(true);
    options.connect().await.expect("the database")
}

/// Ends a read transaction once the rows are deleted: the checkpoint has to wait for it.
async fn release(site: &Site, mut holding: SqliteConnection) {
    let mut watching = reader(site).await;
    let left = "SELECT count(*) FROM results WHERE month = 202606";
    while sqlx::query_scalar::<_, i64>(left).fetch_one(&mut watching).await.expect("a count") > 0 {
        tokio::task::yield_now().await;
    }
    holding.execute("COMMIT").await.expect("the end of the transaction");
    holding.close().await.expect("closed");
    watching.close().await.expect("closed");
}

/// How often a canary of the month that ended stands in a file, as UTF-8 or UTF-16.
fn found(site: &Site) -> u64 {
    let text = format!("06-{CANARY}");
    let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let forms = [text.clone().into_bytes(), wide(u16::to_le_bytes), wide(u16::to_be_bytes)];
    let files = site.files();
    let count = |needle: &Vec<u8>| {
        let count = |content: &[u8]| content.windows(needle.len()).filter(|window| window == needle).count();
        files.iter().map(|(_, content)| count(content) as u64).sum::<u64>()
    };
    forms.iter().map(count).sum()
}
