//! What a backup may and may not bring back: queue, codes, marks; and under which master key.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use daemon::app::ports::{
    AccountChange, Accounts as _, AuditTrail as _, Backups as _, InquiryQueue as _, NewAccount, Purged,
    Random, ResultQuery, ResultStore as _, RetentionStore as _, Role, TerminalStore as _,
};
use daemon::domain::personal::Secret;
use daemon::store::{OpenError, RestoreError, Restored, StoreConfig, ToRestore, restore};
use daemon::system::OsRandom;
use jiff::SignedDuration;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use zeroize::Zeroizing;

use super::accounts::by;
use super::backup::key;
use super::keys::with_credential;
use super::support::{Machine, Running, at, audit, for_person, insert, person, take_in};

const NOW: &str = "2026-06-10T01:00:00Z";

async fn backup(running: &Running, machine: &Machine, key: &str) -> PathBuf {
    let target = machine.path("elsewhere");
    fs::create_dir_all(&target).expect("a directory");
    let made =
        running.store.back_up(&target, &Secret::new(key.to_owned()), "sandbox", Arc::new(|_| ())).await;
    made.expect("a backup").file
}

async fn restored(
    machine: &Machine,
    config: &StoreConfig,
    archive: &std::path::Path,
    key: &str,
) -> Result<Restored, RestoreError> {
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let secret = Secret::new(key.to_owned());
    let asked = ToRestore { archive, recovery: &secret, mode: "sandbox", set_aside: true, hears: &|_| () };
    restore(config, asked, &*machine.clock, &random).await
}

/// A number out of the database while nobody has it open.
async fn number(machine: &Machine, sql: &'static str) -> i64 {
    let options = SqliteConnectOptions::new().filename(machine.config().database()).read_only(true);
    let mut db = options.connect().await.expect("the database");
    let found = sqlx::query_scalar(sql).fetch_one(&mut db).await.expect("a number");
    db.close().await.expect("closed");
    found
}

#[tokio::test]
async fn the_queue_comes_back_until_it_expires_and_codes_that_are_good_once_do_not() {
    let (old, key) = (Machine::at(NOW), key());
    let running = old.start().await;
    let account = NewAccount {
        name: "uketsuke".to_owned(),
        role: Role::Operator,
        password_hash: "$argon2id$invented".to_owned(),
        totp_secret: Zeroizing::new(vec![7; 20]),
        must_change: false,
    };
    running.store.create(&account, &by("account.create")).await.expect("created");
    let codes = AccountChange::RecoveryCodes(vec![Zeroizing::new("abcdefgh".to_owned())]);
    running.store.change("uketsuke", None, codes, &by("account.recovery_codes")).await.expect("changed");
    let soon = at(NOW) + SignedDuration::from_hours(1);
    running
        .store
        .offer_terminal("uketsuke-2", [9; 32], soon, &by("terminal.enrol_code"))
        .await
        .expect("offered");
    take_in(&running.store, &for_person("1", "K-1")).await;
    let (items, bulk) =
        ([for_person("2", "K-2"), for_person("3", "K-3")], audit("inquiry_number.bulk_queued"));
    running.store.take_in_bulk(&items, &bulk, None, Box::new(|_| ())).await.expect("taken in");
    let archive = backup(&running, &old, &key).await;
    running.stop().await;

    let new = Machine::at("2026-06-11T01:00:00Z");
    restored(&new, &new.config(), &archive, &key).await.expect("restored");
    assert_eq!(number(&new, "SELECT count(*) FROM recovery_codes").await, 0);
    assert_eq!(number(&new, "SELECT count(*) FROM enrolment_codes").await, 0);
    assert_eq!(number(&new, "SELECT auto_vacuum FROM pragma_auto_vacuum").await, 2, "purges give space back");
    let running = new.start().await;
    assert_eq!(running.store.pending().await.expect("readable").len(), 3, "acknowledged numbers are sent");
    assert_eq!(running.store.recovery_fits(1, "abcdefgh").await, Ok(false));
    running.stop().await;

    let late = Machine::at("2026-07-31T15:00:00Z");
    restored(&late, &late.config(), &archive, &key).await.expect("restored");
    assert_eq!(number(&late, "SELECT count(*) FROM inquiry_jobs").await, 0);
    assert_eq!(number(&late, "SELECT count(*) FROM inquiry_bulks").await, 0);
    late.start().await.stop().await;
}

