//! Settings of the connection to the central system, and the secrets they point to.
//!
//! Secrets are named by file, never written into the configuration. What is read from those files lives in
//! [`Credentials`], which shows nothing of it in `Debug`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use totp_rs::Totp;
use url::Url;
use zeroize::Zeroizing;

use crate::domain::identifiers::InstitutionCode;
use crate::domain::personal::Secret;

/// The `[upstream]` table of the configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamConfig {
    /// Where the central system answers: `https`, without query and fragment; a path is a prefix of every endpoint.
    pub base_url: String,
    /// Institution code (機関コード), 10 digits; left out in the file, where it stands once for the whole installation.
    #[serde(default)]
    pub institution_code: String,
    /// Account issued for the receipt computer link (レセコン連携).
    pub account: String,
    /// File with the account's password, if one was issued.
    pub password_file: Option<PathBuf>,
    /// File with the authenticator's secret in Base32.
    pub totp_secret_file: PathBuf,
    /// PEM file with the only roots that the server's certificate may lead to.
    pub roots_file: PathBuf,
    /// PEM file with our client certificate, then its intermediates.
    pub client_certificate_file: PathBuf,
    /// PEM file with the private key of our client certificate.
    pub client_key_file: PathBuf,
    /// Oldest TLS version accepted.
    #[serde(default)]
    pub tls_floor: TlsFloor,
    /// Whether the central system accepts a certificate without a signature; only the simulated one does.
    #[serde(default)]
    pub accepts_unsigned_visual: bool,
    /// Paths below the base URL.
    #[serde(default)]
    pub paths: Paths,
    /// How long to wait.
    #[serde(default)]
    pub timeouts: Timeouts,
}

impl UpstreamConfig {
    /// The base URL, if it is one that names the central system and nothing else.
    pub(super) fn base(&self) -> Result<Url, ConfigError> {
        let plain = |url: &Url| {
            url.scheme() == "https"
                && url.host_str().is_some()
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        };
        Url::parse(&self.base_url).ok().filter(plain).ok_or(ConfigError::Setting {
            key: "base_url",
            rule: "must be an https URL with neither user, password, query nor fragment",
        })
    }
}

/// Oldest TLS version accepted (guideline for medical information systems, シス13⑥: 1.3; 1.2 where the peer cannot).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum TlsFloor {
    /// TLS 1.3 only.
    #[default]
    #[serde(rename = "1.3")]
    Tls13,
    /// TLS 1.2 with ECDHE and AEAD, or 1.3.
    #[serde(rename = "1.2")]
    Tls12,
}

/// Paths of the endpoints. The real ones are handed to registered vendors only; the defaults follow the known style.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paths {
    /// Sign in, answered with a token.
    pub auth: String,
    /// Ask for a challenge.
    pub challenge: String,
    /// Ask for the eligibility of a card's holder.
    pub confirm: String,
    /// Results of a period.
    pub results: String,
    /// Set an inquiry number.
    pub inquiry_number: String,
    /// Announcements of the operators.
    pub announcements: String,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            auth: "/oqs-api-pro/limited/account/auth".to_owned(),
            challenge: "/oqs-api-pro/limited/card/challenge".to_owned(),
            confirm: "/oqs-api-pro/limited/card/confirm".to_owned(),
            results: "/oqs-api-pro/limited/results/search".to_owned(),
            inquiry_number: "/oqs-api-pro/limited/reference-number/register".to_owned(),
            announcements: "/oqs-api-pro/limited/announcements/list".to_owned(),
        }
    }
}

/// How long to wait, in milliseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// For TCP and TLS together.
    pub connect_ms: u64,
    /// For one operation with everything it needs (sign-in included).
    pub total_ms: u64,
    /// For the results of a period, which can take many pages.
    pub results_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_ms: 5_000, total_ms: 15_000, results_ms: 120_000 }
    }
}

impl Timeouts {
    pub(super) fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }

    pub(super) fn total(&self) -> Duration {
        Duration::from_millis(self.total_ms)
    }

    pub(super) fn results(&self) -> Duration {
        Duration::from_millis(self.results_ms)
    }
}

