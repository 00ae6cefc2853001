//! Service, access, driver, readers, cards: from the survey of the readers.

use jiff::Timestamp;

use super::super::codes::Code;
use super::super::report::Finding;
use super::validity::{Standing, Validity};
use crate::app::checks::{Terminal, find_named};
use crate::app::ports::ReaderName;
use crate::card::readers::{Presence, ReadersError};
use crate::card::survey::{CardTrouble, SurveyError, SurveyedCard, SurveyedReader};

/// What was seen of the desk.
pub(in super::super) struct Desk<'a> {
    /// The readers through PC/SC.
    pub survey: &'a Result<Vec<SurveyedReader>, SurveyError>,
    /// The readers on USB, `vendor:product`.
    pub usb: &'a [String],
    /// Whether any PC/SC driver is installed.
    pub has_driver: bool,
    /// The configured terminals.
    pub terminals: &'a [Terminal],
    /// Whether cards were to be read.
    pub touch_card: bool,
    /// When.
    pub now: Timestamp,
}

/// All lines of the desk, in order.
pub(in super::super) fn desk(seen: &Desk<'_>) -> Vec<Finding> {
    match seen.survey {
        Ok(readers) => {
            let refused = readers.iter().any(|reader| reader.card == Some(Err(CardTrouble::Refused)));
            let access = if refused { Code::AccessRefused } else { Code::AccessGranted };
            let mut findings =
                vec![Finding::new(Code::PcscRunning), Finding::new(access), driver(readers, seen)];
            findings.extend(readers_of(readers, seen.terminals));
            findings.extend(cards(readers, seen));
            findings
        }
        Err(error) => {
            let (service, access) = match error {
                SurveyError::Readers(ReadersError::Refused) => (Code::PcscRunning, Code::AccessRefused),
                SurveyError::Readers(ReadersError::ServiceGone) => (Code::PcscStopped, Code::AccessUnknown),
                SurveyError::Hangs | SurveyError::Thread(_) => (Code::PcscHangs, Code::AccessUnknown),
            };
            let unknown = [Code::ReaderUnknown, unread(seen), Code::CertificateUnknown].map(Finding::new);
            [Finding::new(service), Finding::new(access), driver(&[], seen)]
                .into_iter()
                .chain(unknown)
                .collect()
        }
    }
}

/// Without a listed reader, what is on USB and what is installed tell which side is at fault.
fn driver(readers: &[SurveyedReader], seen: &Desk<'_>) -> Finding {
    match (readers, seen.survey) {
        ([_, ..], _) => Finding::new(Code::DriverWorks),
        ([], _) if !seen.has_driver => Finding::new(Code::DriverMissing),
        ([], Ok(_)) if !seen.usb.is_empty() => Finding::with(Code::DriverNotListed, seen.usb.join(", ")),
        ([], _) => Finding::new(Code::DriverUnknown),
    }
}

fn readers_of(readers: &[SurveyedReader], terminals: &[Terminal]) -> Vec<Finding> {
    if readers.is_empty() {
        return vec![Finding::new(Code::ReaderNone)];
    }
    let names: Vec<_> = readers.iter().map(|reader| reader.name.0.as_str()).collect();
    let names = names.join(", ");
    let mut found = Vec::new();
    for terminal in terminals {
        match &terminal.reader {
            Some(wanted) if !is_listed(readers, wanted, terminal, terminals) => {
                let detail = format!("{}: {}。つながっているもの: {names}", terminal.id.0, wanted.0);
                found.push(Finding::with(Code::ReaderConfiguredMissing, detail));
            }
            None if readers.len() > 1 => {
                found.push(Finding::with(Code::ReaderAmbiguous, format!("{}: {names}", terminal.id.0)));
            }
            Some(_) | None => {}
        }
    }
    let dead = readers.iter().filter(|reader| reader.presence == Presence::Unavailable);
    found.extend(dead.map(|reader| Finding::with(Code::ReaderDead, &reader.name.0)));
    if found.is_empty() {
        found.push(Finding::with(Code::ReaderFound, names));
    }
    found
}

/// Whether a check at the terminal would find its reader, which may carry another device number by now.
fn is_listed(
    readers: &[SurveyedReader],
    wanted: &ReaderName,
    terminal: &Terminal,
    terminals: &[Terminal],
) -> bool {
    let others = terminals.iter().filter(|other| other.id != terminal.id);
    let others: Vec<_> = others.filter_map(|other| other.reader.as_ref()).collect();
    find_named(readers.iter().map(|reader| &reader.name), wanted, &others).is_some()
}

