//! The PIN of the user-authentication key: how many tries are left, and presenting it.

use super::{Protocol, ProtocolError, Step};
use crate::card::apdu::{Command, Response, Status};
use crate::domain::personal::Pin;

/// VERIFY for the PIN in EF 0018, addressed by its short id.
const VERIFY: [u8; 4] = [0x00, 0x20, 0x00, 0x98];

/// What the card says about the PIN without being given one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// So many wrong PINs until it locks, at least one.
    Left(u8),
    /// It is locked.
    Locked,
    /// It has been presented since power-on and still holds, so the counter stands at its maximum.
    Verified,
}

/// Asks for the tries left: a VERIFY without data, which costs no try.
#[derive(Debug, Default)]
pub struct TriesLeft;

impl Protocol for TriesLeft {
    type Output = Tries;

    fn start(&mut self) -> Command {
        Command::case1(VERIFY)
    }

    fn receive(&mut self, response: Response) -> Result<Step<Tries>, ProtocolError> {
        let status = response.status;
        match status.tries() {
            _ if status.is_blocked() => Ok(Step::Done(Tries::Locked)),
            Some(tries) => Ok(Step::Done(Tries::Left(tries))),
            None if status.is_ok() => Ok(Step::Done(Tries::Verified)),
            None => Err(ProtocolError::Unusable(status)),
        }
    }
}

/// Presents the PIN: exactly one VERIFY, whatever the answer. The PIN is wiped when the exchange ends.
#[derive(Debug)]
pub struct VerifyPin(Pin);

impl VerifyPin {
    /// Takes the PIN over.
    pub fn new(pin: Pin) -> Self {
        Self(pin)
    }
}

impl Protocol for VerifyPin {
    type Output = ();

    fn start(&mut self) -> Command {
        Command::case3(VERIFY, self.0.digits())
    }

    fn receive(&mut self, response: Response) -> Result<Step<()>, ProtocolError> {
        let status = response.status;
        match status.tries() {
            _ if status == Status::OK => Ok(Step::Done(())),
            _ if status.is_blocked() => Err(ProtocolError::PinLocked),
            Some(tries_left) => Err(ProtocolError::WrongPin { tries_left }),
            None => Err(ProtocolError::Unusable(status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::conversation::check;
    use super::*;

    const QUERY: &str = "00 20 00 98";
    const PRESENT_0123: &str = "00 20 00 98 04 30 31 32 33";

    fn pin() -> VerifyPin {
        VerifyPin::new(Pin::parse("0123").unwrap())
    }

    #[test]
    fn the_tries_left_are_asked_for_without_a_pin() {
        check(TriesLeft, &[(QUERY, "63C3")], Ok(Tries::Left(3)));
        check(TriesLeft, &[(QUERY, "63C1")], Ok(Tries::Left(1)));
        check(TriesLeft, &[(QUERY, "9000")], Ok(Tries::Verified));
        for locked in ["63C0", "6983", "6984"] {
            check(TriesLeft, &[(QUERY, locked)], Ok(Tries::Locked));
        }
        for odd in ["6300", "6A82", "6982"] {
            let status = Status(u16::from_str_radix(odd, 16).unwrap());
            check(TriesLeft, &[(QUERY, odd)], Err(ProtocolError::Unusable(status)));
        }
    }

    #[test]
    fn the_right_pin_with_a_leading_zero_is_accepted() {
        check(pin(), &[(PRESENT_0123, "9000")], Ok(()));
    }

    #[test]
    fn a_wrong_pin_says_how_many_tries_are_left() {
        check(pin(), &[(PRESENT_0123, "63C2")], Err(ProtocolError::WrongPin { tries_left: 2 }));
        check(pin(), &[(PRESENT_0123, "63C1")], Err(ProtocolError::WrongPin { tries_left: 1 }));
    }

    #[test]
    fn the_last_wrong_pin_and_every_one_after_it_say_locked() {
        for locked in ["63C0", "6983", "6984"] {
            check(pin(), &[(PRESENT_0123, locked)], Err(ProtocolError::PinLocked));
        }
    }

    /// Over all status words: nothing the card can answer makes a second VERIFY.
    #[test]
    fn no_answer_makes_it_send_again() {
        for word in 0..=u16::MAX {
            let mut protocol = pin();
            protocol.start();
            let step = protocol.receive(Response { data: vec![], status: Status(word) });
            assert!(!matches!(step, Ok(Step::Send(_))), "{word:04X}");
        }
    }

    #[test]
    fn debug_does_not_show_the_pin() {
        assert_eq!(format!("{:?}", pin()), "VerifyPin(****)");
    }
}
