//! Announcements at sign-in and on demand, and what announced maintenance does to the collection.

use harness::clinic::OpenClinic;
use harness::upstream::{Announced, Endpoint, Fault};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

async fn collect(open: &OpenClinic) {
    let reply = open.visitor.post("/v1/results/collect", &json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.code());
}

/// Signs in and returns what is shown at once.
async fn sign_in(open: &mut OpenClinic) -> Value {
    open.clock.advance(SignedDuration::from_secs(30));
    let now = u64::try_from(open.clinic.now().as_second()).expect("after 1970");
    let body = open.credentials.body(&open.credentials.code(now));
    let reply = open.visitor.post("/v1/sessions", &body).await;
    assert_eq!(reply.status, 201, "{}", reply.code());
    let session = reply.json();
    open.visitor.set_token(session["token"].as_str());
    session["announcements"].clone()
}

fn new_ones(list: &Value) -> Vec<&str> {
    let all = list["announcements"].as_array().expect("announcements");
    let new: Vec<_> =
        all.iter().filter(|one| one["new"] == true).filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(list["new_count"], new.len());
    new
}

fn notice(id: &str, published_at: &str) -> Announced {
    Announced::notice(id, "お知らせ", published_at.parse().expect("an instant"))
}

#[tokio::test]
async fn announcements_are_shown_at_sign_in_and_new_until_the_next_one() {
    let mut open = OpenClinic::at_noon().await;
    open.clinic.upstream.announce(notice("N1", "2026-07-07T00:00:00Z"));
    open.clinic.upstream.announce(notice("N2", "2026-07-08T00:00:00Z"));
    collect(&open).await;
    assert_eq!(new_ones(&sign_in(&mut open).await), ["N2", "N1"], "the newest first");
    assert_eq!(new_ones(&open.visitor.get("/v1/announcements").await.json()), ["N2", "N1"]);

    // It arrives in the middle of a session.
    open.clinic.upstream.announce(notice("N3", "2026-07-08T01:00:00Z"));
    collect(&open).await;
    assert_eq!(new_ones(&open.visitor.get("/v1/announcements").await.json()), ["N3", "N2", "N1"]);
    assert_eq!(new_ones(&sign_in(&mut open).await), ["N3"]);
    // One that was changed is new again, one that was taken back is gone.
    open.clinic
        .upstream
        .announce(Announced { title: "訂正".to_owned(), ..notice("N1", "2026-07-07T00:00:00Z") });
    open.clinic.upstream.withdraw("N2");
    collect(&open).await;
    let list = sign_in(&mut open).await;
    assert_eq!((new_ones(&list), list["announcements"].as_array().expect("a list").len()), (vec!["N1"], 2));

    // The central system is away: what is known still shows.
    open.clinic.upstream.stop().await;
    open.clinic.restart().await.expect("the daemon starts");
    let (token, visitor) = (open.visitor.token().map(str::to_owned), open.clinic.visitor());
    open.visitor = visitor;
    open.visitor.set_token(token.as_deref());
    assert_eq!(new_ones(&sign_in(&mut open).await), Vec::<&str>::new());
}

#[tokio::test]
async fn texts_from_outside_are_cleaned_and_cut_and_only_https_is_a_link() {
    let open = OpenClinic::at_noon().await;
    let with =
        |id: &str, url: &str| Announced { url: Some(url.to_owned()), ..notice(id, "2026-07-08T00:00:00Z") };
    open.clinic.upstream.announce(Announced {
        title: format!("\u{1b}[2J題\u{202e}{}", "長".repeat(300)),
        body: Some("一行目\r\n二行目\u{0}".to_owned()),
        kind: "9".to_owned(),
        ..with("A", "https://portal.example/a")
    });
    open.clinic.upstream.announce(with("B", "http://portal.example/b"));
    open.clinic.upstream.announce(with("C", "javascript:alert(1)"));
    open.clinic.upstream.announce(with("D", "https://user:pass@portal.example/"));
    open.clinic
        .upstream
        .announce(Announced { title: "\u{7}".to_owned(), ..notice("E", "2026-07-08T00:00:00Z") });
    open.clinic.upstream.announce(notice("an id with blanks", "2026-07-08T00:00:00Z"));
    collect(&open).await;
    let list = open.visitor.get("/v1/announcements").await.json();
    let all = list["announcements"].as_array().expect("a list");
    let shown: Vec<_> = all.iter().map(|one| (one["id"].as_str(), one["url"].as_str())).collect();
    let link = Some("https://portal.example/a");
    assert_eq!(shown, [(Some("A"), link), (Some("B"), None), (Some("C"), None), (Some("D"), None)]);
    let title = all[0]["title"].as_str().expect("a title");
    assert!(title.starts_with("[2J題長") && title.chars().count() == 200, "{title}");
    assert_eq!((&all[0]["body"], &all[0]["kind"]), (&json!("一行目\n二行目"), &json!("notice")));
}

