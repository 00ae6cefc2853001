//! Writing a backup: a consistent copy, stripped, sealed, read back, and only then named.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::{Connection as _, Executor as _};

use super::super::database;
use super::super::error::failed;
use super::super::files::{self, FileError};
use super::super::{Store, StoreConfig};
use super::format::{self, Header, RecoveryKey};
use super::{Told, strip};
use crate::app::ports::{ArchiveStep, BackupError, BackupMade, Backups, HearsSteps, Random};
use crate::domain::personal::Secret;
use crate::system::owned;

/// The copy in the data directory, while it is being sealed.
const COPY: &str = "backup.tmp.db";
/// The archive before it has proved whole; a crash leaves at most this, and the next backup replaces it.
const UNFINISHED: &str = "shikaku.backup.tmp";

#[async_trait]
impl Backups for Store {
    async fn back_up(
        &self,
        directory: &Path,
        recovery: &Secret,
        mode: &str,
        hears: HearsSteps,
    ) -> Result<BackupMade, BackupError> {
        let recovery = RecoveryKey::parse(recovery.expose()).ok_or(BackupError::RecoveryKey)?;
        if !directory.is_dir() {
            return Err(BackupError::Target(format!("{} はディレクトリではありません", directory.display())));
        }
        let _one_at_a_time = self.backing_up.lock().await;
        let copy = self.config.data_dir.join(COPY);
        let outcome = self.seal_copy(&copy, directory, recovery, mode, hears).await;
        forget(&copy);
        outcome
    }
}

impl Store {
    async fn seal_copy(
        &self,
        copy: &Path,
        directory: &Path,
        recovery: RecoveryKey,
        mode: &str,
        hears: HearsSteps,
    ) -> Result<BackupMade, BackupError> {
        let broken = |error: sqlx::Error| BackupError::Failed(failed(&error).to_string());
        let now_us = self.clock.now_us();
        hears(ArchiveStep::Copying);
        copy_database(&self.config, copy).await.map_err(BackupError::Failed)?;
        let mut db = database::open_copy(copy).await.map_err(|e| BackupError::Failed(e.to_string()))?;
        strip(&mut db, now_us).await.map_err(broken)?;
        let (results, results_expire_us): (i64, Option<i64>) =
            sqlx::query_as("SELECT count(*), max(expires_at_us) FROM results")
                .fetch_one(&mut db)
                .await
                .map_err(broken)?;
        let schema: i64 = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
            .fetch_one(&mut db)
            .await
            .map_err(broken)?;
        db.close().await.map_err(broken)?;
        let header = Header {
            created_us: now_us,
            results_expire_us,
            results: results.unsigned_abs(),
            schema,
            mode: mode.to_owned(),
        };
        let now = Timestamp::from_microsecond(now_us).map_err(|e| BackupError::Failed(e.to_string()))?;
        let keys = self.keyring.exported(now);
        let (copy, directory, random) = (copy.to_owned(), directory.to_owned(), Arc::clone(&self.random));
        let shown = header.clone();
        let sealing = move || {
            let written = Sealing { keys: &keys, header: &header, recovery: &recovery, hears: &*hears };
            written.seal(&copy, &directory, &*random, now)
        };
        let file = tokio::task::spawn_blocking(sealing)
            .await
            .map_err(|_| BackupError::Failed("writing was interrupted".to_owned()))??;
        let results_expire_at = shown.results_expire_us.and_then(|at| Timestamp::from_microsecond(at).ok());
        Ok(BackupMade { file, results: shown.results, results_expire_at })
    }
}

/// A copy and what SQLite may lay beside it.
pub(super) fn with_sidecars(copy: &Path) -> [PathBuf; 4] {
    ["", "-journal", "-wal", "-shm"].map(|suffix| with_suffix(copy, suffix))
}

/// Removes a copy and what SQLite may have left beside it.
fn forget(copy: &Path) {
    for file in with_sidecars(copy) {
        // What stays is removed by the next backup or start; rows in it are sealed like in the database.
        files::remove(&file).ok();
    }
}

/// What a backup leaves in the data directory if the power goes in the middle of it.
pub(super) fn leftovers(config: &StoreConfig) -> [PathBuf; 4] {
    with_sidecars(&config.data_dir.join(COPY))
}

