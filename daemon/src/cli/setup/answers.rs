//! The answers that a configuration is made of, from a file or from a person.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::SetupError;

/// The answers; every key of a file of answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answers {
    /// 機関コード, ten digits.
    pub(super) institution_code: String,
    /// `production` or `sandbox`.
    #[serde(default = "production")]
    pub(super) mode: String,
    /// The data directory.
    #[serde(default = "data_directory")]
    pub(super) directory: PathBuf,
    /// The master key's file, `credential:NAME` or `dpapi:FILE`.
    #[serde(default = "master_key")]
    pub(super) master_key_file: PathBuf,
    /// The first terminal.
    #[serde(default = "terminal")]
    pub(super) terminal: String,
    /// Its reader; nothing where there is only one.
    pub(super) reader: Option<String>,
    /// Whether the front-desk page is wanted, and where.
    pub(super) page: Option<PageAnswers>,
    /// The first administrator's sign-in name.
    #[serde(default = "administrator")]
    pub(super) administrator: String,
    /// Where the first password is written; nothing: to the terminal.
    pub(super) credentials_file: Option<PathBuf>,
    /// The connection to the central system.
    pub(super) upstream: UpstreamAnswers,
}

/// The page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageAnswers {
    /// Address and port.
    pub(super) listen: String,
    /// Names; none for this machine alone.
    #[serde(default)]
    pub(super) hosts: Vec<String>,
}

/// The connection to the central system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpstreamAnswers {
    /// Where it answers.
    pub(super) base_url: String,
    /// The account of the receipt computer link.
    pub(super) account: String,
    /// Whether a password was issued with it: then it is one of the files.
    #[serde(default)]
    pub(super) has_password: bool,
    /// Where its files lie.
    #[serde(default = "secrets")]
    pub(super) directory: PathBuf,
}

pub(super) fn production() -> String {
    "production".to_owned()
}

/// Where everything lies usually.
#[cfg(unix)]
mod usual {
    use super::PathBuf;

    pub(in super::super) fn data_directory() -> PathBuf {
        "/var/lib/shikaku-bridge".into()
    }

    pub(in super::super) fn master_key() -> PathBuf {
        "credential:master-key".into()
    }

    pub(in super::super) fn secrets() -> PathBuf {
        "/etc/shikaku-bridge/secrets".into()
    }
}

/// Where everything lies usually.
#[cfg(windows)]
mod usual {
    use super::PathBuf;
    use crate::system::home;

    pub(in super::super) fn data_directory() -> PathBuf {
        home().join("data")
    }

    pub(in super::super) fn master_key() -> PathBuf {
        format!("dpapi:{}", home().join("keys").join("master.dpapi").display()).into()
    }

    pub(in super::super) fn secrets() -> PathBuf {
        home().join("secrets")
    }
}

pub(super) use usual::{data_directory, master_key, secrets};

pub(super) fn terminal() -> String {
    "uketsuke-1".to_owned()
}

pub(super) fn administrator() -> String {
    "kanrisha".to_owned()
}

impl Answers {
    /// Reads a file of answers; relative paths stay relative to where the configuration will lie.
    pub(super) fn load(file: &Path) -> Result<Self, SetupError> {
        let text =
            std::fs::read_to_string(file).map_err(|error| SetupError::Unreadable(file.to_owned(), error))?;
        let form = |error: toml::de::Error| SetupError::Form(file.to_owned(), error.message().to_owned());
        toml::from_str(&text).map_err(form)
    }

    /// The configuration that they make.
    pub(super) fn configuration(&self) -> String {
        let mut text = String::from(
            "# 資格ブリッジの設定（shikakud setup が作成）。ほかの項目と説明: config.example.toml\n",
        );
        // Writing to a string cannot fail.
        let mut line = |key: &str, value: toml::Value| {
            let _ = writeln!(text, "{key} = {value}");
        };
        let path = |path: &Path| toml::Value::String(path.to_string_lossy().into_owned());
        let word = |word: &str| toml::Value::String(word.to_owned());
        line("institution_code", word(&self.institution_code));
        line("mode", word(&self.mode));
        line("\n[store]\ndirectory", path(&self.directory));
        line("master_key_file", path(&self.master_key_file));
        if let Some(page) = &self.page {
            line("\n[page]\nlisten", word(&page.listen));
            if !page.hosts.is_empty() {
                line("hosts", toml::Value::Array(page.hosts.iter().map(|host| word(host)).collect()));
            }
        }
        line("\n[[terminals]]\nid", word(&self.terminal));
        if let Some(reader) = &self.reader {
            line("reader", word(reader));
        }
        let file = |name: &str| path(&self.upstream.directory.join(name));
        line("\n[upstream]\nbase_url", word(&self.upstream.base_url));
        line("account", word(&self.upstream.account));
        if self.upstream.has_password {
            line("password_file", file("upstream-password"));
        }
        for (key, name) in [
            ("totp_secret_file", "upstream-totp"),
            ("roots_file", "upstream-roots.pem"),
            ("client_certificate_file", "client.pem"),
            ("client_key_file", "client-key.pem"),
        ] {
            line(key, file(name));
        }
        text
    }
}
