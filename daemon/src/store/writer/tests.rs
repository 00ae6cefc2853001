//! The writer alone, on a database in memory, or in a file where a second connection writes as well.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::super::database::MIGRATIONS;
use super::super::direct::DirectTx;
use super::*;
use crate::app::ports::{AnchorFinding, Clock, StoredResult};

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(1_800_000_000_000_000).unwrap()
    }
}

impl Random for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

impl ResultForm for Fixed {
    fn number(&self) -> u32 {
        1
    }

    fn render(&self, _: &StoredResult) -> Result<Vec<u8>, StoreError> {
        Ok(Vec::new())
    }
}

async fn context() -> Tx {
    context_of(SqliteConnectOptions::new().in_memory(true)).await
}

async fn context_of(database: SqliteConnectOptions) -> Tx {
    let mut db = database.connect().await.unwrap();
    MIGRATIONS.run(&mut db).await.unwrap();
    let keyring = Arc::new(Keyring::in_memory(Arc::new(Fixed)).unwrap());
    let clock = Arc::new(StoreClock::new(Arc::new(Fixed), 0, 0));
    let news = Arc::new(News::new(7, 0, Arc::clone(&clock)));
    let (random, form) = (Arc::new(Fixed), Arc::new(Fixed));
    let ledger = Ledger::in_memory(None);
    let (numbers, commits) = (Numbers::default(), Arc::new(Commits::default()));
    Tx { db, keyring, random, clock, form, news, now_us: 0, numbers, ledger, commits }
}

type Answer = oneshot::Receiver<Result<(), StoreError>>;

/// A job that saves a session whose account name has this length, and then succeeds or not.
fn save(token: u8, length: usize, then: Result<(), StoreError>) -> (Box<dyn Job>, Answer) {
    job(move |tx| {
        Box::pin(async move {
            sqlx::query(
                "INSERT INTO sessions (token_hash, id, account, role, restricted, created_at_us, last_used_at_us) \
                 VALUES (?1, hex(?1), ?2, 'operator', 0, 0, 0)",
            )
            .bind(vec![token; 32])
            .bind("x".repeat(length))
            .execute(&mut tx.db)
            .await
            .map_err(|e| failed(&e))?;
            then
        })
    })
}

async fn commit(tx: &mut Tx, jobs: Vec<Box<dyn Job>>) {
    let mut unused = Direct::new(Path::new("nowhere"));
    Batch { jobs, ..Batch::default() }.commit(tx, &mut unused).await;
}

async fn saved(tx: &mut Tx) -> Vec<u8> {
    let tokens: Vec<Vec<u8>> = sqlx::query_scalar("SELECT token_hash FROM sessions ORDER BY token_hash")
        .fetch_all(&mut tx.db)
        .await
        .unwrap();
    tokens.into_iter().map(|token| token[0]).collect()
}

#[tokio::test]
async fn a_job_that_fails_takes_nothing_of_the_others_with_it() {
    let mut tx = context().await;
    let own = StoreError::Failed("its own reason".to_owned());
    let (one, first) = save(1, 10, Ok(()));
    let (two, second) = save(2, 10, Err(own.clone()));
    let (three, third) = save(3, 10, Ok(()));
    commit(&mut tx, vec![one, two, three]).await;
    assert_eq!(first.await, Ok(Ok(())));
    assert_eq!(second.await, Ok(Err(own.clone())));
    assert_eq!(third.await, Ok(Ok(())));
    assert_eq!(saved(&mut tx).await, [1, 3]);

    let (alone, answer) = save(4, 10, Err(own.clone()));
    commit(&mut tx, vec![alone]).await;
    assert_eq!(answer.await, Ok(Err(own)));
    assert_eq!(saved(&mut tx).await, [1, 3]);
}

