//! Just enough DER to write a certificate (X.690): nested lengths, object identifiers, names.

/// Tag of a SEQUENCE.
pub const SEQUENCE: u8 = 0x30;
/// Tag of a SET.
const SET: u8 = 0x31;
/// Tag of an OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// Tag of an INTEGER.
const INTEGER: u8 = 0x02;

/// One element: tag, length in the shortest form, content parts in order.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let significant = length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1);
    let digits = length.get(significant..).unwrap_or_default();
    let mut element = vec![tag];
    if content.len() >= 0x80 {
        element.push(0x80 | u8::try_from(digits.len()).unwrap_or(u8::MAX));
    }
    element.extend_from_slice(digits);
    element.extend_from_slice(&content);
    element
}

/// A SEQUENCE.
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, parts)
}

/// A non-negative INTEGER from big-endian bytes.
pub fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len().saturating_sub(1));
    let digits = bytes.get(start..).unwrap_or_default();
    let sign: &[u8] = if digits.first().is_none_or(|byte| *byte >= 0x80) { &[0] } else { &[] };
    tlv(INTEGER, &[sign, digits])
}

/// A BIT STRING of whole bytes.
pub fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bytes])
}

/// BOOLEAN TRUE.
pub fn boolean_true() -> Vec<u8> {
    tlv(0x01, &[&[0xFF]])
}

/// NULL.
pub fn null() -> Vec<u8> {
    tlv(0x05, &[])
}

/// A UTF8String.
pub fn utf8(text: &str) -> Vec<u8> {
    tlv(0x0C, &[text.as_bytes()])
}

/// An OBJECT IDENTIFIER from its arcs.
pub fn oid(arcs: &[u32]) -> Vec<u8> {
    let [first, second, rest @ ..] = arcs else { return tlv(0x06, &[]) };
    let mut content = base128(first * 40 + second);
    for arc in rest {
        content.extend(base128(*arc));
    }
    tlv(0x06, &[&content])
}

/// Seven bits a byte, most significant first, all but the last marked.
fn base128(mut value: u32) -> Vec<u8> {
    let mut digits = vec![(value & 0x7F) as u8];
    value >>= 7;
    while value > 0 {
        digits.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    digits.reverse();
    digits
}

/// An attribute of a name.
#[derive(Clone, Copy)]
pub enum Attribute {
    /// Common name.
    CommonName,
    /// Country, a PrintableString.
    Country,
    /// Organisation.
    Organization,
    /// Organisational unit.
    OrganizationalUnit,
}

/// A distinguished name, one attribute per RDN, in the order given.
pub fn name(attributes: &[(Attribute, &str)]) -> Vec<u8> {
    let rdns: Vec<_> = attributes
        .iter()
        .map(|(attribute, value)| {
            let (arc, text) = match attribute {
                Attribute::CommonName => (3, utf8(value)),
                Attribute::Country => (6, tlv(0x13, &[value.as_bytes()])),
                Attribute::Organization => (10, utf8(value)),
                Attribute::OrganizationalUnit => (11, utf8(value)),
            };
            tlv(SET, &[&sequence(&[&oid(&[2, 5, 4, arc]), &text])])
        })
        .collect();
    sequence(&rdns.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// `UTCTime` of a UTC civil time (years 1950 to 2049).
pub fn utc_time(at: jiff::civil::DateTime) -> Vec<u8> {
    let text = format!(
        "{:02}{:02}{:02}{:02}{:02}{:02}Z",
        at.year().rem_euclid(100),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    tlv(0x17, &[text.as_bytes()])
}

/// Content and total length of the element that `bytes` start with; `None` if it is cut short or not DER.
pub fn split(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let first = usize::from(*bytes.get(1)?);
    let (start, length) = if first < 0x80 {
        (2, first)
    } else {
        let count = first & 0x7F;
        let digits = bytes.get(2..2 + count).filter(|digits| (1..=4).contains(&digits.len()))?;
        (2 + count, digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)))
    };
    Some((bytes.get(start..start + length)?, start + length))
}
