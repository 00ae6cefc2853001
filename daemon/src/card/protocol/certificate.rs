//! Reads the user-authentication certificate with as few commands as card and reader allow.

use super::{Protocol, ProtocolError, Retries, Step, Trouble};
use crate::card::apdu::{Command, Le, Response, Status};
use crate::card::tlv;

/// Ways to read the file, the shortest first. A reader or card that refuses one is asked with the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Rung {
    /// The whole file in one answer of extended length, addressed by its short id.
    #[default]
    ExtendedSfi,
    /// 256 bytes at a time, the first by its short id.
    ShortSfi,
    /// 256 bytes at a time after SELECT.
    SelectEf,
}

/// A certificate and the way it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateRead {
    /// The certificate, DER, without what follows it in the file.
    pub der: Vec<u8>,
    /// The rung that worked: start there next time on the same reader.
    pub rung: Rung,
}

impl std::fmt::Debug for CertificateRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes by {:?}", self.der.len(), self.rung)
    }
}

/// The most READ commands for one certificate: twice what the longest one needs, so that a card that answers a few bytes
/// at a time cannot hold the reader for ever.
const MOST_READS: usize = 2 * (tlv::LONGEST / 256 + 1);

/// Reads EF 000A (利用者証明用電子証明書); the JPKI application is selected. Free of the PIN on the plastic card.
///
/// Trouble that may pass by itself is met by reading again ([`Retries`]), at the same place or, if the data cannot be the
/// beginning of a certificate, from the beginning. Only then is the rung given up.
#[derive(Debug)]
pub struct ReadCertificate {
    rung: Rung,
    awaiting: Awaiting,
    der: Vec<u8>,
    reads: usize,
    retries: Retries,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    Select,
    FirstRead,
    NextRead,
}

impl ReadCertificate {
    /// Starts on a rung: [`Rung::ExtendedSfi`] on an unknown reader.
    pub fn new(rung: Rung) -> Self {
        Self { rung, awaiting: Awaiting::FirstRead, der: Vec::new(), reads: 0, retries: Retries::READS }
    }

    /// The first command of the current rung.
    fn first(&mut self) -> Command {
        self.awaiting = Awaiting::FirstRead;
        match self.rung {
            Rung::ExtendedSfi => Command::case2([0x00, 0xB0, 0x8A, 0x00], Le::Extended(0)),
            Rung::ShortSfi => Command::case2([0x00, 0xB0, 0x8A, 0x00], Le::Short(0)),
            Rung::SelectEf => {
                self.awaiting = Awaiting::Select;
                Command::case3([0x00, 0xA4, 0x02, 0x0C], &[0x00, 0x0A])
            }
        }
    }

    /// READ BINARY of the selected file, from the end of what is there already.
    fn read_on(&self) -> Result<Command, ProtocolError> {
        let unusable = ProtocolError::Unusable(Status::OK);
        if self.reads >= MOST_READS {
            return Err(unusable);
        }
        let offset = u16::try_from(self.der.len()).map_err(|_| unusable)?;
        let [high, low] = offset.to_be_bytes();
        Ok(Command::case2([0x00, 0xB0, high, low], Le::Short(0)))
    }

    /// Sends again what the card had trouble with, if it may: SELECT and READ change nothing.
    fn again(&mut self, trouble: Trouble) -> Result<Option<Step<CertificateRead>>, ProtocolError> {
        if !self.retries.allow(trouble) {
            return Ok(None);
        }
        let command = match (self.awaiting, self.rung) {
            (Awaiting::Select, _) | (Awaiting::FirstRead, Rung::ExtendedSfi | Rung::ShortSfi) => self.first(),
            (Awaiting::FirstRead, Rung::SelectEf) | (Awaiting::NextRead, _) => self.read_on()?,
        };
        Ok(Some(Step::Send(command)))
    }

