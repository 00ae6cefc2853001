//! Commands to the card and its responses (ISO 7816-4 APDUs), as bytes.
//!
//! Knows how a command is laid out, not which commands exist. Neither a command's nor a response's data ever reaches
//! `Debug`: the header, the lengths and the status word are all that is shown.

use std::fmt;

use zeroize::Zeroizing;

/// How much data is expected back (the Le field).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Le {
    /// One byte; 0 stands for 256.
    Short(u8),
    /// Two bytes after a zero byte (or after an extended Lc); 0 stands for 65,536.
    Extended(u16),
}

/// A command ready to be sent. Wiped on drop, because a VERIFY carries the PIN.
pub struct Command {
    bytes: Zeroizing<Vec<u8>>,
    lc: usize,
    le: Option<Le>,
}

impl Command {
    /// Header only: no data either way (case 1).
    pub fn case1(header: [u8; 4]) -> Self {
        Self::build(header, &[], None)
    }

    /// Data comes back (case 2).
    pub fn case2(header: [u8; 4], le: Le) -> Self {
        Self::build(header, &[], Some(le))
    }

    /// Data goes out (case 3). At most 255 bytes, which the compiler checks.
    pub fn case3<const N: usize>(header: [u8; 4], data: &[u8; N]) -> Self {
        const { assert!(N >= 1 && N <= 255, "a short command carries 1 to 255 bytes") };
        Self::build(header, data, None)
    }

    /// Data goes out and data comes back (case 4). At most 255 bytes out, which the compiler checks.
    pub fn case4<const N: usize>(header: [u8; 4], data: &[u8; N], le: Le) -> Self {
        const { assert!(N >= 1 && N <= 255, "a short command carries 1 to 255 bytes") };
        Self::build(header, data, Some(le))
    }

    /// `data` has at most 255 bytes: all callers are above.
    fn build(header: [u8; 4], data: &[u8], le: Option<Le>) -> Self {
        let extended = matches!(le, Some(Le::Extended(_)));
        // Sized once: a vector that grows would leave copies of the PIN behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(header.len() + 3 + data.len() + 2));
        bytes.extend_from_slice(&header);
        if extended {
            bytes.push(0);
        }
        if !data.is_empty() {
            if extended {
                bytes.push(0);
            }
            bytes.push(u8::try_from(data.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(data);
        }
        match le {
            None => {}
            Some(Le::Short(le)) => bytes.push(le),
            Some(Le::Extended(le)) => bytes.extend_from_slice(&le.to_be_bytes()),
        }
        Self { bytes, lc: data.len(), le }
    }

    /// The bytes to send. May hold a PIN: never log them.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.bytes.iter().take(4) {
            write!(f, "{byte:02X}")?;
        }
        write!(f, " Lc={}", self.lc)?;
        match self.le {
            None => Ok(()),
            Some(Le::Short(le)) => write!(f, " Le={le:02X}"),
            Some(Le::Extended(le)) => write!(f, " Le={le:04X}"),
        }
    }
}

/// SW1 and SW2, the last two bytes of every response.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(pub u16);

impl Status {
    /// Done.
    pub const OK: Self = Self(0x9000);
    /// Done, but the file ended before the length asked for.
    pub const END_OF_FILE: Self = Self(0x6282);
    /// The command was not carried out, for a reason that may pass.
    pub const EXECUTION_ERROR: Self = Self(0x6400);
    /// The memory could not be read or written.
    pub const MEMORY_FAILURE: Self = Self(0x6581);
    /// Wrong Lc or Le.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// The current file has the wrong type.
    pub const WRONG_FILE_TYPE: Self = Self(0x6981);
    /// The PIN has not been presented.
    pub const SECURITY_STATUS: Self = Self(0x6982);
    /// Authentication method blocked, as ISO 7816-4 has it.
    pub const BLOCKED: Self = Self(0x6983);
    /// Referenced key blocked: what the JPKI application answers to every VERIFY after the last try.
    pub const KEY_BLOCKED: Self = Self(0x6984);
    /// No file is selected.
    pub const NO_CURRENT_FILE: Self = Self(0x6986);
    /// No such file or application.
    pub const NOT_FOUND: Self = Self(0x6A82);
    /// Wrong P1 or P2.
    pub const WRONG_P1_P2: Self = Self(0x6A86);
    /// Offset outside the file.
    pub const WRONG_OFFSET: Self = Self(0x6B00);
    /// No precise diagnosis; some cards say so to the first command after power-on.
    pub const UNKNOWN: Self = Self(0x6F00);

