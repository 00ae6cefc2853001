//! What the central system answers, as it arrives at the ports.

use daemon::app::ports::{
    Answer, CardCertificate, CardCheck as _, LinkedResult, Proof, ReceiptLink as _, SignedChallenge,
    UpstreamError, UpstreamStatus as _,
};
use daemon::domain::eligibility::{Classification, Eligibility, Field, Validity};
use daemon::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use daemon::domain::personal::Personal;
use harness::personas::Personas;
use harness::upstream::Endpoint;
use jiff::civil::date;

use super::{NOW, World, facts, person, request};

pub(super) fn refused(code: &str) -> UpstreamError {
    UpstreamError::Refused { code: code.to_owned() }
}

fn shown(eligibility: &Eligibility) -> Vec<(Field, String)> {
    eligibility.iter().map(|(field, value)| (field, value.expose().to_owned())).collect()
}

fn expected(persona: &str) -> Vec<Vec<(Field, String)>> {
    let own = |fields: Vec<(Field, &str)>| fields.iter().map(|(f, v)| (*f, (*v).to_owned())).collect();
    person(persona).answer.fields().map(own).collect()
}

#[tokio::test]
async fn a_signed_challenge_confirms_the_eligibility_with_every_field() {
    let world = World::new().await;
    let upstream = world.upstream();
    assert_eq!(upstream.status().answering, None);

    let confirmation = world.confirmed(&upstream, "taro").await;

    assert_eq!(confirmation.validity, Validity::Valid);
    assert_eq!(confirmation.processed_at, NOW.parse().unwrap());
    assert_eq!(confirmation.confirmed_for, date(2026, 10, 8));
    assert_eq!(confirmation.note, None);
    assert_eq!(confirmation.eligibilities.iter().map(shown).collect::<Vec<_>>(), expected("taro"));
    assert_eq!(upstream.status().answering, Some(true));
    let seen = world.sim.client_certificates();
    assert_eq!(seen.len(), 3, "sign-in, challenge, confirm");
    assert!(seen.iter().all(|der| *der == world.sim.pki().client().certificate_der));
}