#[tokio::test]
async fn on_a_full_disk_nobody_hears_of_a_success_that_is_not_there() {
    let mut tx = context().await;
    tx.db.execute("PRAGMA max_page_count = 40").await.unwrap();
    let (large, refused) = save(1, 1_000_000, Ok(()));
    commit(&mut tx, vec![large]).await;
    assert_eq!(refused.await, Ok(Err(StoreError::DiskFull)));
    assert_eq!(saved(&mut tx).await, Vec::<u8>::new());

    let (before, first) = save(2, 10, Ok(()));
    let (large, refused) = save(1, 1_000_000, Ok(()));
    let (after, last) = save(3, 10, Ok(()));
    commit(&mut tx, vec![before, large, after]).await;
    assert_eq!(refused.await, Ok(Err(StoreError::DiskFull)));
    let kept = saved(&mut tx).await;
    for (token, answer) in [(2, first), (3, last)] {
        assert_eq!(answer.await == Ok(Ok(())), kept.contains(&token), "{token}");
    }

    let (small, stored) = save(9, 10, Ok(()));
    commit(&mut tx, vec![small]).await;
    assert_eq!(stored.await, Ok(Ok(())), "the writer goes on");
    assert!(saved(&mut tx).await.contains(&9));
}

/// A job that appends an audit row.
fn note() -> (Box<dyn Job>, Answer) {
    job(|tx| {
        Box::pin(async move {
            let entry = audit::finding_entry(AnchorFinding::Begun);
            audit::append(tx, &entry, &[]).await
        })
    })
}

async fn rows(tx: &mut Tx) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit").fetch_one(&mut tx.db).await.unwrap()
}

