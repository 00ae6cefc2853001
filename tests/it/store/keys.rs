//! Keys: rows are bound to their place, index keys to their month, and a key from outside still lets months be destroyed.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use daemon::app::ports::{ResultStore, StoreError};
use daemon::domain::check::ResultId;
use daemon::store::{Credential, MasterKeySource, OpenError, Purged, StoreConfig, start_empty};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::support::{Machine, at, get, insert, person};

async fn database(machine: &Machine) -> SqliteConnection {
    SqliteConnectOptions::new().filename(machine.config().database()).connect().await.expect("the file opens")
}

/// Results 1 and 2 lie in July, result 3 in June.
async fn same_person_three_times(machine: &Machine) {
    let running = machine.start().await;
    for (check, day) in [("c1", "2026-07-01"), ("c2", "2026-07-02"), ("c3", "2026-06-30")] {
        let time = format!("{day}T03:00:00Z");
        insert(&running.store, check, &time, person("資格 太郎", "1")).await;
    }
    running.stop().await;
}

/// What is set aside must not outlive its retention, so an empty store in its place takes another master key.
#[tokio::test]
async fn what_was_set_aside_opens_no_more_once_an_empty_store_runs_in_its_place() {
    let machine = Machine::at("2026-07-10T00:00:00Z");
    same_person_three_times(&machine).await;
    let aside = start_empty(&machine.config(), at("2026-07-10T00:00:00Z")).expect("set aside").expect("data");
    let running = machine.start().await;
    insert(&running.store, "c4", "2026-07-10T00:00:00Z", person("資格 花子", "2")).await;
    running.stop().await;
    let own = fs::read(machine.path("keys/keyring")).expect("a keyring");
    machine.start().await.stop().await;
    assert_eq!(fs::read(machine.path("keys/keyring")).expect("a keyring"), own, "only once");

    fs::copy(aside.join("shikaku.db"), machine.config().database()).expect("put back");
    fs::copy(aside.join("keyring"), machine.path("keys/keyring")).expect("put back");
    let refused = machine.refused().await;
    assert!(matches!(refused, OpenError::KeyringUnreadable(_)), "{refused:?}");
}

#[tokio::test]
async fn a_payload_opens_only_in_its_own_row_and_month() {
    let machine = Machine::at("2026-07-10T00:00:00Z");
    same_person_three_times(&machine).await;
    for change in [
        "UPDATE results SET payload = (SELECT payload FROM results WHERE id = 2) WHERE id = 1",
        "UPDATE results SET payload = (SELECT payload FROM results WHERE id = 3) WHERE id = 1",
        "UPDATE results SET month = 202606 WHERE id = 1",
        "UPDATE results SET version = 2 WHERE id = 1",
    ] {
        let mut db = database(&machine).await;
        let kept: (Vec<u8>, i32, i64) =
            sqlx::query_as("SELECT payload, month, version FROM results WHERE id = 1")
                .fetch_one(&mut db)
                .await
                .unwrap();
        sqlx::query(change).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
        let running = machine.start().await;
        let read = running.store.get(ResultId(1)).await;
        assert!(matches!(read, Err(StoreError::Corrupt { row: 1, .. })), "{change}: {read:?}");
        running.stop().await;
        let mut db = database(&machine).await;
        sqlx::query("UPDATE results SET payload = ?1, month = ?2, version = ?3 WHERE id = 1")
            .bind(kept.0)
            .bind(kept.1)
            .bind(kept.2)
            .execute(&mut db)
            .await
            .unwrap();
        db.close().await.unwrap();
    }
    let running = machine.start().await;
    assert!(get(&running.store, ResultId(1)).await.is_some());
    running.stop().await;
}

#[tokio::test]
async fn a_persons_blind_index_is_the_same_within_a_month_and_another_in_the_next() {
    let machine = Machine::at("2026-07-10T00:00:00Z");
    same_person_three_times(&machine).await;
    let mut db = database(&machine).await;
    let index: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT person_index FROM results ORDER BY id").fetch_all(&mut db).await.unwrap();
    assert!(index[0] == index[1] && index[0] != index[2]);
    db.close().await.unwrap();
}

