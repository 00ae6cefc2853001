//! Character sets that receipt computers read, and how a text that has more characters is brought into them.
//!
//! A character outside the set is reduced to another form of itself where a published table names one (髙 to 高), and
//! stands as ● where none does. Nothing becomes `?` or a numeric reference, and what was done is counted. The text
//! that was received stays as it is in the store: only the copy that leaves is reduced.
//!
//! Knows characters and tables, not what the text means or where it goes.

mod reduction;
mod unicode;

use std::borrow::Cow;
use std::ops::AddAssign;

use encoding_rs::{EncoderResult, SHIFT_JIS};
use reduction::Reduction;
use unicode::Unit;

/// Stands for a character that the set has no form of; itself a character of JIS X 0208.
pub const LOST: char = '●';

/// The sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// Every character; the text as it is.
    Utf8,
    /// Windows code page 932: JIS X 0208 with the extensions of NEC and IBM, which every Windows PC shows (髙, 﨑, ①).
    Cp932,
    /// JIS X 0208 and JIS X 0201 alone, in Shift_JIS: kanji of levels 1 and 2.
    JisX0208,
}

/// What was done to a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Characters that were replaced by another form of themselves, or lost the variation selector that named their form.
    pub reduced: usize,
    /// Characters that became [`LOST`].
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
    charset: Charset,
}

/// A character's bytes in Shift_JIS.
#[derive(Clone, Copy)]
enum Code {
    Single(u8),
    Double([u8; 2]),
}

/// What a text in the set is made of.
enum Piece<'a> {
    Ascii(&'a str),
    Other(char, Code),
}

impl Encoder {
    /// For this set.
    pub const fn new(charset: Charset) -> Self {
        Self { charset }
    }

    /// Appends the text to `out` in the bytes of the set: UTF-8, or Shift_JIS as Windows writes it.
    pub fn encode(self, text: &str, out: &mut Vec<u8>) -> Counts {
        if self.charset == Charset::Utf8 {
            out.extend_from_slice(text.as_bytes());
            return Counts::default();
        }
        out.reserve(text.len());
        self.walk(text, |piece| match piece {
            Piece::Ascii(run) => out.extend_from_slice(run.as_bytes()),
            Piece::Other(_, Code::Single(byte)) => out.push(byte),
            Piece::Other(_, Code::Double(bytes)) => out.extend_from_slice(&bytes),
        })
    }

    /// The text in the characters of the set, for forms whose bytes stay UTF-8: what a reader of [`Self::encode`] sees.
    pub fn reduce(self, text: &str) -> (Cow<'_, str>, Counts) {
        if self.charset == Charset::Utf8 {
            return (Cow::Borrowed(text), Counts::default());
        }
        let mut out = String::with_capacity(text.len());
        let counts = self.walk(text, |piece| match piece {
            Piece::Ascii(run) => out.push_str(run),
            Piece::Other(character, _) => out.push(character),
        });
        (if out == text { Cow::Borrowed(text) } else { Cow::Owned(out) }, counts)
    }

    fn walk(self, text: &str, mut put: impl FnMut(Piece<'_>)) -> Counts {
        let mut counts = Counts::default();
        let mut rest = text;
        loop {
            let (run, after) = unicode::split_ascii(rest);
            if !run.is_empty() {
                put(Piece::Ascii(run));
            }
            let Some(Unit { character, form_named, rest: after }) = Unit::first(after) else { break counts };
            rest = after;
            let Some(character) = character.map(same_sign) else {
                counts.reduced += 1;
                continue;
            };
            if let Some(code) = self.code(character) {
                counts.reduced += usize::from(form_named);
                put(Piece::Other(character, code));
            } else {
                counts += self.replace(character, &mut put);
            }
        }
    }

    /// A character that the set does not have.
    fn replace(self, character: char, put: &mut impl FnMut(Piece<'_>)) -> Counts {
        let mut emit = |character| {
            if let Some(code) = self.code(character) {
                put(Piece::Other(character, code));
            }
        };
        let reduction = self.reduction(character);
        match reduction {
            Some(Reduction::One(other)) => emit(other),
            Some(Reduction::Several(others)) => others.chars().for_each(emit),
            None => emit(LOST),
        }
        Counts { reduced: usize::from(reduction.is_some()), lost: usize::from(reduction.is_none()) }
    }

    /// The table decides; a compatibility ideograph that it does not name is the character that Unicode takes it for.
    fn reduction(self, character: char) -> Option<Reduction> {
        Reduction::of(character).or_else(|| {
            let other = same_sign(unicode::singleton(character)?);
            if self.code(other).is_some() { Some(Reduction::One(other)) } else { Reduction::of(other) }
        })
    }

    /// The character's bytes, if it belongs to the set.
    fn code(self, character: char) -> Option<Code> {
        let code = windows_31j(character)?;
        (self.charset == Charset::Cp932 || code.is_jis()).then_some(code)
    }
}

impl Code {
    /// Whether JIS X 0201 or JIS X 0208 has the character, not only an extension of NEC or IBM.
    fn is_jis(self) -> bool {
        match self {
            Self::Single(_) => true,
            Self::Double([lead, trail]) => match lead {
                0x81..=0x84 | 0x89..=0x9F | 0xE0..=0xE9 => true,
                0x88 => trail >= 0x9F,
                0xEA => trail <= 0xA4,
                _ => false,
            },
        }
    }
}

/// The character's bytes in code page 932. The control characters beyond ASCII are none of its characters.
fn windows_31j(character: char) -> Option<Code> {
    if ('\u{80}'..='\u{9F}').contains(&character) {
        return None;
    }
    let mut bytes = [0; 4];
    let (result, _, written) = SHIFT_JIS.new_encoder().encode_from_utf8_without_replacement(
        character.encode_utf8(&mut [0; 4]),
        &mut bytes,
        true,
    );
    match (result, written) {
        (EncoderResult::InputEmpty, 1) => Some(Code::Single(bytes[0])),
        (EncoderResult::InputEmpty, 2) => Some(Code::Double([bytes[0], bytes[1]])),
        _ => None,
    }
}

/// The spelling that code page 932 gives to a sign which JIS X 0208 has once and Unicode twice. The encoder refuses the
/// other spellings, or silently takes ¥ for a backslash and ‾ for a tilde.
fn same_sign(character: char) -> char {
    match character {
        '\u{A2}' => '￠',
        '\u{A3}' => '￡',
        '\u{A5}' => '￥',
        '\u{AC}' => '￢',
        '\u{C5}' => '\u{212B}',
        '\u{2014}' => '\u{2015}',
        '\u{2016}' => '\u{2225}',
        '\u{203E}' => '￣',
        '\u{2212}' => '\u{FF0D}',
        '\u{301C}' => '\u{FF5E}',
        '\u{3099}' => '゛',
        '\u{309A}' => '゜',
        other => other,
    }
}
