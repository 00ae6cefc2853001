//! Bringing an existing database up to date, with a copy first that goes back if it fails.
//!
//! The copy lies beside the database under the same rules: its rows are sealed with the same month keys, so it never
//! outlives their expiry. Once the upgrade has succeeded it gets another name, under which nothing ever puts it back: the
//! database goes on from there, and the copy would undo that. It goes with the next start that finds nothing more to change.

use std::path::{Path, PathBuf};

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::super::error::OpenError;
use super::super::{StoreConfig, database, files};
use super::backup::{copy_database, with_sidecars};

/// From before an upgrade that has not come to its end.
const COPY: &str = "before-upgrade.db";
/// From before one that has.
const DONE: &str = "before-upgrade.done.db";
const UNFINISHED: &str = "before-upgrade.tmp.db";

/// Every name that a copy may have.
pub(super) fn copies(config: &StoreConfig) -> [PathBuf; 3] {
    [COPY, DONE, UNFINISHED].map(|name| config.data_dir.join(name))
}

/// Runs what is pending on the writer's connection.
pub(in super::super) async fn run(
    mut db: SqliteConnection,
    config: &StoreConfig,
) -> Result<SqliteConnection, OpenError> {
    let [copy, done, unfinished] = copies(config);
    let applied = database::applied(&mut db).await?;
    let pending = database::MIGRATIONS.iter().any(|migration| !applied.contains(&migration.version));
    let newest_applied = applied.iter().max().copied().unwrap_or_default();
    if newest_applied > database::newest_schema() {
        return Err(OpenError::NewerSchema(newest_applied));
    }
    if !pending {
        for file in [copy, done].iter().chain(&with_sidecars(&unfinished)) {
            files::remove(file)?;
        }
        return Ok(db);
    }
    if applied.is_empty() {
        database::MIGRATIONS.run(&mut db).await?;
        return Ok(db);
    }
    // One copy at a time: an older one would take the room that the new one needs.
    files::remove(&done)?;
    // A copy that lies there is from before an attempt that was interrupted: it is the older one, and nothing was stored since.
    if !files::exists(&copy)? {
        copy_database(config, &unfinished).await.map_err(OpenError::Database)?;
        files::rename(&unfinished, &copy)?;
    }
    tracing::info!(from = newest_applied, to = database::newest_schema(), "bringing the database up to date");
    match database::MIGRATIONS.run(&mut db).await {
        Ok(()) => {
            // Before anything is stored: from here on the copy must not come back.
            files::rename(&copy, &done)?;
            Ok(db)
        }
        Err(error) => {
            let reason = OpenError::from(error).to_string();
            // The copy replaces everything, so nothing of this connection needs to be kept.
            db.close().await.ok();
            put_back(config, &copy)?;
            Err(OpenError::UpgradeFailed(reason))
        }
    }
}

fn put_back(config: &StoreConfig, copy: &Path) -> Result<(), OpenError> {
    let database = config.database();
    for suffix in ["-wal", "-shm", "-journal"] {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        files::remove(&PathBuf::from(name))?;
    }
    Ok(files::rename(copy, &database)?)
}
