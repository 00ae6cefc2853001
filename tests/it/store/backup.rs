//! Backups and restores, upgrades with a copy first, and what is set aside when files are damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use daemon::app::ports::{
    Accounts as _, AuditTrail as _, BackupError, Backups as _, Device, NewAccount, Random, ResultQuery,
    ResultStore as _, Role, SessionRecord, SessionStore as _, SignInProof, Source, Standing,
};
use daemon::domain::personal::Secret;
use daemon::store::{OpenError, RecoveryKey, RestoreError, Restored, ToRestore, restore, start_empty};
use daemon::system::OsRandom;
use harness::durability::recovery;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use zeroize::Zeroizing;

use super::support::{Machine, at, earlier_schema, get, insert, person};

const NOW: &str = "2026-06-10T01:00:00Z";

pub(super) fn key() -> String {
    RecoveryKey::generate(&OsRandom).to_string()
}

async fn restored(
    machine: &Machine,
    archive: &Path,
    key: &str,
    aside: bool,
) -> Result<Restored, RestoreError> {
    let random: Arc<dyn Random> = Arc::new(OsRandom);
    let secret = Secret::new(key.to_owned());
    let asked = ToRestore { archive, recovery: &secret, mode: "sandbox", set_aside: aside, hears: &|_| () };
    restore(&machine.config(), asked, &*machine.clock, &random).await
}

/// A machine with an account, a session and results of May and June; and a backup of it, elsewhere.
async fn backed_up(machine: &Machine, key: &str) -> PathBuf {
    let running = machine.start().await;
    machine.clock.set(at("2026-05-20T01:00:00Z"));
    insert(&running.store, "may", "2026-05-20T01:00:00Z", person("皐月 花子", "5")).await;
    machine.clock.set(at(NOW));
    insert(&running.store, "june", NOW, person("水無月 太郎", "6")).await;
    let account = NewAccount {
        name: "reseputo".to_owned(),
        role: Role::ReceiptComputer,
        password_hash: "$argon2id$invented".to_owned(),
        totp_secret: Zeroizing::new(b"12345678901234567890".to_vec()),
        must_change: false,
    };
    running.store.create(&account, &super::accounts::by("account.create")).await.expect("created");
    let session = SessionRecord {
        certificate: None,
        token_hash: [7; 32],
        id: "session-7".to_owned(),
        account: "reseputo".to_owned(),
        role: Role::ReceiptComputer,
        terminal: None,
        restricted: false,
        on_page: false,
        created_at: at(NOW),
        last_used_at: at(NOW),
    };
    let of = Standing { account: 1, epoch: 0 };
    assert_eq!(running.store.begin(&session, of).await, Ok(true));
    let target = machine.path("elsewhere");
    fs::create_dir_all(&target).expect("a directory");
    let made = running
        .store
        .back_up(&target, &Secret::new(key.to_owned()), "sandbox", Arc::new(|_| ()))
        .await
        .expect("a backup");
    assert_eq!(made.results, 2);
    assert_eq!(made.results_expire_at, Some(at("2026-07-31T15:00:00Z")));
    let names: Vec<_> =
        fs::read_dir(&target).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(names, std::slice::from_ref(&made.file), "nothing unfinished is left");
    assert!(!machine.path("data/backup.tmp.db").exists());
    running.stop().await;
    made.file
}

#[tokio::test]
async fn a_backup_comes_back_on_a_new_machine_without_sessions_and_used_codes() {
    let (old, key) = (Machine::at(NOW), key());
    let archive = backed_up(&old, &key).await;
    let content = fs::read(&archive).expect("an archive");
    for canary in ["水無月", "reseputo", "argon2id", "check.done", "uketsuke-1"] {
        assert!(!content.windows(canary.len()).any(|window| window == canary.as_bytes()), "{canary}");
    }
    let new = Machine::at("2026-06-11T01:00:00Z");
    let found = restored(&new, &archive, &key, false).await.expect("restored");
    assert_eq!((found.results, found.left_out), (2, 0));
    let running = new.start().await;
    for (id, check) in [(1, "may"), (2, "june")] {
        let result = get(&running.store, daemon::domain::check::ResultId(id)).await.expect("it is back");
        assert!(matches!(result.content.source, Source::Own { check_id, .. } if check_id == check));
    }
    assert_eq!(running.store.load(Timestamp::MIN).await, Ok(Vec::new()), "no session comes back");
    let of = Standing { account: 1, epoch: 0 };
    let step = u64::try_from(at("2026-06-11T01:00:00Z").as_second() / 30).expect("a step");
    assert_eq!(
        running.store.succeed(of, Device::Anywhere, SignInProof::Step(step)).await,
        Ok(false),
        "no code up to now is accepted"
    );
    assert_eq!(running.store.succeed(of, Device::Anywhere, SignInProof::Step(step + 2)).await, Ok(true));
    let verified = running.store.verify(&|_| {}).await.expect("the audit log came along");
    assert!(verified.findings.is_empty() && verified.last >= 3);
    running.stop().await;
    let old_master = fs::read(old.path("master/master.key")).expect("a key");
    assert_ne!(fs::read(new.path("master/master.key")).expect("a key"), old_master);
}