/// A machine whose master key is a systemd credential.
pub(super) fn with_credential(machine: &Machine, key: &[u8]) -> StoreConfig {
    let directory = machine.path("credentials");
    fs::create_dir_all(&directory).expect("a file of the test");
    let file = directory.join("master-key");
    if file.exists() {
        fs::remove_file(&file).expect("a file of the test");
    }
    fs::write(&file, key).expect("a file of the test");
    fs::set_permissions(&file, Permissions::from_mode(0o440)).expect("a file of the test");
    let credential = Credential { name: "master-key".to_owned(), directory: Some(directory) };
    StoreConfig { master_key: MasterKeySource::External(Arc::new(credential)), ..machine.config() }
}

#[tokio::test]
async fn under_a_credential_a_destroyed_month_stays_destroyed_although_the_credential_stays() {
    let machine = Machine::at("2026-06-10T00:00:00Z");
    let config = with_credential(&machine, &[7; 32]);
    let running = machine.open(&config).await.unwrap();
    insert(&running.store, "c1", "2026-06-10T00:00:00Z", person("資格 太郎", "1")).await;
    let july = insert(&running.store, "c2", "2026-07-01T00:00:00Z", person("資格 太郎", "1")).await;
    running.stop().await;
    assert!(!machine.path("master").exists(), "no master key file of our own");
    let (keyring, local) = (machine.path("keys/keyring"), machine.path("keys/keyring.wrap"));
    let (old_keyring, old_local) = (fs::read(&keyring).unwrap(), fs::read(&local).unwrap());

    let running = machine.open(&config).await.unwrap();
    let gone = at("2026-07-31T15:00:00Z");
    machine.clock.set(gone);
    assert_eq!(running.store.purge(gone).await, Ok(Purged { results: 1, months: 1 }));
    assert!(get(&running.store, july).await.is_some());
    running.stop().await;
    assert_ne!(fs::read(&local).unwrap(), old_local, "the local key was replaced");
    machine.open(&config).await.unwrap().stop().await;

    // An old copy of the keyring, with the same credential, is of no use any more.
    let new_keyring = fs::read(&keyring).unwrap();
    fs::write(&keyring, old_keyring).unwrap();
    let refused = machine.open(&config).await.err().expect("refused");
    assert!(matches!(refused, OpenError::KeyringUnreadable(_)), "{refused}");
    fs::write(&keyring, new_keyring).unwrap();

    // Neither is the data directory without the credential.
    let other = with_credential(&machine, &[8; 32]);
    let refused = machine.open(&other).await.err().expect("refused");
    assert!(matches!(refused, OpenError::KeyringUnreadable(_)), "{refused}");
}

#[tokio::test]
async fn a_credential_that_is_missing_short_or_open_to_others_is_refused() {
    let machine = Machine::at("2026-06-10T00:00:00Z");
    let config = with_credential(&machine, &[7; 32]);
    machine.open(&config).await.unwrap().stop().await;
    let file = machine.path("credentials/master-key");

    fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    let refused = machine.open(&config).await.err().expect("refused");
    assert!(matches!(&refused, OpenError::ExternalKey { name, .. } if name == "credential:master-key"));
    let short = with_credential(&machine, &[7; 31]);
    let refused = machine.open(&short).await.err().expect("refused").to_string();
    assert!(refused.contains("32バイト"), "{refused}");
    fs::remove_file(&file).unwrap();
    assert!(matches!(machine.open(&config).await.err(), Some(OpenError::ExternalKey { .. })));
    let nowhere = Credential { name: "master-key".to_owned(), directory: None };
    let nowhere =
        StoreConfig { master_key: MasterKeySource::External(Arc::new(nowhere)), ..machine.config() };
    let refused = machine.open(&nowhere).await.err().expect("refused");
    assert!(
        matches!(&refused, OpenError::KeyNotHanded(name) if name == "credential:master-key"),
        "{refused}"
    );
    assert!(refused.to_string().contains("LoadCredentialEncrypted="), "it says how the key is handed over");
}
