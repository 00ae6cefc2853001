//! Restoring a backup into an empty data directory: under a new master key, without what has expired, without sessions.
//!
//! Steps, each leaving a state that the next attempt can begin from: 1. the database image under a temporary name,
//! stripped; 2. new master key and keyring; 3. anchor; 4. the image gets its name. Until 4 the store does not open.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Connection as _;
use zeroize::Zeroizing;

use super::super::audit;
use super::super::error::OpenError;
use super::super::files::{self, FileError};
use super::super::keyring::{self, Keyring};
use super::super::master::Master;
use super::super::{StoreConfig, database, identity, lock, prepare_directories};
use super::format::{self, FormatError, Header, RecoveryKey};
use super::{Told, quarantine, strip};
use crate::app::ports::{ArchiveStep, Clock, Random};
use crate::domain::personal::Secret;
use crate::system::owned;

/// A database image that has not got its name yet.
pub(super) const UNFINISHED: &str = "restore.tmp.db";
/// Seconds of a TOTP step.
const STEP: i64 = 30;

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The archive's own words.
    pub header: Header,
    /// Results that came back.
    pub results: u64,
    /// Results that have expired since and did not come back.
    pub left_out: u64,
}

/// Why nothing was restored. The texts say what to do.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is data.
    #[error("{0} にはすでにデータがあります。脇に移してから復元するには --set-aside を付けてください")]
    NotEmpty(PathBuf),
    /// The recovery key is none.
    #[error("復旧鍵が正しくありません。shikakud recovery-key で作ったファイルを指定してください")]
    RecoveryKey,
    /// Not an archive of this key, or a damaged one.
    #[error(
        "バックアップを開けません。ファイルが壊れているか、復旧鍵が違います。別のバックアップで試してください"
    )]
    Foreign,
    /// It was made by a newer program.
    #[error("バックアップは新しい版で作られています（スキーマ {0}）。その版を入れてから復元してください")]
    Newer(i64),
    /// It holds the other kind of data.
    #[error("バックアップは {0} のデータです。設定の mode と違います")]
    OtherMode(String),
    /// A file cannot be used.
    #[error("読み書きできません: {0}")]
    Io(#[from] io::Error),
    /// A file or directory is not safe to use.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store's directories or database.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl From<FormatError> for RestoreError {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::Foreign | FormatError::CutOff => Self::Foreign,
            FormatError::Io(error) => Self::Io(error),
        }
    }
}

impl From<sqlx::Error> for RestoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Open(error.into())
    }
}

/// What to restore, and how.
pub struct ToRestore<'a> {
    /// The archive.
    pub archive: &'a Path,
    /// The recovery key's text.
    pub recovery: &'a Secret,
    /// The configured kind of data, `production` or `sandbox`.
    pub mode: &'a str,
    /// Move existing data into quarantine first.
    pub set_aside: bool,
    /// Hears how far it is; must not wait.
    pub hears: &'a (dyn Fn(ArchiveStep) + Send + Sync),
}

/// Restores an archive.
pub async fn restore(
    config: &StoreConfig,
    ToRestore { archive, recovery, mode, set_aside, hears }: ToRestore<'_>,
    clock: &dyn Clock,
    random: &Arc<dyn Random>,
) -> Result<Restored, RestoreError> {
    let recovery = RecoveryKey::parse(recovery.expose()).ok_or(RestoreError::RecoveryKey)?;
    prepare_directories(config)?;
    let _lock = lock(&config.data_dir)?;
    // A key from outside that is not handed over ends it here, before anything is touched.
    let master = Master::of(&config.master_key, &config.keyring).map_err(OpenError::from)?;
    let image = config.data_dir.join(UNFINISHED);
    // A keyring beside an unfinished image is that attempt's own.
    let has_data =
        quarantine::has_data(config)? || (files::exists(&config.keyring)? && !files::exists(&image)?);
    if has_data && !set_aside {
        return Err(RestoreError::NotEmpty(config.data_dir.clone()));
    }
    let known_us = plausible_here(config).await;
    // Everything about the archive is known to be right before anything is moved.
    files::remove(&image)?;
    let (header, keys) = unpack(archive, &recovery, &image, hears)?;
    hears(ArchiveStep::Checking);
    let checked = check(&image, &header, mode, known_us.max(clock.now().as_microsecond()), known_us).await;
    let (now, results, left_out) = match checked {
        Ok(found) => found,
        Err(error) => {
            files::remove(&image)?;
            return Err(error);
        }
    };
    keyring::remove_next(&master.rotating)?;
    if has_data {
        quarantine::set_aside(config, now)?;
    }
    let keyring =
        Keyring::install(&config.keyring, master, &keys, now, Arc::clone(random)).map_err(OpenError::from)?;
    let mut db = database::open_copy(&image).await?;
    audit::start_anew(&mut db, &config.audit_anchor(), &keyring).await?;
    db.close().await?;
    owned::sync_file(&image)?;
    files::rename(&image, &config.database())?;
    quarantine::forget_marker(config)?;
    Ok(Restored { header, results, left_out })
}