#[tokio::test]
async fn what_has_expired_since_does_not_come_back_even_if_the_clock_stands_behind() {
    let (old, key) = (Machine::at(NOW), key());
    let archive = backed_up(&old, &key).await;
    for (now, results) in [
        ("2026-06-30T14:59:59Z", 2),
        ("2026-06-30T15:00:00Z", 1),
        ("2026-07-31T14:59:59Z", 1),
        ("2026-07-31T15:00:00Z", 0),
        ("2030-01-01T00:00:00Z", 0),
        // A clock that was not set: what had expired when the archive was made stays away.
        ("2020-01-01T00:00:00Z", 2),
    ] {
        let new = Machine::at(now);
        let found = restored(&new, &archive, &key, false).await.expect("restored");
        assert_eq!((found.results, found.left_out), (results, 2 - results), "{now}");
        let running = new.start().await;
        assert_eq!(running.store.count(&ResultQuery::default()).await, Ok(results), "{now}");
        running.stop().await;
    }
}

#[tokio::test]
async fn a_backup_holds_nothing_that_had_expired() {
    let (machine, key) = (Machine::at(NOW), key());
    backed_up(&machine, &key).await;
    // May has ended; nobody has purged yet.
    machine.clock.set(at("2026-07-01T00:00:00Z"));
    let running = machine.start().await;
    let made = running
        .store
        .back_up(&machine.path("elsewhere"), &Secret::new(key.clone()), "sandbox", Arc::new(|_| ()))
        .await;
    assert_eq!(made.expect("a backup").results, 1);
    running.stop().await;
}

#[tokio::test]
async fn what_is_not_a_whole_archive_of_this_key_is_refused_and_changes_nothing() {
    let (old, good) = (Machine::at(NOW), key());
    let archive = backed_up(&old, &good).await;
    let content = fs::read(&archive).expect("an archive");
    let new = Machine::at(NOW);
    let broken = new.path("broken.backup");
    let mut cases: Vec<Vec<u8>> = [0, 10, 60, 200, 300, content.len() / 2, content.len() - 1]
        .into_iter()
        .map(|length| content[..length].to_vec())
        .collect();
    for place in (0..content.len()).step_by(content.len() / 40) {
        let mut changed = content.clone();
        changed[place] ^= 1;
        cases.push(changed);
    }
    cases.push([content.as_slice(), b"x"].concat());
    for (number, case) in cases.into_iter().enumerate() {
        fs::write(&broken, case).expect("written");
        let refused = restored(&new, &broken, &good, false).await;
        assert!(matches!(refused, Err(RestoreError::Foreign)), "case {number}: {refused:?}");
        assert!(!new.path("data/shikaku.db").exists() && !new.path("data/restore.tmp.db").exists());
    }
    assert!(matches!(restored(&new, &archive, &key(), false).await, Err(RestoreError::Foreign)));
    assert!(matches!(restored(&new, &archive, "no key", false).await, Err(RestoreError::RecoveryKey)));
    restored(&new, &archive, &good, false).await.expect("the whole one is restored");
    let running = new.start().await;
    let refused = running
        .store
        .back_up(&new.path("nowhere"), &Secret::new(good.clone()), "sandbox", Arc::new(|_| ()))
        .await;
    assert!(matches!(refused, Err(BackupError::Target(_))));
    running.stop().await;
}

