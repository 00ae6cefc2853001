//! Opening SQLite: version, settings, migrations, the writer's connection and the readers' pool.

use std::path::Path;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row};

use super::error::OpenError;

/// Every change of the schema so far.
pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// The first version without the WAL-reset bug, which loses committed transactions (sqlite.org/wal.html, section 11).
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// Pages in the WAL that begin a checkpoint, 16 MiB: as many commits share what a checkpoint costs, and pages that they all change are
/// written once.
pub(super) const CHECKPOINT_PAGES: &str = "4000";

/// Refuses a version of SQLite before 3.51.3, and text that is no version.
pub fn check_version(version: &str) -> Result<(), OpenError> {
    let mut parts = version.split('.').map(str::parse::<u32>);
    let mut part = || parts.next().unwrap_or(Ok(0)).ok();
    let found = (|| Some((part()?, part()?, part()?)))();
    match found {
        Some(found) if found >= OLDEST_SQLITE => Ok(()),
        _ => Err(OpenError::SqliteTooOld(version.to_owned())),
    }
}

fn common(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        // Deleted rows are overwritten; FAST was measured to leave copies.
        .pragma("secure_delete", "ON")
        // Sorting must not spill rows to a file.
        .pragma("temp_store", "MEMORY")
        .pragma("mmap_size", "0")
        .disable_statement_logging()
}

/// The one connection that writes; the schema is as it was left.
pub(super) async fn open_writer(path: &Path) -> Result<SqliteConnection, OpenError> {
    let options = common(path)
        // Set before the first table: what a purge frees can then be given back to a full disk.
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // Only this connection writes, so only it checkpoints: no two can do it at the same instant.
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("journal_size_limit", "16777216");
    let mut connection = options.connect().await?;
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut connection).await?;
    check_version(&version)?;
    verify_settings(&mut connection).await?;
    quick_check(&mut connection).await?;
    Ok(connection)
}

/// SQLite's own look at every page.
pub(super) async fn quick_check(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let found: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(connection).await?;
    if found == "ok" { Ok(()) } else { Err(OpenError::Damaged(found)) }
}

/// The migrations that were applied; none in a new database.
pub(super) async fn applied(connection: &mut SqliteConnection) -> Result<Vec<i64>, OpenError> {
    let known: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')")
            .fetch_one(&mut *connection)
            .await?;
    if !known {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_scalar("SELECT version FROM _sqlx_migrations").fetch_all(connection).await?)
}

/// The schema that this program knows.
pub(super) fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// A copy that nobody else uses: written in place, so that it stays one file.
pub(super) async fn open_copy(path: &Path) -> Result<SqliteConnection, OpenError> {
    Ok(common(path).journal_mode(SqliteJournalMode::Delete).connect().await?)
}

/// The database as the source of a copy.
pub(super) async fn open_source(path: &Path) -> Result<SqliteConnection, OpenError> {
    Ok(common(path).read_only(true).connect().await?)
}

/// A setting that SQLite ignores (a wrong name, a read-only file) gives no error, so each is read back.
async fn verify_settings(connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let expected = [
        ("PRAGMA journal_mode", "wal"),
        ("PRAGMA synchronous", "2"),
        ("PRAGMA secure_delete", "1"),
        ("PRAGMA foreign_keys", "1"),
        ("PRAGMA temp_store", "2"),
        ("PRAGMA mmap_size", "0"),
        ("PRAGMA busy_timeout", "5000"),
    ];
    for (pragma, value) in expected {
        let row = sqlx::query(pragma).fetch_one(&mut *connection).await?;
        let found = row
            .try_get_unchecked::<i64, _>(0)
            .ok()
            .filter(|_| pragma != "PRAGMA journal_mode")
            .map(|number| number.to_string())
            .or_else(|| row.try_get_unchecked::<String, _>(0).ok());
        if found.as_deref() != Some(value) {
            return Err(OpenError::Setting(pragma));
        }
    }
    Ok(())
}

/// One connection that changes nothing: neither schema nor rows.
pub(super) async fn open_reader(path: &Path) -> Result<SqliteConnection, OpenError> {
    Ok(common(path).read_only(true).pragma("query_only", "ON").connect().await?)
}

/// The readers: read-only connections that stay open.
pub(super) async fn open_readers(path: &Path, readers: u32) -> Result<SqlitePool, OpenError> {
    let options = common(path).read_only(true).pragma("query_only", "ON");
    Ok(SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(readers.max(1))
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options)
        .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_before_3_51_3_is_refused() {
        for version in ["3.51.3", "3.51.10", "3.52.0", "3.52", "3.100.0", "4.0", "4.0.0"] {
            assert!(check_version(version).is_ok(), "{version}");
        }
        for version in
            ["3.51.2", "3.51", "3.9", "3.9.99", "3.50.7", "3.46.0", "2.99.99", "", "x", "3.x.9", "-4.0"]
        {
            assert!(
                matches!(check_version(version), Err(OpenError::SqliteTooOld(found)) if found == version),
                "{version}"
            );
        }
    }

    #[tokio::test]
    async fn the_bundled_sqlite_is_new_enough() {
        let mut memory = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
        let version: String =
            sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut memory).await.unwrap();
        assert!(check_version(&version).is_ok(), "{version}");
    }

    /// A table that is made anew keeps its rows, and a number that was given is never given again.
    #[tokio::test]
    async fn results_of_an_older_version_are_kept_and_their_numbers_go_on() {
        let mut db = SqliteConnectOptions::new().in_memory(true).connect().await.unwrap();
        for migration in MIGRATIONS.iter().filter(|migration| migration.version < 10) {
            sqlx::raw_sql(migration.sql.clone()).execute(&mut db).await.unwrap();
        }
        let insert =
            "INSERT INTO results VALUES (?1, ?1, 1, 9, 202607, 't', '1', 1, 'sandbox', 1, NULL, NULL, x'00')";
        for id in [3, 7] {
            sqlx::query(insert).bind(id).execute(&mut db).await.unwrap();
        }
        sqlx::query("DELETE FROM results WHERE id = 7").execute(&mut db).await.unwrap();
        for migration in MIGRATIONS.iter().filter(|migration| migration.version >= 10) {
            sqlx::raw_sql(migration.sql.clone()).execute(&mut db).await.unwrap();
        }
        let kept: Vec<(i64, String)> =
            sqlx::query_as("SELECT id, source FROM live_results").fetch_all(&mut db).await.unwrap();
        assert_eq!(kept, [(3, "own".to_owned())]);
        let last: i64 = sqlx::query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'results'")
            .fetch_one(&mut db)
            .await
            .unwrap();
        assert_eq!(last, 7);
    }
}
