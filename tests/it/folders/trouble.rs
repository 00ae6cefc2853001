//! Hostile and broken input, and folders that are not as they should be.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use harness::folders::{Careful, Kind, escapes, face_lag, info, message, shift_jis, storm};
use jiff::SignedDuration;
use serde_json::json;

use super::support::{Site, until};

#[tokio::test]
async fn what_cannot_be_carried_out_is_answered_with_a_code() {
    let site = Site::accepted().await;
    let institution = site.open.clinic.config.institution_code.clone();
    let with = |body: &str| message(&institution, "x", body);
    let good = with(&info("taro", "K-1"));
    let entity =
        good.replace("<XmlMsg>", "<!DOCTYPE XmlMsg [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><XmlMsg>");
    for (number, content, code) in [
        (1, shift_jis(&good.replace(&institution, "1399999999")), "folder_request_institution"),
        (2, shift_jis(&entity), "folder_request_document_type"),
        (3, shift_jis(&with("<Nothing/>")), "folder_request_structure"),
        (4, shift_jis(&with(&info("taro", &"あ".repeat(51)))), "folder_request_value"),
        (5, vec![b' '; (4 << 20) + 1], "folder_request_too_large"),
        // The folder is one of Shift_JIS, and an answer must repeat the number as it is.
        (6, good.replace("Shift_JIS", "UTF-8").replace("K-1", "😀").into_bytes(), "folder_request_value"),
    ] {
        site.careful.put(&Kind::Single.request(number), &content);
        let answer = until(code, || {
            let bytes = site.careful.seen(Kind::Single, number)?;
            Some(Careful::accept(&bytes))
        })
        .await;
        assert_eq!(answer.one("SegmentOfResult").as_deref(), Some("9"), "{code}");
        assert_eq!(answer.one("ErrorCode").as_deref(), Some(code));
        let named = answer.one("MedicalInstitutionCode").expect("a code");
        assert_eq!(named, if number == 1 { "1399999999" } else { &institution });
    }
    assert_eq!(site.open.clinic.upstream.inquiry_number("taro"), None);
    site.health_says(|health| health["part"]["state"] == "ok").await;
}

#[tokio::test]
async fn what_is_no_file_is_left_alone_and_told_until_it_is_gone() {
    let site = Site::accepted().await;
    let at = site.place.path("req").join(Kind::Single.request(1));
    symlink("/etc/passwd", &at).expect("a link");
    let told = |health: &serde_json::Value| health["part"]["code"] == "folder_files_refused";
    assert_eq!(site.health_says(told).await["refused"], 1);
    site.careful.ask(Kind::Single, 2, &info("taro", "K-2"));
    until("the next one is answered", || site.careful.take(Kind::Single, 2)).await;
    assert!(site.place.names("res").is_empty(), "a link is no request");
    fs::remove_file(&at).expect("it is still there");
    site.health_says(|health| health["part"]["state"] == "ok" && health["refused"] == json!(0)).await;
}

#[tokio::test]
async fn a_folder_without_one_of_its_parts_is_not_used() {
    let site = Site::with(|_| {}).await;
    fs::remove_dir(site.place.path("trash")).expect("an empty folder");
    site.accept(true).await;
    site.careful.ask(Kind::Single, 1, &info("taro", "K-1"));
    site.health_says(|health| health["part"]["code"] == "folder_unavailable").await;
    assert!(!site.place.path("trash").exists(), "a folder is never made");
    fs::create_dir(site.place.path("trash")).expect("a folder");
    until("it is answered", || site.careful.take(Kind::Single, 1)).await;
}

/// Who vouched for the clock did not vouch for what it was set to afterwards.
#[tokio::test]
async fn a_clock_that_jumps_after_the_last_look_removes_nothing() {
    let mut site = Site::with(|plan| plan.folders.iter_mut().for_each(|it| it.inquiry_numbers = false)).await;
    site.accept(true).await;
    site.open.clinic.kernel.say(Some(true));
    site.open.clinic.retention().run_if_due().await.expect("the store answers");
    site.health_says(|health| health["part"]["state"] == "ok").await;
    let fresh = "OQSsiquc01res_face_other_20260708120000.xml";
    fs::write(site.place.path("face").join(fresh), "x").expect("a file");
    site.open.clock.jump(SignedDuration::from_hours(24 * 100));
    let mut visitor = site.open.clinic.visitor();
    visitor.sign_in(&site.open.credentials).await;
    site.open.visitor = visitor;
    // Whole rounds later: one that misses a part of the folder, and one that finds everything.
    fs::remove_dir(site.place.path("trash")).expect("an empty folder");
    site.health_says(|health| health["part"]["code"] == "folder_unavailable").await;
    fs::create_dir(site.place.path("trash")).expect("a folder");
    site.health_says(|health| health["part"]["state"] == "ok").await;
    assert!(site.place.names("face").contains(&fresh.to_owned()), "nobody vouches for a jump");
}

#[tokio::test]
async fn an_answer_that_is_blocked_comes_when_the_way_is_free() {
    let site = Site::accepted().await;
    let path = site.place.path("res").join(Kind::Single.answer(1));
    fs::write(&path, "somebody else's").expect("a file");
    site.careful.ask(Kind::Single, 1, &info("taro", "K-1"));
    site.health_says(|health| health["part"]["code"] == "folder_files_refused").await;
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "somebody else's");
    fs::remove_file(&path).expect("it is there");
    let answer = until("it is answered", || site.careful.take(Kind::Single, 1)).await;
    assert_eq!(answer.one("ReferenceNumber").as_deref(), Some("K-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outside_the_root_is_touched() {
    let seen = escapes().await;
    assert_eq!((seen.escapes, seen.answered), (0, 12), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_storm_of_kills_and_lost_folders_every_request_is_answered_once() {
    let seen = storm(100, 7).await;
    assert!(seen.kills > 0 && seen.requests >= 100, "{seen:?}");
    assert_eq!((seen.unanswered, seen.answered_twice), (0, 0), "{seen:?}\n{}", seen.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stored_result_gets_its_file() {
    let lag = face_lag(50).await;
    assert!(lag.max < Duration::from_mins(1), "{lag:?}");
}
