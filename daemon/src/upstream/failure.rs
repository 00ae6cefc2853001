//! What a failed exchange means for the caller.
//!
//! With TLS 1.3 the server judges our certificate after the client believes to be connected: the refusal arrives as an
//! alert on the first read, or as a reset when our request was already on its way (tokio-rustls#83, reqwest#1808).
//! The causes are found by walking `source()`, because each layer wraps them differently.

use std::error::Error;
use std::io;

use rustls::AlertDescription;

use super::exchange::ExchangeError;
use super::renegotiation::is_renegotiation;

/// Classifies a failed exchange. `answered_before`: this client has already got an answer with this certificate.
pub(super) fn classify(error: &reqwest::Error, answered_before: bool) -> ExchangeError {
    if let Some(tls) = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return of_tls(tls);
    }
    if error.is_connect() {
        return ExchangeError::NotConnected;
    }
    if error.is_timeout() {
        return ExchangeError::TimedOut;
    }
    match causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind) {
        Some(kind) if is_reset(kind) && !answered_before => ExchangeError::Certificate,
        Some(_) => ExchangeError::Cut,
        None if ended_early(error) => ExchangeError::Cut,
        None => ExchangeError::Unusable,
    }
}

/// Whether HTTP ended before the whole answer was there; the layer below says so only in words (hyper's
/// `IncompleteMessage` is private to reqwest).
pub(super) fn ended_early(error: &reqwest::Error) -> bool {
    const WORDS: [&str; 4] = [
        "connection closed before message completed",
        "unexpected end of file",
        "end of file before message",
        "channel closed",
    ];
    causes(error).any(|cause| {
        let text = cause.to_string();
        WORDS.iter().any(|words| text.contains(words))
    })
}

fn of_tls(error: &rustls::Error) -> ExchangeError {
    match error {
        error if is_renegotiation(error) => ExchangeError::Renegotiation,
        rustls::Error::InvalidCertificate(_)
        | rustls::Error::NoCertificatesPresented
        | rustls::Error::UnsupportedNameType
        | rustls::Error::PeerIncompatible(_) => ExchangeError::Certificate,
        rustls::Error::AlertReceived(alert) if concerns_trust(*alert) => ExchangeError::Certificate,
        _ => ExchangeError::Unusable,
    }
}

/// Alerts by which servers refuse a client certificate or the TLS settings. Servers that speak TLS 1.2 answer a missing
/// certificate with a plain `handshake_failure`.
pub(super) fn concerns_trust(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError
            | AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity
            | AlertDescription::NoCertificate
    )
}

pub(super) fn is_reset(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe
    )
}

/// The innermost cause in words, for the log. Names neither the URL nor anything that was sent.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    causes(error).skip(1).last().map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

/// The error and everything below it. `io::Error` leaves out its own content in `source()`, so that is looked up.
pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
        match error.downcast_ref::<io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    }
    std::iter::successors(Some(error), |cause| below(*cause))
}
