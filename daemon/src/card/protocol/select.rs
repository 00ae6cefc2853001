//! Selects the JPKI application.

use super::{Protocol, ProtocolError, Step};
use crate::card::apdu::{Command, Response, Status};

/// Name of the JPKI application (公的個人認証アプリケーション).
const AID: [u8; 10] = [0xD3, 0x92, 0xF0, 0x00, 0x26, 0x01, 0x00, 0x00, 0x00, 0x01];

/// Selects the JPKI application, without asking for file control information.
///
/// The first command after power-on: some cards answer it with 6F00 once, so it alone is sent a second time.
#[derive(Debug, Default)]
pub struct SelectJpki {
    repeated: bool,
}

impl Protocol for SelectJpki {
    type Output = ();

    fn start(&mut self) -> Command {
        Command::case3([0x00, 0xA4, 0x04, 0x0C], &AID)
    }

    fn receive(&mut self, response: Response) -> Result<Step<()>, ProtocolError> {
        match response.status {
            Status::OK => Ok(Step::Done(())),
            Status::NOT_FOUND => Err(ProtocolError::NotJpki),
            Status::UNKNOWN if !self.repeated => {
                self.repeated = true;
                Ok(Step::Send(self.start()))
            }
            status => Err(ProtocolError::Unusable(status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::conversation::check;
    use super::*;

    const SELECT: &str = "00 A4 04 0C 0A D3 92 F0 00 26 01 00 00 00 01";

    #[test]
    fn a_jpki_card_is_selected_with_one_command() {
        check(SelectJpki::default(), &[(SELECT, "9000")], Ok(()));
    }

    #[test]
    fn another_card_is_told_apart() {
        check(SelectJpki::default(), &[(SELECT, "6A82")], Err(ProtocolError::NotJpki));
    }

    #[test]
    fn the_first_6f00_is_tried_once_more_and_only_once() {
        check(SelectJpki::default(), &[(SELECT, "6F00"), (SELECT, "9000")], Ok(()));
        check(
            SelectJpki::default(),
            &[(SELECT, "6F00"), (SELECT, "6F00")],
            Err(ProtocolError::Unusable(Status::UNKNOWN)),
        );
    }

    #[test]
    fn any_other_status_is_reported() {
        check(SelectJpki::default(), &[(SELECT, "6881")], Err(ProtocolError::Unusable(Status(0x6881))));
    }
}
