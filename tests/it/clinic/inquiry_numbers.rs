//! Inquiry numbers: durable first, then sent; a caller learns what became of its number, now or later.

use std::time::Duration;

use daemon::app::ports::Role;
use harness::ambient::HeldClock;
use harness::clinic::{OpenClinic, Visitor};
use harness::personas::Personas;
use harness::upstream::{Endpoint, Fault};
use jiff::SignedDuration;
use serde_json::{Value, json};

pub(super) async fn check(open: &OpenClinic, persona: &str) -> i64 {
    open.clinic.next_patient(&open.visitor, persona).await;
    let pin = &Personas::builtin().by_name(persona).expect("a persona").card.pin;
    let done = open.visitor.check_with_pin(pin).await;
    assert_eq!(done["phase"], "done", "{persona}: {done}");
    done["result_id"].as_i64().expect("a result")
}

/// The insurance of a persona as a receipt computer sends it.
pub(super) fn insurance(persona: &str) -> Value {
    let persona = Personas::builtin().by_name(persona).expect("a persona");
    let known = persona.identifiers().into_iter().next().expect("identifiers");
    json!({
        "insurer_number": known.insurer_number.trim_start(),
        "insured_card_symbol": known.symbol.unwrap_or_default(),
        "insured_identification_number": known.number,
        "insured_branch_number": known.branch.unwrap_or_default(),
    })
}

pub(super) async fn set(visitor: &Visitor, result: i64, number: &str) -> harness::raw_http::Reply {
    let target = format!("/v1/results/{result}/inquiry-number");
    visitor.put(&target, &json!({ "inquiry_number": number })).await
}

async fn set_for(visitor: &Visitor, persona: &str, number: &str) -> harness::raw_http::Reply {
    let body = json!({ "inquiry_number": number, "insurance": insurance(persona) });
    visitor.put("/v1/inquiry-numbers", &body).await
}

