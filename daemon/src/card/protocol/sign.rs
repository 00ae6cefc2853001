//! Signs a challenge with the user-authentication key.

use sha2::{Digest as _, Sha256};

use super::{Protocol, ProtocolError, Step};
use crate::card::apdu::{Command, Le, Response};

/// DER of `DigestInfo` for SHA-256 up to the hash (RFC 8017, section 9.2, note 1).
const DIGEST_INFO_SHA256: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

/// Length of an RSA-2048 signature.
const SIGNATURE_LENGTH: usize = 256;

/// Signs SHA-256 of a challenge (RSASSA-PKCS1-v1_5); the PIN has been presented. Sent exactly once.
///
/// The card pads and signs any bytes it is given, so the `DigestInfo` is built here and from nothing but the challenge:
/// nobody can have raw bytes signed.
#[derive(Debug)]
pub struct Sign {
    digest_info: [u8; 51],
}

impl Sign {
    /// Prepares the signature of a challenge.
    pub fn new(challenge: &[u8]) -> Self {
        let mut digest_info = [0; 51];
        let (prefix, hash) = digest_info.split_at_mut(DIGEST_INFO_SHA256.len());
        prefix.copy_from_slice(&DIGEST_INFO_SHA256);
        hash.copy_from_slice(&Sha256::digest(challenge));
        Self { digest_info }
    }
}

impl Protocol for Sign {
    type Output = Vec<u8>;

    fn start(&mut self) -> Command {
        Command::case4([0x80, 0x2A, 0x00, 0x97], &self.digest_info, Le::Short(0))
    }

    fn receive(&mut self, response: Response) -> Result<Step<Vec<u8>>, ProtocolError> {
        if response.status.is_ok() && response.data.len() == SIGNATURE_LENGTH {
            Ok(Step::Done(response.data))
        } else {
            Err(ProtocolError::Unusable(response.status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::conversation::{check, check_bytes, hex};
    use super::*;
    use crate::card::apdu::Status;

    /// SHA-256("abc") from FIPS 180-2, appendix B.1.
    const SIGN_ABC: &str = "80 2A 00 97 33 3031300D060960864801650304020105000420
        BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD 00";

    #[test]
    fn the_hash_of_the_challenge_is_wrapped_and_sent_once() {
        let signature = vec![0x5A; 256];
        let answer = [&signature[..], &[0x90, 0x00]].concat();
        check_bytes(Sign::new(b"abc"), &[(hex(SIGN_ABC), answer)], Ok(signature));
    }

    #[test]
    fn a_refusal_or_a_short_signature_is_reported() {
        let refused = Err(ProtocolError::Unusable(Status::SECURITY_STATUS));
        check(Sign::new(b"abc"), &[(SIGN_ABC, "6982")], refused);
        check(Sign::new(b"abc"), &[(SIGN_ABC, "5A5A 9000")], Err(ProtocolError::Unusable(Status::OK)));
    }

    #[test]
    fn no_answer_makes_it_send_again() {
        for word in 0..=u16::MAX {
            let mut protocol = Sign::new(b"abc");
            protocol.start();
            let step = protocol.receive(Response { data: vec![], status: Status(word) });
            assert!(!matches!(step, Ok(Step::Send(_))), "{word:04X}");
        }
    }
}
