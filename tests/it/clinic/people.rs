//! The invented people: every one whose card and PIN work goes from tap to download, and comes out as they went in.

use daemon::domain::eligibility::Field;
use harness::clinic::OpenClinic;
use harness::personas::{CertificateState, Persona, Personas, Token};
use serde_json::Value;

/// Plastic card, PIN usable, registered, certificate accepted, and the central system answers.
fn can_check_with_pin(persona: &Persona) -> bool {
    let card = &persona.card;
    card.token == Token::Plastic
        && card.tries_left > 1
        && !card.face_authentication
        && persona.registered
        && card.certificate != CertificateState::PastGrace
        && persona.answer.refusal.is_none()
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

#[tokio::test]
async fn everyone_with_a_working_card_comes_out_as_they_went_in() {
    let open = OpenClinic::at_noon().await;
    let everyone: Vec<&Persona> =
        Personas::builtin().iter().filter(|persona| can_check_with_pin(persona)).collect();
    assert!(everyone.len() >= 20, "only {} people can be checked", everyone.len());
    let mut searchable = 0;
    for persona in everyone {
        open.clinic.tap(&persona.name);
        let done = open.visitor.check_with_pin(&persona.card.pin).await;
        assert_eq!(done["phase"], "done", "{}: {done}", persona.name);
        let result = open.visitor.get(&format!("/v1/results/{}", done["result_id"])).await.json();
        assert_eq!(result["validity"]["raw"], persona.answer.validity.as_str(), "{}", persona.name);
        let people = result["eligibilities"].as_array().expect("eligibilities");
        let expected: Vec<_> = persona.answer.fields().collect();
        assert_eq!(people.len(), expected.len(), "{}", persona.name);
        for (person, fields) in people.iter().zip(expected) {
            for field in Field::ALL {
                let sent = fields.iter().find(|(name, _)| name == field).map(|(_, value)| *value);
                let sent = sent.filter(|value| !value.is_empty());
                assert_eq!(received(person, *field), sent, "{}: {}", persona.name, field.tag());
            }
        }
        searchable += i64::from(result["searchable"] == true);
    }
    assert_eq!(open.visitor.get("/v1/results/count").await.json()["count"], searchable);
}

#[tokio::test]
async fn the_others_get_their_own_words() {
    let open = OpenClinic::at_noon().await;
    let mut seen = std::collections::BTreeMap::new();
    for persona in Personas::builtin().iter().filter(|persona| persona.card.token == Token::Plastic) {
        if can_check_with_pin(persona) || persona.card.tries_left == 1 {
            continue;
        }
        let card = open.clinic.tap(&persona.name);
        let end = open.visitor.check_with_pin(&persona.card.pin).await;
        let code = end["failure"]["code"].as_str().unwrap_or_default().to_owned();
        assert_eq!(end["phase"], "failed", "{}: {end}", persona.name);
        let locked = persona.card.tries_left == 0 || persona.card.face_authentication;
        assert_eq!(locked, code == "pin_locked", "{}: {code}", persona.name);
        if locked {
            assert_eq!(card.lock().expect("the card").verify_count(), 0, "{}", persona.name);
        }
        seen.insert(code, persona.name.clone());
    }
    let codes: Vec<&str> = seen.keys().map(String::as_str).collect();
    assert_eq!(codes, ["card_use_not_registered", "certificate_expired", "pin_locked", "upstream_refused"]);
}