/// Why no card was read, if no reader is to blame for itself.
fn unread(seen: &Desk<'_>) -> Code {
    if seen.touch_card { Code::CardUnknown } else { Code::CardNotAsked }
}

/// For every reader with something on it whether it can be read, and how long its certificate runs.
fn cards(readers: &[SurveyedReader], seen: &Desk<'_>) -> Vec<Finding> {
    if !seen.touch_card || readers.is_empty() {
        return vec![Finding::new(unread(seen)), Finding::new(Code::CertificateUnknown)];
    }
    let mut found = Vec::new();
    let mut certificates = Vec::new();
    for reader in readers {
        let name = &reader.name.0;
        match (&reader.card, reader.presence) {
            (Some(Ok(card)), _) => {
                found.push(Finding::with(Code::CardReadable, name));
                certificates.push(certificate(card, seen.now));
            }
            (Some(Err(trouble)), _) => found.push(unreadable(*trouble, name)),
            (None, Presence::Mute) => found.push(Finding::with(Code::CardMute, name)),
            (None, _) => {}
        }
    }
    if found.is_empty() {
        found.push(Finding::new(Code::CardAbsent));
    }
    if certificates.is_empty() {
        certificates.push(Finding::new(Code::CertificateUnknown));
    }
    found.extend(certificates);
    found
}

fn unreadable(trouble: CardTrouble, reader: &str) -> Finding {
    let code = match trouble {
        CardTrouble::InUse => Code::CardInUse,
        CardTrouble::Refused => Code::CardUnknown,
        CardTrouble::Foreign => Code::CardForeign,
        CardTrouble::Mute => Code::CardMute,
        CardTrouble::Protected => Code::CardProtected,
        CardTrouble::Gone => Code::CardGone,
        CardTrouble::Unusable { status: Some(status) } => {
            return Finding::with(Code::CardUnusable, format!("{reader}, {status:04X}"));
        }
        CardTrouble::Unusable { status: None } => Code::CardUnusable,
    };
    Finding::with(code, reader)
}