/// A directory with an anchor file, which is there until this is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("shikaku-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("anchor"), [0; 1024]).unwrap();
        Self(path)
    }

    /// The anchor as it is when its disk takes nothing more.
    fn broken(&self, tx: &Tx) -> audit::Anchor {
        audit::Anchor::in_file(File::open(self.0.join("anchor")).unwrap(), tx.keyring.system())
    }

    fn repair(&self, tx: &mut Tx) {
        let file = File::options().write(true).open(self.0.join("anchor")).unwrap();
        tx.ledger.anchor().unwrap().repair(file);
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[tokio::test]
async fn while_the_anchor_cannot_be_written_nobody_hears_of_a_success_and_at_most_one_commit_is_ahead() {
    let directory = Directory::new("anchor");
    let mut tx = context().await;
    tx.ledger = Ledger::in_memory(Some(directory.broken(&tx)));
    for _ in 0..3 {
        let (job, answer) = note();
        commit(&mut tx, vec![job]).await;
        assert!(matches!(answer.await, Ok(Err(StoreError::Failed(_)))));
        assert_eq!(rows(&mut tx).await, 1, "the first commit is not known outside; no second one follows");
    }
    directory.repair(&mut tx);
    let (job, answer) = note();
    commit(&mut tx, vec![job]).await;
    assert_eq!(answer.await, Ok(Ok(())), "the writer goes on");
}

/// Reads that ask for their audit rows at the same time, and what else shares their commit; what each of them hears.
async fn read_out(
    tx: &mut Tx,
    direct: &mut Direct,
    jobs: Vec<Box<dyn Job>>,
    readers: usize,
) -> Vec<Result<(), StoreError>> {
    let (waiting, answers): (Vec<_>, Vec<_>) = (0..readers)
        .map(|_| {
            let (reply, answer) = oneshot::channel();
            (Note { entry: audit::finding_entry(AnchorFinding::Begun), reply }, answer)
        })
        .unzip();
    Batch { jobs, notes: waiting, ..Batch::default() }.commit(tx, direct).await;
    direct.settle(tx).await.ok();
    let mut heard = Vec::new();
    for answer in answers {
        heard.push(answer.await.unwrap());
    }
    heard
}

#[tokio::test]
async fn while_the_anchor_cannot_be_written_no_read_is_answered_by_the_connection_of_its_own() {
    let directory = Directory::new("notes");
    let database = directory.0.join("store.db");
    let mut tx = context_of(SqliteConnectOptions::new().filename(&database).create_if_missing(true)).await;
    let mut direct = Direct::new(&database);
    tx.ledger = Ledger::in_memory(Some(directory.broken(&tx)));
    for _ in 0..3 {
        for heard in read_out(&mut tx, &mut direct, Vec::new(), 2).await {
            assert!(matches!(heard, Err(StoreError::Failed(_))), "{heard:?}");
        }
        assert_eq!(rows(&mut tx).await, 2, "the first commit is not known outside; no second one follows");
    }
    let (job, answer) = note();
    commit(&mut tx, vec![job]).await;
    assert!(matches!(answer.await, Ok(Err(StoreError::Failed(_)))), "the other connection waits as well");
    assert_eq!(rows(&mut tx).await, 2);

    directory.repair(&mut tx);
    assert_eq!(read_out(&mut tx, &mut direct, Vec::new(), 1).await, [Ok(())]);
    let (job, answer) = note();
    commit(&mut tx, vec![job]).await;
    assert_eq!(answer.await, Ok(Ok(())));
    assert_eq!(rows(&mut tx).await, 4, "both go on");
}

#[tokio::test]
async fn rows_of_reads_that_share_a_commit_stand_though_the_job_beside_them_fails() {
    let mut tx = context().await;
    let mut unused = Direct::new(Path::new("nowhere"));
    let own = StoreError::Failed("its own reason".to_owned());
    let (failing, answer) = save(1, 10, Err(own.clone()));
    assert_eq!(read_out(&mut tx, &mut unused, vec![failing], 3).await, [Ok(()), Ok(()), Ok(())]);
    assert_eq!(answer.await, Ok(Err(own)));
    assert_eq!((rows(&mut tx).await, saved(&mut tx).await), (3, vec![]));

    // On a full disk SQLite may undo all of it; then the read is not answered either.
    tx.db.execute("PRAGMA max_page_count = 1").await.unwrap();
    let (large, refused) = save(2, 1_000_000, Ok(()));
    let heard = read_out(&mut tx, &mut unused, vec![large], 1).await;
    assert_eq!(refused.await, Ok(Err(StoreError::DiskFull)));
    assert_eq!(rows(&mut tx).await, if heard == [Ok(())] { 4 } else { 3 }, "{heard:?}");
}

#[tokio::test]
async fn each_commit_moves_the_persisted_high_water_mark_and_never_back() {
    let mut tx = context().await;
    let mark = "SELECT high_water_us FROM clock";
    let (job, _answer) = save(1, 10, Ok(()));
    commit(&mut tx, vec![job]).await;
    let now: i64 = sqlx::query_scalar(mark).fetch_one(&mut tx.db).await.unwrap();
    assert_eq!(now, Fixed.now().as_microsecond());
    tx.clock.settle(now + 5);
    let (job, _answer) = save(2, 10, Ok(()));
    commit(&mut tx, vec![job]).await;
    let raised: i64 = sqlx::query_scalar(mark).fetch_one(&mut tx.db).await.unwrap();
    assert_eq!(raised, now + 5);
}

/// A job that takes so many numbers of changes, inserts a bulk under the number it is given, and then succeeds or not.
fn numbered(changes: usize, then: Result<(), StoreError>) -> (Box<dyn Job>, oneshot::Receiver<Taken>) {
    job(move |tx| {
        Box::pin(async move {
            let mut taken = Vec::new();
            for _ in 0..changes {
                taken.push(tx.next_change().await?);
            }
            let id = tx.next_id("inquiry_bulks").await?;
            sqlx::query(
                "INSERT INTO inquiry_bulks (id, items, taken_at_us, expires_at_us) VALUES (?1, 1, 0, 1)",
            )
            .bind(id)
            .execute(&mut tx.db)
            .await
            .map_err(|e| failed(&e))?;
            then.map(|()| (id, taken))
        })
    })
}

type Taken = Result<(i64, Vec<i64>), StoreError>;

#[tokio::test]
async fn numbers_of_jobs_that_share_a_commit_follow_each_other_and_what_is_undone_is_given_again() {
    let mut tx = context().await;
    let own = StoreError::Failed("its own reason".to_owned());
    let stand = async |tx: &mut Tx| {
        let sql = "SELECT (SELECT change FROM results_sequence), (SELECT max(id) FROM inquiry_bulks)";
        sqlx::query_as::<_, (i64, i64)>(sql).fetch_one(&mut tx.db).await.unwrap()
    };
    let (one, undone_first) = numbered(2, Err(own.clone()));
    let (two, kept) = numbered(2, Ok(()));
    let (three, undone) = numbered(3, Err(own.clone()));
    let (four, after) = numbered(1, Ok(()));
    commit(&mut tx, vec![one, two, three, four]).await;
    assert_eq!(undone_first.await, Ok(Err(own.clone())));
    assert_eq!(kept.await, Ok(Ok((1, vec![1, 2]))));
    assert_eq!(undone.await, Ok(Err(own)));
    assert_eq!(after.await, Ok(Ok((2, vec![3]))));
    assert_eq!(stand(&mut tx).await, (3, 2));

    let (next, answer) = numbered(1, Ok(()));
    commit(&mut tx, vec![next]).await;
    assert_eq!(answer.await, Ok(Ok((3, vec![4]))), "the next commit goes on");
    assert_eq!(stand(&mut tx).await, (4, 3));
}

/// As [`numbered`], with an audit row, on the blocking thread.
fn numbered_direct(
    changes: usize,
    then: Result<(), StoreError>,
) -> (Box<dyn DirectJob>, oneshot::Receiver<Taken>) {
    let (reply, answer) = oneshot::channel();
    let work = move |tx: &mut DirectTx<'_>| {
        let taken = (0..changes).map(|_| tx.next_change()).collect::<Result<Vec<_>, _>>()?;
        let id = tx.next_id("inquiry_bulks")?;
        tx.execute(
            "INSERT INTO inquiry_bulks (id, items, taken_at_us, expires_at_us) VALUES (?1, 1, 0, 1)",
            [id],
        )?;
        tx.audit(&audit::finding_entry(AnchorFinding::Begun))?;
        then.clone().map(|()| (id, taken))
    };
    (Box::new(Answering::new(work, reply)), answer)
}