/// Looks until an answer fits.
pub(super) async fn wait_for(visitor: &Visitor, target: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let look = async {
        loop {
            let stand = visitor.get(target).await.json();
            if fits(&stand) {
                return stand;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), look).await.expect("the queue moves on")
}

/// Looks until the job has ended, moving the clock whenever it has not: a try that was on its way when the clock was moved
/// may fail after that.
pub(super) async fn job_ends(clock: &HeldClock, visitor: &Visitor, job: &Value) -> Value {
    wait_for(visitor, &format!("/v1/inquiry-numbers/{job}"), |stand| {
        clock.advance(SignedDuration::from_secs(1));
        stand["state"] == "registered" || stand["state"] == "failed"
    })
    .await
}

#[tokio::test]
async fn a_number_by_insurance_goes_upstream_and_on_every_result_of_the_person() {
    let open = OpenClinic::at_noon().await;
    let unseen = set_for(&open.visitor, "hanako", "K-1").await;
    assert_eq!((unseen.status, &unseen.json()["results"]), (200, &json!([])), "no result of hers is stored");
    assert_eq!(open.clinic.upstream.inquiry_number("hanako").as_deref(), Some("K-1"));

    let (first, second) = (check(&open, "taro").await, check(&open, "taro").await);
    let done = set_for(&open.visitor, "taro", "K-2").await.json();
    assert_eq!((done["state"].as_str(), &done["results"]), (Some("registered"), &json!([first, second])));
    let job = open.visitor.get(&format!("/v1/inquiry-numbers/{}", done["job"])).await.json();
    assert_eq!((&job["state"], &job["results"]), (&json!("registered"), &json!([first, second])));
    let result = open.visitor.get(&format!("/v1/results/{first}")).await.json();
    assert_eq!(result["inquiry_number"], "K-2");
}

#[tokio::test]
async fn while_the_central_system_is_closed_numbers_wait_and_the_last_one_of_a_person_wins() {
    let open = OpenClinic::at_noon().await;
    let id = check(&open, "taro").await;
    open.clinic.upstream.script(Endpoint::InquiryNumber, Fault::Maintenance);
    let first = set(&open.visitor, id, "K-1").await;
    assert_eq!((first.status, &first.json()["state"]), (202, &json!("queued")));
    let second = set(&open.visitor, id, "K-2").await;
    assert_eq!(second.status, 202, "nobody waits for a central system that is away");
    assert_eq!(open.clinic.upstream.requests(Endpoint::InquiryNumber), 1);
    let result = open.visitor.get(&format!("/v1/results/{id}")).await.json();
    assert!(result["inquiry_number"].is_null(), "nothing is shown that the central system has not taken");
    let health = open.visitor.get("/v1/health").await.json();
    assert_eq!(
        (&health["state"], &health["queue"]["depth"], &health["queue"]["part"]["code"]),
        (&json!("degraded"), &json!(2), &json!("upstream_maintenance"))
    );

    open.clock.advance(SignedDuration::from_secs(61));
    assert_eq!(job_ends(&open.clock, &open.visitor, &second.json()["job"]).await["state"], "registered");
    assert_eq!(job_ends(&open.clock, &open.visitor, &first.json()["job"]).await["state"], "registered");
    let result = open.visitor.get(&format!("/v1/results/{id}")).await.json();
    assert_eq!(result["inquiry_number"], "K-2");
    assert_eq!(open.clinic.upstream.inquiry_number("taro").as_deref(), Some("K-2"));
    let health = open.visitor.get("/v1/health").await.json();
    assert_eq!((&health["queue"]["depth"], &health["queue"]["part"]["state"]), (&json!(0), &json!("ok")));
}

#[tokio::test]
async fn whatever_is_not_the_central_systems_own_refusal_only_delays_a_number() {
    let open = OpenClinic::with(|plan| plan.upstream_total_ms = 1_500).await;
    let faults = [
        Fault::Hang,
        Fault::Garbage,
        Fault::CutAfter(40),
        Fault::WrongEcho,
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(429),
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        open.clinic.upstream.script(Endpoint::InquiryNumber, fault.clone());
        let number = format!("K-{index}");
        let reply = set_for(&open.visitor, "taro", &number).await;
        assert!([200, 202].contains(&reply.status), "{fault:?}: {}", reply.code());
        open.clock.advance(SignedDuration::from_secs(61));
        assert_eq!(
            job_ends(&open.clock, &open.visitor, &reply.json()["job"]).await["state"],
            "registered",
            "{fault:?}"
        );
        assert_eq!(open.clinic.upstream.inquiry_number("taro"), Some(number), "{fault:?}");
    }
}

#[tokio::test]
async fn a_refused_sign_in_does_not_cost_a_number() {
    let mut open = OpenClinic::at_noon().await;
    // The code of this half minute was used before the restart.
    assert_eq!(set_for(&open.visitor, "taro", "K-1").await.status, 200);
    let password = open.clinic.config.upstream.password_file.clone().expect("a password file");
    let right = std::fs::read(&password).expect("the password");
    std::fs::write(&password, "wrong").expect("a writable file");
    open.clock.advance(SignedDuration::from_secs(60));
    open.clinic.restart().await.expect("the daemon starts");
    let mut visitor = open.clinic.visitor();
    visitor.set_token(open.visitor.token());
    let queued = set_for(&visitor, "taro", "K-2").await;
    assert_eq!((queued.status, &queued.json()["state"]), (202, &json!("queued")));

    std::fs::write(&password, right).expect("a writable file");
    open.clock.advance(SignedDuration::from_secs(120));
    open.clinic.restart().await.expect("the daemon starts");
    let mut visitor = open.clinic.visitor();
    visitor.set_token(open.visitor.token());
    assert_eq!(job_ends(&open.clock, &visitor, &queued.json()["job"]).await["state"], "registered");
    assert_eq!(open.clinic.upstream.inquiry_number("taro").as_deref(), Some("K-2"));
}

#[tokio::test]
async fn what_the_central_system_refuses_fails_for_good_and_says_why() {
    let open = OpenClinic::at_noon().await;
    assert_eq!(set_for(&open.visitor, "taro", "K-1").await.status, 200);
    let used = set_for(&open.visitor, "hanako", "K-1").await;
    assert_eq!((used.status, used.code().as_str()), (409, "inquiry_number_in_use"));
    let mut stranger = insurance("taro");
    stranger["insured_identification_number"] = json!("9999999");
    let unknown = open
        .visitor
        .put("/v1/inquiry-numbers", &json!({ "inquiry_number": "K-2", "insurance": stranger }))
        .await;
    assert_eq!((unknown.status, unknown.code().as_str()), (422, "inquiry_person_not_found"));
    let asked = open.clinic.upstream.requests(Endpoint::InquiryNumber);
    open.clock.advance(SignedDuration::from_secs(600));
    assert_eq!(set_for(&open.visitor, "kokuho", "K-3").await.status, 200);
    assert_eq!(
        open.clinic.upstream.requests(Endpoint::InquiryNumber),
        asked + 1,
        "a refusal is never repeated"
    );
    assert_eq!(open.visitor.get("/v1/health").await.json()["queue"]["depth"], 0);
}

#[tokio::test]
async fn conflicts_are_answered_as_such_and_nothing_is_sent() {
    let open = OpenClinic::at_noon().await;
    let (taro, hanako) = (check(&open, "taro").await, check(&open, "hanako").await);
    assert_eq!(set(&open.visitor, taro, "K-1").await.status, 200);
    let sent = open.clinic.upstream.requests(Endpoint::InquiryNumber);
    let used = set(&open.visitor, hanako, "K-1").await;
    assert_eq!((used.status, used.code().as_str()), (409, "inquiry_number_in_use"));
    let several = check(&open, "multiple").await;
    let ambiguous = set(&open.visitor, several, "K-2").await;
    assert_eq!((ambiguous.status, ambiguous.code().as_str()), (409, "inquiry_person_ambiguous"));
    for nobody in ["not-found", "withheld-full"] {
        let result = check(&open, nobody).await;
        let unknown = set(&open.visitor, result, "K-2").await;
        assert_eq!((unknown.status, unknown.code().as_str()), (422, "inquiry_person_unknown"), "{nobody}");
    }
    let missing = set(&open.visitor, 999, "K-2").await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "result_not_found"));
    for (field, value) in [
        ("insurer_number", "123456789"),
        ("insured_card_symbol", " 1"),
        ("insured_identification_number", ""),
        ("insured_branch_number", "1"),
    ] {
        let mut wrong = insurance("taro");
        wrong[field] = json!(value);
        let body = json!({ "inquiry_number": "K-2", "insurance": wrong });
        let refused = open.visitor.put("/v1/inquiry-numbers", &body).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "invalid_request"), "{field}");
        assert_eq!(refused.json()["field"], format!("insurance.{field}"));
    }
    assert_eq!(open.clinic.upstream.requests(Endpoint::InquiryNumber), sent);
    assert_eq!(open.visitor.get("/v1/inquiry-numbers/999").await.code(), "inquiry_job_not_found");
}

