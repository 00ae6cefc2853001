//! The configuration file (TOML): every key is in `deploy/config.example.toml` with its default and the reason for it.
//!
//! Unknown keys are refused. Secrets never stand here: only the paths of the files that hold them.

mod folders;
mod lan;
mod log;
mod page;
mod unknown;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use serde::Deserialize;

pub use folders::{FolderEncoding, FolderSection};
pub use lan::LanSection;
pub use page::{PageSection, PageTls, idle_limit as page_idle_limit};

use crate::app::checks::Terminal;
use crate::app::ports::{Origin, ReaderName, TerminalId};
use crate::domain::identifiers::InstitutionCode;
use crate::upstream::UpstreamConfig;

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// 機関コード of the facility, 10 digits.
    pub institution_code: String,
    /// Real or sandbox data. A data directory belongs to one of them for ever.
    pub mode: Mode,
    /// The REST API's listener.
    #[serde(default)]
    pub api: ApiConfig,
    /// The REST API's listener on the clinic's network, if there is to be one.
    pub lan: Option<LanSection>,
    /// The front-desk page's listener, if there is to be one.
    pub page: Option<PageSection>,
    /// Where results and keys are kept.
    pub store: StoreSection,
    /// The audit log.
    #[serde(default)]
    pub audit: AuditSection,
    /// The facility's terminals.
    pub terminals: Vec<TerminalSection>,
    /// The central system.
    pub upstream: UpstreamConfig,
    /// Collecting what other terminals and phones confirmed.
    #[serde(default)]
    pub collect: CollectSection,
    /// OQS folders of receipt computers that know only files.
    #[serde(default)]
    pub folders: Vec<FolderSection>,
    /// Logs.
    #[serde(default)]
    pub log: LogSection,
    /// Figures for monitoring.
    #[serde(default)]
    pub metrics: MetricsSection,
}

/// Figures for monitoring.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSection {
    /// Whether the API's listener on loopback tells them at `/metrics`, without a sign-in.
    pub enabled: bool,
}

/// Collecting what other terminals and phones of the facility confirmed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CollectSection {
    /// Minutes from one run to the next, at most a day; 0: only on demand.
    pub every_minutes: u32,
}

impl Default for CollectSection {
    fn default() -> Self {
        Self { every_minutes: 5 }
    }
}

impl CollectSection {
    /// How often to collect, if by itself.
    pub fn every(&self) -> Option<SignedDuration> {
        (self.every_minutes > 0).then(|| SignedDuration::from_mins(i64::from(self.every_minutes)))
    }
}

/// Which data this installation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The real central system.
    Production,
    /// The simulated one: every result is marked.
    Sandbox,
}

impl Mode {
    /// The word that marks a data directory.
    pub fn word(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Sandbox => "sandbox",
        }
    }

    /// Whether this installation only plays.
    pub fn is_sandbox(self) -> bool {
        self == Self::Sandbox
    }

    /// How results of this installation are marked.
    pub fn origin(self) -> Origin {
        match self {
            Self::Production => Origin::Production,
            Self::Sandbox => Origin::Sandbox,
        }
    }
}

/// The REST API's listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Address and port; loopback only.
    pub listen: SocketAddr,
    /// Further `host:port` values that the Host header may carry.
    pub allowed_hosts: Vec<String>,
    /// Whether it speaks HTTPS, with a certificate of the daemon's own authority, and knows client certificates.
    pub tls: bool,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8787)), allowed_hosts: Vec::new(), tls: false }
    }
}

/// Where results and keys are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSection {
    /// Directory of the database and the keyring, mode 0700.
    pub directory: PathBuf,
    /// The master key's file, mode 0600, in a directory of its own; or `credential:NAME`, a systemd credential; or
    /// `dpapi:FILE`, a file that only this Windows machine opens.
    pub master_key_file: PathBuf,
    /// Space kept back on the disk so that purging works on a full one, in MiB.
    #[serde(default = "default_ballast_mib")]
    pub ballast_mib: u64,
    /// Free space in MiB below which no new check is begun.
    #[serde(default = "default_low_water_mib")]
    pub low_water_mib: u64,
}

fn default_ballast_mib() -> u64 {
    64
}

