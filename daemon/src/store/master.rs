//! Where the master key comes from: a file that is replaced whenever a month is destroyed, or a key that something else
//! keeps and that cannot be replaced from here.
//!
//! ```text
//! file:      master key = the file                                    (rotates)
//! external:  master key = HMAC(external key, local key `keyring.wrap`) (the local key rotates)
//! ```
//! A key that cannot be replaced would open every old copy of the keyring for ever. So it never seals the keyring alone:
//! a local key beside the keyring takes part, and that one is replaced and overwritten at every destruction, exactly as
//! a master key file is. Whoever has the data directory lacks the external key; whoever has the external key and an old
//! copy of the keyring lacks the local key of that time.

use std::fmt::Debug;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::crypto::{CryptoError, Key};
use super::files;
use super::keyring::KeyringError;
use crate::system::owned;

/// Where the master key comes from.
#[derive(Debug, Clone)]
pub enum MasterKeySource {
    /// A file of its own, mode 0600, in a directory apart from the data; created at the first start, replaced when a
    /// month is destroyed.
    File(PathBuf),
    /// Somebody else keeps it.
    External(Arc<dyn ExternalKey>),
}

impl From<PathBuf> for MasterKeySource {
    fn from(file: PathBuf) -> Self {
        Self::File(file)
    }
}

/// Why a key from outside was not had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyProblem {
    /// The service manager hands it to the service alone, and did not start this process.
    NotHanded,
    /// It cannot be used: why, in Japanese, without any part of the key.
    Unusable(String),
}

impl From<String> for KeyProblem {
    fn from(problem: String) -> Self {
        Self::Unusable(problem)
    }
}

/// A key that something outside keeps and hands over at the start: a systemd credential ([`Credential`]), or the
/// Windows data protection API (`SealedFile`).
pub trait ExternalKey: Debug + Send + Sync + 'static {
    /// How the administrator knows it; part of messages.
    fn name(&self) -> String;

    /// The key's bytes, at least 32, the same at every start.
    ///
    /// # Errors
    /// It was not handed over, or cannot be used.
    fn read(&self) -> Result<Zeroizing<Vec<u8>>, KeyProblem>;
}

/// A systemd credential (`LoadCredentialEncrypted=NAME:FILE`): a read-only file that the service manager lays below
/// `$CREDENTIALS_DIRECTORY` for this service alone.
#[derive(Debug)]
pub struct Credential {
    /// The credential's name.
    pub name: String,
    /// `$CREDENTIALS_DIRECTORY`, if the service manager set it.
    pub directory: Option<PathBuf>,
}

/// Shortest external key in bytes: 256 bits of key material.
const SHORTEST: usize = 32;
/// Longest file that is taken for a key.
const LONGEST: u64 = 4096;

impl ExternalKey for Credential {
    fn name(&self) -> String {
        format!("credential:{}", self.name)
    }

    fn read(&self) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
        let directory = self.directory.as_ref().ok_or(KeyProblem::NotHanded)?;
        let path = directory.join(&self.name);
        files::refuse_links(&path).map_err(|error| error.to_string())?;
        Ok(read_credential(&path)?)
    }
}

fn read_credential(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if !found.is_file() || !owned::is_credential(path, &found).map_err(unreadable)? {
        return Err(format!("{} をほかのユーザーが読めます", path.display()));
    }
    let mut content = Zeroizing::new(Vec::with_capacity(4096));
    file.take(LONGEST).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() < SHORTEST {
        return Err(format!("{} が短すぎます。32バイト以上の乱数にしてください", path.display()));
    }
    Ok(content)
}

/// A key that only this machine opens: a file sealed by the Windows data protection API.
///
/// Sealed for the machine and not for one account, so that an administrator's command opens the store while the service does not
/// run, as root does on Linux. Any user of the machine could undo such a seal: what keeps them away is the access list of the file's
/// directory, which is checked before. So the seal stops whoever carries off the file, not whoever is let in.
#[cfg(windows)]
#[derive(Debug)]
pub struct SealedFile(pub PathBuf);

#[cfg(windows)]
impl ExternalKey for SealedFile {
    fn name(&self) -> String {
        format!("dpapi:{}", self.0.display())
    }

    fn read(&self) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
        files::refuse_links(&self.0).map_err(|error| error.to_string())?;
        files::check_directory(&files::directory_of(&self.0)).map_err(|error| error.to_string())?;
        let sealed = files::read_private(&self.0).map_err(|error| error.to_string())?;
        let sealed =
            sealed.ok_or_else(|| format!("{} がありません。shikakud setup が作ります", self.0.display()))?;
        let key = crate::system::unseal(&sealed).map_err(|_| {
            format!(
                "{} はこのパソコンで封印されたものではありません。復旧鍵とバックアップから復元してください",
                self.0.display()
            )
        })?;
        if key.len() < SHORTEST {
            return Err(format!("{} が短すぎます", self.0.display()).into());
        }
        Ok(key)
    }
}

/// The master key as the keyring uses it: a file that rotates, alone or under a key from outside.
pub(super) struct Master {
    /// The file that rotates.
    pub(super) rotating: PathBuf,
    external: Option<Key>,
}

impl Master {
    /// Fetches the key from outside, if there is one; the local key lies beside the keyring then.
    pub(super) fn of(source: &MasterKeySource, keyring: &Path) -> Result<Self, KeyringError> {
        match source {
            MasterKeySource::File(file) => Ok(Self { rotating: file.clone(), external: None }),
            MasterKeySource::External(outside) => {
                let bytes = outside.read().map_err(|problem| match problem {
                    KeyProblem::NotHanded => KeyringError::NotHanded(outside.name()),
                    KeyProblem::Unusable(problem) => KeyringError::External { name: outside.name(), problem },
                })?;
                let key = Key::extract(&bytes)?;
                Ok(Self { rotating: local_key(keyring), external: Some(key) })
            }
        }
    }

    /// The key that seals the keyring while the rotating file holds `local`.
    pub(super) fn sealing(&self, local: &Key) -> Result<Key, CryptoError> {
        match &self.external {
            None => Ok(local.copy()),
            Some(external) => external.combine(local),
        }
    }
}

/// The local key beside the keyring.
pub(super) fn local_key(keyring: &Path) -> PathBuf {
    let mut name = keyring.as_os_str().to_owned();
    name.push(".wrap");
    PathBuf::from(name)
}
