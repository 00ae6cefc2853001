//! Every invented person at the front desk, end to end through the public door: from the tap to the downloaded result, or
//! to the failure that the manual foresees, and on from there where it shows a way.

use std::fmt::Debug;

use daemon::domain::eligibility::Field;
use serde_json::{Value, json};

use super::OpenClinic;
use crate::personas::{CertificateState, Persona, Personas, Token};

/// How a persona fared.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Who.
    pub persona: &'static str,
    /// The code of the failure on the way, or at the end; empty if there was none.
    pub failure: String,
    /// Whether a result was downloaded at the end.
    pub result: bool,
    /// Whether the result can be searched for afterwards.
    pub searchable: bool,
    /// What was not as the data file and the manual want it; empty if all was well.
    pub problems: Vec<String>,
}

impl Outcome {
    /// Whether all was as it should be.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }
}

/// What the manual foresees for a persona.
struct Expected {
    failure: &'static str,
    result: bool,
}

fn expected(persona: &Persona) -> Expected {
    let card = &persona.card;
    let phone = card.token != Token::Plastic;
    let ended = match card.certificate {
        CertificateState::Valid | CertificateState::ExpiresSoon => false,
        CertificateState::InGrace => phone,
        CertificateState::PastGrace => true,
    };
    let (failure, result) = if card.tries_left == 0 || card.face_authentication {
        // By sight it goes on.
        ("pin_locked", true)
    } else if ended && phone {
        ("certificate_expired_phone", false)
    } else if ended {
        ("certificate_expired", false)
    } else if persona.answer.refusal.is_some() {
        ("upstream_refused", false)
    } else {
        ("", true)
    };
    Expected { failure, result }
}

/// Lets everyone come, one after the other, to one clinic.
pub async fn play_all() -> Vec<Outcome> {
    let open = OpenClinic::at_noon().await;
    let mut outcomes = Vec::new();
    for persona in Personas::builtin() {
        outcomes.push(play(&open, persona).await);
    }
    open.clinic.close().await;
    outcomes
}

/// Lets one persona come.
pub async fn play(open: &OpenClinic, persona: &'static Persona) -> Outcome {
    let mut visit = Visit { open, persona, failure: String::new(), problems: Vec::new() };
    let result = visit.run().await;
    let expected = expected(persona);
    let failure = visit.failure.clone();
    visit.expect("failure", &failure.as_str(), &expected.failure);
    visit.expect("has a result", &result.is_some(), &expected.result);
    if let Some(result) = &result {
        visit.look_at(result);
    }
    Outcome {
        persona: &persona.name,
        failure: visit.failure,
        result: result.is_some(),
        searchable: result.is_some_and(|result| result["searchable"] == true),
        problems: visit.problems,
    }
}

struct Visit<'a> {
    open: &'a OpenClinic,
    persona: &'static Persona,
    failure: String,
    problems: Vec<String>,
}

