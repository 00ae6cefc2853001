//! The files a daemon needs to talk to the simulated central system.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use daemon::upstream::UpstreamConfig;
use data_encoding::BASE32_NOPAD;
use serde::Deserialize;

use super::SimUpstream;

/// Why the files were not written, or not read back.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration could not be read back.
    #[error("the written configuration is not readable")]
    ReadBack(#[source] toml::de::Error),
}

/// Where everything was written.
#[derive(Debug, Clone)]
pub struct Files {
    /// `upstream.toml`: the `[upstream]` table of the daemon's configuration.
    pub configuration: PathBuf,
    /// The authority's certificate.
    pub roots: PathBuf,
    /// The facility's client certificate.
    pub client_certificate: PathBuf,
    /// Its key.
    pub client_key: PathBuf,
    /// The account's password.
    pub password: PathBuf,
    /// The authenticator's secret, Base32.
    pub totp_secret: PathBuf,
    text: String,
}

impl Files {
    /// The written configuration, read as the daemon reads it.
    pub fn config(&self) -> Result<UpstreamConfig, FilesError> {
        #[derive(Deserialize)]
        struct Fragment {
            upstream: UpstreamConfig,
        }
        toml::from_str::<Fragment>(&self.text).map(|read| read.upstream).map_err(FilesError::ReadBack)
    }
}

pub(super) fn write(sim: &SimUpstream, directory: &Path) -> Result<Files, FilesError> {
    let put = |name: &str, content: &str| -> Result<PathBuf, FilesError> {
        let path = directory.join(name);
        match write_owner_only(&path, content) {
            Ok(()) => Ok(path),
            Err(source) => Err(FilesError::Write { path, source }),
        }
    };
    let client = sim.pki.client();
    let roots = put("upstream-roots.pem", &sim.pki.authority_pem())?;
    let client_certificate = put("upstream-client.pem", &client.certificate_pem)?;
    let client_key = put("upstream-client-key.pem", &client.key_pem)?;
    let password = put("upstream-password", &sim.facility.password)?;
    let totp_secret = put("upstream-totp-secret", &BASE32_NOPAD.encode(&sim.facility.totp_secret))?;
    let mut text = format!(
        "[upstream]\nbase_url = \"https://{}\"\ninstitution_code = \"{}\"\naccount = \"{}\"\n\
         accepts_unsigned_visual = {}\n",
        sim.address, sim.facility.institution_code, sim.facility.account, sim.accepts_unsigned_visual,
    );
    for (key, path) in [
        ("password_file", &password),
        ("totp_secret_file", &totp_secret),
        ("roots_file", &roots),
        ("client_certificate_file", &client_certificate),
        ("client_key_file", &client_key),
    ] {
        let path = toml::Value::String(path.display().to_string());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key} = {path}");
    }
    let configuration = put("upstream.toml", &text)?;
    Ok(Files { configuration, roots, client_certificate, client_key, password, totp_secret, text })
}

/// Replaces a file; the new one is never open to others, not even for a moment.
fn write_owner_only(path: &Path, content: &str) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    options.open(path)?.write_all(content.as_bytes())
}