/// Every persona whose card answers gets exactly the fields of the data file, whatever is odd about them.
#[tokio::test]
async fn every_persona_gets_the_answer_of_the_data_file() {
    let world = World::new().await;
    let upstream = world.upstream();
    let mut confirmed = 0;
    for persona in Personas::builtin() {
        let answer = world.check(&upstream, &persona.name).await;
        match (persona.name.as_str(), answer) {
            ("unregistered", answer) => {
                assert!(matches!(answer, Ok(Answer::NotRegistered { ticket: Some(_) })), "{answer:?}");
            }
            ("past-grace" | "android-expired", answer) => assert_eq!(answer, Ok(Answer::CertificateExpired)),
            ("refused", answer) => assert_eq!(answer, Err(refused("SIM-E901"))),
            (name, Ok(Answer::Confirmed(confirmation))) => {
                assert_eq!(confirmation.validity.code(), persona.answer.validity, "{name}");
                let note = confirmation.note.as_ref().map(|note| (note.code.as_str(), note.message.as_str()));
                let wanted = persona.answer.note.as_ref().map(|n| (n.code.as_str(), n.message.as_str()));
                assert_eq!(note, wanted, "{name}");
                let fields: Vec<_> = confirmation.eligibilities.iter().map(shown).collect();
                assert_eq!(fields, expected(name), "{name}");
                confirmed += 1;
            }
            (name, other) => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(confirmed, Personas::builtin().iter().count() - 4);
    assert_eq!(world.sim.requests(Endpoint::Auth), 1, "one token for all");
}

#[tokio::test]
async fn odd_outcomes_arrive_as_what_they_are() {
    let world = World::new().await;
    let upstream = world.upstream();

    let not_found = world.confirmed(&upstream, "not-found").await;
    assert_eq!(not_found.validity, Validity::NotFound);
    assert!(not_found.eligibilities.is_empty() && !not_found.is_searchable());

    let withheld = world.confirmed(&upstream, "withheld-full").await;
    assert_eq!(withheld.eligibilities.len(), 1);
    assert!(withheld.eligibilities[0].is_withheld());

    let part = world.confirmed(&upstream, "withheld-part").await;
    assert!(!part.eligibilities[0].is_withheld());
    assert_eq!(part.eligibilities[0].get(Field::InsurerNumber), None);

    let unknown = world.confirmed(&upstream, "unknown-code").await;
    assert_eq!(unknown.eligibilities[0].classification(), Some(Classification::Unknown("Z9".to_owned())));

    let elderly = world.confirmed(&upstream, "elderly-recipient").await;
    let ratio = elderly.eligibilities[0].get(Field::ElderlyRecipientContributionRatio);
    assert_eq!(ratio.map(Personal::expose), Some("020"));

    let multiple = world.confirmed(&upstream, "multiple").await;
    assert_eq!((multiple.validity, multiple.eligibilities.len()), (Validity::Multiple, 2));
}

#[tokio::test]
async fn a_card_registered_meanwhile_simply_works_the_next_time() {
    let world = World::new().await;
    let upstream = world.upstream();
    let unregistered = world.check(&upstream, "unregistered").await;
    assert!(matches!(unregistered, Ok(Answer::NotRegistered { ticket: Some(_) })), "{unregistered:?}");
    world.sim.set_registered("unregistered", true);
    assert_eq!(world.confirmed(&upstream, "unregistered").await.validity, Validity::Valid);
}

#[tokio::test]
async fn a_challenge_is_answered_once() {
    let world = World::new().await;
    let upstream = world.upstream();
    let challenge = upstream.challenge(&request()).await.unwrap();
    let proof = world.proof("taro", &challenge);
    assert!(matches!(upstream.confirm(&request(), &proof).await, Ok(Answer::Confirmed(_))));
    assert_eq!(upstream.confirm(&request(), &proof).await, Err(refused("CHALLENGE_UNKNOWN")));
    assert_eq!(upstream.status().answering, Some(true), "a refusal is an answer");
}

#[tokio::test]
async fn a_signature_of_another_card_is_refused_and_uses_the_challenge_up() {
    let world = World::new().await;
    let upstream = world.upstream();
    let challenge = upstream.challenge(&request()).await.unwrap();
    let Proof::Signed { challenge_id, signed } = world.proof("hanako", &challenge) else { unreachable!() };
    let forged = Proof::Signed {
        challenge_id,
        signed: SignedChallenge { certificate: world.certificate("taro"), ..signed },
    };
    assert_eq!(upstream.confirm(&request(), &forged).await, Err(refused("SIGNATURE_INVALID")));
    let right = world.proof("taro", &challenge);
    assert_eq!(upstream.confirm(&request(), &right).await, Err(refused("CHALLENGE_UNKNOWN")));
}

#[tokio::test]
async fn a_certificate_that_the_authority_did_not_issue_is_refused() {
    let world = World::new().await;
    let upstream = world.upstream();
    let mut der = world.certificate("taro");
    *der.last_mut().unwrap() ^= 1;
    let proof = Proof::Visual(CardCertificate { facts: facts(&der), der });
    assert_eq!(upstream.confirm(&request(), &proof).await, Err(refused("CERTIFICATE_UNTRUSTED")));
}

#[tokio::test]
async fn a_certificate_alone_is_enough_only_where_the_profile_says_so() {
    let world = World::new().await;
    let upstream = world.upstream();
    assert!(upstream.accepts_unsigned_visual());
    let der = world.certificate("infant");
    let proof = Proof::Visual(CardCertificate { facts: facts(&der), der });
    assert!(matches!(upstream.confirm(&request(), &proof).await, Ok(Answer::Confirmed(_))));

    let strict = World::with(|options| options.accepts_unsigned_visual = false).await;
    let upstream = strict.upstream();
    assert!(!upstream.accepts_unsigned_visual());
    assert_eq!(upstream.confirm(&request(), &proof).await, Err(refused("REQUEST_INVALID")));
}

#[tokio::test]
async fn an_inquiry_number_appears_on_the_next_result_and_stays_when_the_insurer_changes() {
    let world = World::new().await;
    let upstream = world.upstream();
    let before = world.confirmed(&upstream, "changed-insurer-before").await;
    let person = InsuranceIdentifiers::of(&before.eligibilities[0]).unwrap();
    let number = InquiryNumber::parse("カルテ１２３").unwrap();

    upstream.set_inquiry_number(&request(), &person, &number).await.unwrap();
    upstream.set_inquiry_number(&request(), &person, &number).await.unwrap();

    let after = world.confirmed(&upstream, "changed-insurer").await;
    assert_ne!(InsuranceIdentifiers::of(&after.eligibilities[0]).unwrap(), person);
    let shown = after.eligibilities[0].get(Field::ReferenceNumber).map(Personal::expose);
    assert_eq!(shown, Some("カルテ１２３"));
    assert_eq!(world.sim.inquiry_number("ayumi").as_deref(), Some("カルテ１２３"));

    let stranger = InsuranceIdentifiers { number: Personal::new("0"), ..person };
    let answer = upstream.set_inquiry_number(&request(), &stranger, &number).await;
    assert_eq!(answer, Err(refused("PERSON_UNKNOWN")));
}

#[tokio::test]
async fn results_of_a_period_come_from_all_terminals_over_all_pages() {
    let world = World::with(|options| options.page_size = 2).await;
    let upstream = world.upstream();
    let own = world.confirmed(&upstream, "taro").await;
    // 23:59:59 on 7 October and 00:00 on 9 October in Japan lie just outside the 8th.
    for (persona, terminal, at) in [
        ("hanako", "PHONE-1", "2026-10-07T14:59:59Z"),
        ("kokuho", "PHONE-1", "2026-10-07T15:00:00Z"),
        ("multiple", "PHONE-2", "2026-10-08T14:59:59Z"),
        ("late-elderly", "PHONE-2", "2026-10-08T15:00:00Z"),
    ] {
        assert!(world.sim.add_result(persona, terminal, at.parse().unwrap()));
    }

    let day = upstream.results(&request(), date(2026, 10, 8), date(2026, 10, 8)).await.unwrap();

    let id = |result: &LinkedResult| result.confirmation.upstream_id.as_ref().unwrap().as_str().to_owned();
    let listed: Vec<_> = day.iter().map(|result| (id(result), result.terminal.as_str())).collect();
    assert_eq!(
        listed,
        [("SIM00000001", "SIM-TERMINAL-01"), ("SIM00000003", "PHONE-1"), ("SIM00000004", "PHONE-2")]
            .map(|(id, terminal)| (id.to_owned(), terminal))
    );
    assert_eq!(day[0].confirmation, own, "the same result, field for field");
    assert_eq!(day[2].confirmation.eligibilities.len(), 2);
    assert_eq!(world.sim.requests(Endpoint::Results), 2, "two pages");
    let none = upstream.results(&request(), date(2026, 9, 1), date(2026, 9, 30)).await.unwrap();
    assert!(none.is_empty());
}
