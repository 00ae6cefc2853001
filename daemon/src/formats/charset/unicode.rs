//! What Unicode itself says of a text: which code points are one character, and which are the same.

use unicode_normalization::char::{compose, decompose_canonical};

/// The first character of a text, composed with the marks that follow it (か and ゛ to が).
pub(super) struct Unit<'a> {
    /// None where a variation selector stands alone.
    pub character: Option<char>,
    /// Whether a variation selector named one of its forms.
    pub form_named: bool,
    /// What follows.
    pub rest: &'a str,
}

impl<'a> Unit<'a> {
    /// None at the end of the text.
    pub fn first(text: &'a str) -> Option<Self> {
        let mut characters = text.chars();
        let first = characters.next()?;
        if is_selector(first) {
            return Some(Self { character: None, form_named: true, rest: characters.as_str() });
        }
        let mut unit = Self { character: Some(first), form_named: false, rest: characters.as_str() };
        let mut base = first;
        for next in characters {
            if is_selector(next) {
                unit.form_named = true;
            } else if let Some(composed) = is_mark(next).then(|| compose(base, next)).flatten() {
                base = composed;
            } else {
                break;
            }
            unit.rest = &unit.rest[next.len_utf8()..];
        }
        unit.character = Some(base);
        Some(unit)
    }
}

/// The characters of ASCII at the beginning, but not one that something after it belongs to.
pub(super) fn split_ascii(text: &str) -> (&str, &str) {
    let length = text.bytes().take_while(u8::is_ascii).count();
    let claimed = text[length..].chars().next().is_some_and(|next| is_mark(next) || is_selector(next));
    text.split_at(length.saturating_sub(usize::from(claimed)))
}

/// The one character that Unicode takes this one for, as a compatibility ideograph.
pub(super) fn singleton(character: char) -> Option<char> {
    let (mut only, mut length) = (character, 0);
    decompose_canonical(character, |part| {
        only = part;
        length += 1;
    });
    (length == 1 && only != character).then_some(only)
}

fn is_selector(character: char) -> bool {
    matches!(character, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Marks that compose with letters and kana.
fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36F}' | '\u{3099}' | '\u{309A}')
}
