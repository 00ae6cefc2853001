//! Whom a breach concerns: the list that an administrator at the machine writes out of the audit log.

use std::collections::BTreeMap;

use daemon::control::{Command, Days, Reply, RowForm};
use harness::clinic::OpenClinic;
use jiff::SignedDuration;
use jiff::civil::date;
use serde_json::{Value, json};

use super::inquiry_numbers::check;

type Line = BTreeMap<String, String>;

/// The list of a day of July: its lines, and how many persons it names.
async fn affected(open: &OpenClinic, day: i8) -> (Vec<Line>, Option<usize>) {
    let day = Some(date(2026, 7, day));
    let (reply, list) =
        open.clinic.control_writing(Command::AuditAffected { days: Days { since: day, until: day } }).await;
    let lines: Vec<Line> =
        csv::Reader::from_reader(list.as_bytes()).deserialize().map(|line| line.expect("a line")).collect();
    let Reply::Wrote { rows, persons } = reply else { panic!("a list was written") };
    assert_eq!(rows, lines.len());
    (lines, persons)
}

/// The rows of the audit log, as the command writes them out.
async fn exported(open: &OpenClinic) -> Vec<Value> {
    let days = Days { since: None, until: None };
    let (reply, rows) =
        open.clinic.control_writing(Command::AuditExport { days, form: RowForm::Jsonl }).await;
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).expect("a JSON line")).collect();
    let Reply::Wrote { rows: count, persons: None } = reply else { panic!("rows were written") };
    assert_eq!(count, rows.len());
    rows
}

#[tokio::test]
async fn the_list_names_each_answered_result_once_with_its_person_and_how_often_to_whom() {
    let open = OpenClinic::at_noon().await;
    let first = check(&open, "taro").await;
    open.clock.advance(SignedDuration::from_mins(5));
    assert_eq!(open.visitor.get(&format!("/v1/results/{first}")).await.status, 200);
    let (second, other) = (check(&open, "taro").await, check(&open, "hanako").await);
    for _ in 0..2 {
        let (lines, persons) = affected(&open, 8).await;
        let cells = |name: &str| lines.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
        assert_eq!(cells("結果番号"), [first, second, other].map(|id| id.to_string()));
        assert_eq!((cells("人番号"), persons), (["1", "1", "2"].map(str::to_owned).to_vec(), Some(2)));
        assert_eq!(cells("回数"), ["2", "1", "1"], "a list that was written does not count");
        assert_eq!(
            cells("最初の回答"),
            ["2026-07-08 12:00:00", "2026-07-08 12:05:00", "2026-07-08 12:05:00"]
        );
        assert_eq!(lines[0]["最後の回答"], "2026-07-08 12:05:00");
        assert!(lines.iter().all(|line| line["状態"] == "保存期間内" && !line["氏名"].is_empty()));
        assert!(
            lines[0]["操作と接続元"].contains("result.read")
                && !lines[1]["操作と接続元"].contains("result.read")
        );
        assert!(lines.iter().all(|line| line["アカウント"] == "receipt"));
    }
    assert_eq!(affected(&open, 7).await, (Vec::new(), Some(0)), "nothing was answered the day before");

    let rows = exported(&open).await;
    let named: Vec<_> = rows
        .iter()
        .filter(|row| row["action"] == "audit.affected" && row["results"] != json!([]))
        .map(|row| row["results"].clone())
        .collect();
    assert_eq!(
        named,
        [json!([first, second, other]), json!([first, second, other])],
        "who was named is on record"
    );
    let last = rows.last().expect("rows");
    assert_eq!(
        last["action"], "audit.exported",
        "that rows leave the machine is on record before they leave"
    );
}

#[tokio::test]
async fn past_its_retention_a_result_is_still_on_the_list_without_its_person() {
    let open = OpenClinic::at_noon().await;
    let result = check(&open, "taro").await;
    open.clock.advance(SignedDuration::from_hours(24 * 60));
    let (lines, persons) = affected(&open, 8).await;
    assert_eq!((lines.len(), persons), (1, Some(0)));
    assert_eq!(lines[0]["結果番号"], result.to_string());
    assert_eq!(lines[0]["状態"], "保存期間を過ぎたため氏名は不明");
    assert!(
        ["人番号", "氏名", "氏名カナ", "生年月日", "保険者番号"]
            .iter()
            .all(|cell| lines[0][*cell].is_empty())
    );
}
