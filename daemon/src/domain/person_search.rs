//! Searching for a person among results: by the beginning of a name or of its kana, by birth date, by insurer.
//!
//! Names arrive in many spellings of the same characters: half and full width, with and without spaces, hiragana or
//! katakana, small kana as large ones (キヨウ for キョウ, manual item 2). Both sides are folded to one spelling, so that
//! staff find whom they can see. Folding serves searching only; what is stored and shown is never changed.

use jiff::civil::Date;
use unicode_normalization::UnicodeNormalization as _;

use super::eligibility::{Eligibility, Field};
use super::personal::Personal;

/// What is asked about the person; everything that is given must hold for one person of a result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PersonFilter {
    /// The beginning of the name, of the legal name where an alias is shown, or of the insured person's name.
    pub name: Option<Personal>,
    /// The beginning of the name in kana.
    pub kana: Option<Personal>,
    /// The birth date.
    pub birthdate: Option<Date>,
    /// The insurer number, all of it; leading spaces and zeros do not count.
    pub insurer_number: Option<Personal>,
}

impl PersonFilter {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Folds what is asked once, for many results.
    pub fn prepare(&self) -> PersonSearch {
        let text = |value: &Option<Personal>, fold: fn(&str) -> String| {
            value.as_ref().map(|value| Personal::new(fold(value.expose())))
        };
        PersonSearch {
            name: text(&self.name, fold_name),
            kana: text(&self.kana, fold_kana),
            birthdate: self.birthdate,
            insurer_number: text(&self.insurer_number, fold_insurer_number),
        }
    }
}

/// A filter whose texts are folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonSearch {
    name: Option<Personal>,
    kana: Option<Personal>,
    birthdate: Option<Date>,
    insurer_number: Option<Personal>,
}

impl PersonSearch {
    /// Whether one of the persons is the one who is looked for.
    pub fn finds(&self, persons: &[Eligibility]) -> bool {
        persons.iter().any(|person| self.is(person))
    }

    fn is(&self, person: &Eligibility) -> bool {
        let begins = |asked: &Option<Personal>, fields: &[Field], fold: fn(&str) -> String| {
            let Some(asked) = asked else { return true };
            let mut values = fields.iter().filter_map(|field| person.get(*field));
            values.any(|value| fold(value.expose()).starts_with(asked.expose()))
        };
        let insurer = |asked: &Personal| {
            person
                .get(Field::InsurerNumber)
                .is_some_and(|value| fold_insurer_number(value.expose()) == asked.expose())
        };
        self.birthdate.is_none_or(|asked| person.birthdate() == Some(asked))
            && self.insurer_number.as_ref().is_none_or(insurer)
            && begins(&self.kana, &[Field::NameKana, Field::NameOfOtherKana], fold_kana)
            && begins(&self.name, &[Field::Name, Field::NameOfOther, Field::InsuredName], fold_name)
    }
}

/// Spaces and what chooses between shapes of one character.
fn is_ignored(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// One spelling of a name: one width, no spaces, no variants of shape, Latin letters small.
pub fn fold_name(text: &str) -> String {
    one_width(text).flat_map(char::to_lowercase).nfc().collect()
}

/// One spelling of a name in kana: besides, katakana, no small kana, one long-vowel mark.
pub fn fold_kana(text: &str) -> String {
    one_width(text).map(large_katakana).flat_map(char::to_lowercase).nfc().collect()
}

fn one_width(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars()
        .filter(|character| !is_ignored(*character))
        .map(sound_mark)
        .nfkc()
        .filter(|c| !is_ignored(*c))
}

/// A sound mark that stands alone joins the kana before it.
fn sound_mark(character: char) -> char {
    match character {
        '\u{309B}' | '\u{FF9E}' => '\u{3099}',
        '\u{309C}' | '\u{FF9F}' => '\u{309A}',
        other => other,
    }
}

fn large_katakana(character: char) -> char {
    // Hiragana lies 0x60 below katakana, in the same order.
    let katakana = match character {
        'ぁ'..='ゖ' | 'ゝ' | 'ゞ' => char::from_u32(u32::from(character) + 0x60).unwrap_or(character),
        other => other,
    };
    match katakana {
        'ァ' => 'ア',
        'ィ' => 'イ',
        'ゥ' => 'ウ',
        'ェ' => 'エ',
        'ォ' => 'オ',
        'ッ' => 'ツ',
        'ャ' => 'ヤ',
        'ュ' => 'ユ',
        'ョ' => 'ヨ',
        'ヮ' => 'ワ',
        'ヵ' => 'カ',
        'ヶ' => 'ケ',
        '-' | '‐' | '‑' | '–' | '—' | '―' | '−' => 'ー',
        other => other,
    }
}

fn fold_insurer_number(text: &str) -> String {
    let folded = fold_name(text);
    folded.trim_start_matches('0').to_owned()
}
