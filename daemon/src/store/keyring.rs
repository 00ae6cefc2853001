//! The keyring: one key per JST month of the check and one for the system, in a file outside the database, sealed under
//! a master key that lies in a file of its own, apart from both.
//!
//! ```text
//! master key ── seals ──→ keyring { system, 202606, 202607, … }
//!                                     │        └→ payload, person index, inquiry index of the results, jobs of that month
//!                                     └→ account secrets, audit chain (these outlive months)
//! ```
//! Destroying a month: the keyring is written again without it, under a new master key, and the old master key is
//! overwritten. Old keyring blocks, WAL remnants and copies of the database then stay unreadable. Copies that others
//! made of the master key are the named limit.
//!
//! Two files cannot change in one step, so a new master key first lies beside the old one (`.next`):
//! 1. write `.next`; 2. write the keyring under it; 3. overwrite the old master key; 4. rename `.next` over it.
//!
//! A crash after 1 leaves keyring and old master key (`.next` opens nothing and is removed); after 2 or 3 `.next` opens
//! the keyring and takes its place at the next start. What such a start finds may not have reached the disk yet, so the
//! names in both directories are synced before anything is built on them or destroyed because of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

use super::crypto::{CryptoError, KEY_BYTES, Key};
use super::files::{self, FileError};
use super::master::Master;
use crate::app::ports::Random;
use crate::domain::retention::JstMonth;

