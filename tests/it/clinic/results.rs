//! Reading results: tags, fields, the search for a person, and that every step of the manual is one request.

use daemon::app::ports::{Clock as _, Role};
use harness::clinic::OpenClinic;
use harness::personas::Personas;
use jiff::SignedDuration;
use serde_json::json;

/// Carries out a check of a persona and returns its result's number.
pub async fn check(open: &OpenClinic, persona: &str) -> i64 {
    open.clinic.tap(persona);
    let pin = &Personas::builtin().by_name(persona).expect("a persona").card.pin;
    let done = open.visitor.check_with_pin(pin).await;
    assert_eq!(done["phase"], "done", "{persona}: {done}");
    done["result_id"].as_i64().expect("a result")
}

async fn etag(open: &OpenClinic, target: &str) -> String {
    let reply = open.visitor.get(target).await;
    assert_eq!(reply.status, 200, "{target}");
    reply.header("etag").expect("a tag").to_owned()
}

async fn asked_again(open: &OpenClinic, target: &str, etag: &str) -> u16 {
    open.visitor.get_with(target, &[("If-None-Match", etag)]).await.status
}

#[tokio::test]
async fn a_poll_is_answered_without_content_until_something_changes() {
    let open = OpenClinic::at_noon().await;
    let taro = check(&open, "taro").await;
    let one = format!("/v1/results/{taro}");
    let targets = ["/v1/results", "/v1/results?limit=1&fields=version", "/v1/results/count", &one];
    let mut tags = Vec::new();
    for target in targets {
        let tag = etag(&open, target).await;
        assert_eq!(asked_again(&open, target, &tag).await, 304, "{target}");
        assert_eq!(asked_again(&open, target, &format!("\"x\", W/{tag}")).await, 304, "{target}");
        assert_eq!(asked_again(&open, target, "\"x\"").await, 200, "{target}");
        tags.push(tag);
    }
    assert_ne!(tags[0], tags[1], "another question has another tag");
    assert_eq!(asked_again(&open, &format!("{one}?fields=version"), &tags[3]).await, 200, "less of it");

    check(&open, "hanako").await;
    for (target, tag) in targets.iter().zip(&tags) {
        let expected = if *target == one { 304 } else { 200 };
        assert_eq!(asked_again(&open, target, tag).await, expected, "{target}: another person's result");
    }
    let number = json!({ "inquiry_number": "K-000123" });
    let set = open.visitor.put(&format!("{one}/inquiry-number"), &number).await;
    assert_eq!(set.status, 200, "{}", set.code());
    assert_eq!(asked_again(&open, &one, &tags[3]).await, 200, "the result itself has changed");
}

#[tokio::test]
async fn tags_move_when_a_month_ends_because_results_are_gone() {
    let open = OpenClinic::at_noon().await;
    let taro = check(&open, "taro").await;
    let one = format!("/v1/results/{taro}");
    let before: Vec<(&str, String)> = vec![
        ("/v1/results", etag(&open, "/v1/results").await),
        ("/v1/results/count", etag(&open, "/v1/results/count").await),
        (&one, etag(&open, &one).await),
    ];
    let end: jiff::Timestamp = "2026-08-31T15:00:00Z".parse().expect("an instant");
    open.clock.advance(end.duration_since(open.clock.now()) - SignedDuration::from_secs(40));
    let mut open = open;
    open.visitor.sign_in(&open.credentials.clone()).await;
    let mut august = Vec::new();
    for (target, july) in &before {
        assert_eq!(asked_again(&open, target, july).await, 200, "{target}: July has ended");
        august.push(etag(&open, target).await);
        assert_eq!(asked_again(&open, target, august.last().expect("a tag")).await, 304, "{target}");
    }
    open.clock.advance(SignedDuration::from_secs(40));
    assert_eq!(asked_again(&open, "/v1/results", &august[0]).await, 200);
    assert_eq!(open.visitor.get("/v1/results").await.json()["results"], json!([]));
    assert_eq!(asked_again(&open, "/v1/results/count", &august[1]).await, 200);
    assert_eq!(asked_again(&open, &one, &august[2]).await, 404, "what is gone is not confirmed");
    assert_eq!(asked_again(&open, &one, "*").await, 404);
}