#[tokio::test]
async fn direct_jobs_that_share_a_commit_take_nothing_of_each_other_with_them_and_readers_are_answered() {
    let directory = Directory::new("direct");
    let database = directory.0.join("store.db");
    let mut tx = context_of(SqliteConnectOptions::new().filename(&database).create_if_missing(true)).await;
    let mut direct = Direct::new(&database);
    let own = StoreError::Failed("its own reason".to_owned());
    let stand = async |tx: &mut Tx| {
        let sql = "SELECT (SELECT change FROM results_sequence), (SELECT coalesce(max(id), 0) FROM inquiry_bulks), \
                   (SELECT count(*) FROM audit)";
        sqlx::query_as::<_, (i64, i64, i64)>(sql).fetch_one(&mut tx.db).await.unwrap()
    };
    let (alone, refused) = numbered_direct(2, Err(own.clone()));
    direct.commit(&mut tx, vec![alone], Vec::new()).await;
    direct.settle(&mut tx).await.ok();
    assert_eq!(refused.await, Ok(Err(own.clone())));
    assert_eq!(stand(&mut tx).await, (0, 0, 0), "nothing of it stands");

    let (one, undone_first) = numbered_direct(2, Err(own.clone()));
    let (two, kept) = numbered_direct(2, Ok(()));
    let (three, undone) = numbered_direct(3, Err(own.clone()));
    let (four, after) = numbered_direct(1, Ok(()));
    let (reply, read) = oneshot::channel();
    let note = Note { entry: audit::finding_entry(AnchorFinding::Begun), reply };
    direct.commit(&mut tx, vec![one, two, three, four], vec![note]).await;
    direct.settle(&mut tx).await.ok();
    assert_eq!(undone_first.await, Ok(Err(own.clone())));
    assert_eq!(kept.await, Ok(Ok((1, vec![1, 2]))));
    assert_eq!(undone.await, Ok(Err(own)));
    assert_eq!(after.await, Ok(Ok((2, vec![3]))));
    assert_eq!(read.await, Ok(Ok(())));
    assert_eq!(stand(&mut tx).await, (3, 2, 3));

    // What comes by the other way counts on from there, and the other way round.
    let (sqlx, answer) = numbered(1, Ok(()));
    commit(&mut tx, vec![sqlx]).await;
    assert_eq!(answer.await, Ok(Ok((3, vec![4]))));
    let (next, answer) = numbered_direct(1, Ok(()));
    direct.commit(&mut tx, vec![next], Vec::new()).await;
    direct.settle(&mut tx).await.ok();
    assert_eq!(answer.await, Ok(Ok((4, vec![5]))));
    assert_eq!(stand(&mut tx).await, (5, 4, 4));
}