#[tokio::test]
async fn data_is_never_overwritten_and_an_interrupted_restore_is_not_opened() {
    let (machine, key) = (Machine::at(NOW), key());
    let archive = backed_up(&machine, &key).await;
    assert!(matches!(restored(&machine, &archive, &key, false).await, Err(RestoreError::NotEmpty(_))));
    let running = machine.start().await;
    let in_use = restored(&machine, &archive, &key, true).await;
    assert!(matches!(in_use, Err(RestoreError::Open(OpenError::InUse(_)))));
    running.stop().await;
    restored(&machine, &archive, &key, true).await.expect("the old data is set aside");
    let aside = fs::read_dir(machine.path("data"))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.display().to_string().contains("quarantine-"));
    assert!(aside.expect("the old data").join("shikaku.db").exists());
    machine.start().await.stop().await;

    // As a crash before the last step leaves it.
    let new = Machine::at(NOW);
    restored(&new, &archive, &key, false).await.expect("restored");
    fs::rename(new.path("data/shikaku.db"), new.path("data/restore.tmp.db")).expect("renamed");
    assert!(matches!(new.refused().await, OpenError::RestoreUnfinished));
    restored(&new, &archive, &key, false).await.expect("the next attempt goes through");
    new.start().await.stop().await;
}

//------------ Damage -------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_damaged_database_is_set_aside_and_nothing_opens_until_somebody_decides() {
    for decide_to_restore in [true, false] {
        let (machine, key) = (Machine::at(NOW), key());
        let archive = backed_up(&machine, &key).await;
        let path = machine.config().database();
        let mut content = fs::read(&path).expect("a database");
        let middle = content.len() / 2;
        content[100..middle].fill(0xff);
        fs::write(&path, content).expect("damaged");
        let refused = machine.refused().await;
        assert!(matches!(refused, OpenError::SetAside(_)), "{refused:?}");
        assert!(refused.to_string().contains("shikakud restore"), "it says what to do");
        assert!(!path.exists() && !machine.path("keys/keyring").exists());
        assert!(matches!(machine.refused().await, OpenError::SetAside(_)), "and stays closed");
        if decide_to_restore {
            restored(&machine, &archive, &key, false).await.expect("restored");
        } else {
            start_empty(&machine.config(), at(NOW)).expect("an explicit decision");
        }
        let running = machine.start().await;
        let count = running.store.count(&ResultQuery::default()).await;
        assert_eq!(count, Ok(if decide_to_restore { 2 } else { 0 }));
        let new = insert(&running.store, "c9", NOW, person("資格 次郎", "9")).await;
        assert!(new.0 > 1_000, "no number that clients know as another person's: {new:?}");
        running.stop().await;
    }
}

#[tokio::test]
async fn no_damage_ever_shows_a_wrong_patient() {
    let report = recovery::damage(1, 60).await;
    assert_eq!((report.cases, report.wrong_rows), (60, 0), "{:?}", report.findings);
    assert!(report.refused > 0 && report.read_errors > 0, "the damage is real: {report:?}");
}

//------------ Upgrade ------------------------------------------------------------------------------------------------

/// Replaces the database by one of an older schema with an account in it, made from the earlier migrations.
async fn age(machine: &Machine, newest: i64) {
    machine.start().await.stop().await;
    fs::remove_file(machine.config().database()).expect("removed");
    fs::remove_file(machine.config().audit_anchor()).expect("removed");
    let path = machine.config().database();
    let mut db = earlier_schema(&path, newest).await;
    db.execute("INSERT INTO accounts (name, role, password_hash, totp_secret) VALUES ('old', 'operator', 'x', x'00')")
        .await
        .expect("an account");
    db.close().await.expect("closed");
}

async fn names(machine: &Machine) -> Vec<String> {
    let options = SqliteConnectOptions::new().filename(machine.config().database());
    let mut db = options.connect().await.expect("a database");
    let names = sqlx::query_scalar("SELECT name FROM accounts").fetch_all(&mut db).await.expect("accounts");
    db.close().await.expect("closed");
    names
}

#[tokio::test]
async fn an_older_database_is_copied_first_and_the_copy_goes_after_the_next_start() {
    let machine = Machine::at(NOW);
    age(&machine, 7).await;
    let copy = machine.path("data/before-upgrade.done.db");
    let running = machine.start().await;
    assert!(copy.exists());
    assert!(
        !machine.path("data/before-upgrade.db").exists(),
        "nothing is left that a failure would put back"
    );
    insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    running.stop().await;
    assert_eq!(names(&machine).await, ["old"]);
    machine.start().await.stop().await;
    assert!(!copy.exists(), "the new schema has proved itself");
}

/// Makes the next start find a step that is not done yet and fails.
async fn spoil_the_next_upgrade(machine: &Machine) {
    let options = SqliteConnectOptions::new().filename(machine.config().database());
    let mut db = options.connect().await.expect("a database");
    db.execute("DELETE FROM _sqlx_migrations WHERE version = 102").await.expect("its table is there already");
    db.close().await.expect("closed");
}