fn maintenance(id: &str, from: &str, until: &str, everything: bool) -> Announced {
    let at = |text: &str| -> Timestamp { text.parse().expect("an instant") };
    Announced::maintenance(id, at(from), at(until), everything)
}

#[tokio::test]
async fn announced_maintenance_pauses_the_collection_until_it_is_over() {
    let open = OpenClinic::with(|plan| plan.collect_every_minutes = 5).await;
    let announce = |one| open.clinic.upstream.announce(one);
    announce(maintenance("M1", "2026-07-08T03:10:00Z", "2026-07-08T03:30:00Z", true));
    announce(maintenance("M2", "2026-07-08T03:05:00Z", "2026-07-08T04:00:00Z", false));
    open.clock.advance(SignedDuration::from_mins(1));
    open.clinic.collect_if_due().await.expect("due").expect("collected");
    let health = open.visitor.get("/v1/health").await.json();
    assert_eq!(health["maintenance"]["now"], Value::Null);
    assert_eq!(health["maintenance"]["next"]["scope"], "card_use_registration");

    // Registration alone is closed: the collection goes on.
    open.clock.advance(SignedDuration::from_mins(6));
    open.clinic.collect_if_due().await.expect("due").expect("collected");
    assert_eq!(
        open.visitor.get("/v1/health").await.json()["maintenance"]["now"]["scope"],
        "card_use_registration"
    );

    // Everything is closed: nothing is asked, and health says until when.
    open.clock.advance(SignedDuration::from_mins(8));
    let asked = open.clinic.upstream.requests(Endpoint::Results);
    assert_eq!(open.clinic.collect_if_due().await, None);
    assert_eq!(open.clinic.upstream.requests(Endpoint::Results), asked);
    let health = open.visitor.get("/v1/health").await.json();
    assert_eq!(health["maintenance"]["now"]["scope"], "everything");
    let collect = &health["collect"];
    assert_eq!(
        (&collect["part"]["code"], &collect["paused_until"]),
        (&json!("upstream_maintenance"), &json!("2026-07-08T12:30:00+09:00"))
    );
    // Somebody who asks all the same hears it from the central system itself; it may have ended early.
    let refused = open.visitor.post("/v1/results/collect", &json!({})).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "upstream_maintenance"));

    open.clock.advance(SignedDuration::from_mins(20));
    open.clinic.collect_if_due().await.expect("due").expect("collected");
    let health = open.visitor.get("/v1/health").await.json();
    assert_eq!(
        (&health["collect"]["part"]["state"], &health["collect"]["paused_until"]),
        (&json!("ok"), &Value::Null)
    );
}

#[tokio::test]
async fn a_closure_that_was_announced_by_mistake_ends_when_it_is_taken_back() {
    let open = OpenClinic::with(|plan| plan.collect_every_minutes = 5).await;
    // The year is mistyped.
    open.clinic.upstream.announce(maintenance("M1", "2026-07-08T03:05:00Z", "2036-07-08T04:00:00Z", true));
    open.clock.advance(SignedDuration::from_mins(1));
    open.clinic.collect_if_due().await.expect("due").expect("collected");
    let asked = open.clinic.upstream.requests(Endpoint::Results);
    for _ in 0..3 {
        open.clock.advance(SignedDuration::from_mins(6));
        assert_eq!(open.clinic.collect_if_due().await, None);
    }
    assert_eq!(open.clinic.upstream.requests(Endpoint::Results), asked, "nothing but news is asked for");
    open.clinic.upstream.withdraw("M1");
    open.clock.advance(SignedDuration::from_mins(6));
    open.clinic.collect_if_due().await.expect("due").expect("collected");
    let health = open.visitor.get("/v1/health").await.json();
    assert_eq!(health["collect"]["paused_until"], Value::Null);
}

#[tokio::test]
async fn results_come_even_if_the_announcements_do_not() {
    let open = OpenClinic::at_noon().await;
    open.clinic.upstream.announce(notice("N1", "2026-07-07T00:00:00Z"));
    collect(&open).await;
    open.clinic.upstream.script(Endpoint::Announcements, Fault::Garbage);
    collect(&open).await;
    let list = open.visitor.get("/v1/announcements").await.json();
    assert_eq!(list["announcements"].as_array().expect("a list").len(), 1, "what is known stays");
}