#[tokio::test]
async fn a_commit_that_was_prepared_beside_the_anchor_of_the_one_before_does_not_overtake_it() {
    let directory = Directory::new("beside");
    let database = directory.0.join("store.db");
    let mut tx = context_of(SqliteConnectOptions::new().filename(&database).create_if_missing(true)).await;
    let mut direct = Direct::new(&database);
    tx.ledger = Ledger::in_memory(Some(directory.broken(&tx)));
    let (first, unanchored) = numbered_direct(1, Ok(()));
    let (second, undone) = numbered_direct(1, Ok(()));
    for job in [first, second] {
        direct.commit(&mut tx, vec![job], Vec::new()).await;
    }
    assert!(matches!(unanchored.await, Ok(Err(StoreError::Failed(_)))));
    assert!(matches!(undone.await, Ok(Err(StoreError::Failed(_)))));
    assert_eq!(rows(&mut tx).await, 1);

    directory.repair(&mut tx);
    let (third, kept) = numbered_direct(1, Ok(()));
    let (fourth, beside) = numbered_direct(1, Ok(()));
    for job in [third, fourth] {
        direct.commit(&mut tx, vec![job], Vec::new()).await;
    }
    assert_eq!(kept.await, Ok(Ok((2, vec![2]))), "its number goes on from the first one's, which stands");
    direct.settle(&mut tx).await.unwrap();
    assert_eq!(beside.await, Ok(Ok((3, vec![3]))));
    assert_eq!(rows(&mut tx).await, 3);
}

#[tokio::test]
async fn what_stands_is_heard_of_first_though_its_anchor_could_not_be_written_and_what_is_undone_never() {
    let directory = Directory::new("first");
    let database = directory.0.join("store.db");
    let mut tx = context_of(SqliteConnectOptions::new().filename(&database).create_if_missing(true)).await;
    let mut direct = Direct::new(&database);
    tx.ledger = Ledger::in_memory(Some(directory.broken(&tx)));
    let (heard, mut inbox) = mpsc::unbounded_channel();
    let mut told = Vec::new();
    for name in ["stands", "undone beside it", "undone after it"] {
        let (reply, answer) = oneshot::channel();
        let work = |tx: &mut DirectTx<'_>| tx.audit(&audit::finding_entry(AnchorFinding::Begun));
        let heard = heard.clone();
        let first = Box::new(move |(): &()| heard.send(name).unwrap());
        let job = Answering::new(work, reply).first_to(first);
        direct.commit(&mut tx, vec![Box::new(job)], Vec::new()).await;
        told.push(answer);
    }
    direct.settle(&mut tx).await.ok();
    for answer in told {
        assert!(matches!(answer.await, Ok(Err(StoreError::Failed(_)))), "nobody is told of a success");
    }
    assert_eq!(rows(&mut tx).await, 1);
    assert_eq!(inbox.try_recv().ok(), Some("stands"));
    assert_eq!(inbox.try_recv().ok(), None);
}

#[tokio::test]
async fn a_batch_holds_jobs_of_one_kind_in_the_order_in_which_they_came() {
    let (sender, mut commands) = mpsc::channel(8);
    let (direct, _) = numbered_direct(0, Ok(()));
    let (job, _) = numbered(0, Ok(()));
    let (reply, _) = oneshot::channel();
    let note = Note { entry: audit::finding_entry(AnchorFinding::Begun), reply };
    let (later, _) = numbered_direct(0, Ok(()));
    for command in [Command::Direct(direct), Command::Write(job), Command::Direct(later)] {
        sender.try_send(command).ok().unwrap();
    }
    let (first, other) = Batch::gather(Command::Note(note), &mut commands);
    assert_eq!((first.notes.len(), first.direct.len(), first.jobs.len()), (1, 1, 0));
    let (second, other) = Batch::gather(other.unwrap(), &mut commands);
    assert_eq!((second.notes.len(), second.direct.len(), second.jobs.len()), (0, 0, 1));
    let (third, other) = Batch::gather(other.unwrap(), &mut commands);
    assert_eq!((third.notes.len(), third.direct.len(), third.jobs.len()), (0, 1, 0));
    assert!(other.is_none());
}
