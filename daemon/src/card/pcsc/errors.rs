//! What each PC/SC error means for each kind of call. Total: an error without a rule gets the cautious meaning.

use pcsc::Error;

use crate::card::drive::TransmitError;
use crate::card::readers::{ConnectError, ReadersError};

/// The service behind the context is gone, or the context is of no more use.
fn is_service_gone(error: Error) -> bool {
    matches!(
        error,
        Error::CommError
            | Error::NoService
            | Error::ServiceStopped
            | Error::Shutdown
            | Error::InvalidHandle
            | Error::ServerTooBusy
            | Error::SystemCancelled
    )
}

/// An error of establishing a context, listing the readers or waiting for a change. A fresh start is the only cure for all.
pub fn readers(error: Error) -> ReadersError {
    match error {
        Error::SecurityViolation | Error::NoAccess => ReadersError::Refused,
        error => {
            tracing::debug!(%error, "PC/SC does not answer");
            ReadersError::ServiceGone
        }
    }
}

/// An error of connecting to a card.
pub fn connect(error: Error) -> ConnectError {
    match error {
        error if is_service_gone(error) => ConnectError::ServiceGone,
        // polkit lets us see the readers but not use a card.
        Error::SecurityViolation | Error::NoAccess => ConnectError::Refused,
        Error::SharingViolation => ConnectError::InUse,
        Error::NoSmartcard | Error::RemovedCard => ConnectError::NoCard,
        Error::UnresponsiveCard | Error::UnpoweredCard | Error::UnsupportedCard | Error::ProtoMismatch => {
            ConnectError::Mute
        }
        _ => ConnectError::ReaderGone,
    }
}

/// An error of sending a command. The command may have been executed in any case.
pub fn transmit(error: Error) -> TransmitError {
    match error {
        error if is_service_gone(error) => TransmitError::ServiceGone,
        Error::NotTransacted => TransmitError::NotTransacted,
        Error::RemovedCard | Error::NoSmartcard => TransmitError::Removed,
        Error::ResetCard => TransmitError::Reset,
        // ProtoMismatch is what an old connection gets after its reader was unplugged and plugged in again.
        Error::ReaderUnavailable | Error::UnknownReader | Error::NotReady | Error::ProtoMismatch => {
            TransmitError::ReaderGone
        }
        _ => TransmitError::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transmit_errors_follow_what_was_measured() {
        for (error, expected) in [
            (Error::NotTransacted, TransmitError::NotTransacted),
            (Error::RemovedCard, TransmitError::Removed),
            (Error::ResetCard, TransmitError::Reset),
            (Error::ReaderUnavailable, TransmitError::ReaderGone),
            (Error::ProtoMismatch, TransmitError::ReaderGone),
            (Error::CommError, TransmitError::ServiceGone),
            (Error::NoService, TransmitError::ServiceGone),
            (Error::ServiceStopped, TransmitError::ServiceGone),
            (Error::InsufficientBuffer, TransmitError::Other),
            (Error::UnknownError, TransmitError::Other),
        ] {
            assert_eq!(transmit(error), expected, "{error:?}");
        }
    }

    #[test]
    fn connect_errors_follow_what_was_measured() {
        for (error, expected) in [
            (Error::SharingViolation, ConnectError::InUse),
            (Error::NoSmartcard, ConnectError::NoCard),
            (Error::RemovedCard, ConnectError::NoCard),
            (Error::UnresponsiveCard, ConnectError::Mute),
            (Error::UnpoweredCard, ConnectError::Mute),
            (Error::ReaderUnavailable, ConnectError::ReaderGone),
            (Error::UnknownReader, ConnectError::ReaderGone),
            (Error::CommError, ConnectError::ServiceGone),
            (Error::SecurityViolation, ConnectError::Refused),
            (Error::InternalError, ConnectError::ReaderGone),
        ] {
            assert_eq!(connect(error), expected, "{error:?}");
        }
    }

    #[test]
    fn a_refusal_by_polkit_is_told_from_a_missing_service() {
        assert_eq!(readers(Error::SecurityViolation), ReadersError::Refused);
        for error in [Error::NoService, Error::CommError, Error::ServiceStopped, Error::InternalError] {
            assert_eq!(readers(error), ReadersError::ServiceGone, "{error:?}");
        }
    }
}