#[tokio::test]
async fn an_upgrade_that_fails_does_not_undo_what_was_stored_after_an_earlier_one() {
    let machine = Machine::at(NOW);
    age(&machine, 7).await;
    let running = machine.start().await;
    insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    running.stop().await;
    spoil_the_next_upgrade(&machine).await;
    for _ in 0..2 {
        let refused = machine.refused().await;
        assert!(matches!(refused, OpenError::UpgradeFailed(_)), "{refused:?}");
        let options = SqliteConnectOptions::new().filename(machine.config().database());
        let mut db = options.connect().await.expect("a database");
        let results: i64 =
            sqlx::query_scalar("SELECT count(*) FROM results").fetch_one(&mut db).await.expect("results");
        assert_eq!(results, 1, "the result of after the first upgrade is there");
        db.close().await.expect("closed");
    }
}

#[tokio::test]
async fn copies_of_before_an_upgrade_are_set_aside_with_the_data() {
    for restores in [true, false] {
        let (machine, key) = (Machine::at(NOW), key());
        let archive = backed_up(&machine, &key).await;
        // As an upgrade that was interrupted leaves it, and one that succeeded.
        for name in ["before-upgrade.db", "before-upgrade.done.db", "backup.tmp.db"] {
            fs::copy(machine.config().database(), machine.path("data").join(name)).expect("copied");
        }
        if restores {
            restored(&machine, &archive, &key, true).await.expect("restored");
        } else {
            start_empty(&machine.config(), at(NOW)).expect("an explicit decision");
        }
        let names = |directory: &Path| -> Vec<String> {
            let entries = fs::read_dir(directory).expect("a directory");
            entries.map(|entry| entry.expect("an entry").file_name().display().to_string()).collect()
        };
        let data = names(&machine.path("data"));
        let is_copy = |name: &&String| name.starts_with("before-upgrade") || name.starts_with("backup.tmp");
        assert!(!data.iter().any(|name| is_copy(&name)), "{data:?}");
        let aside = data.iter().find(|name| name.starts_with("quarantine-")).expect("set aside");
        let aside = names(&machine.path("data").join(aside));
        assert_eq!(aside.iter().filter(is_copy).count(), 3, "{aside:?}");
    }
}

#[tokio::test]
async fn what_a_power_loss_left_of_a_backup_goes_with_the_next_start() {
    let machine = Machine::at(NOW);
    backed_up(&machine, &key()).await;
    let left =
        ["", "-journal", "-wal", "-shm"].map(|suffix| machine.path(&format!("data/backup.tmp.db{suffix}")));
    for file in &left {
        fs::copy(machine.config().database(), file).expect("copied");
    }
    machine.start().await.stop().await;
    assert!(left.iter().all(|file| !file.exists()), "rows would outlive their expiry there");
}

#[tokio::test]
async fn an_upgrade_that_fails_leaves_the_old_data_and_says_so() {
    let machine = Machine::at(NOW);
    age(&machine, 7).await;
    let options = SqliteConnectOptions::new().filename(machine.config().database());
    let mut db = options.connect().await.expect("a database");
    db.execute("CREATE TABLE audit_cut (in_the_way TEXT)").await.expect("an obstacle");
    db.close().await.expect("closed");
    for _ in 0..2 {
        let refused = machine.refused().await;
        assert!(matches!(refused, OpenError::UpgradeFailed(_)), "{refused:?}");
        assert_eq!(names(&machine).await, ["old"]);
        let options = SqliteConnectOptions::new().filename(machine.config().database());
        let mut db = options.connect().await.expect("a database");
        let schema: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&mut db)
            .await
            .expect("a schema");
        assert_eq!(schema, 7, "not even the steps before the failing one are left");
        db.execute("SELECT 1").await.expect("usable");
        db.close().await.expect("closed");
    }
    let mut db =
        SqliteConnectOptions::new().filename(machine.config().database()).connect().await.expect("it opens");
    db.execute("DROP TABLE audit_cut").await.expect("the obstacle is gone");
    db.close().await.expect("closed");
    let running = machine.start().await;
    running.store.verify(&|_| {}).await.expect("an intact log");
    running.stop().await;
}

/// The figures of recovery walk the whole way: list of persons, backup, half a database, refusal, restore, start.
#[tokio::test]
async fn the_drill_of_the_figures_goes_through() {
    recovery::time(1_000).await;
}