/// Why the keyring cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyringError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is data but no master key.
    #[error("the master key {0} is missing")]
    MasterKeyMissing(PathBuf),
    /// The key from outside was not handed over.
    #[error("the external key {name} cannot be read: {problem}")]
    External {
        /// How the administrator knows it.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The key from outside is handed to the service alone.
    #[error("the external key {0} is handed to the service alone")]
    NotHanded(String),
    /// There is a database but no keyring.
    #[error("the keyring {0} is missing")]
    KeyringMissing(PathBuf),
    /// Keyring and master key do not belong together.
    #[error("the keyring {0} cannot be opened with this master key")]
    Unreadable(PathBuf),
    /// A key could not be derived or used.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// Keys of the results of one JST month.
pub(super) struct MonthKeys {
    root: Key,
    /// Seals payloads.
    pub(super) payload: Key,
    /// Seals results as they are sent.
    pub(super) body: Key,
    /// Blind index of insurance identifiers.
    pub(super) person: Key,
    /// Blind index of inquiry numbers.
    pub(super) inquiry: Key,
    /// Blind index of the central system's own ids of results.
    pub(super) upstream: Key,
    /// Seals the queue's jobs.
    pub(super) queue: Key,
    /// Seals what is remembered of requests with a key.
    pub(super) request: Key,
    /// Blind index of the keys of requests.
    pub(super) request_index: Key,
    /// Seals files for the OQS folders until they are out.
    pub(super) folder: Key,
    /// Blind index of requests of the OQS folders.
    pub(super) folder_index: Key,
}

impl MonthKeys {
    fn new(root: Key) -> Result<Self, CryptoError> {
        Ok(Self {
            payload: root.derive("results payload")?,
            body: root.derive("results body")?,
            person: root.derive("results person index")?,
            inquiry: root.derive("results inquiry index")?,
            upstream: root.derive("results upstream index")?,
            queue: root.derive("inquiry queue payload")?,
            request: root.derive("request payload")?,
            request_index: root.derive("request index")?,
            folder: root.derive("folder file")?,
            folder_index: root.derive("folder request index")?,
            root,
        })
    }
}

/// Keys that do not belong to a month.
pub(super) struct SystemKeys {
    root: Key,
    /// Seals TOTP secrets of accounts.
    pub(super) totp: Key,
    /// Hashes recovery codes.
    pub(super) recovery: Key,
    /// Seals the key of the certificate authority.
    pub(super) authority: Key,
    /// Chains the audit log.
    pub(super) audit: Key,
    /// Proves the audit log's anchor.
    pub(super) anchor: Key,
    /// Proves where the audit log was cut.
    pub(super) audit_cut: Key,
}

impl SystemKeys {
    fn new(root: Key) -> Result<Self, CryptoError> {
        Ok(Self {
            totp: root.derive("account totp")?,
            recovery: root.derive("account recovery codes")?,
            authority: root.derive("certificate authority")?,
            audit: root.derive("audit chain")?,
            anchor: root.derive("audit anchor")?,
            audit_cut: root.derive("audit cut")?,
            root,
        })
    }
}

const HEADER: &[u8] = b"shikaku keyring 1\n";
const SYSTEM: i32 = 0;
const ENTRY_BYTES: usize = 4 + KEY_BYTES;

/// The opened keyring. Reading keys never waits for the disk; [`Keyring::add_month`] and [`Keyring::drop_months`] do and
/// are called by the writer alone.
pub(super) struct Keyring {
    file: PathBuf,
    master: Master,
    random: Arc<dyn Random>,
    system: Arc<SystemKeys>,
    months: RwLock<BTreeMap<i32, Arc<MonthKeys>>>,
}

impl Keyring {
    /// Opens the keyring, or creates it and the master key if there is nothing yet.
    pub(super) fn open(
        file: &Path,
        master: Master,
        database_exists: bool,
        random: Arc<dyn Random>,
    ) -> Result<Self, KeyringError> {
        let keyring_exists = files::exists(file)?;
        let rotating = &master.rotating;
        let master_exists = files::exists(rotating)? || files::exists(&next(rotating))?;
        if !master_exists && (keyring_exists || database_exists) {
            return Err(KeyringError::MasterKeyMissing(rotating.clone()));
        }
        if database_exists && !keyring_exists {
            return Err(KeyringError::KeyringMissing(file.to_owned()));
        }
        // A process that died right after a rename has not made it durable.
        files::sync_directory(&files::directory_of(rotating))?;
        files::sync_directory(&files::directory_of(file))?;
        let (system, months) = if keyring_exists {
            load(file, &master)?
        } else {
            (create(file, &master, random.as_ref())?, BTreeMap::new())
        };
        Ok(Self {
            file: file.to_owned(),
            master,
            random,
            system: Arc::new(system),
            months: RwLock::new(months),
        })
    }

    /// A keyring without files, for tests of what uses keys.
    #[cfg(test)]
    pub(super) fn in_memory(random: Arc<dyn Random>) -> Result<Self, KeyringError> {
        let system = SystemKeys::new(Key::generate(random.as_ref()))?;
        let master = Master::of(&PathBuf::new().into(), Path::new(""))?;
        Ok(Self { file: PathBuf::new(), master, random, system: Arc::new(system), months: RwLock::default() })
    }

    /// Writes a keyring with given keys under a new master key; months that have expired are left out. What lies there is
    /// replaced.
    pub(super) fn install(
        file: &Path,
        master: Master,
        keys: &[u8],
        now: jiff::Timestamp,
        random: Arc<dyn Random>,
    ) -> Result<Self, KeyringError> {
        let (system, mut months) = parse(keys)?.ok_or_else(|| KeyringError::Unreadable(file.to_owned()))?;
        months.retain(|number, _| !is_expired(*number, now));
        let key = Key::generate(random.as_ref());
        files::remove(file)?;
        files::overwrite(&master.rotating)?;
        files::replace_private(&master.rotating, key.expose())?;
        let file = file.to_owned();
        let keyring =
            Self { file, master, random, system: Arc::new(system), months: RwLock::new(BTreeMap::new()) };
        keyring.write(&key, &months)?;
        keyring.put(months);
        Ok(keyring)
    }

    /// The keys that have not expired, as [`Keyring::install`] takes them.
    pub(super) fn exported(&self, now: jiff::Timestamp) -> Zeroizing<Vec<u8>> {
        let mut months = self.snapshot();
        months.retain(|number, _| !is_expired(*number, now));
        plain(&self.system.root, months.iter().map(|(number, keys)| (*number, &keys.root)))
    }

    /// The keys that outlive months.
    pub(super) fn system(&self) -> Arc<SystemKeys> {
        Arc::clone(&self.system)
    }

    /// The keys of a month, if it has any.
    pub(super) fn month(&self, month: JstMonth) -> Option<Arc<MonthKeys>> {
        self.months.read().unwrap_or_else(PoisonError::into_inner).get(&month.number()).cloned()
    }

    /// The keys of every month that has any.
    pub(super) fn months(&self) -> Vec<Arc<MonthKeys>> {
        self.months.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The keys of a month; new ones are durable before this returns. Writes files.
    pub(super) fn add_month(&self, month: JstMonth) -> Result<Arc<MonthKeys>, KeyringError> {
        if let Some(keys) = self.month(month) {
            return Ok(keys);
        }
        let mut months = self.snapshot();
        let keys = Arc::new(MonthKeys::new(Key::generate(self.random.as_ref()))?);
        months.insert(month.number(), Arc::clone(&keys));
        let (local, _) = open_file(&self.file, &self.master)?;
        self.write(&local, &months)?;
        self.put(months);
        Ok(keys)
    }

    /// Destroys the keys of every month that has expired at `now`, under a new master key; returns how many.
    /// Writes files; without such a month it touches nothing.
    pub(super) fn drop_months(&self, now: jiff::Timestamp) -> Result<u64, KeyringError> {
        let mut months = self.snapshot();
        let before = months.len();
        months.retain(|number, _| !is_expired(*number, now));
        let dropped = before - months.len();
        if dropped > 0 {
            // Leaves nothing half done behind before the next change begins.
            open_file(&self.file, &self.master)?;
            let new_key = Key::generate(self.random.as_ref());
            files::replace_private(&next(&self.master.rotating), new_key.expose())?;
            self.write(&new_key, &months)?;
            // From here on only the new master key opens the keyring, so the keys are gone for good.
            self.put(months);
            promote_next(&self.master.rotating)?;
        }
        Ok(u64::try_from(dropped).unwrap_or(u64::MAX))
    }

    /// First instant at which the keys of the oldest month must be gone, if there are any.
    pub(super) fn first_expiry(&self) -> Option<jiff::Timestamp> {
        let months = self.months.read().unwrap_or_else(PoisonError::into_inner);
        months.keys().filter_map(|number| expiry_of(*number)).min()
    }

    fn snapshot(&self) -> BTreeMap<i32, Arc<MonthKeys>> {
        self.months.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, months: BTreeMap<i32, Arc<MonthKeys>>) {
        *self.months.write().unwrap_or_else(PoisonError::into_inner) = months;
    }

    fn write(&self, local: &Key, months: &BTreeMap<i32, Arc<MonthKeys>>) -> Result<(), KeyringError> {
        let entries = months.iter().map(|(number, keys)| (*number, &keys.root));
        write(&self.file, &self.master.sealing(local)?, &self.system.root, entries, self.random.as_ref())
    }
}

/// Whether results of the month are past their retention; a number that is no month never is.
fn is_expired(number: i32, now: jiff::Timestamp) -> bool {
    expiry_of(number).is_some_and(|expiry| now >= expiry)
}

fn expiry_of(number: i32) -> Option<jiff::Timestamp> {
    JstMonth::from_number(number).and_then(JstMonth::expiry)
}

/// Where the next master key lies while the keyring changes over to it.
fn next(master: &Path) -> PathBuf {
    let mut name = master.as_os_str().to_owned();
    name.push(".next");
    PathBuf::from(name)
}

fn promote_next(master: &Path) -> Result<(), FileError> {
    files::overwrite(master)?;
    files::rename(&next(master), master)
}

/// A store that begins beside data that was set aside gets a master key of its own. The keyring that went with that data opens
/// only with the one before, so what was set aside cannot be read any more when its retention ends. A keyring that is there
/// is left alone.
pub(super) fn renew_master(file: &Path, master: &Master, random: &dyn Random) -> Result<(), KeyringError> {
    let rotating = &master.rotating;
    if files::exists(file)? {
        return Ok(());
    }
    remove_next(rotating)?;
    if files::exists(rotating)? {
        files::replace_private(&next(rotating), Key::generate(random).expose())?;
        promote_next(rotating)?;
    }
    Ok(())
}

fn read_key(path: &Path) -> Result<Option<Key>, FileError> {
    Ok(files::read_private(path)?.and_then(|bytes| Key::from_bytes(&bytes)))
}

/// First start: the master key comes first, because a keyring that nothing opens would have to be explained.
fn create(file: &Path, master: &Master, random: &dyn Random) -> Result<SystemKeys, KeyringError> {
    let rotating = &master.rotating;
    let local = match read_key(rotating)? {
        Some(key) => key,
        None if files::exists(rotating)? => return Err(KeyringError::Unreadable(rotating.clone())),
        None => {
            let key = Key::generate(random);
            files::replace_private(rotating, key.expose())?;
            key
        }
    };
    let system = SystemKeys::new(Key::generate(random))?;
    write(file, &master.sealing(&local)?, &system.root, std::iter::empty(), random)?;
    Ok(system)
}

fn plain<'k>(system: &'k Key, months: impl Iterator<Item = (i32, &'k Key)>) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(64 * ENTRY_BYTES));
    for (number, key) in std::iter::once((SYSTEM, system)).chain(months) {
        plain.extend_from_slice(&number.to_be_bytes());
        plain.extend_from_slice(key.expose());
    }
    plain
}

/// Removes a master key that a change was interrupted with.
pub(super) fn remove_next(master: &Path) -> Result<(), FileError> {
    files::overwrite(&next(master))?;
    files::remove(&next(master))
}

fn write<'k>(
    file: &Path,
    master: &Key,
    system: &'k Key,
    months: impl Iterator<Item = (i32, &'k Key)>,
    random: &dyn Random,
) -> Result<(), KeyringError> {
    let plain = plain(system, months);
    let sealed = master.derive("keyring")?.seal(random, HEADER, &plain)?;
    files::replace_private(file, &[HEADER, &sealed].concat())?;
    Ok(())
}

fn open_with(master: &Master, local: &Key, content: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let sealed = content.strip_prefix(HEADER)?;
    master.sealing(local).ok()?.derive("keyring").ok()?.open(HEADER, sealed).ok()
}

/// The rotating key that opens the keyring file as it is now, and the opened keyring. Finishes a change of the key that a
/// crash or an error interrupted.
fn open_file(file: &Path, master: &Master) -> Result<(Key, Zeroizing<Vec<u8>>), KeyringError> {
    let content = files::read_private(file)?.ok_or_else(|| KeyringError::KeyringMissing(file.to_owned()))?;
    let rotating = &master.rotating;
    if let Some(key) = read_key(rotating)?
        && let Some(plain) = open_with(master, &key, &content)
    {
        files::overwrite(&next(rotating))?;
        files::remove(&next(rotating))?;
        return Ok((key, plain));
    }
    if let Some(key) = read_key(&next(rotating))?
        && let Some(plain) = open_with(master, &key, &content)
    {
        // The old master key is destroyed next: the keyring that it opens must not come back with a loss of power.
        files::sync_directory(&files::directory_of(file))?;
        promote_next(rotating)?;
        return Ok((key, plain));
    }
    Err(KeyringError::Unreadable(file.to_owned()))
}

/// Whether the master key opens the keyring as both lie there; changes nothing, not even what a crash left half done.
pub(super) fn check(file: &Path, master: &Master) -> Result<(), KeyringError> {
    let content = files::read_private(file)?.ok_or_else(|| KeyringError::KeyringMissing(file.to_owned()))?;
    let rotating = &master.rotating;
    let keys = [read_key(rotating)?, read_key(&next(rotating))?];
    if !files::exists(rotating)? && !files::exists(&next(rotating))? {
        return Err(KeyringError::MasterKeyMissing(rotating.clone()));
    }
    match keys.iter().flatten().find_map(|key| open_with(master, key, &content)) {
        Some(_) => Ok(()),
        None => Err(KeyringError::Unreadable(file.to_owned())),
    }
}

fn load(file: &Path, master: &Master) -> Result<(SystemKeys, BTreeMap<i32, Arc<MonthKeys>>), KeyringError> {
    let (_, plain) = open_file(file, master)?;
    parse(&plain)?.ok_or_else(|| KeyringError::Unreadable(file.to_owned()))
}

type Parsed = Option<(SystemKeys, BTreeMap<i32, Arc<MonthKeys>>)>;

fn parse(plain: &[u8]) -> Result<Parsed, CryptoError> {
    let mut system = None;
    let mut months = BTreeMap::new();
    let (entries, []) = plain.as_chunks::<ENTRY_BYTES>() else { return Ok(None) };
    for entry in entries {
        let Some((number, key)) = entry.split_first_chunk::<4>() else { return Ok(None) };
        let Some(key) = Key::from_bytes(key) else { return Ok(None) };
        match i32::from_be_bytes(*number) {
            SYSTEM => system = Some(SystemKeys::new(key)?),
            month => {
                months.insert(month, Arc::new(MonthKeys::new(key)?));
            }
        }
    }
    Ok(system.map(|system| (system, months)))
}
