//! Results of the invented people, without a clinic around them: what a format makes of a result depends on nothing else.

use daemon::domain::check::{Method, ResultId};
use daemon::domain::eligibility::{Confirmation, Eligibility, Field, ProcessingNote, Validity};
use daemon::domain::identifiers::{InquiryNumber, InstitutionCode};
use daemon::domain::personal::Personal;
use daemon::domain::retention::{expiry, jst_day};
use daemon::formats::{Charset, Document, Format, Row, Writer, one};
use harness::personas::{Persona, Personas};
use jiff::{SignedDuration, Timestamp};

/// A result with everything that a row points to.
pub(super) struct Sample {
    pub(super) id: i64,
    pub(super) sandbox: bool,
    pub(super) confirmation: Confirmation,
    pub(super) inquiry_number: Option<InquiryNumber>,
}

impl Sample {
    pub(super) fn row(&self) -> Row<'_> {
        Row {
            id: ResultId(self.id),
            version: 1,
            terminal: "uketsuke-1",
            method: Some(Method::CardPin),
            sandbox: self.sandbox,
            expires_at: expiry(self.confirmation.processed_at),
            inquiry_number: self.inquiry_number.as_ref(),
            confirmation: &self.confirmation,
        }
    }

    /// One person with these fields and an otherwise ordinary result.
    pub(super) fn with(fields: impl IntoIterator<Item = (Field, Personal)>) -> Self {
        let mut sample = Self::of(Personas::builtin().by_name("taro").expect("a persona"), 1);
        sample.confirmation.eligibilities = vec![Eligibility::from_fields(fields)];
        sample
    }

    /// What the central system answers about a persona.
    pub(super) fn of(persona: &Persona, id: i64) -> Self {
        let noon: Timestamp = "2026-07-08T12:00:00+09:00".parse().expect("an instant");
        let processed_at = noon + SignedDuration::from_mins(id);
        let eligibilities: Vec<Eligibility> = persona
            .answer
            .fields()
            .map(|fields| {
                Eligibility::from_fields(
                    fields.into_iter().map(|(field, value)| (field, Personal::new(value))),
                )
            })
            .collect();
        let number = eligibilities.iter().find_map(|person| person.get(Field::ReferenceNumber));
        Self {
            id,
            sandbox: false,
            inquiry_number: number.map(|number| InquiryNumber::parse(number.expose()).expect("a number")),
            confirmation: Confirmation {
                upstream_id: None,
                processed_at,
                confirmed_for: jst_day(processed_at),
                validity: Validity::from_code(&persona.answer.validity),
                note: persona
                    .answer
                    .note
                    .as_ref()
                    .map(|note| ProcessingNote { code: note.code.clone(), message: note.message.clone() }),
                eligibilities,
            },
        }
    }
}

/// Everyone, in the order of the file.
pub(super) fn everyone() -> Vec<Sample> {
    (1..).zip(Personas::builtin()).map(|(id, persona)| Sample::of(persona, id)).collect()
}

pub(super) fn named(persona: &str) -> Sample {
    Sample::of(Personas::builtin().by_name(persona).expect("a persona"), 1)
}

pub(super) fn document(charset: Charset) -> Document {
    Document {
        institution: InstitutionCode::parse("1312345678").expect("an institution code"),
        charset,
        made_at: "2026-07-31T18:00:00+09:00".parse().expect("an instant"),
    }
}

/// One result alone, UTF-8.
pub(super) fn alone(format: Format, sample: &Sample) -> String {
    let (bytes, _) = one(format, &document(Charset::Utf8), &sample.row());
    String::from_utf8(bytes).expect("UTF-8")
}

/// All results as one document, UTF-8.
pub(super) fn export(format: Format, samples: &[Sample]) -> String {
    let mut writer = Writer::new(format, document(Charset::Utf8));
    let mut bytes = Vec::new();
    writer.begin(&mut bytes);
    for sample in samples {
        writer.row(&sample.row(), &mut bytes);
    }
    writer.end(&mut bytes);
    assert_eq!(writer.totals().rows, samples.len() as u64);
    String::from_utf8(bytes).expect("UTF-8")
}
