//! What an administrator sees of the installation: the audit log, what is kept, which terminal has which reader.

use daemon::app::ports::Role;
use harness::clinic::{OpenClinic, Visitor};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::inquiry_numbers::check;

async fn with_administrator() -> (OpenClinic, Visitor) {
    let open = OpenClinic::with(|plan| plan.accounts.push(("kanrisha", Role::Administrator))).await;
    let mut boss = open.clinic.visitor();
    boss.sign_in(&open.clinic.credentials("kanrisha")).await;
    (open, boss)
}

fn actions(page: &Value) -> Vec<&str> {
    let rows = page["rows"].as_array().expect("rows").iter();
    rows.map(|row| row["action"].as_str().expect("an action")).collect()
}

#[tokio::test]
async fn an_administrator_reads_the_audit_log_page_by_page_and_leaves_a_row_each_time() {
    let (open, boss) = with_administrator().await;
    let result = check(&open, "taro").await;
    assert_eq!(open.visitor.get(&format!("/v1/results/{result}")).await.status, 200);
    let all = boss.get("/v1/audit").await.json();
    let read = all["rows"].as_array().expect("rows").iter().find(|row| row["action"] == "result.read");
    let read = read.expect("the read is on record");
    assert_eq!((&read["actor"], &read["results"]), (&json!("receipt"), &json!([result])));
    assert!(!all.to_string().contains("資格"), "no patient is in it");
    assert!(!actions(&all).contains(&"audit.viewed"), "a page does not show itself");

    let count = actions(&all).len();
    let (mut after, mut seen) = (0, Vec::new());
    while seen.len() < count {
        let page = boss.get(&format!("/v1/audit?limit=2&after={after}")).await.json();
        seen.extend(page["rows"].as_array().expect("rows").clone());
        after = page["next_after"].as_i64().expect("there is more: at least the views");
    }
    assert_eq!(seen[..count], all["rows"].as_array().expect("rows")[..], "nothing twice, nothing left out");
    let views = boss.get(&format!("/v1/audit?after={}", seen[count - 1]["seq"])).await.json();
    assert_eq!(actions(&views)[0], "audit.viewed");

    let today = boss.get("/v1/audit?from=2026-07-08&to=2026-07-08").await.json();
    assert!(!actions(&today).is_empty());
    assert!(actions(&boss.get("/v1/audit?to=2026-07-07").await.json()).is_empty());
    assert_eq!(boss.get("/v1/audit?from=2026-07-09&to=2026-07-08").await.json()["field"], "to");
}

#[tokio::test]
async fn an_administrator_sees_what_is_kept_and_until_when() {
    let (open, boss) = with_administrator().await;
    check(&open, "taro").await;
    let kept = boss.get("/v1/retention").await.json();
    let july = json!({
        "month": "2026-07", "results": 1, "expires_at": "2026-09-01T00:00:00+09:00", "hidden": false,
    });
    assert_eq!((&kept["months"], &kept["due"]), (&json!([july]), &json!(false)), "{kept}");
    open.clock.advance(SignedDuration::from_hours(24 * 60));
    let mut boss = open.clinic.visitor();
    boss.sign_in(&open.clinic.credentials("kanrisha")).await;
    let hidden = boss.get("/v1/retention").await.json();
    assert_eq!((&hidden["months"][0]["hidden"], &hidden["due"]), (&json!(true), &json!(true)), "{hidden}");
}

#[tokio::test]
async fn the_list_of_readers_says_which_terminal_uses_which() {
    let open = OpenClinic::at_noon().await;
    let readers = open.visitor.get("/v1/readers").await.json();
    let expected = json!([{ "terminal": "uketsuke-1", "reader": readers["readers"][0]["name"] }]);
    assert_eq!(readers["terminals"], expected, "{readers}");
}