fn default_low_water_mib() -> u64 {
    256
}

const CREDENTIAL: &str = "credential:";
const SEALED: &str = "dpapi:";

impl StoreSection {
    /// A store in a directory with its master key in a file; everything else by default.
    pub fn new(directory: PathBuf, master_key_file: PathBuf) -> Self {
        Self {
            directory,
            master_key_file,
            ballast_mib: default_ballast_mib(),
            low_water_mib: default_low_water_mib(),
        }
    }

    /// The systemd credential that is the master key, if it is one.
    pub fn credential(&self) -> Option<&str> {
        self.master_key_file.to_str()?.strip_prefix(CREDENTIAL)
    }

    /// The file sealed by Windows that holds the master key, if it is one.
    pub fn sealed_file(&self) -> Option<PathBuf> {
        self.master_key_file.to_str()?.strip_prefix(SEALED).map(PathBuf::from)
    }
}

/// The audit log.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSection {
    /// Years for which its rows are kept, 1 to 30.
    pub keep_years: u8,
    /// The anchor, mode 0600: count and head of the log outside the database; best on another disk.
    pub anchor_file: Option<PathBuf>,
}

impl Default for AuditSection {
    fn default() -> Self {
        Self { keep_years: 5, anchor_file: None }
    }
}

/// A terminal (資格確認端末) and the reader beside it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TerminalSection {
    /// Its id, 1 to 64 letters, digits, `-` and `_`.
    pub id: String,
    /// Its reader as `pcsc_scan` names it; may be left out where there is only one.
    pub reader: Option<String>,
}

/// Logs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// Filter, for example `info` or `daemon=debug`.
    pub filter: String,
    /// Where JSON lines are written besides, if anywhere; mode 0600.
    pub file: Option<PathBuf>,
    /// Size at which the file is turned over, in MiB, 1 to 1024.
    pub file_mib: u64,
    /// How many older files are kept, 1 to 100.
    pub keep_files: u8,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { filter: "info".to_owned(), file: None, file_mib: 10, keep_files: 5 }
    }
}

/// Why a configuration is not usable; the message says which key and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("設定ファイル {path} を読めません: {error}")]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is not TOML of the expected form.
    #[error("設定ファイル {path} の {key} が正しくありません: {message}")]
    Form {
        /// Its path.
        path: PathBuf,
        /// The key.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// A value breaks a rule.
    #[error("設定 {key}: {rule}")]
    Value {
        /// The key.
        key: &'static str,
        /// The rule it breaks.
        rule: &'static str,
    },
}

impl Config {
    /// Reads and validates a file. Relative paths in it are relative to the file; `credential:NAME` is that file below
    /// `credentials`, where systemd puts what a unit's `LoadCredential=` names.
    pub fn load(path: &Path, credentials: Option<&Path>) -> Result<Self, ConfigError> {
        let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
        #[cfg(windows)]
        crate::system::refuse_planted(path).map_err(unreadable)?;
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::from_text(&text, path, credentials)
    }

    /// Reads and validates a text as if it stood in a file.
    pub fn from_text(text: &str, path: &Path, credentials: Option<&Path>) -> Result<Self, ConfigError> {
        let mut config = Self::parse(text, path)?;
        config.resolve_paths(path.parent().unwrap_or(Path::new(".")), credentials);
        Ok(config)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let form = |key: String, message: String| ConfigError::Form { path: path.to_owned(), key, message };
        let document =
            toml::Deserializer::parse(text).map_err(|e| form("(TOML)".to_owned(), e.to_string()))?;
        let mut config: Self = serde_path_to_error::deserialize(document)
            .map_err(|error| form(error.path().to_string(), unknown::in_words(&error.inner().to_string())))?;
        config.validate()?;
        config.upstream.institution_code.clone_from(&config.institution_code);
        Ok(config)
    }