    /// The first READ of a rung was refused: tries the next rung where that can help.
    fn descend(&mut self, refusal: Status) -> Result<Step<CertificateRead>, ProtocolError> {
        self.rung = match (self.rung, refusal) {
            // A protected certificate (a phone's) stays protected whichever way it is read.
            (_, Status::SECURITY_STATUS) | (Rung::SelectEf, _) => {
                return Err(ProtocolError::Unusable(refusal));
            }
            (Rung::ExtendedSfi, _) => Rung::ShortSfi,
            (
                Rung::ShortSfi,
                Status::WRONG_P1_P2
                | Status::WRONG_OFFSET
                | Status::NOT_FOUND
                | Status::WRONG_FILE_TYPE
                | Status::NO_CURRENT_FILE,
            ) => Rung::SelectEf,
            (Rung::ShortSfi, _) => return Err(ProtocolError::Unusable(refusal)),
        };
        Ok(Step::Send(self.first()))
    }

    /// Adds what was read, and reads on until the certificate is complete.
    fn take(&mut self, response: &Response) -> Result<Step<CertificateRead>, ProtocolError> {
        let unusable = ProtocolError::Unusable(response.status);
        self.reads += 1;
        if response.data.is_empty() {
            return self.again(Trouble::Garbled)?.ok_or(unusable);
        }
        self.der.extend_from_slice(&response.data);
        match tlv::certificate_length(&self.der) {
            Err(tlv::NotACertificate) => {
                self.der.clear();
                self.awaiting = Awaiting::FirstRead;
                self.again(Trouble::Garbled)?.ok_or(unusable)
            }
            Ok(Some(length)) if self.der.len() >= length => {
                self.der.truncate(length);
                Ok(Step::Done(CertificateRead { der: std::mem::take(&mut self.der), rung: self.rung }))
            }
            Ok(_) => {
                self.awaiting = Awaiting::NextRead;
                Ok(Step::Send(self.read_on()?))
            }
        }
    }
}

impl Protocol for ReadCertificate {
    type Output = CertificateRead;

    fn start(&mut self) -> Command {
        self.first()
    }

