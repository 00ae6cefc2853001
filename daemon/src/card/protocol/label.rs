//! Reads what kind of token this is: a card, or the same application on a phone.

use super::{Protocol, ProtocolError, Step};
use crate::card::apdu::{Command, Le, Response};

/// Length of the label in the token information (PKCS#11 `CK_TOKEN_INFO`).
const LABEL_LENGTH: u8 = 0x20;

/// Reads the token label from EF 0006; the JPKI application is selected.
///
/// `JPKIAPICCTOKEN2` is a My Number card, `JPKIAPGPSETOKEN` an Android phone, `JPKIAPIOSTOKEN` an iPhone.
#[derive(Debug, Default)]
pub struct ReadTokenLabel {
    selected: bool,
}

impl Protocol for ReadTokenLabel {
    type Output = String;

    fn start(&mut self) -> Command {
        Command::case3([0x00, 0xA4, 0x02, 0x0C], &[0x00, 0x06])
    }

    fn receive(&mut self, response: Response) -> Result<Step<String>, ProtocolError> {
        let unusable = ProtocolError::Unusable(response.status);
        if !response.status.is_ok() {
            return Err(unusable);
        }
        if !self.selected {
            self.selected = true;
            return Ok(Step::Send(Command::case2([0x00, 0xB0, 0x00, 0x00], Le::Short(LABEL_LENGTH))));
        }
        let label = String::from_utf8(response.data).map_err(|_| unusable)?;
        let label = label.trim_end_matches(' ');
        if label.is_empty() || !label.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unusable);
        }
        Ok(Step::Done(label.to_owned()))
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
    fn the_label_comes_without_its_padding() {
        for label in ["JPKIAPICCTOKEN2", "JPKIAPICCTOKEN", "JPKIAPGPSETOKEN", "JPKIAPIOSTOKEN"] {
            check_bytes(ReadTokenLabel::default(), &read_as(label.as_bytes()), Ok(label.to_owned()));
        }
    }

    #[test]
    fn what_is_no_label_is_refused() {
        for label in [&b""[..], b"JPKI\0", b"\xFF\xFE", "ラベル".as_bytes()] {
            check_bytes(ReadTokenLabel::default(), &read_as(label), Err(ProtocolError::Unusable(Status::OK)));
        }
    }

    #[test]
    fn a_refused_select_or_read_is_reported() {
        let refused = Err(ProtocolError::Unusable(Status::NOT_FOUND));
        check(ReadTokenLabel::default(), &[(SELECT, "6A82")], refused);
        let refused = Err(ProtocolError::Unusable(Status::SECURITY_STATUS));
        check(ReadTokenLabel::default(), &[(SELECT, "9000"), (READ, "6982")], refused);
    }
}