    /// Whether the command was carried out.
    pub fn is_ok(self) -> bool {
        self == Self::OK
    }

    /// The number of PIN tries left in a 63Cx, 0 to 15.
    pub fn tries(self) -> Option<u8> {
        let [high, low] = self.0.to_be_bytes();
        (high == 0x63 && low & 0xF0 == 0xC0).then_some(low & 0x0F)
    }

    /// Whether it says that the PIN is locked: 63C0, 6983 or 6984.
    pub fn is_blocked(self) -> bool {
        self.tries() == Some(0) || self == Self::BLOCKED || self == Self::KEY_BLOCKED
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What the card answered.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// Everything before the status word; may be empty.
    pub data: Vec<u8>,
    /// The status word.
    pub status: Status,
}

impl Response {
    /// Splits an answer into data and status word. `None` for fewer than two bytes: pcscd reports success with an empty
    /// answer when the card is pulled in the middle of an exchange.
    pub fn parse(mut answer: Vec<u8>) -> Option<Self> {
        let [high, low] = *answer.last_chunk::<2>()?;
        answer.truncate(answer.len() - 2);
        Some(Self { data: answer, status: Status(u16::from_be_bytes([high, low])) })
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, {}", self.data.len(), self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_the_layout_of_the_standard() {
        let header = [0x00, 0xB0, 0x8A, 0x00];
        for (command, expected) in [
            (Command::case1(header), "00B08A00"),
            (Command::case2(header, Le::Short(0)), "00B08A0000"),
            (Command::case2(header, Le::Extended(0)), "00B08A00000000"),
            (Command::case2(header, Le::Extended(0x1234)), "00B08A00001234"),
            (Command::case3(header, &[1, 2]), "00B08A00020102"),
            (Command::case4(header, &[1, 2], Le::Short(0x20)), "00B08A0002010220"),
            (Command::case4(header, &[1, 2], Le::Extended(0)), "00B08A0000000201020000"),
        ] {
            assert_eq!(data_encoding::HEXUPPER.encode(command.bytes()), expected);
        }
    }

    #[test]
    fn the_longest_short_command_keeps_its_length_byte() {
        assert_eq!(Command::case3([0; 4], &[7; 255]).bytes()[4], 255);
    }

    #[test]
    fn debug_shows_header_lengths_and_status_but_no_data() {
        let verify = Command::case3([0x00, 0x20, 0x00, 0x98], b"9876");
        assert_eq!(format!("{verify:?}"), "00200098 Lc=4");
        let read = Command::case2([0x00, 0xB0, 0x8A, 0x00], Le::Extended(0));
        assert_eq!(format!("{read:?}"), "00B08A00 Lc=0 Le=0000");
        let response = Response { data: b"9876".to_vec(), status: Status::OK };
        assert_eq!(format!("{response:?}"), "4 bytes, 9000");
    }

    #[test]
    fn an_answer_without_a_status_word_is_no_response() {
        assert_eq!(Response::parse(vec![]), None);
        assert_eq!(Response::parse(vec![0x90]), None);
        assert_eq!(Response::parse(vec![0x90, 0x00]), Some(Response { data: vec![], status: Status::OK }));
        assert_eq!(
            Response::parse(vec![1, 2, 0x63, 0xC2]),
            Some(Response { data: vec![1, 2], status: Status(0x63C2) })
        );
    }

    #[test]
    fn exactly_the_63cx_words_count_tries_and_three_words_mean_locked() {
        for word in 0..=u16::MAX {
            let status = Status(word);
            let tries = (0x63C0..=0x63CF).contains(&word).then_some((word & 0xF) as u8);
            assert_eq!(status.tries(), tries, "{status}");
            assert_eq!(status.is_blocked(), [0x63C0, 0x6983, 0x6984].contains(&word), "{status}");
        }
    }
}
