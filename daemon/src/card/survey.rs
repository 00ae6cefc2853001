//! Looks at every reader once and reads what may be read of the cards on them: for the doctor.
//!
//! Never presents a PIN, and asks for nothing that a PIN protects. Runs on a thread of its own, because a service that
//! hangs answers no call at all.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::protocol::Rung;
use super::readers::{ConnectError, Line, Observed, Presence, Readers, ReadersError};
use super::session;
use crate::app::ports::{CardError, ReaderName};

/// A reader and what lies on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyedReader {
    /// Its name.
    pub name: ReaderName,
    /// What lies on it.
    pub presence: Presence,
    /// What was read of the card; `None` if there is none, or it was not to be touched.
    pub card: Option<Result<SurveyedCard, CardTrouble>>,
}

/// What may be read of a card without a PIN.
#[derive(Clone, PartialEq, Eq)]
pub struct SurveyedCard {
    /// The user-authentication certificate, DER.
    pub certificate: Vec<u8>,
    /// Whether it is a phone and not a card: its certificate has no grace after its end.
    pub is_phone: bool,
}

impl std::fmt::Debug for SurveyedCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SurveyedCard({} bytes, phone: {})", self.certificate.len(), self.is_phone)
    }
}

/// Why nothing was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardTrouble {
    /// Another program has it, the daemon perhaps.
    InUse,
    /// The service shows readers but refuses cards (polkit's `access_card`).
    Refused,
    /// It is not a My Number card.
    Foreign,
    /// It does not answer to power-on.
    Mute,
    /// It gives its certificate only after the PIN (an Android phone).
    Protected,
    /// It was taken away, or the reader went away, in the middle.
    Gone,
    /// It refused with this status word, or answered nothing usable.
    Unusable {
        /// SW1 SW2.
        status: Option<u16>,
    },
}

/// Why the readers were not seen.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The service does not run or refuses us.
    #[error(transparent)]
    Readers(#[from] ReadersError),
    /// The service took the question and gave no answer in time.
    #[error("the PC/SC service does not answer in time")]
    Hangs,
    /// No thread could be started.
    #[error("no thread for the readers")]
    Thread(#[source] io::Error),
}

/// Surveys on a thread of its own, within a time. A thread that hangs in the service is left behind.
pub fn survey_within(
    limit: Duration,
    mut readers: Box<dyn Readers>,
    touch_cards: bool,
) -> Result<Vec<SurveyedReader>, SurveyError> {
    let (tell, told) = sync_channel(1);
    let look = move || {
        // Nobody waits any more if it took too long.
        let _ = tell.send(survey(readers.as_mut(), touch_cards));
    };
    std::thread::Builder::new().name("card-survey".to_owned()).spawn(look).map_err(SurveyError::Thread)?;
    match told.recv_timeout(limit) {
        Ok(seen) => Ok(seen?),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(SurveyError::Hangs),
    }
}

/// Looks at every reader, and reads the cards if they may be touched.
pub fn survey(readers: &mut dyn Readers, touch_cards: bool) -> Result<Vec<SurveyedReader>, ReadersError> {
    let observed = readers.wait(Duration::ZERO)?;
    let mut line = readers.line();
    let mut look = |Observed { name, presence, event_count }| {
        let card =
            (touch_cards && presence == Presence::Card).then(|| read(line.as_mut(), &name, event_count));
        SurveyedReader { name, presence, card }
    };
    Ok(observed.into_iter().map(&mut look).collect())
}

fn read(line: &mut dyn Line, name: &ReaderName, event_count: u32) -> Result<SurveyedCard, CardTrouble> {
    let mut card = line.connect(name, event_count).map_err(|error| match error {
        ConnectError::InUse => CardTrouble::InUse,
        ConnectError::Mute => CardTrouble::Mute,
        ConnectError::Refused => CardTrouble::Refused,
        ConnectError::NoCard | ConnectError::ReaderGone | ConnectError::ServiceGone => CardTrouble::Gone,
    })?;
    let (certificate, token) =
        session::survey(card.as_mut(), &mut Rung::default()).map_err(|error| trouble(&error))?;
    Ok(SurveyedCard { certificate, is_phone: token.is_phone() })
}

fn trouble(error: &CardError) -> CardTrouble {
    const SECURITY_STATUS: u16 = 0x6982;
    match error {
        CardError::NotJpki => CardTrouble::Foreign,
        CardError::InUse => CardTrouble::InUse,
        CardError::Unusable { status: Some(SECURITY_STATUS) } => CardTrouble::Protected,
        CardError::Unusable { status } => CardTrouble::Unusable { status: *status },
        _ => CardTrouble::Gone,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};

    use super::super::readers::{CardConnection, Wake};
    use super::*;

    /// One reader with a card that cannot be connected to.
    struct Unwilling {
        connect: ConnectError,
        /// The service answers only when this does.
        hangs: Option<Receiver<()>>,
    }

    struct Silent;

    impl Wake for Silent {
        fn wake(&self) {}
    }

    impl Readers for Unwilling {
        fn wait(&mut self, _: Duration) -> Result<Vec<Observed>, ReadersError> {
            if let Some(hangs) = &self.hangs {
                // Ends with the test, which drops the other side.
                let _ = hangs.recv();
            }
            let name = ReaderName("A".to_owned());
            Ok(vec![Observed { name, presence: Presence::Card, event_count: 1 }])
        }

        fn line(&self) -> Box<dyn Line> {
            Box::new(UnwillingLine(self.connect))
        }

        fn waker(&self) -> Arc<dyn Wake> {
            Arc::new(Silent)
        }
    }

    struct UnwillingLine(ConnectError);

    impl Line for UnwillingLine {
        fn connect(&mut self, _: &ReaderName, _: u32) -> Result<Box<dyn CardConnection>, ConnectError> {
            Err(self.0)
        }
    }

    fn unwilling(connect: ConnectError) -> Unwilling {
        Unwilling { connect, hangs: None }
    }

    #[test]
    fn what_hinders_connecting_is_told_apart() {
        for (connect, expected) in [
            (ConnectError::Refused, CardTrouble::Refused),
            (ConnectError::ServiceGone, CardTrouble::Gone),
            (ConnectError::InUse, CardTrouble::InUse),
            (ConnectError::Mute, CardTrouble::Mute),
            (ConnectError::NoCard, CardTrouble::Gone),
            (ConnectError::ReaderGone, CardTrouble::Gone),
        ] {
            let seen = survey(&mut unwilling(connect), true).unwrap();
            assert_eq!(seen[0].card, Some(Err(expected)), "{connect:?}");
        }
    }

    #[test]
    fn a_card_that_is_not_to_be_touched_is_not_connected_to() {
        let seen = survey(&mut unwilling(ConnectError::InUse), false).unwrap();
        assert_eq!(seen[0].card, None);
    }

    #[test]
    fn a_service_that_hangs_is_given_up() {
        let (answer, hangs) = channel();
        let readers = Unwilling { hangs: Some(hangs), ..unwilling(ConnectError::InUse) };
        let seen = survey_within(Duration::from_millis(20), Box::new(readers), true);
        assert!(matches!(seen, Err(SurveyError::Hangs)), "{seen:?}");
        drop(answer);
    }
}
