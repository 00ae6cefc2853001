//! What the front desk writes down: the checklist of safe devices, incidents; and how many results fit a search.

use daemon::app::ports::Role;
use harness::clinic::{OpenClinic, Visitor};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::inquiry_numbers::check;

async fn with_people() -> (OpenClinic, Visitor, Visitor) {
    let people = [("kanrisha", Role::Administrator), ("hanako", Role::Operator)];
    let open = OpenClinic::with(|plan| plan.accounts.extend(people)).await;
    let (mut boss, mut hanako) = (open.clinic.visitor(), open.clinic.visitor());
    boss.sign_in(&open.clinic.credentials("kanrisha")).await;
    hanako.sign_in(&open.clinic.credentials("hanako")).await;
    (open, boss, hanako)
}

#[tokio::test]
async fn the_checklist_is_recorded_with_date_person_and_terminal_and_earlier_records_stay() {
    let (mut open, boss, hanako) = with_people().await;
    let empty = hanako.get("/v1/checklist").await.json();
    let names: Vec<_> = empty["items"].as_array().expect("items").iter().map(|item| &item["item"]).collect();
    assert_eq!(names, ["updates", "antivirus", "lock", "ledger", "training"]);
    assert_eq!(empty["records"], json!([]));

    let first = json!({ "done": ["lock", "updates", "lock"], "terminal": "uketsuke-1" });
    assert_eq!(hanako.put("/v1/checklist", &first).await.status, 200);
    open.clock.advance(SignedDuration::from_mins(20));
    let seen = boss.put("/v1/checklist", &json!({ "done": [] })).await.json();
    let expected = json!([
        { "recorded_at": "2026-07-08T12:20:00+09:00", "recorded_by": "kanrisha", "done": [] },
        {
            "recorded_at": "2026-07-08T12:00:00+09:00", "recorded_by": "hanako", "terminal": "uketsuke-1",
            "done": ["updates", "lock"],
        },
    ]);
    assert_eq!(seen["records"], expected);
    let unknown = hanako.put("/v1/checklist", &json!({ "done": [], "terminal": "nowhere" })).await;
    assert_eq!((unknown.code().as_str(), &unknown.json()["field"]), ("unknown_terminal", &json!("terminal")));
    let none = hanako.put("/v1/checklist", &json!({ "done": [], "terminal": null })).await;
    assert_eq!((none.code().as_str(), &none.json()["field"]), ("invalid_request", &json!("terminal")));
    assert_eq!(open.visitor.get("/v1/checklist").await.code(), "forbidden_role", "a machine ticks nothing");
    open.clinic.restart().await.expect("the daemon starts");
    let mut boss = open.clinic.visitor();
    boss.sign_in(&open.clinic.credentials("kanrisha")).await;
    assert_eq!(boss.get("/v1/checklist").await.json()["records"], expected);
}

#[tokio::test]
async fn a_session_at_an_enrolled_terminal_names_it_by_itself() {
    let (open, boss, _) = with_people().await;
    let code = boss.post("/v1/terminals/enrolment-codes", &json!({ "name": "tablet-2" })).await.json();
    let mut hanako = open.clinic.visitor();
    let token = hanako.post("/v1/terminals/enrol", &json!({ "code": code["code"] })).await.json();
    hanako.set_terminal(token["token"].as_str());
    open.clock.advance(SignedDuration::from_secs(30));
    hanako.sign_in(&open.clinic.credentials("hanako")).await;
    let seen = hanako.put("/v1/checklist", &json!({ "done": ["ledger"] })).await.json();
    assert_eq!(seen["records"][0]["terminal"], "tablet-2");
}

