//! The clinic's HTTP proxy, where the network lets nobody out without one.
//!
//! Only tunnels are asked for (CONNECT): the proxy sees the central system's name and encrypted bytes. It is never taken
//! from the environment.

use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

use super::config::ConfigError;
use crate::domain::personal::Secret;

/// The `[upstream.proxy]` table of the configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyConfig {
    /// `http://host:port`, nothing else.
    pub url: String,
    /// User, if the proxy wants one.
    pub user: Option<String>,
    /// File with the user's password.
    pub password_file: Option<PathBuf>,
}

impl ProxyConfig {
    /// The proxy's address.
    pub(super) fn address(&self) -> Result<Url, ConfigError> {
        let plain = |url: &Url| {
            url.scheme() == "http"
                && url.host_str().is_some()
                && url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        };
        Url::parse(&self.url).ok().filter(plain).ok_or(ConfigError::Setting {
            key: "proxy.url",
            rule: "must be http://host:port; user and password have keys of their own",
        })
    }

    /// Checks what needs no file.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.address()?;
        if self.user.is_some() != self.password_file.is_some() {
            return Err(ConfigError::Setting {
                key: "proxy.user",
                rule: "user and password_file belong together",
            });
        }
        Ok(())
    }

    pub(super) fn build(&self, password: Option<&Secret>) -> Result<reqwest::Proxy, ConfigError> {
        let proxy = reqwest::Proxy::https(self.address()?.as_str()).map_err(ConfigError::Client)?;
        Ok(match (&self.user, password) {
            (Some(user), Some(password)) => proxy.basic_auth(user, password.expose()),
            (Some(_), None) | (None, _) => proxy,
        })
    }
}