#[tokio::test]
async fn what_this_installation_saw_expire_stays_away_when_an_older_backup_comes_back() {
    let (machine, key) = (Machine::at(NOW), key());
    let running = machine.start().await;
    insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    let archive = backup(&running, &machine, &key).await;
    let gone = at("2026-07-31T15:00:00Z");
    machine.clock.set(gone);
    assert_eq!(running.store.purge(gone).await, Ok(Purged { results: 1, months: 1 }));
    running.stop().await;

    machine.clock.set(at(NOW));
    let found = restored(&machine, &machine.config(), &archive, &key).await.expect("restored");
    assert_eq!((found.results, found.left_out), (0, 1));
    let running = machine.start().await;
    assert_eq!(running.store.count(&ResultQuery::default()).await, Ok(0));
    assert_eq!(running.store.stock().await.expect("a stock").plausible, gone, "no mark goes back");
    running.stop().await;
}

#[tokio::test]
async fn under_a_credential_a_backup_comes_back_and_without_it_nothing_is_touched() {
    let (old, key) = (Machine::at(NOW), key());
    let running = old.start().await;
    insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    let archive = backup(&running, &old, &key).await;
    running.stop().await;

    let new = Machine::at(NOW);
    let config = with_credential(&new, &[7; 32]);
    fs::rename(new.path("credentials/master-key"), new.path("credentials/away")).expect("renamed");
    let refused = restored(&new, &config, &archive, &key).await;
    assert!(matches!(refused, Err(RestoreError::Open(OpenError::ExternalKey { .. }))), "{refused:?}");
    assert!(!new.path("data/shikaku.db").exists() && !new.path("data/restore.tmp.db").exists());

    fs::rename(new.path("credentials/away"), new.path("credentials/master-key")).expect("renamed");
    let found = restored(&new, &config, &archive, &key).await.expect("restored");
    assert_eq!(found.results, 1);
    let running = new.open(&config).await.expect("it opens under the credential");
    assert_eq!(running.store.count(&ResultQuery::default()).await, Ok(1));
    running.stop().await;
    assert!(!new.path("master").exists(), "no master key file of our own");
}

/// A client must not take what comes after a restore for what it has seen: neither a change nor a result nor a receipt.
#[tokio::test]
async fn numbers_that_were_given_after_the_backup_are_not_given_again() {
    let (machine, lost, key) = (Machine::at(NOW), Machine::at(NOW), key());
    let running = lost.start().await;
    insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    let archive = backup(&running, &lost, &key).await;
    let lost_result = insert(&running.store, "c2", NOW, person("資格 花子", "2")).await;
    let lost_job = take_in(&running.store, &for_person("2", "K-2")).await;
    let (identity, seen) = (running.store.mark().store, running.store.mark().change);
    running.stop().await;
    restored(&machine, &machine.config(), &archive, &key).await.expect("restored");
    let running = machine.start().await;
    assert!(running.store.mark().change > seen);
    assert_ne!(running.store.mark().store, identity, "what was kept of the lost one is no news of this one");
    let new = insert(&running.store, "c3", NOW, person("資格 次郎", "3")).await;
    let changes = running.store.changes(seen, 10).await.expect("changes");
    assert_eq!(changes.iter().map(|change| change.id).collect::<Vec<_>>(), [new]);
    assert!(new > lost_result, "{new:?}");
    assert!(take_in(&running.store, &for_person("3", "K-3")).await > lost_job);
    let identity = running.store.mark().store;
    running.stop().await;
    let running = machine.start().await;
    assert_eq!(running.store.mark().store, identity, "a start is no other store");
    running.stop().await;
}

#[tokio::test]
async fn a_log_that_had_hardly_begun_is_anchored_when_it_comes_back() {
    let key = key();
    for rows in [0, 1] {
        let (old, new) = (Machine::at(NOW), Machine::at(NOW));
        let running = old.start().await;
        if rows == 1 {
            insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
        }
        let archive = backup(&running, &old, &key).await;
        running.stop().await;
        restored(&new, &new.config(), &archive, &key).await.expect("restored");
        let running = new.start().await;
        assert_eq!(running.store.anchor().await, Ok(None), "{rows} rows");
        let verified = running.store.verify(&|_| {}).await.expect("as it was");
        assert_eq!((verified.last, verified.findings.len()), (rows, 0));
        running.stop().await;
    }
}