/// Why the connection cannot be set up; everything here is for the administrator to correct.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A setting breaks its rule.
    #[error("upstream.{key}: {rule}")]
    Setting {
        /// The key below `[upstream]`.
        key: &'static str,
        /// Its rule.
        rule: &'static str,
    },
    /// A file cannot be read.
    #[error("upstream.{key}: cannot read {}", path.display())]
    Unreadable {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file with a secret is open to other users.
    #[error("upstream.{key}: {} may be read by other users; allow its owner only (mode 0600)", path.display())]
    OpenToOthers {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// A file does not hold what it should; its content is never repeated.
    #[error("upstream.{key}: {} holds no {expected}", path.display())]
    Content {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// Certificate, key and TLS settings do not go together.
    #[error("upstream: the TLS settings do not go together")]
    Tls(#[source] rustls::Error),
    /// The HTTP client could not be set up.
    #[error("upstream: the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
}

/// Everything read from the files that the configuration names.
pub struct Credentials {
    pub(super) institution: InstitutionCode,
    pub(super) account: String,
    pub(super) password: Option<Secret>,
    pub(super) totp: Totp,
    pub(super) roots: RootCertStore,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("institution", &self.institution.as_str())
            .field("roots", &self.roots.len())
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}

impl UpstreamConfig {
    /// Makes relative paths of files relative to a directory.
    pub fn resolve_paths(&mut self, base: &Path) {
        let files = [
            &mut self.totp_secret_file,
            &mut self.roots_file,
            &mut self.client_certificate_file,
            &mut self.client_key_file,
        ];
        for file in files.into_iter().chain(self.password_file.as_mut()) {
            *file = base.join(&*file);
        }
    }
}

impl Credentials {
    /// Our client certificate, DER.
    pub fn client_certificate(&self) -> &[u8] {
        self.chain.first().map(AsRef::as_ref).unwrap_or_default()
    }

    /// Checks the settings and reads the files they name.
    pub fn load(config: &UpstreamConfig) -> Result<Self, ConfigError> {
        check_settings(config)?;
        let institution = InstitutionCode::parse(&config.institution_code)
            .map_err(|_| ConfigError::Setting { key: "institution_code", rule: "must be ten digits" })?;
        Ok(Self {
            institution,
            account: config.account.clone(),
            password: config.password_file.as_deref().map(read_password).transpose()?,
            totp: read_totp(&config.totp_secret_file)?,
            roots: read_roots(&config.roots_file)?,
            chain: read_certificates("client_certificate_file", &config.client_certificate_file)?,
            key: read_key(&config.client_key_file)?,
        })
    }
}

fn check_settings(config: &UpstreamConfig) -> Result<(), ConfigError> {
    let refuse = |key, rule| Err(ConfigError::Setting { key, rule });
    config.base()?;
    if config.account.is_empty() {
        return refuse("account", "must not be empty");
    }
    let paths = &config.paths;
    for (key, path) in [
        ("paths.auth", &paths.auth),
        ("paths.challenge", &paths.challenge),
        ("paths.confirm", &paths.confirm),
        ("paths.results", &paths.results),
        ("paths.inquiry_number", &paths.inquiry_number),
        ("paths.announcements", &paths.announcements),
    ] {
        if !path.starts_with('/') || path.contains(['?', '#']) || path.contains("..") {
            return refuse(key, "must start with / and have neither query, fragment nor ..");
        }
    }
    let timeouts = &config.timeouts;
    if timeouts.connect_ms == 0 || timeouts.total_ms == 0 || timeouts.results_ms == 0 {
        return refuse("timeouts", "must be above zero");
    }
    Ok(())
}

fn read_password(path: &Path) -> Result<Secret, ConfigError> {
    let key = "password_file";
    let text = read_secret(key, path)?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(ConfigError::Content { key, path: path.to_owned(), expected: "password" });
    }
    Ok(Secret::new(password.to_owned()))
}

fn read_totp(path: &Path) -> Result<Totp, ConfigError> {
    let key = "totp_secret_file";
    let text = read_secret(key, path)?;
    let wrong =
        || ConfigError::Content { key, path: path.to_owned(), expected: "Base32 secret of 128 bits or more" };
    let secret = totp_rs::Secret::try_from_base32(text.trim()).map_err(|_| wrong())?;
    totp_rs::Builder::new().with_secret(secret).build().map_err(|_| wrong())
}

fn read_roots(path: &Path) -> Result<RootCertStore, ConfigError> {
    let key = "roots_file";
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(key, path)? {
        roots.add(certificate).map_err(|_| ConfigError::Content {
            key,
            path: path.to_owned(),
            expected: "usable root certificate",
        })?;
    }
    Ok(roots)
}

fn read_certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let bytes = read(key, path)?;
    match CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>() {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => {
            Err(ConfigError::Content { key, path: path.to_owned(), expected: "certificate in PEM form" })
        }
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, ConfigError> {
    let key = "client_key_file";
    let text = read_secret(key, path)?;
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| ConfigError::Content {
        key,
        path: path.to_owned(),
        expected: "private key in PEM form",
    })
}

fn read(key: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Zeroizing::new(bytes)),
        Err(source) => Err(ConfigError::Unreadable { key, path: path.to_owned(), source }),
    }
}

fn read_secret(key: &'static str, path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    refuse_open_file(key, path)?;
    let bytes = read(key, path)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(ConfigError::Content { key, path: path.to_owned(), expected: "text" }),
    }
}

#[cfg(unix)]
fn refuse_open_file(key: &'static str, path: &Path) -> Result<(), ConfigError> {
    use std::os::unix::fs::PermissionsExt as _;
    const GROUP_AND_OTHERS: u32 = 0o077;
    match std::fs::metadata(path) {
        Ok(file) if file.permissions().mode() & GROUP_AND_OTHERS != 0 => {
            Err(ConfigError::OpenToOthers { key, path: path.to_owned() })
        }
        Ok(_) => Ok(()),
        Err(source) => Err(ConfigError::Unreadable { key, path: path.to_owned(), source }),
    }
}

#[cfg(not(unix))]
fn refuse_open_file(_key: &'static str, _path: &Path) -> Result<(), ConfigError> {
    Ok(())
}
