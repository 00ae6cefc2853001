//! Command APDUs (ISO 7816-4, cases 1 to 4, short and extended).

/// A decoded command.
#[derive(Clone, Copy)]
pub struct Command<'a> {
    /// CLA, INS, P1, P2.
    pub header: [u8; 4],
    /// Command data; empty in cases 1 and 2.
    pub data: &'a [u8],
    /// Number of bytes asked for, 256 or 65 536 for an encoded zero; `None` in cases 1 and 3.
    pub le: Option<usize>,
    /// Whether the lengths are in extended form.
    pub extended: bool,
}

impl<'a> Command<'a> {
    /// Decodes a command; `None` where the lengths do not add up.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (header, body) = bytes.split_first_chunk::<4>()?;
        let command = |data, le, extended| Some(Self { header: *header, data, le, extended });
        match body {
            [] => command(&[], None, false),
            [le] => command(&[], Some(zero_means(usize::from(*le), 256)), false),
            [0, high, low] => command(&[], Some(zero_means(word(*high, *low), 65_536)), true),
            [0, high, low, rest @ ..] => {
                let (data, tail) = rest.split_at_checked(word(*high, *low)).filter(|(d, _)| !d.is_empty())?;
                match tail {
                    [] => command(data, None, true),
                    [high, low] => command(data, Some(zero_means(word(*high, *low), 65_536)), true),
                    _ => None,
                }
            }
            [lc, rest @ ..] => {
                let (data, tail) = rest.split_at_checked(usize::from(*lc)).filter(|(d, _)| !d.is_empty())?;
                match tail {
                    [] => command(data, None, false),
                    [le] => command(data, Some(zero_means(usize::from(*le), 256)), false),
                    _ => None,
                }
            }
        }
    }
}

fn word(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high, low]))
}

fn zero_means(value: usize, meaning: usize) -> usize {
    if value == 0 { meaning } else { value }
}

/// Status words (SW1, SW2), as the JPKI application uses them.
pub mod sw {
    /// Done.
    pub const OK: u16 = 0x9000;
    /// Wrong PIN or retry query; the last digit is the number of tries left.
    pub const TRIES: u16 = 0x63C0;
    /// Lc or Le is wrong.
    pub const WRONG_LENGTH: u16 = 0x6700;
    /// Logical channels are not supported.
    pub const NO_CHANNELS: u16 = 0x6881;
    /// Secure messaging is not supported.
    pub const NO_SECURE_MESSAGING: u16 = 0x6882;
    /// The file is of another type.
    pub const WRONG_FILE_TYPE: u16 = 0x6981;
    /// The PIN has not been verified.
    pub const SECURITY_STATUS: u16 = 0x6982;
    /// The PIN is blocked.
    pub const BLOCKED: u16 = 0x6984;
    /// No file is current.
    pub const NO_CURRENT_EF: u16 = 0x6986;
    /// No such file or application.
    pub const NOT_FOUND: u16 = 0x6A82;
    /// P1 or P2 is wrong.
    pub const WRONG_P1_P2: u16 = 0x6A86;
    /// No such data object.
    pub const NO_DATA_OBJECT: u16 = 0x6A88;
    /// The offset is past the end of the file.
    pub const PAST_END: u16 = 0x6B00;
    /// The instruction is not known.
    pub const UNKNOWN_INS: u16 = 0x6D00;
    /// The class is not known.
    pub const UNKNOWN_CLA: u16 = 0x6E00;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Option<(usize, Option<usize>, bool)> {
        Command::decode(bytes).map(|command| (command.data.len(), command.le, command.extended))
    }

    #[test]
    fn all_seven_forms_decode_and_wrong_lengths_do_not() {
        assert_eq!(decoded(&[0, 0x20, 0, 0x80]), Some((0, None, false)));
        assert_eq!(decoded(&[0, 0xB0, 0, 0, 0]), Some((0, Some(256), false)));
        assert_eq!(decoded(&[0, 0xB0, 0, 0, 4]), Some((0, Some(4), false)));
        assert_eq!(decoded(&[0, 0x20, 0, 0x80, 2, 1, 2]), Some((2, None, false)));
        assert_eq!(decoded(&[0, 0x2A, 0, 0x80, 2, 1, 2, 0]), Some((2, Some(256), false)));
        assert_eq!(decoded(&[0, 0xB0, 0, 0, 0, 0, 0]), Some((0, Some(65_536), true)));
        assert_eq!(decoded(&[0, 0x20, 0, 0x80, 0, 0, 2, 1, 2]), Some((2, None, true)));
        assert_eq!(decoded(&[0, 0x2A, 0, 0x80, 0, 0, 2, 1, 2, 1, 0]), Some((2, Some(256), true)));
        for bytes in
            [&[0, 0x20, 0][..], &[0, 0x20, 0, 0x80, 3, 1, 2], &[0, 0x20, 0, 0x80, 1, 1, 2, 3], &[0; 6]]
        {
            assert_eq!(decoded(bytes), None, "{bytes:02X?}");
        }
    }
}
