//! A PIN object: its counter outlives power, its verified state does not.

use super::apdu::sw;

/// One PIN of an application.
pub struct PinObject {
    value: Vec<u8>,
    max_tries: u8,
    tries_left: u8,
    verified: bool,
}

impl PinObject {
    /// A PIN with its limit and the tries left now.
    pub fn new(value: &str, max_tries: u8, tries_left: u8) -> Self {
        Self { value: value.as_bytes().to_vec(), max_tries, tries_left, verified: false }
    }

    /// Changes the PIN; the counter stays.
    pub fn set_value(&mut self, value: &str) {
        self.value = value.as_bytes().to_vec();
    }

    /// Tries left; 0 is blocked.
    pub fn tries_left(&self) -> u8 {
        self.tries_left
    }

    /// Sets the tries left, as earlier use of the card would have.
    pub fn set_tries_left(&mut self, tries: u8) {
        self.tries_left = tries.min(self.max_tries);
    }

    /// Whether the PIN is verified in this session.
    pub fn is_verified(&self) -> bool {
        self.verified
    }

    /// Forgets a verification; the counter stays.
    pub fn clear(&mut self) {
        self.verified = false;
    }

    /// Answer to a retry query: 63Cx, also after a good VERIFY; costs no try.
    pub fn query(&self) -> u16 {
        sw::TRIES | u16::from(self.tries_left)
    }

    /// Presents a PIN: 63C0 by the attempt that exhausts the tries, 6984 from then on.
    pub fn verify(&mut self, presented: &[u8]) -> u16 {
        if self.tries_left == 0 {
            return sw::BLOCKED;
        }
        self.verified = presented == self.value;
        if self.verified {
            self.tries_left = self.max_tries;
            return sw::OK;
        }
        self.tries_left -= 1;
        self.query()
    }
}
