//! Invented people with stable names, one per case of the manual: what their card is like and what the central system
//! answers about them.
//!
//! The data is `personas.toml`. Knows nothing of APDUs, certificates or messages: the simulators turn a persona into
//! those. No real person, address or number is meant.

#![expect(clippy::expect_used, reason = "built-in data that does not load is a defect of the harness itself")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use daemon::domain::eligibility::{Field, parse_date};
use jiff::civil::Date;
use serde::Deserialize;

/// Where the user-authentication certificate lives; each has its own token label (EF 0006).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Token {
    /// The plastic My Number card.
    #[default]
    Plastic,
    /// The smartphone certificate on Android: its certificate is read only after the PIN.
    Android,
    /// The smartphone certificate on iPhone.
    Iphone,
}

/// Where the certificate stands on the day it is used (manual chapter 2, 電子証明書の有効期限切れ).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateState {
    /// Runs for more than a year.
    #[default]
    Valid,
    /// Ends within three months.
    ExpiresSoon,
    /// Ended, but less than three months after the end of the month of expiry have passed.
    InGrace,
    /// Ended, and the grace is over.
    PastGrace,
}

/// The card a persona holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CardSpec {
    /// Where the certificate lives.
    pub token: Token,
    /// The four digits of the user-authentication PIN, as text.
    pub pin: String,
    /// PIN tries left when the card is first used: 3 fresh, 0 locked.
    pub tries_left: u8,
    /// Whether a photo is printed on the card (no photo: infants).
    pub photo: bool,
    /// 顔認証マイナンバーカード: the PIN cannot be used at all.
    pub face_authentication: bool,
    /// Where the certificate stands.
    pub certificate: CertificateState,
}

impl Default for CardSpec {
    fn default() -> Self {
        Self {
            token: Token::Plastic,
            pin: "1234".to_owned(),
            tries_left: 3,
            photo: true,
            face_authentication: false,
            certificate: CertificateState::Valid,
        }
    }
}

/// A processing result (処理結果コード, メッセージ) that comes with a success.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NoteSpec {
    /// 処理結果コード; the codes in the data are invented.
    pub code: String,
    /// 処理結果メッセージ.
    pub message: String,
}

/// Insurance identifiers, as inquiry numbers are keyed by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Identifiers {
    /// 保険者番号: 8 characters, padded on the left with spaces.
    pub insurer_number: String,
    /// 記号.
    pub symbol: Option<String>,
    /// 番号.
    pub number: String,
    /// 枝番.
    pub branch: Option<String>,
}

/// What the central system answers about a persona whose card it accepts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AnswerSpec {
    /// 資格有効性: `1` to `5`.
    pub validity: String,
    /// A note that comes with the success.
    pub note: Option<NoteSpec>,
    /// The central system refuses with this error code (invented) instead of answering.
    pub refusal: Option<String>,
    /// Tag to value, one map per result; tags as in `ResultOfQualificationConfirmation`, the four
    /// `ElderlyRecipient…` fields beside the others although the message nests them.
    #[serde(default)]
    pub results: Vec<BTreeMap<String, String>>,
}

impl AnswerSpec {
    /// The fields of each result in the order of the message.
    pub fn fields(&self) -> impl Iterator<Item = Vec<(Field, &str)>> {
        self.results.iter().map(|result| {
            Field::ALL
                .iter()
                .filter_map(|field| result.get(field.tag()).map(|value| (*field, value.as_str())))
                .collect()
        })
    }
}

/// One invented person.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Persona {
    /// Stable name: lower-case ASCII with hyphens.
    pub name: String,
    /// Which case of the manual this is, in Japanese.
    pub note: String,
    /// Birth date, `YYYYMMDD`; decides the certificate's end even where the result hides or does not know it.
    pub born: String,
    /// Whether the card is registered for use as a health insurance card (利用登録).
    #[serde(default = "registered")]
    pub registered: bool,
    /// The human being behind the persona, where several personas are one (an insurer changed).
    #[serde(default)]
    person: Option<String>,
    /// Identifiers under an insurer the person has left; the inquiry number stays with the person.
    pub previous: Option<Identifiers>,
    /// The card.
    #[serde(default)]
    pub card: CardSpec,
    /// The answer.
    pub answer: AnswerSpec,
}

fn registered() -> bool {
    true
}

impl Persona {
    /// Key of the human being: equal for personas that are the same person before and after a change of insurer.
    pub fn person(&self) -> &str {
        self.person.as_deref().unwrap_or(&self.name)
    }

    /// Birth date.
    pub fn born(&self) -> Date {
        parse_date(&self.born).expect("a test validates every birth date")
    }

    /// Insurance identifiers under which the person is known: of each result, then previous ones.
    pub fn identifiers(&self) -> Vec<Identifiers> {
        let text = |result: &BTreeMap<String, String>, field: Field| result.get(field.tag()).cloned();
        let current = self.answer.results.iter().filter_map(|result| {
            Some(Identifiers {
                insurer_number: text(result, Field::InsurerNumber)?,
                symbol: text(result, Field::InsuredCardSymbol),
                number: text(result, Field::InsuredIdentificationNumber)?,
                branch: text(result, Field::InsuredBranchNumber),
            })
        });
        current.chain(self.previous.clone()).collect()
    }
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    persona: Vec<Persona>,
}

/// All personas, in the order of the file.
#[derive(Debug)]
pub struct Personas(Vec<Persona>);

impl Personas {
    /// The built-in personas.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Personas> = LazyLock::new(|| {
            let file: File = toml::from_str(include_str!("../personas.toml")).expect("personas.toml");
            Personas(file.persona)
        });
        &BUILTIN
    }

    /// The persona with a name.
    pub fn by_name(&self, name: &str) -> Option<&Persona> {
        self.0.iter().find(|persona| persona.name == name)
    }

    /// The person known under insurance identifiers, current or previous: see [`Persona::person`].
    pub fn person_by_identifiers(&self, wanted: &Identifiers) -> Option<&str> {
        self.0.iter().find(|persona| persona.identifiers().contains(wanted)).map(Persona::person)
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Persona> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Personas {
    type Item = &'a Persona;
    type IntoIter = std::slice::Iter<'a, Persona>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests;