/// The state alone: the dates of a patient's certificate are nobody's business here.
fn certificate(card: &SurveyedCard, now: Timestamp) -> Finding {
    let standing = Validity::of(&card.certificate).map(|validity| validity.standing(now, !card.is_phone));
    Finding::new(match standing {
        None => Code::CertificateUnreadable,
        Some(Standing::NotYet) => Code::CertificateNotYet,
        Some(Standing::Valid) => Code::CertificateValid,
        Some(Standing::InGrace) => Code::CertificateInGrace,
        Some(Standing::Ended) => Code::CertificatePast,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::ports::TerminalId;

    type Survey = Result<Vec<SurveyedReader>, SurveyError>;

    fn reader(name: &str, presence: Presence, card: Option<CardTrouble>) -> SurveyedReader {
        SurveyedReader { name: ReaderName(name.to_owned()), presence, card: card.map(Err) }
    }

    fn terminal(reader: Option<&str>) -> Terminal {
        Terminal {
            id: TerminalId("uketsuke-1".to_owned()),
            reader: reader.map(|name| ReaderName(name.to_owned())),
        }
    }

    fn seen<'a>(survey: &'a Survey, terminals: &'a [Terminal]) -> Desk<'a> {
        let now = "2026-04-10T00:00:00Z".parse().unwrap();
        Desk { survey, usb: &[], has_driver: true, terminals, touch_card: true, now }
    }

    fn codes(desk_seen: &Desk<'_>) -> Vec<Code> {
        desk(desk_seen).iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_service_that_cannot_be_asked_leaves_the_rest_unknown() {
        let rest = [Code::DriverUnknown, Code::ReaderUnknown, Code::CardUnknown, Code::CertificateUnknown];
        for (error, service, access) in [
            (ReadersError::ServiceGone.into(), Code::PcscStopped, Code::AccessUnknown),
            (ReadersError::Refused.into(), Code::PcscRunning, Code::AccessRefused),
            (SurveyError::Hangs, Code::PcscHangs, Code::AccessUnknown),
        ] {
            let survey = Err(error);
            assert_eq!(codes(&seen(&survey, &[])), [&[service, access], &rest[..]].concat(), "{survey:?}");
        }
    }

    #[test]
    fn without_a_listed_reader_usb_and_drivers_tell_which_side_is_at_fault() {
        let usb = ["054c:0dc8".to_owned()];
        let none = Ok(Vec::new());
        for (usb, has_driver, expected) in [
            (&usb[..], true, Code::DriverNotListed),
            (&usb[..], false, Code::DriverMissing),
            (&[], false, Code::DriverMissing),
            (&[], true, Code::DriverUnknown),
        ] {
            let seen = Desk { usb, has_driver, ..seen(&none, &[]) };
            let found = codes(&seen);
            assert_eq!(found[2..4], [expected, Code::ReaderNone]);
        }
        let listed = Ok(vec![reader("A", Presence::Empty, None)]);
        let without_bundle = Desk { has_driver: false, ..seen(&listed, &[]) };
        assert_eq!(codes(&without_bundle)[2], Code::DriverWorks, "a listed reader has a driver");
    }

    #[test]
    fn the_configured_reader_must_be_there_and_alive() {
        let one = || vec![reader("A", Presence::Empty, None)];
        let two = || vec![reader("A", Presence::Empty, None), reader("B", Presence::Empty, None)];
        let dead = || vec![reader("A", Presence::Unavailable, None)];
        let plugged_in_again = || vec![reader("A 01 00", Presence::Empty, None)];
        for (readers, wanted, expected) in [
            (one(), Some("A"), Code::ReaderFound),
            (one(), None, Code::ReaderFound),
            (two(), Some("B"), Code::ReaderFound),
            (two(), None, Code::ReaderAmbiguous),
            (two(), Some("C"), Code::ReaderConfiguredMissing),
            (dead(), Some("A"), Code::ReaderDead),
            (plugged_in_again(), Some("A 00 00"), Code::ReaderFound),
            (plugged_in_again(), Some("A 01 01"), Code::ReaderConfiguredMissing),
        ] {
            assert_eq!(codes(&seen(&Ok(readers), &[terminal(wanted)]))[3], expected, "{wanted:?}");
        }
    }

    #[test]
    fn each_reason_why_a_card_is_not_read_has_its_own_remedy() {
        for (trouble, expected) in [
            (CardTrouble::InUse, Code::CardInUse),
            (CardTrouble::Refused, Code::CardUnknown),
            (CardTrouble::Foreign, Code::CardForeign),
            (CardTrouble::Mute, Code::CardMute),
            (CardTrouble::Protected, Code::CardProtected),
            (CardTrouble::Gone, Code::CardGone),
            (CardTrouble::Unusable { status: Some(0x6F00) }, Code::CardUnusable),
            (CardTrouble::Unusable { status: None }, Code::CardUnusable),
        ] {
            let survey = Ok(vec![reader("A", Presence::Card, Some(trouble))]);
            let found = codes(&seen(&survey, &[]));
            assert_eq!(found[4..], [expected, Code::CertificateUnknown], "{trouble:?}");
            let refused = trouble == CardTrouble::Refused;
            assert_eq!(found[1] == Code::AccessRefused, refused, "{trouble:?}");
        }
        let mute = Ok(vec![reader("A", Presence::Mute, None)]);
        assert_eq!(codes(&seen(&mute, &[]))[4], Code::CardMute);
        let empty = Ok(vec![reader("A", Presence::Empty, None)]);
        assert_eq!(codes(&seen(&empty, &[]))[4], Code::CardAbsent);
    }

    #[test]
    fn a_card_that_was_not_to_be_touched_is_left_out() {
        for survey in [Ok(vec![reader("A", Presence::Card, None)]), Err(SurveyError::Hangs)] {
            let seen = Desk { touch_card: false, ..seen(&survey, &[]) };
            assert!(codes(&seen).ends_with(&[Code::CardNotAsked, Code::CertificateUnknown]), "{survey:?}");
        }
    }

    #[test]
    fn a_card_whose_certificate_is_none_is_told() {
        let card = SurveyedCard { certificate: b"\x30\x00".to_vec(), is_phone: false };
        let survey = Ok(vec![SurveyedReader { card: Some(Ok(card)), ..reader("A", Presence::Card, None) }]);
        let found = codes(&seen(&survey, &[]));
        assert_eq!(found[4..], [Code::CardReadable, Code::CertificateUnreadable]);
    }
}
