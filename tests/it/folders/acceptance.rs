//! Without an administrator's word on record a folder is neither read nor written.

use std::fs;

use harness::folders::{Kind, info};
use serde_json::json;

use super::support::{Site, access, until};

#[tokio::test]
async fn nothing_happens_in_a_folder_before_an_administrator_accepts_and_nothing_after_it_is_taken_back() {
    let site = Site::with(|_| {}).await;
    let health = site.health_says(|health| !health["part"]["code"].is_null()).await;
    assert_eq!(
        (&health["part"]["state"], &health["part"]["code"]),
        (&json!("degraded"), &json!("folders_not_accepted"))
    );
    site.check("taro").await;
    site.careful.ask(Kind::Single, 1, &info("taro", "K-1"));
    let administrator = site.administrator().await;
    let seen = administrator.get("/v1/settings/folders").await.json();
    assert_eq!(seen["folders"][0]["name"], "receipt");
    assert_eq!((&seen["folders"][0]["accepted"], &seen["acceptance"]), (&json!(false), &json!(null)));
    assert!(site.place.names("face").is_empty() && site.place.names("res").is_empty());

    let accepted = administrator.put("/v1/settings/folders", &access(true)).await;
    assert_eq!(accepted.status, 200, "{}", accepted.code());
    assert_eq!(accepted.json()["folders"][0]["accepted"], true);
    assert_eq!(accepted.json()["acceptance"]["by"], "kanrisha");
    let answer = until("the request is answered", || site.careful.take(Kind::Single, 1)).await;
    assert_eq!(answer.one("ProcessingResultStatus").as_deref(), Some("1"));
    site.health_says(|health| health["part"]["state"] == "ok").await;

    assert_eq!(administrator.put("/v1/settings/folders", &access(false)).await.status, 200);
    site.health_says(|health| health["part"]["code"] == "folders_not_accepted").await;
    site.careful.ask(Kind::Single, 2, &info("taro", "K-2"));
    site.check("taro").await;
    assert!(site.place.names("face").is_empty(), "also not the result of before, which has a number now");
    assert!(site.place.names("res").is_empty());
    assert_eq!(site.place.names("req"), [Kind::Single.request(2)], "it waits");

    assert_eq!(administrator.put("/v1/settings/folders", &access(true)).await.status, 200);
    until("the request that waited is answered", || site.careful.take(Kind::Single, 2)).await;
    site.health_says(|health| health["part"]["state"] == "ok").await;
    let new = site.check("hanako").await;
    let (name, _) = until("the new result is there", || site.careful.faces().pop()).await;
    assert!(name.contains(&format!("_{new}_")), "not the one from the time without acceptance: {name}");
}

#[tokio::test]
async fn an_acceptance_means_the_folders_of_its_day_and_no_other() {
    let mut site = Site::accepted().await;
    site.health_says(|health| health["part"]["state"] == "ok").await;
    let other = site.place.root().with_file_name("other");
    for name in ["face", "req", "res", "trash"] {
        fs::create_dir_all(other.join(name)).expect("a folder");
    }
    site.open.clinic.config.folders[0].root = other;
    site.open.clinic.restart().await.expect("the daemon starts");
    site.open.clock.advance(jiff::SignedDuration::from_secs(31));
    let mut visitor = site.open.clinic.visitor();
    visitor.sign_in(&site.open.credentials).await;
    site.open.visitor = visitor;
    site.health_says(|health| health["part"]["code"] == "folders_not_accepted").await;
}

#[tokio::test]
async fn only_an_administrator_sees_and_accepts() {
    let site = Site::with(|_| {}).await;
    assert_eq!(site.open.visitor.get("/v1/settings/folders").await.status, 403);
    assert_eq!(site.open.visitor.put("/v1/settings/folders", &access(true)).await.status, 403);
}

#[tokio::test]
async fn where_no_folder_is_configured_there_is_nothing_to_accept() {
    let mut site = Site::with(|_| {}).await;
    site.open.clinic.config.folders.clear();
    site.open.clinic.restart().await.expect("the daemon starts");
    let refused = site.administrator().await.put("/v1/settings/folders", &access(true)).await;
    assert_eq!((refused.status, refused.code().as_str()), (409, "folders_not_configured"));
}
