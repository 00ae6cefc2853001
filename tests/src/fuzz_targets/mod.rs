//! Fuzz targets: what a card may send, a text may hold and a folder may bring, as plain functions over arbitrary bytes. Each one panics where the daemon would
//! break a promise, so the same function serves libFuzzer (`tests/fuzz`), the tests over the committed corpus, and the
//! in-process mutation of [`mutate`], which needs neither nightly nor a C++ compiler.
//!
//! The corpus lies in `tests/fuzz/corpus/<name>`; a new finding is put there with the fix.

#![expect(clippy::expect_used, reason = "a promise that does not hold ends the run with the reason")]

mod charset;
mod conversation;
mod folder_request;
pub mod mutate;

use daemon::card::apdu::{Response, Status};
use daemon::card::drive::{Transmit, TransmitError, drive};
use daemon::card::protocol::{
    LastCommand, Protocol, ReadCertificate, ReadTokenLabel, Rung, SelectJpki, Sign, Step, TriesLeft,
    VerifyPin,
};
use daemon::card::{tlv, x509};
use daemon::domain::personal::Pin;
use x509_cert::der::Decode as _;

pub use charset::charset;
pub use conversation::card_conversation;
pub use folder_request::folder_request;

use crate::pki::CardPki;

/// A target: its name, which is also that of its libFuzzer binary and of its corpus, and its body.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Its body; returns for every input unless a promise is broken.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 6] = [
    Target { name: "apdu_response", run: apdu_response },
    Target { name: "tlv", run: tlv },
    Target { name: "certificate", run: certificate },
    Target { name: "card_conversation", run: card_conversation },
    Target { name: "charset", run: charset },
    Target { name: "folder_request", run: folder_request },
];

/// The ways to read the certificate.
const RUNGS: [Rung; 3] = [Rung::ExtendedSfi, Rung::ShortSfi, Rung::SelectEf];

fn pin() -> Pin {
    Pin::parse("1234").expect("four digits")
}

/// One answer of a card, to any command.
///
/// It is split into data and status word and nothing else; no protocol panics over it, and what presents a PIN or signs
/// never answers it with another command.
pub fn apdu_response(bytes: &[u8]) {
    let Some(response) = Response::parse(bytes.to_vec()) else {
        assert!(bytes.len() < 2, "an answer with a status word was not read");
        return;
    };
    assert_eq!([&response.data[..], &response.status.0.to_be_bytes()].concat(), bytes);
    let Status(word) = response.status;
    assert_eq!(
        response.status.tries(),
        (0x63C0..=0x63CF).contains(&word).then_some(bytes[bytes.len() - 1] & 0x0F)
    );
    assert_eq!(response.status.is_blocked(), matches!(word, 0x63C0 | 0x6983 | 0x6984));
    assert!(format!("{response:?}").len() < 32, "the data of an answer is shown");

    assert!(is_end(SelectJpki::default(), &response) || word == 0x6F00, "selected twice");
    assert!(is_end(TriesLeft, &response), "asked twice");
    assert!(is_end(VerifyPin::new(pin()), &response), "presented twice");
    assert!(is_end(Sign::new(b"challenge"), &response), "signed twice");
    assert!(is_end(LastCommand, &response), "said goodbye twice");
    is_end(ReadTokenLabel::default(), &response);
    for rung in RUNGS {
        is_end(ReadCertificate::new(rung), &response);
    }
}

/// Whether a protocol sends nothing more after this answer to its first command.
fn is_end<P: Protocol>(mut protocol: P, response: &Response) -> bool {
    protocol.start();
    !matches!(protocol.receive(response.clone()), Ok(Step::Send(_)))
}

/// The first bytes of a file, as they arrive one by one.
///
/// The length of the certificate, once known, does not change with what follows, and fits what can be read.
pub fn tlv(bytes: &[u8]) {
    let mut known = None;
    for end in 0..=bytes.len().min(16) {
        let now = tlv::certificate_length(&bytes[..end]);
        match (known, now) {
            (None, Ok(None)) => assert!(end < 4, "four bytes tell the length"),
            (None, _) => known = Some(now),
            (Some(before), now) => assert_eq!(before, now, "more bytes changed what was known"),
        }
    }
    if let Some(Ok(Some(length))) = known {
        assert_eq!(bytes[0], 0x30);
        assert!((3..=tlv::LONGEST).contains(&length));
    }
}

/// The file on the card that should hold a certificate.
///
/// However it is read, the same bytes come out, cut to their length; and whatever they are, reading the certificate in
/// them and asking the simulated central system about it end well.
pub fn certificate(bytes: &[u8]) {
    let read = RUNGS.map(|rung| {
        let mut card = FileCard { bytes, commands: 0 };
        drive(ReadCertificate::new(rung), &mut card).ok().map(|read| read.der)
    });
    assert!(read.iter().all(|der| *der == read[0]), "the way of reading changed what was read");
    let [Some(der), ..] = read else { return };
    assert_eq!(tlv::certificate_length(bytes), Ok(Some(der.len())));
    assert_eq!(der, bytes[..der.len()]);
    // The result is the parser's business; that there is one is the promise.
    let _ = x509::read(&der);
    drop(x509_cert::Certificate::from_der(&der));
    drop(CardPki::new().verify(&der, b"challenge", &[0; 256]));
}

/// A card with nothing but one file.
struct FileCard<'a> {
    bytes: &'a [u8],
    commands: usize,
}

impl Transmit for FileCard<'_> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        self.commands += 1;
        assert!(self.commands < 300, "the reading does not end");
        let (offset, most) = match *command {
            [0x00, 0xA4, ..] => return Ok(vec![0x90, 0x00]),
            [0x00, 0xB0, 0x8A, offset, 0x00, 0x00, 0x00] => (usize::from(offset), 65_536),
            [0x00, 0xB0, 0x8A, offset, 0x00] => (usize::from(offset), 256),
            [0x00, 0xB0, high @ 0..=0x7F, low, 0x00] => (usize::from(u16::from_be_bytes([high, low])), 256),
            _ => panic!("an unknown command to read"),
        };
        let rest = self.bytes.get(offset..).unwrap_or_default();
        Ok([&rest[..rest.len().min(most)], &[0x90, 0x00]].concat())
    }
}