/// Removes them, so that no row outlives its expiry there. Nobody but the process that holds the store's lock writes backups.
pub(in super::super) fn remove_leftovers(config: &StoreConfig) -> Result<(), FileError> {
    leftovers(config).iter().try_for_each(|file| files::remove(file))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// A consistent copy while the writer goes on, readable for its owner only.
pub(super) async fn copy_database(config: &StoreConfig, copy: &Path) -> Result<(), String> {
    forget(copy);
    drop(files::ensure_private(copy).map_err(|e| e.to_string())?);
    let mut reader = database::open_source(&config.database()).await.map_err(|e| e.to_string())?;
    let target = copy.to_str().ok_or("the data directory's name is not text")?;
    sqlx::query("VACUUM INTO ?1")
        .bind(target)
        .execute(&mut reader)
        .await
        .map_err(|e| failed(&e).to_string())?;
    reader.execute("SELECT 1").await.map_err(|e| failed(&e).to_string())?;
    reader.close().await.map_err(|e| failed(&e).to_string())?;
    owned::sync_file(copy).map_err(|e| e.to_string())
}

/// What goes into an archive, and who hears how far it is.
struct Sealing<'a> {
    keys: &'a [u8],
    header: &'a Header,
    recovery: &'a RecoveryKey,
    hears: &'a (dyn Fn(ArchiveStep) + Send + Sync),
}

impl Sealing<'_> {
    /// Seals keys and copy into a file of the directory, reads it back, and gives it its name.
    fn seal(
        &self,
        copy: &Path,
        directory: &Path,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<PathBuf, BackupError> {
        let target = |error: io::Error| BackupError::Target(error.to_string());
        let unfinished = directory.join(UNFINISHED);
        let written = self.write(copy, &unfinished, random)?;
        if self.read_back(&unfinished)? != Some(written) {
            return Err(BackupError::Failed("what was written does not read back".to_owned()));
        }
        let name = format!("shikaku-{}.backup", now.strftime("%Y%m%dT%H%M%SZ"));
        let named = directory.join(name);
        owned::patiently(|| fs::rename(&unfinished, &named)).map_err(target)?;
        owned::sync_directory(directory).map_err(target)?;
        Ok(named)
    }

    /// Writes the archive under its unfinished name; says what its content hashes to.
    fn write(&self, copy: &Path, unfinished: &Path, random: &dyn Random) -> Result<[u8; 32], BackupError> {
        let target = |error: io::Error| BackupError::Target(error.to_string());
        let open = || -> io::Result<(Box<dyn Read + '_>, u64, File)> {
            match owned::patiently(|| fs::remove_file(unfinished)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let length = u32::try_from(self.keys.len()).map_err(io::Error::other)?.to_be_bytes();
            let image = File::open(copy)?;
            let whole = image.metadata()?.len();
            let content = io::Cursor::new(length).chain(self.keys).chain(image);
            let file = owned::private().read(true).write(true).create_new(true).open(unfinished)?;
            Ok((Box::new(content), whole, file))
        };
        let (content, whole, file) = open().map_err(target)?;
        let mut told = Told::new(whole, |part| (self.hears)(ArchiveStep::Writing(part)));
        let mut content = Hashing { from: content, hash: Sha256::new(), read: &mut |some| told.more(some) };
        let mut to = io::BufWriter::new(file);
        format::write(&mut to, &mut content, self.header, self.recovery, random)
            .map_err(|e| BackupError::Target(e.to_string()))?;
        to.flush().and_then(|()| to.get_ref().sync_all()).map_err(target)?;
        Ok(content.hash.finalize().into())
    }

    /// What the content of the written archive hashes to; nothing if it is another one or damaged.
    fn read_back(&self, unfinished: &Path) -> Result<Option<[u8; 32]>, BackupError> {
        let target = |error: io::Error| BackupError::Target(error.to_string());
        let file = File::open(unfinished).map_err(target)?;
        let whole = file.metadata().map_err(target)?.len();
        let mut told = Told::new(whole, |part| (self.hears)(ArchiveStep::ReadingBack(part)));
        let mut hash = Sha256::new();
        let read = format::read(&mut io::BufReader::new(file), self.recovery, &mut |portion| {
            hash.update(portion);
            told.more(portion.len());
            Ok(())
        });
        Ok(matches!(&read, Ok(found) if found == self.header).then(|| hash.finalize().into()))
    }
}

struct Hashing<'a, R> {
    from: R,
    hash: Sha256,
    read: &'a mut dyn FnMut(usize),
}

impl<R: Read> Read for Hashing<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        (self.read)(read);
        Ok(read)
    }
}