#[tokio::test]
async fn a_number_stays_with_the_person_when_the_insurer_changes() {
    let open = OpenClinic::at_noon().await;
    let before = check(&open, "changed-insurer-before").await;
    assert_eq!(set(&open.visitor, before, "K-7").await.status, 200);
    let after = check(&open, "changed-insurer").await;
    let result = open.visitor.get(&format!("/v1/results/{after}")).await.json();
    assert_eq!(result["inquiry_number"], "K-7", "the central system links them");
    assert_eq!(set(&open.visitor, after, "K-7").await.status, 200, "and so it is no conflict");
}

#[tokio::test]
async fn numbers_wait_through_a_restart_and_administrators_set_none() {
    let mut open = OpenClinic::with(|plan| plan.accounts.push(("boss", Role::Administrator))).await;
    open.clinic.upstream.refuse_connections(usize::MAX);
    let queued = set_for(&open.visitor, "taro", "K-1").await;
    assert_eq!(queued.status, 202);
    open.clinic.restart().await.expect("the daemon starts");
    let mut visitor = open.clinic.visitor();
    visitor.set_token(open.visitor.token());
    let target = format!("/v1/inquiry-numbers/{}", queued.json()["job"]);
    let stand = visitor.get(&target).await.json();
    assert!(stand["state"] == "queued" || stand["state"] == "sending", "{stand}");
    open.clinic.upstream.refuse_connections(0);
    open.clock.advance(SignedDuration::from_secs(61));
    assert_eq!(job_ends(&open.clock, &visitor, &queued.json()["job"]).await["state"], "registered");

    let mut boss = open.clinic.visitor();
    boss.sign_in(&open.clinic.credentials("boss")).await;
    assert_eq!(set_for(&boss, "taro", "K-2").await.code(), "forbidden_role");
    assert_eq!(boss.get(&target).await.code(), "forbidden_role");
    assert_eq!(boss.get("/v1/inquiry-numbers/bulk/1").await.code(), "forbidden_role");
}

#[tokio::test]
async fn jobs_are_listed_by_their_state_the_newest_first() {
    let open = OpenClinic::at_noon().await;
    let registered = set_for(&open.visitor, "taro", "K-1").await.json();
    assert_eq!(set_for(&open.visitor, "hanako", "K-1").await.code(), "inquiry_number_in_use");
    open.clinic.upstream.script(Endpoint::InquiryNumber, Fault::Maintenance);
    let queued = set_for(&open.visitor, "taro", "K-2").await.json();
    let bulk = json!({ "items": [{ "inquiry_number": "K-3", "result": 999 }] });
    let receipt = open.visitor.post("/v1/inquiry-numbers/bulk", &bulk).await.json()["receipt"].clone();

    let jobs = async |query: &str| open.visitor.get(&format!("/v1/inquiry-numbers{query}")).await.json();
    let failed = jobs("?state=failed").await;
    let codes: Vec<_> =
        failed["jobs"].as_array().expect("jobs").iter().map(|job| &job["failure"]["code"]).collect();
    assert_eq!(codes, ["result_not_found", "inquiry_number_in_use"]);
    assert_eq!(failed["jobs"][0]["receipt"], receipt);
    assert_eq!(jobs("?state=registered").await["jobs"][0]["job"], registered["job"]);
    let waiting = jobs("?state=queued").await;
    assert_eq!(
        (&waiting["jobs"][0]["job"], waiting["jobs"].as_array().map(Vec::len)),
        (&queued["job"], Some(1))
    );

    let first = jobs("?limit=3").await;
    let second = jobs(&format!("?limit=3&before={}", first["next_before"])).await;
    assert_eq!(first["jobs"].as_array().map(Vec::len), Some(3));
    assert_eq!((&second["jobs"][0]["job"], &second["next_before"]), (&registered["job"], &Value::Null));
}
