//! The files that the configuration names: read, judged, and taken apart. Their content is never repeated anywhere.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use totp_rs::Totp;
use zeroize::Zeroizing;

use super::config::{ConfigError, UpstreamConfig, check_settings};
use crate::domain::identifiers::InstitutionCode;
use crate::domain::personal::{Secret, without_mark};
use crate::system::owned;

/// Who signs in, and with what.
pub struct Account {
    pub(super) institution: InstitutionCode,
    pub(super) name: String,
    pub(super) password: Option<Secret>,
    pub(super) totp: Totp,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("institution", &self.institution.as_str()).finish_non_exhaustive()
    }
}

impl Account {
    /// An account with its authenticator's secret, raw; `None` if that is shorter than 128 bits.
    pub fn new(
        institution: InstitutionCode,
        name: String,
        password: Option<Secret>,
        totp_secret: Vec<u8>,
    ) -> Option<Self> {
        let totp = totp_rs::Builder::new().with_secret(totp_secret).build().ok()?;
        Some(Self { institution, name, password, totp })
    }
}

/// Everything read from the files that the configuration names.
pub struct Credentials {
    pub(super) account: Arc<Account>,
    pub(super) roots: RootCertStore,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) proxy_password: Option<Secret>,
    pub(super) digest: FilesDigest,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("account", &self.account)
            .field("roots", &self.roots.len())
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Our client certificate, DER.
    pub fn client_certificate(&self) -> &[u8] {
        self.chain.first().map(AsRef::as_ref).unwrap_or_default()
    }

    /// Our client certificate and its intermediates, DER.
    pub fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.chain.iter().map(AsRef::as_ref)
    }

    /// Checks the settings and reads the files they name.
    pub fn load(config: &UpstreamConfig) -> Result<Self, ConfigError> {
        check_settings(config)?;
        Self::read(config, &Files::read(config)?)
    }

    /// Takes apart what was read.
    pub(super) fn read(config: &UpstreamConfig, files: &Files) -> Result<Self, ConfigError> {
        let institution = InstitutionCode::parse(&config.institution_code)
            .map_err(|_| ConfigError::Setting { key: "institution_code", rule: "must be ten digits" })?;
        Ok(Self {
            account: Arc::new(Account {
                institution,
                name: config.account.clone(),
                password: files.password.as_ref().map(password).transpose()?,
                totp: totp(&files.totp)?,
            }),
            roots: roots(&files.roots)?,
            chain: certificates(&files.chain)?,
            key: private_key(&files.key)?,
            proxy_password: files.proxy_password.as_ref().map(password).transpose()?,
            digest: files.digest(),
        })
    }
}

/// Tells whether files have changed. Kept in memory only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FilesDigest([u8; 32]);

/// The files as they are at one moment.
pub(super) struct Files {
    password: Option<Content>,
    totp: Content,
    roots: Content,
    chain: Content,
    key: Content,
    proxy_password: Option<Content>,
}

/// One file.
pub(super) struct Content {
    key: &'static str,
    path: PathBuf,
    bytes: Zeroizing<Vec<u8>>,
}

impl Files {
    pub(super) fn read(config: &UpstreamConfig) -> Result<Self, ConfigError> {
        let secret = |key, path: &Path| {
            refuse_open_file(key, path, config)?;
            Content::read(key, path)
        };
        let proxy = config.proxy.as_ref().and_then(|proxy| proxy.password_file.as_deref());
        Ok(Self {
            password: config
                .password_file
                .as_deref()
                .map(|path| secret("password_file", path))
                .transpose()?,
            totp: secret("totp_secret_file", &config.totp_secret_file)?,
            roots: Content::read("roots_file", &config.roots_file)?,
            chain: Content::read("client_certificate_file", &config.client_certificate_file)?,
            key: secret("client_key_file", &config.client_key_file)?,
            proxy_password: proxy.map(|path| secret("proxy.password_file", path)).transpose()?,
        })
    }

    pub(super) fn digest(&self) -> FilesDigest {
        let mut hash = Sha256::new();
        let every = [&self.totp, &self.roots, &self.chain, &self.key];
        for file in every.into_iter().chain(&self.password).chain(&self.proxy_password) {
            hash.update(file.key.as_bytes());
            hash.update(file.bytes.len().to_be_bytes());
            hash.update(&*file.bytes);
        }
        FilesDigest(hash.finalize().into())
    }
}

