//! `docs/ja/problems.md` and `docs/en/problems.md`: the table of codes, written from the code.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use api::codes::{Code, Who};

const ENGLISH: &str = include_str!("problems_en.txt");

fn english() -> BTreeMap<&'static str, &'static str> {
    let lines = ENGLISH.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(": ").unwrap()).collect()
}

/// What other ways there are, which many guidances end with: once in a document is enough.
fn other_ways() -> &'static str {
    let text = Code::NotJpkiCard.guidance();
    &text[text.find("オンライン資格確認ができないときは").unwrap()..]
}

fn japanese_page() -> String {
    let who = |who| match who {
        Who::Staff => "担当者",
        Who::Administrator => "管理者",
        Who::Vendor => "開発元",
    };
    let mut page = format!(
        "# 問題のコード\n\n\
         エラーの応答は RFC 9457 の `application/problem+json` です。プログラムは `code` で判断し、`title` と `guidance` を担当者に見せてください。\
         できなかった資格確認は、200の応答の `failure` に同じコードを持ちます。\n\
         コードの意味は変わりません。知らないコードは、HTTPステータスで扱ってください。\n\n\
         この表は `api/src/codes.rs` から作られます（`make openapi`）。（※）は次の案内です。\n\n\
         > {}\n\n\
         | コード | HTTP | 意味 | 案内 | 対応する人 |\n|---|---|---|---|---|\n",
        other_ways()
    );
    for code in Code::ALL {
        let guidance = code.guidance().replace(other_ways(), "（※）");
        let status = code.status().as_u16();
        let (name, title, who) = (code.as_str(), code.title(), who(code.who()));
        writeln!(page, "| `{name}` | {status} | {title} | {guidance} | {who} |").unwrap();
    }
    page
}

fn english_page() -> String {
    let texts = english();
    let who = |who| match who {
        Who::Staff => "staff",
        Who::Administrator => "administrator",
        Who::Vendor => "vendor",
    };
    let mut page = "# Problem codes\n\n\
        Errors are RFC 9457 `application/problem+json`. Programs decide by `code` and show `title` and `guidance`, which are Japanese, to staff. \
        A check that failed carries the same codes in `failure` of a 200 answer.\n\
        A code never changes its meaning. Treat a code that you do not know by its HTTP status.\n\n\
        This table is made from `api/src/codes.rs` (`make openapi`). (*): confirm eligibility by 資格確認書; by the plastic card with 資格情報のお知らせ or with\n\
        the マイナポータル screen; or as chapter 3 of the operations manual says. The Japanese guidance spells it out.\n\n\
        | Code | HTTP | Meaning | Guidance | Who acts |\n|---|---|---|---|---|\n"
        .to_owned();
    for code in Code::ALL {
        let (name, status) = (code.as_str(), code.status().as_u16());
        let guidance = texts.get(name).unwrap_or_else(|| {
            panic!("tests/it/contract/problems_en.txt lacks a line `{name}: …` with the English guidance")
        });
        let (meaning, who) = (code.meaning(), who(code.who()));
        writeln!(page, "| `{name}` | {status} | {meaning} | {guidance} | {who} |").unwrap();
    }
    page
}

#[test]
#[expect(clippy::disallowed_methods, reason = "blessing is asked for by a variable, as in insta")]
fn the_tables_of_problems_are_what_the_code_gives() {
    let docs = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs"));
    for (page, text) in [("ja/problems.md", japanese_page()), ("en/problems.md", english_page())] {
        let path = docs.join(page);
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "docs/{page} differs from api/src/codes.rs: run `make openapi`");
    }
}

#[test]
fn no_english_guidance_is_left_of_a_code_that_is_gone() {
    for name in english().keys() {
        assert!(Code::ALL.iter().any(|code| code.as_str() == *name), "problems_en.txt: {name}");
    }
}
