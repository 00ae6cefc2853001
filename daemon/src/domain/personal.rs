//! Wrappers that keep personal data and secrets out of logs, panics and messages.
//!
//! Neither type has `Display`; `Debug` prints asterisks. Reading the content is a visible call (`expose`).

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Personal data of a patient: a name, a number, a date. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Personal(String);

impl Personal {
    /// Wraps a value as it was received.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself; call it only where the value leaves to someone entitled to it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A secret (password, one-time code, key, seed): redacted in `Debug`, wiped on drop, never cloned.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret over.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The secret itself; call it only at the point of use.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// A text as it was typed, without the mark with which Notepad of older Windows begins a file: it would become part of a password.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// PIN of the user-authentication key (利用者証明用電子証明書の暗証番号): four digits, kept as text because leading zeros count.
///
/// Not `Clone`: it moves to the one place that presents it and is wiped there. Boxed, because a move copies what lies on the
/// stack and leaves it behind: so there is one copy, however often the PIN is handed on.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Pin(Box<[u8; 4]>);

/// The text is not a PIN: it must be exactly four ASCII digits (manual chapter 2, section 2 \[B\]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPin;

impl Pin {
    /// Reads a PIN from text and wipes nothing: the caller owns the text.
    pub fn parse(text: &str) -> Result<Self, NotAPin> {
        let text = text.as_bytes();
        if text.len() != 4 || !text.iter().all(u8::is_ascii_digit) {
            return Err(NotAPin);
        }
        let mut pin = Self(Box::new([0; 4]));
        pin.0.copy_from_slice(text);
        Ok(pin)
    }

    /// The digits as the card expects them (ASCII).
    pub fn digits(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_exactly_four_ascii_digits_and_keeps_leading_zeros() {
        assert_eq!(Pin::parse("0123").unwrap().digits(), b"0123");
        for text in ["", "123", "12345", "12a4", "１２３４", " 123", "-123"] {
            assert_eq!(Pin::parse(text).err(), Some(NotAPin), "{text:?}");
        }
    }

    #[test]
    fn the_mark_at_the_beginning_of_a_file_is_no_part_of_a_password() {
        assert_eq!(without_mark("\u{feff}hunter22"), "hunter22");
        assert_eq!(without_mark("hunter22"), "hunter22");
        // A second one was typed.
        assert_eq!(without_mark("\u{feff}\u{feff}x\u{feff}"), "\u{feff}x\u{feff}");
    }

    #[test]
    fn debug_shows_nothing() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Pin::parse("9876").unwrap(),
            Secret::new("hunter22".to_owned()),
            Personal::new("資格 太郎")
        );
        assert_eq!(shown, "**** *** ***");
    }
}
