//! Which passwords are good enough: length (医療情報システムの安全管理に関するガイドライン 6.0版 Q&A シQ-54: 13 characters or more, 8
//! or more where there is a second factor), letters and digits, and nothing that is guessed first.

/// Shortest password that stands alone, in characters.
pub const ALONE: usize = 13;
/// Shortest password beside a second factor, in characters.
pub const WITH_SECOND_FACTOR: usize = 8;
/// Characters that must be left when everything guessable is taken out.
const OWN_CHARACTERS: usize = 6;
/// Shorter runs and words are not worth taking out.
const SHORTEST_RUN: usize = 3;

/// Words that guesses begin with, in lower case, one a line.
const COMMON: &str = include_str!("common_passwords.txt");

/// Keys that lie side by side.
const KEYBOARD_ROWS: &[&str] = &["qwertyuiop", "asdfghjkl", "zxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm"];

/// Why a password is not good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Shorter than so many characters.
    Short(usize),
    /// Without a letter, or without a digit or sign.
    Plain,
    /// Common words, runs, repetitions, or the names that everybody here knows.
    Guessable,
}

/// Judges a new password. `known` are names that a guesser would try: the account, the institution.
pub fn judge(password: &str, has_second_factor: bool, known: &[&str]) -> Result<(), Fault> {
    let shortest = if has_second_factor { WITH_SECOND_FACTOR } else { ALONE };
    if password.chars().count() < shortest {
        return Err(Fault::Short(shortest));
    }
    let has_letter = password.chars().any(char::is_alphabetic);
    let has_other = password.chars().any(|character| !character.is_alphabetic());
    if !has_letter || !has_other {
        return Err(Fault::Plain);
    }
    if own_characters(password, known) < OWN_CHARACTERS { Err(Fault::Guessable) } else { Ok(()) }
}

/// How many characters are left without words, names and runs; repeated ones count once.
fn own_characters(password: &str, known: &[&str]) -> usize {
    let lower = password.to_lowercase();
    let plain: String = lower.chars().map(unmask).collect();
    without(&lower, known).min(without(&plain, known))
}

fn without(text: &str, known: &[&str]) -> usize {
    let mut rest = text.to_owned();
    let known =
        known.iter().map(|word| word.to_lowercase()).filter(|word| word.chars().count() >= SHORTEST_RUN);
    let mut words: Vec<String> = known.chain(COMMON.lines().map(str::to_owned)).collect();
    // Longer words first, so that a short one inside does not spare the rest.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    for word in words {
        rest = rest.replace(&word, " ");
    }
    let rest = without_runs(&rest);
    let mut seen: Vec<char> = rest.chars().filter(|character| character.is_alphanumeric()).collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len()
}

/// Digits and signs that stand for letters.
fn unmask(character: char) -> char {
    match character {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// Takes out what goes up, goes down, stays the same or follows a row of the keyboard.
fn without_runs(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut left = String::new();
    let mut start = 0;
    while start < characters.len() {
        let run = run_length(characters.get(start..).unwrap_or_default());
        if run > SHORTEST_RUN {
            left.push(' ');
            start += run;
        } else {
            left.extend(characters.get(start));
            start += 1;
        }
    }
    left
}

fn run_length(text: &[char]) -> usize {
    let steps = [-1_i64, 0, 1].map(|step| {
        let pairs = text.windows(2).take_while(|pair| match pair {
            [one, next] => i64::from(u32::from(*next)) - i64::from(u32::from(*one)) == step,
            _ => false,
        });
        pairs.count() + 1
    });
    let typed = |length: &usize| {
        let part: String = text.iter().take(*length).collect();
        let back: String = part.chars().rev().collect();
        KEYBOARD_ROWS.iter().any(|row| row.contains(&part) || row.contains(&back))
    };
    let keys = (1..=text.len()).take_while(typed).last().unwrap_or(0);
    steps.into_iter().max().unwrap_or(0).max(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["hanako", "1312345678"];

    #[test]
    fn length_depends_on_the_second_factor() {
        assert_eq!(judge("kasa7mi", true, KNOWN), Err(Fault::Short(8)));
        assert_eq!(judge("kasa7min", true, KNOWN), Ok(()));
        assert_eq!(judge("kasa7min", false, KNOWN), Err(Fault::Short(13)));
        assert_eq!(judge("kasa7min ne3ko", false, KNOWN), Ok(()));
        assert_eq!(judge("傘と猫と雨の匂い7", true, KNOWN), Ok(()));
    }

    #[test]
    fn letters_alone_and_digits_alone_are_not_enough() {
        assert_eq!(judge("korekaradoko", true, KNOWN), Err(Fault::Plain));
        assert_eq!(judge("84629517", true, KNOWN), Err(Fault::Plain));
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for password in [
            "password1234567",
            "P@ssw0rd!2024",
            "qwertyuiop123456",
            "1qaz2wsx3edc4rfv",
            "abcdefgh12345678",
            "aaaaaaaaaaaa1",
            "hanako1312345678",
            "Shikaku-Bridge-1",
            "shikaku2026clinic",
            "admin-admin-admin-1",
            "sakura1234567",
            "1212121212121a",
        ] {
            assert_eq!(judge(password, false, KNOWN), Err(Fault::Guessable), "{password}");
        }
    }

    #[test]
    fn the_list_is_in_the_form_that_is_searched() {
        let words: Vec<&str> = COMMON.lines().collect();
        assert!(words.len() >= 150);
        for word in words {
            assert!(
                word.len() >= SHORTEST_RUN && word == word.to_lowercase() && !word.contains(' '),
                "{word:?}"
            );
        }
    }
}
