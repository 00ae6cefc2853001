//! Reads the length of a DER certificate, so that it can be cut out of the file that holds it.
//!
//! The file on the card is longer than the certificate (filler after it). Only the outermost header is read: what is
//! inside is for the central system to judge. Total: any bytes give an answer, none a panic.

/// The longest content a READ BINARY with a 15-bit offset can reach.
pub const LONGEST: usize = 0x7FFF;

/// The bytes do not begin with the header of a DER certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotACertificate;

/// Length in bytes, header included, of the certificate that begins at `start`; `None` while too little is known.
///
/// Strict DER: a SEQUENCE (tag 30) with a definite length in its shortest form, and no longer than [`LONGEST`].
pub fn certificate_length(start: &[u8]) -> Result<Option<usize>, NotACertificate> {
    let (header, content) = match start {
        [] | [0x30] | [0x30, 0x81 | 0x82] | [0x30, 0x82, _] => return Ok(None),
        [0x30, short @ ..=0x7F, ..] => (2, usize::from(*short)),
        [0x30, 0x81, long @ 0x80..=0xFF, ..] => (3, usize::from(*long)),
        [0x30, 0x82, high @ 1..=0xFF, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        _ => return Err(NotACertificate),
    };
    let length = header + content;
    if content == 0 || length > LONGEST { Err(NotACertificate) } else { Ok(Some(length)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_in_each_form() {
        for (start, expected) in [
            (&[0x30, 0x01][..], Ok(Some(3))),
            (&[0x30, 0x7F, 0xFF], Ok(Some(129))),
            (&[0x30, 0x81, 0x80], Ok(Some(131))),
            (&[0x30, 0x82, 0x01, 0x00], Ok(Some(260))),
            (&[0x30, 0x82, 0x06, 0x21, 0x30, 0x82], Ok(Some(1573))),
            (&[0x30, 0x82, 0x7F, 0xFB], Ok(Some(LONGEST))),
            (&[0x30, 0x82, 0x7F, 0xFC], Err(NotACertificate)),
        ] {
            assert_eq!(certificate_length(start), expected, "{start:02X?}");
        }
    }

    #[test]
    fn too_few_bytes_ask_for_more() {
        for start in [&[][..], &[0x30], &[0x30, 0x81], &[0x30, 0x82], &[0x30, 0x82, 0x06]] {
            assert_eq!(certificate_length(start), Ok(None), "{start:02X?}");
        }
    }

    /// Every four-byte header that the strict rules allow is accepted, and every other one is refused.
    #[test]
    fn all_headers_of_tag_and_three_length_bytes_follow_the_strict_rules() {
        for tag in [0x00, 0x2F, 0x30, 0x31, 0xFF] {
            for first in 0..=u8::MAX {
                for second in 0..=u8::MAX {
                    for third in [0x00, 0x01, 0x7F, 0x80, 0xFF] {
                        let long = (usize::from(second) << 8) | usize::from(third);
                        let expected = match first {
                            _ if tag != 0x30 => None,
                            1..=0x7F => Some(2 + usize::from(first)),
                            0x81 if second >= 0x80 => Some(3 + usize::from(second)),
                            0x82 if (0x100..=0x7FFB).contains(&long) => Some(4 + long),
                            _ => None,
                        };
                        assert_eq!(
                            certificate_length(&[tag, first, second, third]),
                            expected.map(Some).ok_or(NotACertificate),
                            "{tag:02X} {first:02X} {second:02X} {third:02X}"
                        );
                    }
                }
            }
        }
    }
}