#[tokio::test]
async fn an_incident_names_a_result_and_what_was_done_and_nobody() {
    let (open, boss, hanako) = with_people().await;
    let result = check(&open, "taro").await;
    let shown = json!({
        "kind": "another_person_shown", "result": result, "terminal": "uketsuke-1",
        "measures": ["documents_asked_for", "call_centre_contacted"],
    });
    let recorded = hanako.post("/v1/incidents", &shown).await;
    assert_eq!(recorded.status, 201, "{}", recorded.code());
    let recorded = recorded.json();
    assert_eq!(
        recorded,
        json!({
            "id": 1, "recorded_at": "2026-07-08T12:00:00+09:00", "recorded_by": "hanako",
            "terminal": "uketsuke-1", "kind": "another_person_shown", "result": result,
            "measures": ["call_centre_contacted", "documents_asked_for"],
        })
    );
    let doubt = hanako.post("/v1/incidents", &json!({ "kind": "identity_in_doubt" })).await;
    assert_eq!(doubt.status, 201, "before there is a result");
    let nothing = hanako.post("/v1/incidents", &json!({ "kind": "identity_in_doubt", "result": 999 })).await;
    assert_eq!((nothing.code().as_str(), &nothing.json()["field"]), ("result_not_found", &json!("result")));
    let text = json!({ "kind": "identity_in_doubt", "note": "資格 太郎" });
    assert_eq!(hanako.post("/v1/incidents", &text).await.code(), "invalid_request", "no free text");

    let page = boss.get("/v1/incidents?limit=1").await.json();
    assert_eq!((&page["incidents"][0], &page["next_before"]), (&doubt.json(), &json!(2)));
    let rest = boss.get("/v1/incidents?limit=1&before=2").await.json();
    assert_eq!(rest, json!({ "incidents": [recorded] }));
    assert_eq!(hanako.get("/v1/incidents").await.code(), "forbidden_role");
    assert_eq!(boss.post("/v1/incidents", &shown).await.code(), "forbidden_role", "who sees no patients");

    let log = boss.get("/v1/audit").await.json();
    let rows = log["rows"].as_array().expect("rows").iter().filter(|row| row["action"] == "incident.record");
    let results: Vec<&Value> = rows.map(|row| &row["results"]).collect();
    assert_eq!(results, [&json!([result]), &json!([])]);

    open.clock.advance(SignedDuration::from_hours(24 * 60));
    let mut hanako = open.clinic.visitor();
    hanako.sign_in(&open.clinic.credentials("hanako")).await;
    assert_eq!(hanako.post("/v1/incidents", &shown).await.code(), "result_not_found", "past its retention");
    let mut boss = open.clinic.visitor();
    boss.sign_in(&open.clinic.credentials("kanrisha")).await;
    let kept = boss.get("/v1/incidents").await.json();
    assert_eq!(kept["incidents"].as_array().map(Vec::len), Some(2), "the record outlives the result");
}

#[tokio::test]
async fn a_search_can_be_counted_before_it_is_read() {
    let open = OpenClinic::at_noon().await;
    check(&open, "taro").await;
    check(&open, "hanako").await;
    let count = async |conditions: Value| {
        let counted = open.visitor.post("/v1/results/search/count", &conditions).await;
        assert_eq!(counted.status, 200, "{}", counted.code());
        let found = open.visitor.post("/v1/results/search", &conditions).await.json();
        let found = found["results"].as_array().map(Vec::len);
        assert_eq!(counted.json()["count"], json!(found), "{conditions}");
        counted.json()["count"].clone()
    };
    assert_eq!(count(json!({})).await, 2);
    assert_eq!(count(json!({ "name": "資格 花子" })).await, 1);
    assert_eq!(count(json!({ "name": "資格 花子", "terminal": "nowhere" })).await, 0);
    assert_eq!(count(json!({ "kana": "シカク", "from": "2026-07-09" })).await, 0);
    let paged = open.visitor.post("/v1/results/search/count", &json!({ "limit": 1 })).await;
    assert_eq!((paged.code().as_str(), &paged.json()["field"]), ("invalid_request", &json!("limit")));
}
