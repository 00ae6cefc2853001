//! Settings of the connection to the central system, and the secrets they point to.
//!
//! Secrets are named by file or as a credential of systemd, never written into the configuration. What is read from those
//! files lives in [`Credentials`](super::credentials::Credentials), which shows nothing of it in `Debug`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::proxy::ProxyConfig;

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
    /// The clinic's proxy, if it has one.
    pub proxy: Option<ProxyConfig>,
    /// Where systemd put the credentials of this service; not a setting.
    #[serde(skip)]
    pub credentials_directory: Option<PathBuf>,
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
    /// Register a card for use as a health insurance card (利用登録).
    pub card_use_registration: String,
    /// Results of a period.
    pub results: String,
    /// Set an inquiry number.
    pub inquiry_number: String,
    /// Announcements of the operators.
    pub announcements: String,
    /// Set inquiry numbers in bulk.
    pub inquiry_bulk: String,
    /// Ask what became of a bulk.
    pub inquiry_bulk_outcome: String,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            auth: "/oqs-api-pro/limited/account/auth".to_owned(),
            challenge: "/oqs-api-pro/limited/card/challenge".to_owned(),
            confirm: "/oqs-api-pro/limited/card/confirm".to_owned(),
            card_use_registration: "/oqs-api-pro/limited/card/use-registration".to_owned(),
            results: "/oqs-api-pro/limited/results/search".to_owned(),
            inquiry_number: "/oqs-api-pro/limited/reference-number/register".to_owned(),
            announcements: "/oqs-api-pro/limited/announcements/list".to_owned(),
            inquiry_bulk: "/oqs-api-pro/limited/reference-number/bulk-register".to_owned(),
            inquiry_bulk_outcome: "/oqs-api-pro/limited/reference-number/bulk-outcome".to_owned(),
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
    /// For a card-use registration, which typically takes 15 seconds (manual chapter 2: after 25 try again later).
    pub registration_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect_ms: 5_000, total_ms: 15_000, results_ms: 120_000, registration_ms: 25_000 }
    }
}

impl Timeouts {
    pub(super) fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }

    pub(super) fn total(&self) -> Duration {
        Duration::from_millis(self.total_ms)
    }

    pub(super) fn registration(&self) -> Duration {
        Duration::from_millis(self.registration_ms)
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
    #[error("upstream.{key}: {} may be read by other users; allow its owner only (mode 0600; on Windows: run `shikakud service install` as an administrator)", path.display())]
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

/// How a path names a credential of systemd instead of a file.
const CREDENTIAL: &str = "credential:";

/// Where a configured path points: `credential:NAME` to that file in systemd's directory for this service, anything else
/// relative to the configuration's directory.
pub fn resolve_path(path: &Path, base: &Path, credentials: Option<&Path>) -> PathBuf {
    match path.to_str().and_then(|text| text.strip_prefix(CREDENTIAL)) {
        // Without systemd there is no such file: it is reported as missing, under this telling name.
        Some(name) => credentials.map_or_else(|| path.to_owned(), |directory| directory.join(name)),
        None => base.join(path),
    }
}

impl UpstreamConfig {
    /// Makes the paths of files absolute; see [`resolve_path`].
    pub fn resolve_paths(&mut self, base: &Path, credentials: Option<&Path>) {
        let files = [
            &mut self.totp_secret_file,
            &mut self.roots_file,
            &mut self.client_certificate_file,
            &mut self.client_key_file,
        ];
        let proxy = self.proxy.as_mut().and_then(|proxy| proxy.password_file.as_mut());
        for file in files.into_iter().chain(self.password_file.as_mut()).chain(proxy) {
            *file = resolve_path(file, base, credentials);
        }
        self.credentials_directory = credentials.map(Path::to_owned);
    }
}

pub(super) fn check_settings(config: &UpstreamConfig) -> Result<(), ConfigError> {
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
        ("paths.card_use_registration", &paths.card_use_registration),
        ("paths.results", &paths.results),
        ("paths.inquiry_number", &paths.inquiry_number),
        ("paths.announcements", &paths.announcements),
        ("paths.inquiry_bulk", &paths.inquiry_bulk),
        ("paths.inquiry_bulk_outcome", &paths.inquiry_bulk_outcome),
    ] {
        if !path.starts_with('/') || path.contains(['?', '#']) || path.contains("..") {
            return refuse(key, "must start with / and have neither query, fragment nor ..");
        }
    }
    let timeouts = &config.timeouts;
    let Timeouts { connect_ms, total_ms, results_ms, registration_ms } = *timeouts;
    if [connect_ms, total_ms, results_ms, registration_ms].contains(&0) {
        return refuse("timeouts", "must be above zero");
    }
    if let Some(proxy) = &config.proxy {
        proxy.check()?;
    }
    Ok(())
}
