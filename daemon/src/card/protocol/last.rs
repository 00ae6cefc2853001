//! Tells an iPhone that no command follows.

use super::{Protocol, ProtocolError, Step};
use crate::card::apdu::{Command, Response};

/// The iPhone profile's "last command" (observed by myna-card's author; a plastic card answers 6700). What becomes of a phone
/// that never gets it is not known, so whatever it answers is taken.
#[derive(Debug, Default)]
pub struct LastCommand;

impl Protocol for LastCommand {
    type Output = ();

    fn start(&mut self) -> Command {
        Command::case1([0x80, 0xFC, 0x00, 0x00])
    }

    fn receive(&mut self, _: Response) -> Result<Step<()>, ProtocolError> {
        Ok(Step::Done(()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::conversation::check;
    use super::*;

    #[test]
    fn it_is_sent_once_and_any_answer_will_do() {
        for answer in ["9000", "6700", "6D00"] {
            check(LastCommand, &[("80 FC 00 00", answer)], Ok(()));
        }
    }
}