/// Reads and takes apart every file by itself.
pub(super) fn judge(config: &UpstreamConfig) -> Vec<(&'static str, Result<(), ConfigError>)> {
    let plain = |key, path: &Path| Content::read(key, path);
    let secret =
        |key, path: &Path| refuse_open_file(key, path, config).and_then(|()| Content::read(key, path));
    let chain = plain("client_certificate_file", &config.client_certificate_file);
    let mut judged = vec![
        ("roots_file", plain("roots_file", &config.roots_file).and_then(|file| roots(&file)).map(drop)),
        ("client_certificate_file", chain.and_then(|file| certificates(&file)).map(drop)),
        (
            "client_key_file",
            secret("client_key_file", &config.client_key_file).and_then(|file| private_key(&file)).map(drop),
        ),
        (
            "totp_secret_file",
            secret("totp_secret_file", &config.totp_secret_file).and_then(|file| totp(&file)).map(drop),
        ),
    ];
    let proxy = config.proxy.as_ref().and_then(|proxy| proxy.password_file.as_deref());
    for (key, path) in [("password_file", config.password_file.as_deref()), ("proxy.password_file", proxy)] {
        let outcome = path.map(|path| secret(key, path).and_then(|file| password(&file)).map(drop));
        judged.extend(outcome.map(|outcome| (key, outcome)));
    }
    judged
}

impl Content {
    fn read(key: &'static str, path: &Path) -> Result<Self, ConfigError> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Self { key, path: path.to_owned(), bytes: Zeroizing::new(bytes) }),
            Err(source) => Err(ConfigError::Unreadable { key, path: path.to_owned(), source }),
        }
    }

    fn holds_no(&self, expected: &'static str) -> ConfigError {
        ConfigError::Content { key: self.key, path: self.path.clone(), expected }
    }

    fn text(&self) -> Result<&str, ConfigError> {
        std::str::from_utf8(&self.bytes).map(without_mark).map_err(|_| self.holds_no("text"))
    }
}

fn password(file: &Content) -> Result<Secret, ConfigError> {
    let password = file.text()?.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(file.holds_no("password"));
    }
    Ok(Secret::new(password.to_owned()))
}

fn totp(file: &Content) -> Result<Totp, ConfigError> {
    let wrong = || file.holds_no("Base32 secret of 128 bits or more");
    let secret = totp_rs::Secret::try_from_base32(file.text()?.trim()).map_err(|_| wrong())?;
    totp_rs::Builder::new().with_secret(secret).build().map_err(|_| wrong())
}

fn roots(file: &Content) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|_| file.holds_no("usable root certificate"))?;
    }
    Ok(roots)
}

fn certificates(file: &Content) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    match CertificateDer::pem_slice_iter(&file.bytes).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(file.holds_no("certificate in PEM form")),
    }
}

fn private_key(file: &Content) -> Result<PrivateKeyDer<'static>, ConfigError> {
    PrivateKeyDer::from_pem_slice(file.text()?.as_bytes())
        .map_err(|_| file.holds_no("private key in PEM form"))
}

/// systemd grants its service a credential by an access list, which shows as a group's right to read; its directory is
/// closed to everybody else.
fn refuse_open_file(key: &'static str, path: &Path, config: &UpstreamConfig) -> Result<(), ConfigError> {
    const GROUP_AND_OTHERS: u32 = 0o077;
    const GROUP_READS: u32 = 0o040;
    let is_credential =
        config.credentials_directory.as_deref().is_some_and(|directory| path.starts_with(directory));
    match std::fs::metadata(path).and_then(|found| owned::open_to(path, &found)) {
        Ok(Some(mode)) if is_credential && mode & GROUP_AND_OTHERS == GROUP_READS => Ok(()),
        Ok(Some(_)) => Err(ConfigError::OpenToOthers { key, path: path.to_owned() }),
        Ok(None) => Ok(()),
        Err(source) => Err(ConfigError::Unreadable { key, path: path.to_owned(), source }),
    }
}
