//! Inquiry numbers through `req/` and `res/`: each request one answer.

use std::fs;

use harness::folders::{Careful, Careless, Kind, Place, info, message, shift_jis};
use harness::upstream::{Endpoint, Fault};
use jiff::SignedDuration;
use serde_json::json;

use super::support::{Site, until};

/// Where a request goes that was answered.
async fn is_consumed(place: &Place, kind: Kind, number: u32) {
    let name = kind.request(number);
    until("the request is moved away", || {
        (!place.names("req").contains(&name) && place.names("trash").contains(&name)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_number_goes_upstream_and_its_answer_carries_the_request_s_identifiers() {
    let site = Site::accepted().await;
    assert!(site.careful.ask(Kind::Single, 1, &info("taro", "K-1")));
    let answer = until("it is answered", || site.careful.take(Kind::Single, 1)).await;
    for (tag, value) in [
        ("SegmentOfResult", "1"),
        ("ProcessingResultStatus", "1"),
        ("ReferenceNumber", "K-1"),
        ("CharacterCodeIdentifier", "1"),
    ] {
        assert_eq!(answer.one(tag).as_deref(), Some(value), "{tag}");
    }
    assert_eq!(site.open.clinic.upstream.inquiry_number("taro").as_deref(), Some("K-1"));
    is_consumed(&site.place, Kind::Single, 1).await;
    let audit = site.audit().await;
    assert!(audit.contains(&("inquiry_number.queued".to_owned(), "folders".to_owned(), json!([]))));
    assert!(audit.iter().any(|(action, ..)| action == "inquiry_number.set"), "{audit:?}");
}

#[tokio::test]
async fn numbers_of_a_person_arrive_in_the_order_of_the_requests_names() {
    let site = Site::with(|_| {}).await;
    for number in [3, 1, 2] {
        site.careful.ask(Kind::Single, number, &info("taro", &format!("K-{number}")));
    }
    site.accept(true).await;
    for number in 1..=3 {
        until("it is answered", || site.careful.take(Kind::Single, number)).await;
    }
    assert_eq!(site.open.clinic.upstream.inquiry_number("taro").as_deref(), Some("K-3"));
}

#[tokio::test]
async fn what_the_central_system_refuses_is_answered_as_such() {
    let site = Site::accepted().await;
    site.careful.ask(Kind::Single, 1, &info("taro", "K-1"));
    until("it is answered", || site.careful.take(Kind::Single, 1)).await;
    site.careful.ask(Kind::Single, 2, &info("hanako", "K-1"));
    let answer = until("it is answered", || site.careful.take(Kind::Single, 2)).await;
    assert_eq!(answer.one("SegmentOfResult").as_deref(), Some("1"));
    assert_eq!(answer.one("ProcessingResultStatus").as_deref(), Some("2"));
    assert_eq!(answer.one("ProcessingResultCode").as_deref(), Some("inquiry_number_in_use"));
    assert_eq!(answer.one("ReferenceNumber").as_deref(), Some("K-1"));
}

#[tokio::test]
async fn while_the_central_system_is_away_a_request_waits_and_is_answered_once_afterwards() {
    let mut site = Site::accepted().await;
    site.open.clinic.upstream.script(Endpoint::InquiryNumber, Fault::Maintenance);
    site.careful.ask(Kind::Single, 1, &info("taro", "K-1"));
    site.health_says(|health| health["waiting"] == 1).await;
    assert_eq!(
        site.place.names("req"),
        [Kind::Single.request(1)],
        "whoever asked sees that it is not answered"
    );
    site.open.clinic.restart().await.expect("the daemon starts");
    let answer = until("it is answered", || {
        site.open.clock.advance(SignedDuration::from_secs(1));
        site.careful.take(Kind::Single, 1)
    })
    .await;
    assert_eq!(answer.one("ProcessingResultStatus").as_deref(), Some("1"));
    is_consumed(&site.place, Kind::Single, 1).await;
    assert_eq!(site.open.clinic.upstream.inquiry_number("taro").as_deref(), Some("K-1"));
}

#[tokio::test]
async fn a_bulk_has_a_receipt_and_then_an_outcome_for_each_item() {
    let site = Site::accepted().await;
    site.open.clinic.upstream.set_bulk_polls(2);
    let stranger =
        info("kokuho", "K-2").replace("<InsuredIdentificationNumber>", "<InsuredIdentificationNumber>9");
    let body = [info("taro", "K-1"), stranger, info("hanako", "K-3")].concat();
    site.careful.ask(Kind::Bulk, 1, &body);
    let receipt = until("it is answered", || site.careful.take(Kind::Bulk, 1)).await;
    let number = receipt.one("ReceptionNumber").expect("a receipt number");
    assert_eq!(receipt.one("ReceptionDateTime").map(|at| at.len()), Some(14));
    let ask = format!("<ReceptionNumber>{number}</ReceptionNumber>");
    site.careful.ask(Kind::Outcome, 1, &ask);
    let running = until("it is answered", || site.careful.take(Kind::Outcome, 1)).await;
    assert_eq!(running.one("SegmentOfResult").as_deref(), Some("2"), "it is still being worked on");

    // Running twice, then the end; the clock goes on with each look.
    site.health_says(|_| {
        site.open.clock.advance(SignedDuration::from_secs(20));
        site.open.clinic.upstream.requests(Endpoint::InquiryBulkOutcome) >= 3
    })
    .await;
    let mut asked = 1;
    let ended = loop {
        asked += 1;
        site.careful.ask(Kind::Outcome, asked, &ask);
        let answer = until("it is answered", || site.careful.take(Kind::Outcome, asked)).await;
        if answer.one("SegmentOfResult").as_deref() == Some("1") {
            break answer;
        }
    };
    assert_eq!(ended.all("ReferenceNumber"), ["K-1", "K-2", "K-3"]);
    assert_eq!(ended.all("ProcessingResultStatus"), ["1", "1", "2", "1"], "the whole, then each item");
    assert_eq!(ended.all("ProcessingResultCode"), ["inquiry_person_not_found"]);
    let audit = site.audit().await;
    let outcomes = audit.iter().filter(|(action, ..)| action == "folders.bulk_outcome").count();
    assert_eq!(outcomes, usize::try_from(asked).expect("few"));
    site.careful.ask(Kind::Outcome, 5_000, "<ReceptionNumber>999999</ReceptionNumber>");
    let unknown = until("it is answered", || site.careful.take(Kind::Outcome, 5_000)).await;
    assert_eq!(unknown.one("ErrorCode").as_deref(), Some("folder_reception_unknown"));
}

#[tokio::test]
async fn a_name_is_answered_once_for_ever() {
    let mut site = Site::accepted().await;
    site.careful.ask(Kind::Single, 1, &info("taro", "K-1"));
    until("it is answered", || site.careful.take(Kind::Single, 1)).await;
    is_consumed(&site.place, Kind::Single, 1).await;
    // The same file again, as from a backup of the share: it is put away and nothing else happens.
    let requests = site.open.clinic.upstream.requests(Endpoint::InquiryNumber);
    site.careful.ask(Kind::Single, 1, &info("taro", "K-1"));
    until("it is put away", || site.place.names("req").is_empty().then_some(())).await;
    // The same name with another content: it is left where it is and told.
    site.careful.ask(Kind::Single, 1, &info("taro", "K-2"));
    site.health_says(|health| health["part"]["code"] == "folder_files_refused").await;
    site.open.clinic.restart().await.expect("the daemon starts");
    site.careful.ask(Kind::Single, 2, &info("hanako", "K-3"));
    until("the next one is answered", || {
        // The daemon signs in anew, which the central system lets it do with the next code.
        site.open.clock.advance(SignedDuration::from_secs(1));
        site.careful.take(Kind::Single, 2)
    })
    .await;
    until("it is put away", || (site.place.names("req").len() == 1).then_some(())).await;
    assert_eq!(site.place.names("req"), [Kind::Single.request(1)]);
    assert!(site.place.names("res").is_empty(), "no second answer");
    assert_eq!(site.open.clinic.upstream.requests(Endpoint::InquiryNumber), requests + 1);
    assert_eq!(site.open.clinic.upstream.inquiry_number("taro").as_deref(), Some("K-1"));
}

#[tokio::test]
async fn half_a_request_is_given_time_and_then_an_answer() {
    let site = Site::accepted().await;
    let careless = Careless::new(&site.place);
    let institution = &site.open.clinic.config.institution_code;
    let text = shift_jis(&message(institution, "OQSsiimm01-1", &info("taro", "K-1")));
    let (first, rest) = text.split_at(text.len() / 2);
    let mut unfinished = careless.begin(&Kind::Single.request(1), first);
    let never = careless.begin(&Kind::Single.request(2), first);
    site.careful.ask(Kind::Single, 3, &info("hanako", "K-3"));
    until("the next one is answered", || site.careful.take(Kind::Single, 3)).await;
    assert!(site.place.names("res").is_empty(), "nobody judges half a file");
    site.open.clock.advance(SignedDuration::from_secs(9));
    unfinished.more(rest);
    let answer = until("it is answered", || site.careful.take(Kind::Single, 1)).await;
    assert_eq!(answer.one("ReferenceNumber").as_deref(), Some("K-1"));
    drop(never);
    let bytes = until("what never becomes whole is answered", || {
        site.open.clock.advance(SignedDuration::from_secs(1));
        careless.take(Kind::Single, 2)
    })
    .await;
    let answer = Careful::accept(&bytes);
    assert_eq!(answer.one("SegmentOfResult").as_deref(), Some("9"));
    assert_eq!(answer.one("ErrorCode").as_deref(), Some("folder_request_malformed"));
    assert_eq!(answer.one("MedicalInstitutionCode").as_ref(), Some(institution));
}

#[tokio::test]
async fn a_careless_receipt_computer_is_answered_as_well() {
    let site = Site::accepted().await;
    let careless = Careless::new(&site.place);
    let institution = &site.open.clinic.config.institution_code;
    // No declaration, UTF-8, and no identifier.
    let text = message(institution, "x", &info("taro", "Ｋー１"));
    let text = text.split_once("?>").expect("a declaration").1;
    let text = text.replace("<ArbitraryFileIdentifier>x</ArbitraryFileIdentifier>", "");
    careless.ask(&Kind::Single.request(1), text.trim().as_bytes());
    let bytes = until("it is answered", || careless.take(Kind::Single, 1)).await;
    let answer = Careful::accept(&bytes);
    assert_eq!(answer.one("ReferenceNumber").as_deref(), Some("Ｋー１"));
    assert!(answer.all("ArbitraryFileIdentifier").is_empty());
    // It deleted its answer instead of moving it: the request is known all the same.
    is_consumed(&site.place, Kind::Single, 1).await;
    assert!(site.place.names("res").is_empty());
}

#[tokio::test]
async fn an_answer_has_the_rights_of_its_folder_and_nothing_temporary_stays() {
    let site = Site::accepted().await;
    site.careful.ask(Kind::Single, 1, &info("taro", "K-1"));
    until("it is answered", || site.careful.seen(Kind::Single, 1)).await;
    let all = fs::read_dir(site.place.path("res")).expect("a folder").count();
    assert_eq!(all, 1, "also no dot-file");
}
