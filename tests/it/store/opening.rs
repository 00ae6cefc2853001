//! Opening: first start, restart, and every reason to refuse.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use daemon::app::ports::ResultStore;
use daemon::store::OpenError;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::support::{Machine, audit, get, insert, person, result};

const NOW: &str = "2026-06-10T01:00:00Z";

fn mode(machine: &Machine, name: &str) -> u32 {
    fs::metadata(machine.path(name)).expect(name).permissions().mode() & 0o7777
}

#[tokio::test]
async fn every_file_is_for_its_owner_alone() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    for directory in ["data", "keys", "master"] {
        assert_eq!(mode(&machine, directory), 0o700, "{directory}");
    }
    let files =
        ["data/shikaku.db", "data/shikaku.db-wal", "data/shikaku.db-shm", "data/lock", "keys/keyring"];
    for file in files.into_iter().chain(["master/master.key"]) {
        assert_eq!(mode(&machine, file), 0o600, "{file}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_result_outlives_a_restart() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let new = result("c1", NOW.parse().unwrap(), vec![person("資格 太郎", "1")]);
    let id = running.store.insert(&new, &audit("check.done")).await.unwrap();
    let before = get(&running.store, id).await.unwrap();
    assert_eq!(before.content, new);
    running.stop().await;

    let running = machine.start().await;
    assert_eq!(get(&running.store, id).await, Some(before));
    running.stop().await;
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_has_ended() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    assert!(matches!(machine.refused().await, OpenError::InUse(_)));
    insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    running.stop().await;
    machine.start().await.stop().await;
}

#[tokio::test]
async fn a_closed_store_answers_with_an_error() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = running.store.clone();
    running.stop().await;
    let new = result("c1", NOW.parse().unwrap(), vec![person("資格 太郎", "1")]);
    assert!(store.insert(&new, &audit("check.done")).await.is_err());
    assert!(store.count(&daemon::app::ports::ResultQuery::default()).await.is_err());
}

#[tokio::test]
async fn files_that_others_can_reach_are_refused() {
    for (name, wrong, right) in [
        ("data", 0o750, 0o700),
        ("data", 0o701, 0o700),
        ("data/shikaku.db", 0o640, 0o600),
        ("data/shikaku.db", 0o604, 0o600),
        ("keys", 0o755, 0o700),
        ("keys/keyring", 0o660, 0o600),
        ("master", 0o710, 0o700),
        ("master/master.key", 0o644, 0o600),
    ] {
        let machine = Machine::at(NOW);
        machine.start().await.stop().await;
        fs::set_permissions(machine.path(name), Permissions::from_mode(wrong)).unwrap();
        let error = machine.refused().await.to_string();
        assert!(error.contains("chmod"), "{name} {wrong:o}: {error}");
        fs::set_permissions(machine.path(name), Permissions::from_mode(right)).unwrap();
        machine.start().await.stop().await;
    }
}

#[tokio::test]
async fn symbolic_links_are_refused() {
    for name in
        ["data", "data/shikaku.db", "data/shikaku.db-wal", "keys", "keys/keyring", "master/master.key"]
    {
        let machine = Machine::at(NOW);
        machine.start().await.stop().await;
        let (real, moved) = (machine.path(name), machine.path("elsewhere"));
        if real.exists() {
            fs::rename(&real, &moved).unwrap();
        }
        symlink(&moved, &real).unwrap();
        let error = machine.refused().await.to_string();
        assert!(error.contains("シンボリックリンク"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_lost_key_file_is_never_replaced_by_a_new_one() {
    let machine = Machine::at(NOW);
    machine.start().await.stop().await;
    let (master, keyring) = (machine.path("master/master.key"), machine.path("keys/keyring"));
    let aside = machine.path("aside");

    fs::rename(&master, &aside).unwrap();
    assert!(matches!(machine.refused().await, OpenError::MasterKeyMissing(_)));
    assert!(!master.exists());
    fs::rename(&aside, &master).unwrap();

    fs::rename(&keyring, &aside).unwrap();
    assert!(matches!(machine.refused().await, OpenError::KeyringMissing(_)));
    assert!(!keyring.exists());
    fs::rename(&aside, &keyring).unwrap();

    let right = fs::read(&master).unwrap();
    fs::write(&master, [7; 32]).unwrap();
    assert!(matches!(machine.refused().await, OpenError::KeyringUnreadable(_)));
    fs::write(&master, right).unwrap();

    let mut changed = fs::read(&keyring).unwrap();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    fs::write(&keyring, changed).unwrap();
    assert!(matches!(machine.refused().await, OpenError::KeyringUnreadable(_)));
}

#[tokio::test]
async fn the_master_key_must_lie_apart_from_what_it_protects() {
    let machine = Machine::at(NOW);
    for directory in ["data", "keys"] {
        let mut config = machine.config();
        let master = machine.path(directory).join("master.key");
        config.master_key = master.clone().into();
        let refused = machine.open(&config).await.err().expect("refused");
        assert!(matches!(refused, OpenError::MasterKeyNotApart(_)), "{refused}");
        assert!(!master.exists());
    }
}

#[tokio::test]
async fn a_change_of_the_master_key_that_a_crash_cut_short_is_finished() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let id = insert(&running.store, "c1", NOW, person("資格 太郎", "1")).await;
    running.stop().await;
    let (master, next) = (machine.path("master/master.key"), machine.path("master/master.key.next"));

    // Crash before the keyring changed over: the next key opens nothing.
    fs::write(&next, [9; 32]).unwrap();
    fs::set_permissions(&next, Permissions::from_mode(0o600)).unwrap();
    let running = machine.start().await;
    assert!(get(&running.store, id).await.is_some());
    assert!(!next.exists());
    running.stop().await;

    // Crash after the keyring changed over and the old key was overwritten.
    fs::rename(&master, &next).unwrap();
    fs::write(&master, [0; 32]).unwrap();
    fs::set_permissions(&master, Permissions::from_mode(0o600)).unwrap();
    let running = machine.start().await;
    assert!(get(&running.store, id).await.is_some());
    assert!(!next.exists());
    running.stop().await;
    machine.start().await.stop().await;
}

#[tokio::test]
async fn a_schema_of_a_newer_program_is_refused_and_left_alone() {
    let machine = Machine::at(NOW);
    machine.start().await.stop().await;
    let database = machine.config().database();
    let mut connection = SqliteConnectOptions::new().filename(&database).connect().await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    assert!(matches!(machine.refused().await, OpenError::NewerSchema(9999)));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let machine = Machine::at(NOW);
    machine.start().await.stop().await;
    fs::write(machine.config().database(), [0x55; 8192]).unwrap();
    assert!(matches!(machine.refused().await, OpenError::Damaged(_)));
}