#[tokio::test]
async fn a_person_is_found_by_what_staff_know_and_the_urls_stay_clean() {
    let open = OpenClinic::at_noon().await;
    let taro = check(&open, "taro").await;
    let hanako = check(&open, "hanako").await;
    let number = json!({ "inquiry_number": "K-000123" });
    assert_eq!(open.visitor.put(&format!("/v1/results/{taro}/inquiry-number"), &number).await.status, 200);
    let known = open.visitor.get(&format!("/v1/results/{taro}")).await.json()["eligibilities"][0].clone();
    let text = |field: &str| known[field].as_str().expect("a field of the persona").to_owned();
    let birth = text("birthdate");
    let day = format!("{}-{}-{}", &birth[..4], &birth[4..6], &birth[6..8]);
    let begins = |field: &str| text(field).chars().take(2).collect::<String>();
    let insurer = text("insurer_number").trim().to_owned();
    for (search, finds_taro) in [
        (json!({ "inquiry_number": "K-000123" }), true),
        (json!({ "inquiry_number": "K-000124" }), false),
        (json!({ "name": text("name") }), true),
        (json!({ "name": text("name").replace([' ', '　'], "") }), true),
        (json!({ "name": begins("name"), "birthdate": day }), true),
        (json!({ "kana": text("name_kana"), "insurer_number": insurer }), true),
        (json!({ "kana": text("name_kana"), "birthdate": "1900-01-01" }), false),
        (json!({ "kana": text("name_kana"), "to": "2026-07-07" }), false),
        (json!({ "kana": text("name_kana"), "terminal": "other" }), false),
        (json!({ "kana": text("name_kana"), "validity": "multiple" }), false),
    ] {
        let found = open.visitor.post("/v1/results/search", &search).await;
        assert_eq!(found.status, 200, "{search}");
        let ids: Vec<_> = found.json()["results"].as_array().expect("results").clone();
        let ids: Vec<_> = ids.iter().map(|result| result["id"].as_i64().expect("an id")).collect();
        assert_eq!(ids.contains(&taro), finds_taro, "{search}: {ids:?}");
    }
    let all =
        open.visitor.post("/v1/results/search", &json!({ "fields": ["version"], "limit": 1 })).await.json();
    assert_eq!(all["results"], json!([{ "id": hanako, "version": 1 }]));
    let next = json!({ "fields": ["version"], "limit": 1, "cursor": all["next_cursor"] });
    let rest = open.visitor.post("/v1/results/search", &next).await.json();
    assert_eq!(rest["results"][0]["id"], taro);
    let other = json!({ "name": "別", "cursor": all["next_cursor"] });
    let refused = open.visitor.post("/v1/results/search", &other).await;
    assert_eq!((refused.status, &refused.json()["field"]), (400, &json!("cursor")));
}

#[tokio::test]
async fn whoever_administers_sees_no_patient_by_any_way_of_reading() {
    let open = OpenClinic::with(|plan| plan.accounts.push(("kanrisha", Role::Administrator))).await;
    let taro = check(&open, "taro").await;
    let mut boss = open.clinic.visitor();
    boss.sign_in(&open.clinic.credentials("kanrisha")).await;
    for target in [
        "/v1/results",
        "/v1/results/count",
        "/v1/results/changes?from_start=true",
        "/v1/results/export",
        &format!("/v1/results/{taro}"),
    ] {
        for headers in [&[][..], &[("If-None-Match", "*")]] {
            let refused = boss.get_with(target, headers).await;
            assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden_role"), "{target}");
        }
    }
    let refused = boss.post("/v1/results/search", &json!({ "name": "資格" })).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden_role"));
}

#[tokio::test]
async fn each_of_the_manual_s_three_steps_is_one_request() {
    let open = OpenClinic::at_noon().await;
    let taro = check(&open, "taro").await;
    check(&open, "hanako").await;
    let count = open.visitor.get("/v1/results/count?from=2026-07-08&to=2026-07-08&terminal=uketsuke-1").await;
    assert_eq!(count.json()["count"], 2);
    let list = open
        .visitor
        .get("/v1/results?from=2026-07-08&to=2026-07-08&terminal=uketsuke-1&fields=checked_at,eligibilities.name")
        .await
        .json();
    let row = &list["results"][1];
    assert_eq!((&row["id"], row.as_object().expect("an object").len()), (&json!(taro), 3));
    assert!(row["eligibilities"][0]["name"].is_string());
    assert_eq!(open.visitor.get(&format!("/v1/results/{taro}")).await.json()["id"], taro);
}