/// Writes the image and returns the keys.
fn unpack(
    archive: &Path,
    recovery: &RecoveryKey,
    image: &Path,
    hears: &(dyn Fn(ArchiveStep) + Send + Sync),
) -> Result<(Header, Zeroizing<Vec<u8>>), RestoreError> {
    let from = File::open(archive)?;
    let mut told = Told::new(from.metadata()?.len(), |part| hears(ArchiveStep::Opening(part)));
    let mut from = io::BufReader::new(from);
    let mut to = io::BufWriter::new(files::ensure_private(image)?);
    let mut keys: Option<Zeroizing<Vec<u8>>> = None;
    let header = format::read(&mut from, recovery, &mut |portion| {
        told.more(portion.len());
        if keys.is_some() {
            return to.write_all(portion);
        }
        // The first portion is longer than all keys together.
        let (length, rest) = portion.split_first_chunk::<4>().ok_or(io::ErrorKind::InvalidData)?;
        let (own, rest) =
            rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or(io::ErrorKind::InvalidData)?;
        keys = Some(Zeroizing::new(own.to_vec()));
        to.write_all(rest)
    });
    let written = to.flush().and_then(|()| to.get_ref().sync_all());
    match (header, keys, written) {
        (Ok(header), Some(keys), Ok(())) => Ok((header, keys)),
        (header, _, written) => {
            files::remove(image)?;
            header?;
            written?;
            Err(RestoreError::Foreign)
        }
    }
}

/// The latest plausible instant that the data to be set aside has seen, microseconds since 1970, as far as it can still
/// be read: what this installation saw expire does not come back with an older archive.
async fn plausible_here(config: &StoreConfig) -> i64 {
    let Ok(mut db) = database::open_source(&config.database()).await else { return 0 };
    let query = sqlx::query_scalar("SELECT plausible_us FROM clock WHERE id = 1");
    let known: i64 = query.fetch_one(&mut db).await.unwrap_or_default();
    // Only read from: nothing is lost if it does not close well.
    db.close().await.ok();
    known
}

/// Whether the image may be used here; strips it. `now_here_us`: now as far as this machine knows; `known_us`:
/// the latest plausible instant it has seen. Returns the instant it is restored at and how many results are left.
async fn check(
    image: &Path,
    header: &Header,
    mode: &str,
    now_here_us: i64,
    known_us: i64,
) -> Result<(Timestamp, u64, u64), RestoreError> {
    if header.mode != mode {
        return Err(RestoreError::OtherMode(header.mode.clone()));
    }
    if header.schema > database::newest_schema() {
        return Err(RestoreError::Newer(header.schema));
    }
    let mut db = database::open_copy(image).await?;
    database::quick_check(&mut db).await?;
    let mark: i64 =
        sqlx::query_scalar("SELECT high_water_us FROM clock WHERE id = 1").fetch_one(&mut db).await?;
    // A clock that runs behind must not bring back what had expired when the archive was made.
    let now_us = now_here_us.max(mark).max(header.created_us);
    strip(&mut db, now_us).await?;
    // Codes used between backup and loss were accepted elsewhere: none of them is accepted again.
    sqlx::query("UPDATE accounts SET last_step = max(last_step, ?1)")
        .bind(now_us / 1_000_000 / STEP + 1)
        .execute(&mut db)
        .await?;
    // Which recovery codes were used since is not known either.
    sqlx::query("DELETE FROM recovery_codes").execute(&mut db).await?;
    sqlx::query("UPDATE clock SET high_water_us = ?1, plausible_us = max(plausible_us, ?2) WHERE id = 1")
        .bind(now_us)
        .bind(known_us)
        .execute(&mut db)
        .await?;
    identity::pass_numbers_given(&mut db, now_us).await?;
    identity::forget(&mut db).await?;
    let results: i64 = sqlx::query_scalar("SELECT count(*) FROM results").fetch_one(&mut db).await?;
    db.close().await?;
    let now = Timestamp::from_microsecond(now_us).map_err(|_| RestoreError::Foreign)?;
    let results = results.unsigned_abs();
    Ok((now, results, header.results.saturating_sub(results)))
}