    fn receive(&mut self, response: Response) -> Result<Step<CertificateRead>, ProtocolError> {
        let has_data = matches!(response.status, Status::OK | Status::END_OF_FILE);
        if !has_data && let Some(step) = self.again(Trouble::Status(response.status))? {
            return Ok(step);
        }
        match self.awaiting {
            Awaiting::Select if response.status.is_ok() => {
                self.awaiting = Awaiting::FirstRead;
                Ok(Step::Send(self.read_on()?))
            }
            Awaiting::FirstRead | Awaiting::NextRead if has_data => self.take(&response),
            Awaiting::FirstRead => self.descend(response.status),
            Awaiting::Select | Awaiting::NextRead => Err(ProtocolError::Unusable(response.status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::conversation::{check, check_bytes, hex};
    use super::*;

    const EXTENDED: &str = "00 B0 8A 00 00 00 00";
    const SHORT: &str = "00 B0 8A 00 00";
    const SELECT: &str = "00 A4 02 0C 02 00 0A";

    /// A stand-in for a certificate of `length` bytes: a correct header and bytes that tell their position.
    fn certificate(length: u16) -> Vec<u8> {
        let [high, low] = (length - 4).to_be_bytes();
        let content = (4..length).map(|position| position.to_be_bytes()[1]);
        [0x30, 0x82, high, low].into_iter().chain(content).collect()
    }

    /// The file on the card: the certificate and filler up to 2,000 bytes.
    fn file(certificate: &[u8]) -> Vec<u8> {
        let mut file = certificate.to_vec();
        file.resize(2000, 0xFF);
        file
    }

    fn ok(data: &[u8]) -> Vec<u8> {
        [data, &[0x90, 0x00]].concat()
    }

    /// `first`, then READs of 256 bytes by offset, each answered from the file.
    fn in_chunks(first: &str, file: &[u8], reads: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let command = |index: usize| match index {
            0 => hex(first),
            index => vec![0x00, 0xB0, u8::try_from(index).unwrap(), 0x00, 0x00],
        };
        file.chunks(256).take(reads).enumerate().map(|(index, chunk)| (command(index), ok(chunk))).collect()
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is what a conversation ends with")]
    fn read(der: Vec<u8>, rung: Rung) -> Result<CertificateRead, ProtocolError> {
        Ok(CertificateRead { der, rung })
    }

    #[test]
    fn with_extended_length_one_command_reads_it_and_the_filler_is_cut_off() {
        let der = certificate(1590);
        let conversation = [(hex(EXTENDED), ok(&file(&der)))];
        check_bytes(ReadCertificate::new(Rung::ExtendedSfi), &conversation, read(der, Rung::ExtendedSfi));
    }

    #[test]
    fn without_extended_length_a_real_certificate_takes_seven_commands() {
        for length in [1573, 1590] {
            let der = certificate(length);
            let conversation = in_chunks(SHORT, &file(&der), 7);
            check_bytes(ReadCertificate::new(Rung::ShortSfi), &conversation, read(der, Rung::ShortSfi));
        }
    }

    #[test]
    fn a_certificate_that_fills_its_last_chunk_is_not_read_past_its_end() {
        let der = certificate(1536);
        let conversation = in_chunks(SHORT, &der, 6);
        check_bytes(ReadCertificate::new(Rung::ShortSfi), &conversation, read(der, Rung::ShortSfi));
    }

    #[test]
    fn refused_extended_length_falls_back_to_short_reads_at_the_cost_of_one_command() {
        for refusal in ["6700", "6B00", "6A86", "6D00", "6C00"] {
            let der = certificate(1573);
            let mut conversation = vec![(hex(EXTENDED), hex(refusal))];
            conversation.extend(in_chunks(SHORT, &file(&der), 7));
            check_bytes(ReadCertificate::new(Rung::ExtendedSfi), &conversation, read(der, Rung::ShortSfi));
        }
    }

    #[test]
    fn passing_trouble_is_met_by_reading_again_at_the_same_place() {
        for trouble in ["6F00", "6400", "6581", "9000"] {
            let der = certificate(300);
            let again = (hex(EXTENDED), hex(trouble));
            let conversation = [again.clone(), again, (hex(EXTENDED), ok(&file(&der)))];
            let rung = Rung::ExtendedSfi;
            check_bytes(ReadCertificate::new(rung), &conversation, read(der.clone(), rung));

            let next = (hex("00 B0 01 00 00"), hex(trouble));
            let conversation =
                [(hex(SHORT), ok(&der[..256])), next.clone(), next, (hex("00 B0 01 00 00"), ok(&der[256..]))];
            check_bytes(ReadCertificate::new(Rung::ShortSfi), &conversation, read(der, Rung::ShortSfi));
        }
    }

    #[test]
    fn a_garbled_beginning_is_read_again_from_the_beginning() {
        let der = certificate(300);
        for (rung, first) in [(Rung::ShortSfi, SHORT), (Rung::SelectEf, "00 B0 00 00 00")] {
            let mut conversation = vec![(hex(first), hex("04 02 0000 9000"))];
            if rung == Rung::SelectEf {
                conversation.insert(0, (hex(SELECT), hex("9000")));
            }
            conversation.extend(in_chunks(first, &der, 2));
            check_bytes(ReadCertificate::new(rung), &conversation, read(der.clone(), rung));
        }
    }

    #[test]
    fn a_third_trouble_gives_the_rung_up_and_there_are_no_further_retries() {
        let der = certificate(300);
        let mut conversation = vec![(hex(EXTENDED), hex("6F00")); 3];
        conversation.extend(in_chunks(SHORT, &der, 2));
        check_bytes(ReadCertificate::new(Rung::ExtendedSfi), &conversation, read(der, Rung::ShortSfi));

        let spent = [(EXTENDED, "6F00"), (EXTENDED, "6F00"), (EXTENDED, "6F00"), (SHORT, "6F00")];
        let refused = Err(ProtocolError::Unusable(Status::UNKNOWN));
        check(ReadCertificate::new(Rung::ExtendedSfi), &spent, refused);
    }

    #[test]
    fn a_refused_short_id_falls_back_to_select() {
        for refusal in ["6A86", "6A82", "6981", "6986", "6B00"] {
            let der = certificate(1573);
            let mut conversation =
                vec![(hex(EXTENDED), hex("6700")), (hex(SHORT), hex(refusal)), (hex(SELECT), hex("9000"))];
            conversation.extend(in_chunks("00 B0 00 00 00", &file(&der), 7));
            check_bytes(ReadCertificate::new(Rung::ExtendedSfi), &conversation, read(der, Rung::SelectEf));
        }
    }

    #[test]
    fn a_remembered_rung_is_where_it_starts() {
        let der = certificate(300);
        let mut conversation = vec![(hex(SELECT), hex("9000"))];
        conversation.extend(in_chunks("00 B0 00 00 00", &der, 2));
        check_bytes(ReadCertificate::new(Rung::SelectEf), &conversation, read(der, Rung::SelectEf));
    }

    #[test]
    fn an_extended_answer_cut_short_by_the_reader_is_completed_by_offset() {
        let der = certificate(300);
        let conversation =
            [(hex(EXTENDED), ok(&der[..100])), (hex("00 B0 00 64 00"), ok(&file(&der)[100..356]))];
        check_bytes(ReadCertificate::new(Rung::ExtendedSfi), &conversation, read(der, Rung::ExtendedSfi));
    }

    #[test]
    fn the_end_of_the_file_may_be_announced_with_a_warning() {
        let der = certificate(300);
        let last = [&der[256..], &[0x62, 0x82]].concat();
        let conversation = [(hex(SHORT), ok(&der[..256])), (hex("00 B0 01 00 00"), last)];
        check_bytes(ReadCertificate::new(Rung::ShortSfi), &conversation, read(der, Rung::ShortSfi));
    }

    #[test]
    fn a_protected_certificate_is_not_asked_for_in_other_ways() {
        let refused = Err(ProtocolError::Unusable(Status::SECURITY_STATUS));
        check(ReadCertificate::new(Rung::ExtendedSfi), &[(EXTENDED, "6982")], refused);
    }

    #[test]
    fn what_cannot_become_a_certificate_ends_the_reading() {
        let unusable = Err(ProtocolError::Unusable(Status::OK));
        for (rung, command, answer) in [
            (Rung::ExtendedSfi, EXTENDED, "9000"),
            (Rung::ShortSfi, SHORT, "04 02 0000 9000"),
            (Rung::ShortSfi, SHORT, "30 80 0000 9000"),
        ] {
            check(ReadCertificate::new(rung), &[(command, answer); 3], unusable.clone());
        }
        let end = ("00 B0 00 05 00", "9000");
        check(
            ReadCertificate::new(Rung::ShortSfi),
            &[(SHORT, "30 82 06 21 30 9000"), end, end, end],
            unusable,
        );
        check(
            ReadCertificate::new(Rung::ShortSfi),
            &[(SHORT, "30 82 06 21 30 9000"), ("00 B0 00 05 00", "6B00")],
            Err(ProtocolError::Unusable(Status::WRONG_OFFSET)),
        );
        check(
            ReadCertificate::new(Rung::SelectEf),
            &[(SELECT, "6A82")],
            Err(ProtocolError::Unusable(Status::NOT_FOUND)),
        );
    }

    #[test]
    fn a_card_that_answers_one_byte_at_a_time_is_given_up() {
        let mut protocol = ReadCertificate::new(Rung::ShortSfi);
        protocol.start();
        let bytes = certificate(2000);
        let mut commands = 1;
        let error = bytes.iter().find_map(|byte| {
            let step = protocol.receive(Response { data: vec![*byte], status: Status::OK });
            commands += 1;
            step.err()
        });
        assert_eq!(error, Some(ProtocolError::Unusable(Status::OK)));
        assert_eq!(commands, MOST_READS + 1);
    }
}