    fn validate(&self) -> Result<(), ConfigError> {
        self.institution()?;
        if !self.api.listen.ip().is_loopback() {
            return Err(ConfigError::Value {
                key: "api.listen",
                rule: "APIはループバックアドレス（127.0.0.1 または [::1]）だけで待ち受けます。LANでは [lan] を使ってください",
            });
        }
        self.lan.as_ref().map_or(Ok(()), LanSection::validate)?;
        self.page.as_ref().map_or(Ok(()), PageSection::validate)?;
        folders::validate(&self.folders)?;
        let elsewhere = &self.upstream.institution_code;
        if !elsewhere.is_empty() && *elsewhere != self.institution_code {
            return Err(ConfigError::Value {
                key: "upstream.institution_code",
                rule: "機関コードは一番上の institution_code と同じにするか、省略してください",
            });
        }
        if !(1..=30).contains(&self.audit.keep_years) {
            return Err(ConfigError::Value {
                key: "audit.keep_years",
                rule: "監査ログは1年以上30年以下で保存します",
            });
        }
        if !log::is_filter(&self.log.filter) {
            return Err(ConfigError::Value {
                key: "log.filter",
                rule: "error、warn、info、debug、trace、off のどれか、または daemon=debug のように書いてください",
            });
        }
        if !(1..=1024).contains(&self.log.file_mib) {
            return Err(ConfigError::Value {
                key: "log.file_mib",
                rule: "ログのファイルの大きさは1以上1024以下（MiB）です",
            });
        }
        if !(1..=100).contains(&self.log.keep_files) {
            return Err(ConfigError::Value {
                key: "log.keep_files",
                rule: "残す古いログのファイルは1個以上100個以下です",
            });
        }
        if self.collect.every_minutes > 24 * 60 {
            return Err(ConfigError::Value {
                key: "collect.every_minutes",
                rule: "結果の取込の間隔は0分（自動では取り込まない）から1440分までです",
            });
        }
        let plain = |name: &str| {
            (1..=64).contains(&name.len())
                && !name.starts_with('.')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        if self.store.credential().is_some_and(|name| !plain(name)) {
            return Err(ConfigError::Value {
                key: "store.master_key_file",
                rule: "credential: の後の名前は英数字と - _ . の64文字以内です",
            });
        }
        if self.store.sealed_file().is_some() && cfg!(not(windows)) {
            return Err(ConfigError::Value {
                key: "store.master_key_file",
                rule: "dpapi: は Windows だけで使えます。credential: かファイルを指定してください",
            });
        }
        if self.terminals.is_empty() {
            return Err(ConfigError::Value {
                key: "terminals", rule: "端末を1台以上登録してください"
            });
        }
        for (index, terminal) in self.terminals.iter().enumerate() {
            let named = (1..=64).contains(&terminal.id.len())
                && terminal
                    .id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            if !named || self.terminals.iter().take(index).any(|other| other.id == terminal.id) {
                return Err(ConfigError::Value {
                    key: "terminals.id",
                    rule: "端末のidは英数字と - _ の64文字以内で、重複できません",
                });
            }
        }
        Ok(())
    }

    fn resolve_paths(&mut self, base: &Path, credentials: Option<&Path>) {
        self.store.directory = base.join(&self.store.directory);
        if let Some(file) = self.store.sealed_file() {
            let mut named = std::ffi::OsString::from(SEALED);
            named.push(base.join(file));
            self.store.master_key_file = named.into();
        } else if self.store.credential().is_none() {
            self.store.master_key_file = base.join(&self.store.master_key_file);
        }
        self.log.file = self.log.file.as_ref().map(|path| base.join(path));
        self.audit.anchor_file = self.audit.anchor_file.as_ref().map(|path| base.join(path));
        if let Some(page) = &mut self.page {
            page.resolve_paths(base);
        }
        for folder in &mut self.folders {
            folder.resolve_paths(base);
        }
        self.upstream.resolve_paths(base, credentials);
    }

    /// The facility.
    pub fn institution(&self) -> Result<InstitutionCode, ConfigError> {
        InstitutionCode::parse(&self.institution_code)
            .map_err(|invalid| ConfigError::Value { key: "institution_code", rule: invalid.rule })
    }

    /// The facility's terminals.
    pub fn terminals(&self) -> Vec<Terminal> {
        self.terminals
            .iter()
            .map(|section| Terminal {
                id: TerminalId(section.id.clone()),
                reader: section.reader.clone().map(ReaderName),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
