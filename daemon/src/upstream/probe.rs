//! Whether the central system answers at all: one request without sign-in, so that no one-time code is used up and no
//! failed sign-in is counted.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use rustls::CertificateError;

use super::config::{ConfigError, UpstreamConfig};
use super::credentials::Credentials;
use super::failure::{causes, concerns_trust, ended_early, is_reset, root_cause};
use super::renegotiation::is_renegotiation;
use super::tls::Clients;
use super::transport::date;
use crate::app::ports::Clock;

/// How long the answer may take once connected.
const ANSWER: Duration = Duration::from_secs(5);

/// How the central system took the request. Texts name neither its address nor anything that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// It answered over mutual TLS; which HTTP status is of no importance.
    Answers {
        /// The HTTP status.
        status: u16,
        /// How far its clock (the `Date` header, whole seconds) is ahead of ours, if it said.
        ahead: Option<SignedDuration>,
    },
    /// No TCP connection: name, route, port or firewall.
    Unreachable {
        /// What the operating system said.
        cause: String,
    },
    /// No answer in time.
    Timeout,
    /// Its certificate does not lead to the configured roots, or is not for this name.
    ServerUntrusted {
        /// What is wrong with it.
        cause: String,
    },
    /// Its certificate has ended or not begun: by the clock of this machine.
    ServerOutOfDate,
    /// It refused our client certificate, or closed the connection before it had answered anything.
    ClientRefused,
    /// TLS failed in another way, for example for want of a common version.
    TlsFailed {
        /// What TLS said.
        cause: String,
    },
    /// It wants TLS 1.2 renegotiation, which is not supported.
    Renegotiation,
    /// It is not an HTTP server.
    Garbled {
        /// What was seen.
        cause: String,
    },
}

/// Asks for the base URL once. Takes no longer than the configured connection timeout and five seconds.
pub async fn probe(
    config: &UpstreamConfig,
    credentials: &Credentials,
    clock: Arc<dyn Clock>,
) -> Result<Probed, ConfigError> {
    let connect = config.timeouts.connect();
    let client = Clients::new(config, credentials, Arc::clone(&clock))?.build()?;
    let request = client.get(config.base()?).send();
    Ok(match tokio::time::timeout(connect + ANSWER, request).await {
        Err(_) => Probed::Timeout,
        Ok(Err(error)) => failed(&error),
        Ok(Ok(response)) => Probed::Answers {
            status: response.status().as_u16(),
            ahead: date(response.headers()).map(|theirs| theirs.duration_since(clock.now())),
        },
    })
}

fn failed(error: &reqwest::Error) -> Probed {
    let cause = root_cause(error);
    if let Some(tls) = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return of_tls(tls, cause);
    }
    if error.is_timeout() {
        return Probed::Timeout;
    }
    if error.is_connect() {
        return Probed::Unreachable { cause };
    }
    let closed = causes(error)
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|io| is_closed(io.kind()));
    // With TLS 1.3 the refusal of our certificate can be overtaken by the end of the connection, or lost with its reset.
    if closed || ended_early(error) { Probed::ClientRefused } else { Probed::Garbled { cause } }
}

/// Whether a connection ended before anything was answered on it.
fn is_closed(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{NotConnected, UnexpectedEof};
    is_reset(kind) || matches!(kind, NotConnected | UnexpectedEof)
}

fn of_tls(error: &rustls::Error, cause: String) -> Probed {
    match error {
        error if is_renegotiation(error) => Probed::Renegotiation,
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => Probed::ServerOutOfDate,
        // The cause can name hosts and dates of the server's certificate, nothing of ours.
        rustls::Error::InvalidCertificate(_) | rustls::Error::UnsupportedNameType => {
            Probed::ServerUntrusted { cause }
        }
        // A question of versions or ciphers, not of whose certificate it is.
        rustls::Error::AlertReceived(
            rustls::AlertDescription::ProtocolVersion | rustls::AlertDescription::InsufficientSecurity,
        ) => Probed::TlsFailed { cause },
        rustls::Error::AlertReceived(alert) if concerns_trust(*alert) => Probed::ClientRefused,
        _ => Probed::TlsFailed { cause },
    }
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, PeerIncompatible};

    use super::*;

    #[test]
    fn tls_failures_name_whose_certificate_it_is() {
        let alert = rustls::Error::AlertReceived;
        let invalid = rustls::Error::InvalidCertificate;
        let cause = || "said".to_owned();
        for (error, expected) in [
            (invalid(CertificateError::Expired), Probed::ServerOutOfDate),
            (invalid(CertificateError::NotValidYet), Probed::ServerOutOfDate),
            (invalid(CertificateError::UnknownIssuer), Probed::ServerUntrusted { cause: cause() }),
            (invalid(CertificateError::NotValidForName), Probed::ServerUntrusted { cause: cause() }),
            (alert(AlertDescription::UnknownCA), Probed::ClientRefused),
            (alert(AlertDescription::CertificateExpired), Probed::ClientRefused),
            (alert(AlertDescription::CertificateRequired), Probed::ClientRefused),
            (alert(AlertDescription::ProtocolVersion), Probed::TlsFailed { cause: cause() }),
            (
                rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
                Probed::TlsFailed { cause: cause() },
            ),
            (alert(AlertDescription::InternalError), Probed::TlsFailed { cause: cause() }),
        ] {
            assert_eq!(of_tls(&error, cause()), expected, "{error:?}");
        }
    }
}
