//! Answers to reset seen on real cards. An ATR identifies nothing: clients select the application.

/// An ATR with a name to choose it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Atr {
    /// Its name.
    pub name: &'static str,
    /// The bytes.
    pub bytes: &'static [u8],
}

/// The ATR that most current cards answer.
pub const ATR_CURRENT: &[u8] = &[
    0x3B, 0xDA, 0x13, 0xFF, 0x81, 0x31, 0xFB, 0x46, 0x80, 0x12, 0x39, 0x2F, 0x31, 0xC1, 0x73, 0xC6, 0x01,
    0xC0, 0x3B,
];

/// The only ATR that OpenSC 0.23 knows as JPKI; also of 住基カード.
pub const ATR_OPENSC: &[u8] = &[0x3B, 0xE0, 0x00, 0xFF, 0x81, 0x31, 0xFE, 0x45, 0x14];

/// A contactless ATR (Type B), as a PC/SC part 3 reader builds it.
pub const ATR_CONTACTLESS: &[u8] =
    &[0x3B, 0x88, 0x80, 0x01, 0x00, 0x00, 0x05, 0xE0, 0xB3, 0x81, 0xA1, 0x00, 0x7F];

/// All of them, as OpenSC's and pcsc-tools' lists have them: contact cards, then contactless ones.
pub const ATRS: [Atr; 9] = [
    Atr { name: "current", bytes: ATR_CURRENT },
    Atr { name: "opensc", bytes: ATR_OPENSC },
    Atr {
        name: "contact-2",
        bytes: &[0x3B, 0xC5, 0xFF, 0x81, 0x31, 0xFB, 0x45, 0x80, 0x73, 0xC6, 0x01, 0x00, 0x00],
    },
    Atr {
        name: "contact-3",
        bytes: &[
            0x3B, 0xF5, 0x91, 0x00, 0xFF, 0x91, 0x81, 0x71, 0xFE, 0x40, 0x00, 0x42, 0x00, 0x01, 0x00, 0xD1,
            0xD6,
        ],
    },
    Atr {
        name: "contact-4",
        bytes: &[
            0x3B, 0xF5, 0x91, 0x00, 0xFF, 0x91, 0x81, 0x71, 0xFE, 0x40, 0x00, 0x42, 0x00, 0x01, 0xB3, 0xA1,
            0x15,
        ],
    },
    Atr { name: "contactless", bytes: ATR_CONTACTLESS },
    Atr {
        name: "contactless-2",
        bytes: &[0x3B, 0x88, 0x80, 0x01, 0x00, 0x00, 0x41, 0xE0, 0xB3, 0x81, 0xA1, 0x00, 0x3B],
    },
    Atr {
        name: "contactless-3",
        bytes: &[0x3B, 0x88, 0x80, 0x01, 0x00, 0x4B, 0x51, 0xFF, 0x00, 0x81, 0xD1, 0x00, 0xBC],
    },
    Atr {
        name: "contactless-4",
        bytes: &[0x3B, 0x88, 0x80, 0x01, 0x00, 0x4B, 0x51, 0xFF, 0xB3, 0x81, 0xD1, 0x00, 0x0F],
    },
];

/// The ATR with a name.
pub fn atr_by_name(name: &str) -> Option<&'static [u8]> {
    ATRS.iter().find(|atr| atr.name == name).map(|atr| atr.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ISO 7816-3, 8.2.5: the last byte makes the exclusive or of all bytes after the first 00.
    #[test]
    fn check_bytes_fit() {
        for atr in ATRS {
            let sum = atr.bytes[1..].iter().fold(0, |sum, byte| sum ^ byte);
            assert_eq!((atr.bytes[0], sum), (0x3B, 0), "{}", atr.name);
        }
    }

    #[test]
    fn every_name_finds_its_own_bytes() {
        for atr in ATRS {
            assert_eq!(atr_by_name(atr.name), Some(atr.bytes));
        }
        assert_eq!(atr_by_name("no such"), None);
    }
}
