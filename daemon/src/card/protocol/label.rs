//! Reads what kind of token this is: a card, or the same application on a phone.

use super::{Protocol, ProtocolError, Retries, Step, Trouble};
use crate::card::apdu::{Command, Le, Response};
use crate::domain::check::Token;

/// Length of the label in the token information (PKCS#11 `CK_TOKEN_INFO`).
const LABEL_LENGTH: u8 = 0x20;

/// Reads the token label from EF 0006; the JPKI application is selected. Free of the PIN on card and phones.
#[derive(Debug)]
pub struct ReadTokenLabel {
    selected: bool,
    retries: Retries,
}

impl Default for ReadTokenLabel {
    fn default() -> Self {
        Self { selected: false, retries: Retries::READS }
    }
}

impl ReadTokenLabel {
    fn command(&self) -> Command {
        if self.selected {
            Command::case2([0x00, 0xB0, 0x00, 0x00], Le::Short(LABEL_LENGTH))
        } else {
            Command::case3([0x00, 0xA4, 0x02, 0x0C], &[0x00, 0x06])
        }
    }
}

impl Protocol for ReadTokenLabel {
    type Output = Token;

    fn start(&mut self) -> Command {
        self.command()
    }

    fn receive(&mut self, response: Response) -> Result<Step<Token>, ProtocolError> {
        if !response.status.is_ok() {
            return if self.retries.allow(Trouble::Status(response.status)) {
                Ok(Step::Send(self.command()))
            } else {
                Err(ProtocolError::Unusable(response.status))
            };
        }
        if !self.selected {
            self.selected = true;
            return Ok(Step::Send(self.command()));
        }
        match token(&response.data) {
            Some(token) => Ok(Step::Done(token)),
            None if self.retries.allow(Trouble::Garbled) => Ok(Step::Send(self.command())),
            None => Err(ProtocolError::Unusable(response.status)),
        }
    }
}

/// The token of a label, padded with spaces; `None` for one that nobody has described. `JPKIAPICCTOKEN2` is the My Number card,
/// without the 2 the old 住基カード, which is for the central system to refuse.
fn token(label: &[u8]) -> Option<Token> {
    match label.trim_ascii_end() {
        b"JPKIAPICCTOKEN2" | b"JPKIAPICCTOKEN" => Some(Token::Plastic),
        b"JPKIAPGPSETOKEN" => Some(Token::Android),
        b"JPKIAPIOSTOKEN" => Some(Token::Iphone),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::conversation::{check, check_bytes, hex};
    use super::*;
    use crate::card::apdu::Status;

    const SELECT: &str = "00 A4 02 0C 02 00 06";
    const READ: &str = "00 B0 00 00 20";

    fn read_as(label: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut answer = label.to_vec();
        answer.resize(LABEL_LENGTH.into(), b' ');
        answer.extend([0x90, 0x00]);
        vec![(hex(SELECT), hex("9000")), (hex(READ), answer)]
    }

    #[test]
    fn the_label_tells_card_and_phones_apart() {
        for (label, token) in [
            ("JPKIAPICCTOKEN2", Token::Plastic),
            ("JPKIAPICCTOKEN", Token::Plastic),
            ("JPKIAPGPSETOKEN", Token::Android),
            ("JPKIAPIOSTOKEN", Token::Iphone),
        ] {
            check_bytes(ReadTokenLabel::default(), &read_as(label.as_bytes()), Ok(token));
        }
    }

    #[test]
    fn what_is_no_known_label_is_read_again_and_then_refused() {
        for label in [&b""[..], b"JPKIAPICCTOKEN2\0", b"\xFF\xFE", b"JPKIAPXYZTOKEN", "ラベル".as_bytes()]
        {
            let mut conversation = read_as(label);
            conversation.extend([conversation[1].clone(), conversation[1].clone()]);
            let unusable = Err(ProtocolError::Unusable(Status::OK));
            check_bytes(ReadTokenLabel::default(), &conversation, unusable);
        }
    }

    #[test]
    fn passing_trouble_is_met_by_asking_again() {
        let mut conversation = read_as(b"JPKIAPIOSTOKEN");
        conversation.insert(1, (hex(READ), hex("6581")));
        conversation.insert(0, (hex(SELECT), hex("6400")));
        check_bytes(ReadTokenLabel::default(), &conversation, Ok(Token::Iphone));
    }

    #[test]
    fn a_refused_select_or_read_is_reported() {
        let refused = Err(ProtocolError::Unusable(Status::NOT_FOUND));
        check(ReadTokenLabel::default(), &[(SELECT, "6A82")], refused);
        let refused = Err(ProtocolError::Unusable(Status::SECURITY_STATUS));
        check(ReadTokenLabel::default(), &[(SELECT, "9000"), (READ, "6982")], refused);
    }
}
