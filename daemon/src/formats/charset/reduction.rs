//! The table of reductions, packed for search in place: `data/kanji.bin`, made of `data/nta.tsv` and `data/mj.tsv`
//! (`make kanji`). What they are taken from and their licences: `data/README.md`.
//!
//! Layout, numbers big-endian: three `u16` (narrow keys, wide keys, bytes of text); narrow keys of 2 bytes, ascending;
//! their values; wide keys of 3 bytes, ascending; their values; the text. A value of 2 bytes is the character that the
//! key is reduced to or, in Unicode's area for private use, the number of a line of the text.

use std::ops::RangeInclusive;
use std::str;

const TABLE: Table = match Table::read(include_bytes!("data/kanji.bin")) {
    Some(table) => table,
    None => panic!("kanji.bin is cut short: make kanji"),
};

/// Values that are lines of the text.
const SEVERAL: RangeInclusive<u16> = 0xE000..=0xF8FF;

/// What a character is reduced to; all of it in JIS X 0208.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduction {
    /// Another form of it.
    One(char),
    /// A spelling of it: ㈱ to （株）.
    Several(&'static str),
}

impl Reduction {
    /// None where the published tables have no form of it, or more than one.
    pub fn of(character: char) -> Option<Self> {
        let value = TABLE.value(character)?;
        if SEVERAL.contains(&value) {
            TABLE.text.lines().nth((value - SEVERAL.start()).into()).map(Self::Several)
        } else {
            char::from_u32(value.into()).map(Self::One)
        }
    }
}

struct Table {
    narrow: (&'static [[u8; 2]], &'static [[u8; 2]]),
    wide: (&'static [[u8; 3]], &'static [[u8; 2]]),
    text: &'static str,
}

impl Table {
    const fn read(bytes: &'static [u8]) -> Option<Self> {
        let Some((&[n0, n1, w0, w1, t0, t1], bytes)) = bytes.split_first_chunk::<6>() else { return None };
        let narrow = u16::from_be_bytes([n0, n1]) as usize;
        let wide = u16::from_be_bytes([w0, w1]) as usize;
        let text = u16::from_be_bytes([t0, t1]) as usize;
        if bytes.len() != narrow * 4 + wide * 5 + text {
            return None;
        }
        let (narrow_keys, bytes) = bytes.split_at(narrow * 2);
        let (narrow_values, bytes) = bytes.split_at(narrow * 2);
        let (wide_keys, bytes) = bytes.split_at(wide * 3);
        let (wide_values, text) = bytes.split_at(wide * 2);
        let Ok(text) = str::from_utf8(text) else { return None };
        Some(Self {
            narrow: (narrow_keys.as_chunks().0, narrow_values.as_chunks().0),
            wide: (wide_keys.as_chunks().0, wide_values.as_chunks().0),
            text,
        })
    }

    fn value(&self, character: char) -> Option<u16> {
        let [_, high, middle, low] = u32::from(character).to_be_bytes();
        let value = if high == 0 {
            let (keys, values) = self.narrow;
            values[keys.binary_search(&[middle, low]).ok()?]
        } else {
            let (keys, values) = self.wide;
            values[keys.binary_search(&[high, middle, low]).ok()?]
        };
        Some(u16::from_be_bytes(value))
    }
}
