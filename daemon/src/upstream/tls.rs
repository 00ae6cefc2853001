//! TLS towards the central system: private roots only, our client certificate, a version floor, and no surprises.
//!
//! Everything that reqwest would otherwise take from the environment (proxies, platform roots, redirects, cookies,
//! retries) is off: the only peer is the configured one, directly or through the configured proxy.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::{ClientConfig, version};

use super::config::{ConfigError, TlsFloor, UpstreamConfig};
use super::credentials::Credentials;
use super::renegotiation::watchful_provider;
use crate::app::ports::Clock;
use crate::system::TlsTime;

/// Shorter than any server's idle timeout: a connection that the server is just closing must not meet our next request.
const POOL_IDLE: Duration = Duration::from_secs(5);

/// Everything an HTTP client is made from. Each one made has connections of its own.
pub(super) struct Clients {
    tls: ClientConfig,
    connect_timeout: Duration,
    proxy: Option<reqwest::Proxy>,
}

impl Clients {
    /// Puts certificates, TLS floor and proxy together; a key that does not fit its certificate is found here.
    pub(super) fn new(
        config: &UpstreamConfig,
        credentials: &Credentials,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            tls: client_config(credentials, config.tls_floor, clock)?,
            connect_timeout: config.timeouts.connect(),
            proxy: config
                .proxy
                .as_ref()
                .map(|proxy| proxy.build(credentials.proxy_password.as_ref()))
                .transpose()?,
        })
    }

    /// A client without any open connection.
    pub(super) fn build(&self) -> Result<reqwest::Client, ConfigError> {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .tcp_nodelay(true);
        match &self.proxy {
            Some(proxy) => builder.proxy(proxy.clone()),
            None => builder,
        }
        .build()
        .map_err(ConfigError::Client)
    }
}

fn client_config(
    credentials: &Credentials,
    floor: TlsFloor,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, ConfigError> {
    let provider = Arc::new(watchful_provider());
    let versions: &[&rustls::SupportedProtocolVersion] = match floor {
        TlsFloor::Tls13 => &[&version::TLS13],
        TlsFloor::Tls12 => &[&version::TLS13, &version::TLS12],
    };
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(TlsTime(clock)))
        .with_protocol_versions(versions)
        .map_err(ConfigError::Tls)?
        .with_root_certificates(credentials.roots.clone())
        .with_client_auth_cert(credentials.chain.clone(), credentials.key.clone_key())
        .map_err(ConfigError::Tls)?;
    // A resumed session would not look at the server's certificate again.
    config.resumption = Resumption::disabled();
    Ok(config)
}
