//! Character sets of the formats (identity until the tables land).

use std::borrow::Cow;
use std::ops::AddAssign;

/// The sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// Every character; the text as it is.
    Utf8,
    /// Windows code page 932.
    Cp932,
    /// JIS X 0208 and JIS X 0201 alone, in Shift_JIS.
    JisX0208,
}

/// What was done to a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Characters that were replaced by another form of themselves.
    pub reduced: usize,
    /// Characters that became ●.
    pub lost: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.reduced += more.reduced;
        self.lost += more.lost;
    }
}

/// Brings texts into one set.
#[derive(Debug, Clone, Copy)]
pub struct Encoder {
    _charset: Charset,
}

/// Stands for a character that the set has no form of.
pub const LOST: char = '●';

impl Encoder {
    /// For this set.
    pub const fn new(charset: Charset) -> Self {
        Self { _charset: charset }
    }

    /// The text in the characters of the set.
    pub fn reduce(self, text: &str) -> (Cow<'_, str>, Counts) {
        (Cow::Borrowed(text), Counts::default())
    }

    /// Appends the text in the bytes of the set.
    pub fn encode(self, text: &str, out: &mut Vec<u8>) -> Counts {
        out.extend_from_slice(text.as_bytes());
        Counts::default()
    }
}
