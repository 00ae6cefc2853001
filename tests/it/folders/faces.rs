//! Results in `face/`.

use std::fs;

use daemon::domain::check::ResultId;
use daemon::domain::folder_file::face_name;
use harness::folders::{Careful, Kind, info};
use jiff::SignedDuration;
use serde_json::json;

use super::support::{Site, until};

#[tokio::test]
async fn every_new_result_lies_in_face_as_it_comes_over_the_api() {
    let site = Site::accepted().await;
    site.health_says(|health| health["part"]["state"] == "ok").await;
    let id = site.check("taro").await;
    let name = face_name(ResultId(id), site.open.clinic.now());
    let path = site.place.path("face").join(&name);
    let bytes = until("the result is there", || fs::read(&path).ok()).await;
    let api = site.open.visitor.get(&format!("/v1/results/{id}?format=xmlmsg-xml&charset=cp932")).await;
    assert_eq!(api.status, 200, "{}", api.code());
    assert_eq!(bytes, api.body, "the same bytes as over the API");
    let faces = site.careful.faces();
    assert_eq!(faces.len(), 1);
    assert_eq!(faces[0].1.one("QualificationValidity").as_deref(), Some("1"));
    let audit = site.audit().await;
    assert_eq!(audit, [("folders.face".to_owned(), "folders".to_owned(), json!([id]))]);
}

#[tokio::test]
async fn a_result_has_one_file_whatever_becomes_of_it() {
    let site = Site::accepted().await;
    site.health_says(|health| health["part"]["state"] == "ok").await;
    let first = site.check("taro").await;
    until("the result is there", || site.careful.faces().pop()).await;
    // The result changes: it gets an inquiry number.
    let target = format!("/v1/results/{first}/inquiry-number");
    assert_eq!(site.open.visitor.put(&target, &json!({ "inquiry_number": "K-1" })).await.status, 200);
    let second = site.check("hanako").await;
    let (name, _) = until("the next result is there", || site.careful.faces().pop()).await;
    assert!(name.contains(&format!("_{second}_")), "{name}");
}

#[tokio::test]
async fn results_that_come_while_the_folder_is_away_or_the_daemon_down_are_there_afterwards_once() {
    let mut site = Site::accepted().await;
    site.health_says(|health| health["part"]["state"] == "ok").await;
    site.place.lose();
    let first = site.check("taro").await;
    let health = site.health_says(|health| health["part"]["code"] == "folder_unavailable").await;
    assert_eq!(health["part"]["state"], "degraded");
    site.place.find();
    let (name, _) = until("the result is there", || site.careful.faces().pop()).await;
    assert!(name.contains(&format!("_{first}_")), "{name}");

    site.place.lose();
    let second = site.check("hanako").await;
    site.health_says(|health| health["due"] == 1).await;
    site.open.clinic.restart().await.expect("the daemon starts");
    site.place.find();
    let (name, _) = until("the result is there", || site.careful.faces().pop()).await;
    assert!(name.contains(&format!("_{second}_")), "{name}");
    site.open.clock.advance(SignedDuration::from_secs(31));
    let mut visitor = site.open.clinic.visitor();
    visitor.sign_in(&site.open.credentials).await;
    site.open.visitor = visitor;
    let health = site.health_says(|health| health["due"] == 0 && health["part"]["state"] == "ok").await;
    assert_eq!(health["ambiguous"], 1, "it might have been out before");
    assert!(site.place.names("face").is_empty(), "and not once more");
}

#[tokio::test]
async fn files_end_with_their_retention_wherever_they_lie() {
    let site = Site::accepted().await;
    site.open.clinic.kernel.say(Some(true));
    site.open.clinic.retention().run_if_due().await.expect("the store answers");
    site.health_says(|health| health["part"]["state"] == "ok").await;
    site.check("taro").await;
    until("the result is there", || (!site.place.names("face").is_empty()).then_some(())).await;
    let consumed = "OQSsiquc01res_face_other_20260708120000.xml";
    fs::write(site.place.path("trash").join(consumed), "x").expect("a file");
    fs::write(site.place.path("trash").join("note.txt"), "x").expect("a file");
    // The last day of the month after the check, and the next.
    site.open.clock.set("2026-08-31T14:59:00Z".parse().expect("an instant"));
    site.open.clinic.retention().run_if_due().await.expect("the store answers");
    site.careful.put(&Kind::Single.request(1), b"<x/>");
    until("it is answered", || site.place.names("res").pop()).await;
    until("the request is put away", || (site.place.names("trash").len() == 3).then_some(())).await;
    assert_eq!(site.place.names("face").len(), 1);
    site.open.clock.set("2026-08-31T15:00:01Z".parse().expect("an instant"));
    site.open.clinic.retention().run_if_due().await.expect("the store answers");
    until("the expired files are gone", || {
        (site.place.names("face").is_empty() && site.place.names("trash").len() == 2).then_some(())
    })
    .await;
    assert!(site.place.names("trash").contains(&"note.txt".to_owned()), "what is none of ours stays");
}

#[tokio::test]
async fn under_a_clock_that_nobody_vouches_for_nothing_is_removed() {
    let site = Site::accepted().await;
    site.open.clinic.upstream.set_date_ahead(3_600);
    site.health_says(|health| health["part"]["state"] == "ok").await;
    let old = "OQSsiquc01res_face_other_20260101120000.xml";
    fs::write(site.place.path("face").join(old), "x").expect("a file");
    // A whole round later.
    site.careful.ask(Kind::Single, 1, &info("taro", "K-1"));
    until("it is answered", || site.careful.take(Kind::Single, 1)).await;
    site.check("taro").await;
    until("the result is there", || (site.place.names("face").len() == 2).then_some(())).await;
    assert!(site.place.names("face").contains(&old.to_owned()));
}

#[tokio::test]
async fn a_file_that_others_put_under_a_result_s_name_is_not_touched_and_told() {
    let site = Site::accepted().await;
    site.health_says(|health| health["part"]["state"] == "ok").await;
    let name = face_name(ResultId(1), site.open.clinic.now());
    let path = site.place.path("face").join(&name);
    fs::write(&path, "somebody else's").expect("a file");
    assert_eq!(site.check("taro").await, 1);
    let health = site.health_says(|health| health["part"]["code"] == "folder_files_refused").await;
    assert_eq!((&health["refused"], &health["due"]), (&json!(1), &json!(1)));
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "somebody else's");
    fs::remove_file(&path).expect("it is there");
    let bytes = until("the result is there", || fs::read(&path).ok()).await;
    assert!(Careful::accept(&bytes).one("Name").is_some());
}
