//! Results in the forms of the field, through the public door: a receipt computer that reads XML in Shift_JIS, a
//! spreadsheet, software that watches the clipboard, a program that speaks FHIR.

mod readers;

use std::collections::BTreeSet;

use daemon::app::ports::Clock as _;
use harness::clinic::OpenClinic;
use harness::raw_http::Reply;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::results::check;
use readers::{CHARSETS, FORMS};

/// Persons whose names lie outside of one set or the other, in the order in which they come (newest first).
const PERSONAS: [&str; 4] = ["lost-kanji", "level3-name", "extended-kanji", "taro"];

/// Their names in a character set, and how many characters were reduced and lost for one writing of the name.
fn names(charset: &str) -> [(&'static str, usize, usize); 4] {
    match charset {
        "utf-8" => [("草彅 𠮷美", 0, 0), ("𠮷野 圭佑", 0, 0), ("髙﨑 美咲", 0, 0), ("資格 太郎", 0, 0)],
        "cp932" => [("草彅 吉美", 1, 0), ("吉野 圭佑", 1, 0), ("髙﨑 美咲", 0, 0), ("資格 太郎", 0, 0)],
        "jisx0208" => [("草● 吉美", 1, 1), ("吉野 圭佑", 1, 0), ("高崎 美咲", 2, 0), ("資格 太郎", 0, 0)],
        other => panic!("{other}"),
    }
}

/// The name also stands as 被保険者氏名, for which FHIR has no place.
fn times(form: &str) -> usize {
    if form == "fhir" { 1 } else { 2 }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

/// Confirmed on a phone of the clinic, an hour apart, the last of [`PERSONAS`] first; collected. Returns their numbers.
async fn collected() -> (OpenClinic, Vec<i64>) {
    let open = OpenClinic::at_noon().await;
    for (hour, persona) in PERSONAS.iter().rev().enumerate() {
        add(&open, persona, &format!("2026-07-07T0{hour}:00:00Z")).await;
    }
    let ids = list(&open).await;
    assert_eq!(ids.len(), PERSONAS.len());
    (open, ids)
}

async fn add(open: &OpenClinic, persona: &str, when: &str) {
    assert!(open.clinic.upstream.add_result(persona, "PHONE-1", at(when)), "{persona}");
    let reply = open.visitor.post("/v1/results/collect", &json!({})).await;
    assert_eq!((reply.status, &reply.json()["added"]), (200, &json!(1)), "{}", reply.code());
}

async fn list(open: &OpenClinic) -> Vec<i64> {
    let page = open.visitor.get("/v1/results").await.json();
    page["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|one| one["id"].as_i64().expect("an id"))
        .collect()
}

fn counts(reply: &Reply) -> (Option<usize>, Option<usize>) {
    let count = |name: &str| reply.header(name).map(|text| text.parse().expect("a number"));
    (count("shikaku-reduced-characters"), count("shikaku-lost-characters"))
}

#[tokio::test]
async fn every_form_of_one_result_is_read_back_in_every_character_set() {
    let (open, ids) = collected().await;
    let mut tags = BTreeSet::new();
    for form in &FORMS {
        for charset in CHARSETS {
            for (id, (name, reduced, lost)) in ids.iter().zip(names(charset)) {
                let target = format!("/v1/results/{id}?format={}&charset={charset}", form.word);
                let reply = open.visitor.get(&target).await;
                let text = form.text(charset, &reply);
                assert_eq!(form.names(&text), [name], "{target}");
                assert!(!text.contains("&#"), "{target}");
                let times = times(form.word);
                assert_eq!(counts(&reply), (Some(times * reduced), Some(times * lost)), "{target}");
                let file = format!("attachment; filename=\"result-{id}.{}\"", form.extension);
                assert_eq!(reply.header("content-disposition"), Some(file.as_str()));
                assert_eq!(reply.header("vary"), Some("accept"));
                let tag = reply.header("etag").expect("a tag").to_owned();
                let again = open.visitor.get_with(&target, &[("If-None-Match", &tag)]).await;
                assert_eq!((again.status, again.body.len()), (304, 0), "{target}");
                assert!(tags.insert(tag), "{target}: another document has the same tag");
            }
        }
    }
    let stored = open.visitor.get(&format!("/v1/results/{}", ids[0])).await.json();
    assert_eq!(stored["eligibilities"][0]["name"], "草彅 𠮷美", "what is stored stays as it came");
}

#[tokio::test]
async fn every_form_of_a_period_is_read_back_in_every_character_set() {
    let (open, _) = collected().await;
    for form in &FORMS {
        for charset in CHARSETS {
            let expected = names(charset);
            let target = format!("/v1/results/export?format={}&charset={charset}", form.word);
            let reply = open.visitor.get_with(&target, &[("TE", "trailers")]).await;
            let text = form.text(charset, &reply);
            assert_eq!(form.names(&text), expected.map(|(name, ..)| name), "{target}");
            let total = |one: fn(&(&str, usize, usize)) -> usize| {
                times(form.word) * expected.iter().map(one).sum::<usize>()
            };
            let told = (total(|(_, reduced, _)| *reduced), total(|(.., lost)| *lost));
            assert_eq!(counts(&reply), (Some(told.0), Some(told.1)), "{target}");
            assert_eq!(reply.header("shikaku-total"), Some("4"));
            assert_eq!(reply.header("shikaku-results"), Some("4"));
            let file = format!("attachment; filename=\"results.{}\"", form.extension);
            assert_eq!(reply.header("content-disposition"), Some(file.as_str()));
            assert_eq!(reply.header("vary"), Some("accept"));
            // Whoever reads no trailers finds the same in the document, or asks for it in parts.
            let (results, reduced, lost) = (4, told.0, told.1);
            match form.word {
                "json" => {
                    let summary = json!({
                        "results": results, "reduced_characters": reduced, "lost_characters": lost,
                    });
                    assert_eq!(readers::json(&text)["summary"], summary);
                }
                "xmlmsg-xml" => assert!(text.ends_with(&format!(
                    "<Summary><Results>{results}</Results><ReducedCharacters>{reduced}</ReducedCharacters>\
                     <LostCharacters>{lost}</LostCharacters></Summary>\n</XmlMsgList>\n"
                ))),
                "xmlmsg-json" => {
                    let text = |number: usize| Value::String(number.to_string());
                    let summary = json!({
                        "Results": text(results), "ReducedCharacters": text(reduced), "LostCharacters": text(lost),
                    });
                    assert_eq!(readers::json(&form.text(charset, &reply))["Summary"], summary);
                }
                _ => {}
            }
            let part = open.visitor.get(&format!("{target}&limit=4")).await;
            assert_eq!((counts(&part), part.header("shikaku-results")), (counts(&reply), Some("4")));
            assert_eq!((part.header("trailer"), &part.body), (None, &reply.body), "{target}");
        }
    }
}

#[tokio::test]
async fn parts_put_together_are_the_export_in_one_piece() {
    let (open, _) = collected().await;
    for form in &FORMS {
        for charset in CHARSETS {
            let target = format!("/v1/results/export?format={}&charset={charset}", form.word);
            let whole = open.visitor.get(&target).await;
            let whole = form.text(charset, &whole);
            let mut part = open.visitor.get(&format!("{target}&limit=3")).await;
            let began = part.header("shikaku-cut-off").map(ToOwned::to_owned);
            assert_eq!(part.header("shikaku-results"), Some("3"));
            open.clock.advance(SignedDuration::from_secs(5));
            let mut texts = vec![form.text(charset, &part)];
            while let Some(cursor) = part.header("shikaku-next-cursor").map(ToOwned::to_owned) {
                part = open.visitor.get(&format!("{target}&limit=3&cursor={cursor}")).await;
                assert_eq!(part.header("shikaku-cut-off"), began.as_deref(), "the beginning stays");
                texts.push(form.text(charset, &part));
            }
            assert_eq!(texts.len(), 2, "{target}");
            let (expected, between) = form.inside(&whole);
            let inside: Vec<&str> = texts.iter().map(|text| form.inside(text).0).collect();
            assert_eq!(inside.join(between), expected, "{target}");
        }
    }
}

#[tokio::test]
async fn what_is_stored_after_an_export_began_is_not_in_it_however_old_it_is() {
    let (open, ids) = collected().await;
    for form in &FORMS {
        let target = format!("/v1/results/export?format={}&limit=2", form.word);
        let before = list(&open).await.len();
        let first = open.visitor.get(&target).await;
        let cursor = first.header("shikaku-next-cursor").expect("a cursor").to_owned();
        // Confirmed before everything else, collected only now: it would stand in the part that is still to come.
        let second = FORMS.iter().position(|one| one.word == form.word).expect("a form");
        add(&open, "hanako", &format!("2026-07-06T00:00:0{second}Z")).await;
        let rest =
            open.visitor.get(&format!("/v1/results/export?format={}&cursor={cursor}", form.word)).await;
        let text = form.text("utf-8", &rest);
        assert_eq!(form.names(&text).len(), before - 2, "{}", form.word);
        assert_eq!(rest.header("shikaku-total"), Some(before.to_string().as_str()), "{}", form.word);
        assert_eq!(list(&open).await.len(), before + 1);
    }
    assert_eq!(list(&open).await[..ids.len()], ids);
}

#[tokio::test]
async fn what_expires_while_an_export_is_fetched_is_not_served() {
    let mut open = OpenClinic::at_noon().await;
    let july = check(&open, "taro").await;
    open.clock.advance(at("2026-08-31T14:59:00Z").duration_since(open.clock.now()));
    open.visitor.sign_in(&open.credentials.clone()).await;
    let august = check(&open, "hanako").await;
    for form in &FORMS {
        let target = format!("/v1/results/export?format={}", form.word);
        assert_eq!(form.names(&form.text("utf-8", &open.visitor.get(&target).await)).len(), 2);
    }
    let mut cursors = Vec::new();
    for form in &FORMS {
        let first = open.visitor.get(&format!("/v1/results/export?format={}&limit=1", form.word)).await;
        assert_eq!(form.names(&form.text("utf-8", &first)), ["資格 花子"]);
        cursors.push(first.header("shikaku-next-cursor").expect("a cursor").to_owned());
    }
    open.clock.advance(SignedDuration::from_mins(1));
    for (form, cursor) in FORMS.iter().zip(cursors) {
        let word = form.word;
        let rest =
            open.visitor.get(&format!("/v1/results/export?format={word}&limit=1&cursor={cursor}")).await;
        assert_eq!((rest.status, rest.header("shikaku-results")), (200, Some("0")), "{word}");
        assert!(!String::from_utf8_lossy(&rest.body).contains("太郎"), "{word}");
        assert_eq!(open.visitor.get(&format!("/v1/results/{july}?format={word}")).await.status, 404);
        assert_eq!(open.visitor.get(&format!("/v1/results/{august}?format={word}")).await.status, 200);
    }
}

#[tokio::test]
async fn a_form_is_chosen_by_what_the_client_accepts() {
    let (open, ids) = collected().await;
    let one = format!("/v1/results/{}", ids[2]);
    let get = async |accept: &'static str| open.visitor.get_with(&one, &[("Accept", accept)]).await;
    let [.., csv, _, fhir] = &FORMS;
    let reply = get("text/csv; charset=Shift_JIS, */*;q=0.1").await;
    assert_eq!(csv.names(&csv.text("cp932", &reply)), ["髙﨑 美咲"]);
    assert_eq!(fhir.names(&fhir.text("utf-8", &get("application/fhir+json").await)), ["髙﨑 美咲"]);
    assert_eq!(
        get("application/json; charset=Shift_JIS").await.json()["eligibilities"][0]["name"],
        "髙﨑 美咲"
    );
    let refused = get("text/csv; charset=iso-2022-jp").await;
    assert_eq!((refused.status, refused.code().as_str()), (406, "not_acceptable"));
    let named = open.visitor.get_with(&format!("{one}?charset=jisx0208"), &[("Accept", "text/csv")]).await;
    assert_eq!(csv.names(&csv.text("jisx0208", &named)), ["高崎 美咲"]);
}

#[tokio::test]
async fn what_there_is_not_is_refused_by_the_name_of_its_field() {
    let (open, ids) = collected().await;
    for (query, field) in [
        ("format=docx", "format"),
        ("format=xml", "format"),
        ("format=csv&charset=euc-jp", "charset"),
        ("format=csv&charset=Shift_JIS", "charset"),
        ("format=csv&charset=", "charset"),
    ] {
        for target in [format!("/v1/results/{}?{query}", ids[0]), format!("/v1/results/export?{query}")] {
            let reply = open.visitor.get(&target).await;
            let found = (reply.status, reply.code(), reply.json()["field"].clone());
            assert_eq!(found, (400, "invalid_request".to_owned(), json!(field)), "{target}");
        }
    }
    for query in ["fields=version&format=csv", "fields=version&charset=cp932"] {
        let reply = open.visitor.get(&format!("/v1/results/{}?{query}", ids[0])).await;
        assert_eq!((reply.status, &reply.json()["field"]), (400, &json!("fields")), "{query}");
    }
    for form in &FORMS {
        let missing = open.visitor.get(&format!("/v1/results/999?format={}", form.word)).await;
        assert_eq!((missing.status, missing.code().as_str()), (404, "result_not_found"), "{}", form.word);
    }
}

#[tokio::test]
async fn every_form_comes_compressed_when_asked() {
    let (open, _) = collected().await;
    for form in &FORMS {
        let target = format!("/v1/results/export?format={}&charset=jisx0208", form.word);
        let plain = open.visitor.get(&target).await;
        for (encoding, magic) in [("gzip", &[0x1F, 0x8B][..]), ("zstd", &[0x28, 0xB5, 0x2F, 0xFD])] {
            // Compressed bytes are not held against the document.
            let mut connection = open.visitor.open(&target, &[("Accept-Encoding", encoding)]).await;
            let reply = connection.reply().await.expect("an answer");
            assert_eq!(reply.header("content-encoding"), Some(encoding), "{target}");
            assert!(reply.body.starts_with(magic), "{target} {encoding}");
            assert!(reply.body.len() < plain.body.len(), "{target} {encoding}");
        }
    }
}

#[tokio::test]
async fn a_number_that_was_registered_since_is_in_every_form() {
    let (open, ids) = collected().await;
    let number = json!({ "inquiry_number": "K-000123" });
    let place = format!("/v1/results/{}/inquiry-number", ids[3]);
    assert_eq!(open.visitor.put(&place, &number).await.status, 200);
    for form in &FORMS {
        let reply = open.visitor.get(&format!("/v1/results/{}?format={}", ids[3], form.word)).await;
        let text = form.text("utf-8", &reply);
        assert!(
            ["模擬", "sandbox", "Sandbox", "HTEST"].iter().any(|mark| text.contains(mark)),
            "is it real?"
        );
        // The official app's text has no line for it.
        assert_eq!(text.contains("K-000123"), form.word != "text", "{}", form.word);
    }
}

/// The examples of the contract are the daemon's own words about an invented person. `UPDATE_OPENAPI=1` writes them anew.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "blessing is asked for by a variable, as in insta")]
async fn the_examples_of_the_contract_are_what_is_served() {
    let open = OpenClinic::at_noon().await;
    add(&open, "taro", "2026-07-08T02:30:00Z").await;
    let id = list(&open).await[0];
    let mut examples = Value::default();
    for (operation, target) in
        [("get_result", format!("/v1/results/{id}")), ("export_results", "/v1/results/export".to_owned())]
    {
        for form in FORMS.iter().filter(|form| form.word != "json") {
            let reply = open.visitor.get(&format!("{target}?format={}", form.word)).await;
            let text = form.text("utf-8", &reply);
            let kind = form.media_type();
            let is_json = kind.ends_with("+json");
            examples[operation][kind] = if is_json { readers::json(&text) } else { Value::String(text) };
        }
    }
    let current = serde_json::to_string_pretty(&examples).expect("JSON") + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/src/routes/form_examples.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &current).expect("a file");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == current,
        "api/src/routes/form_examples.json differs: bless it with UPDATE_OPENAPI=1"
    );
}