impl Visit<'_> {
    /// The check with all that the manual lets staff and patient do; the result as it is downloaded.
    async fn run(&mut self) -> Option<Value> {
        let card = self.open.clinic.tap(&self.persona.name);
        let mut end = self.check(&self.request()).await;
        if end["failure"]["code"] == "pin_locked" {
            self.note_failure(&end);
            let verifies = card.lock().map_or(usize::MAX, |card| card.verify_count());
            self.expect("PINs sent to a locked card", &verifies, &0);
            end = self.check(&json!({ "method": "visual" })).await;
        }
        if end["phase"] != "done" {
            self.note_failure(&end);
            return None;
        }
        Some(self.open.visitor.get(&format!("/v1/results/{}", end["result_id"])).await.json())
    }

    fn request(&self) -> Value {
        let card = &self.persona.card;
        match card.token {
            Token::Iphone => json!({ "method": "iphone" }),
            Token::Android => json!({ "method": "android_pin" }),
            Token::Plastic if !card.photo => json!({
                "method": "card_pin", "card_kind": "without_photo", "entered_by": "legal_representative",
            }),
            Token::Plastic => json!({ "method": "card_pin" }),
        }
    }

    /// One check to its end.
    async fn check(&mut self, request: &Value) -> Value {
        const END: [&str; 2] = ["done", "failed"];
        let visitor = &self.open.visitor;
        let begun = visitor.post("/v1/checks", request).await.json();
        let check = begun["id"].as_str().unwrap_or_default().to_owned();
        if request["method"] == "card_pin" || request["method"] == "android_pin" {
            visitor.enter_pin(&check, &self.persona.card.pin).await;
        }
        let questions = ["confirming_last_try", "offering_registration", END[0], END[1]];
        let mut stand = visitor.wait_for(&check, &questions).await;
        let at_last_try = stand["phase"] == "confirming_last_try";
        self.expect("asked about the last try", &at_last_try, &(self.persona.card.tries_left == 1));
        if at_last_try {
            visitor.post(&format!("/v1/checks/{check}/confirm-last-try"), &Value::Null).await;
            stand = visitor.wait_for(&check, &END).await;
        }
        let unregistered = stand["phase"] == "offering_registration";
        self.expect("offered to register", &unregistered, &!self.persona.registered);
        if unregistered {
            let consent = json!({ "consent": true, "consented_by": "patient" });
            visitor.post(&format!("/v1/checks/{check}/card-use-registration"), &consent).await;
            stand = visitor.wait_for(&check, &END).await;
        }
        self.look_at_certificate(&stand);
        stand
    }

    fn expect<T: PartialEq + Debug>(&mut self, what: &str, found: &T, wanted: &T) {
        if found != wanted {
            self.problems.push(format!("{}: {what}: {found:?} instead of {wanted:?}", self.persona.name));
        }
    }

    /// A failure says what it is, what to do now, and who can do it.
    fn note_failure(&mut self, end: &Value) {
        let failure = &end["failure"];
        failure["code"].as_str().unwrap_or_default().clone_into(&mut self.failure);
        for text in ["title", "guidance", "who"] {
            let is_there = failure[text].as_str().is_some_and(|text| !text.is_empty());
            self.expect(text, &is_there, &true);
        }
        let refused_with = failure["upstream_code"].as_str().map(str::to_owned);
        self.expect("code of the refusal", &refused_with, &self.persona.answer.refusal.clone());
    }

    /// Staff are warned of a certificate that ends soon or has ended, whatever the central system makes of it.
    fn look_at_certificate(&mut self, end: &Value) {
        let Some(state) = end["certificate"]["state"].as_str() else { return };
        let wanted = match (self.persona.card.certificate, self.persona.card.token) {
            (CertificateState::Valid, _) => "valid",
            (CertificateState::ExpiresSoon, _) => "expires_soon",
            (CertificateState::InGrace, Token::Plastic) => "in_grace",
            (CertificateState::InGrace, Token::Android | Token::Iphone)
            | (CertificateState::PastGrace, _) => "past_grace",
        };
        self.expect("certificate", &state, &wanted);
    }

    /// Validity, note, what is withheld, how many insurances, and every field as it was sent.
    fn look_at(&mut self, result: &Value) {
        let answer = &self.persona.answer;
        let people = result["eligibilities"].as_array().cloned().unwrap_or_default();
        let sent: Vec<_> = answer.fields().collect();
        self.expect("validity", &result["validity"]["raw"].as_str(), &Some(answer.validity.as_str()));
        let note = (result["note"]["code"].as_str(), result["note"]["message"].as_str());
        let wanted = answer.note.as_ref();
        self.expect(
            "note",
            &note,
            &(wanted.map(|note| note.code.as_str()), wanted.map(|note| note.message.as_str())),
        );
        self.expect("number of insurances", &people.len(), &sent.len());
        self.expect("several insurances", &(people.len() > 1), &(answer.validity == "5"));
        let withheld = match self.persona.name.as_str() {
            "withheld-full" => "all",
            "withheld-part" => "part",
            _ => "none",
        };
        self.expect("withheld", &result["withheld"].as_str(), &Some(withheld));
        for (person, fields) in people.iter().zip(sent) {
            for field in Field::ALL {
                let value = fields.iter().find(|(name, _)| name == field).map(|(_, value)| *value);
                let value = value.filter(|value| !value.is_empty());
                self.expect(field.tag(), &received(person, *field), &value);
            }
        }
    }
}

fn wire_name(field: Field) -> String {
    let mut name = String::new();
    for (index, letter) in field.tag().chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn received(person: &Value, field: Field) -> Option<&str> {
    let certificate = &person["elderly_recipient_certificate"];
    match field {
        Field::InsuredCardClassification => person["classification"]["code"].as_str(),
        Field::ElderlyRecipientCertificateDate => certificate["date"].as_str(),
        Field::ElderlyRecipientValidStartDate => certificate["valid_start_date"].as_str(),
        Field::ElderlyRecipientValidEndDate => certificate["valid_end_date"].as_str(),
        Field::ElderlyRecipientContributionRatio => certificate["contribution_ratio"].as_str(),
        _ => person[wire_name(field)].as_str(),
    }
}
