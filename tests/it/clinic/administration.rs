//! What an administrator makes and says: names of accounts, what is generated for them, codes of devices, and who is on record for it.

use std::collections::BTreeSet;

use daemon::app::ports::{Clock as _, Role};
use daemon::config::FolderSection;
use daemon::control::{AccountAct, Command, Enrolment, Hidden, Reply, RoleName};
use harness::clinic::{CHOSEN, OpenClinic, Visitor};
use harness::folders::Place;
use jiff::SignedDuration;
use serde_json::json;
use tempfile::TempDir;

use super::accounts::{audited, next_step, row, seconds, with_people};

async fn act(open: &OpenClinic, name: &str, act: AccountAct) -> Reply {
    let command = Command::Account { name: name.to_owned(), act };
    open.clinic.control(command).await.expect("the command succeeds")
}

/// Creates an operator at the machine; the machine's words if it does not.
async fn add(open: &OpenClinic, name: &str) -> Result<Enrolment, String> {
    let command = Command::AccountAdd { name: name.to_owned(), role: RoleName::Operator, password: None };
    match open.clinic.control(command).await {
        Ok(Reply::Enrolled(new)) => Ok(new),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

async fn is_signed_in(visitor: &Visitor) -> bool {
    visitor.get("/v1/sessions/current").await.status == 200
}

/// The lengths of what is separated by hyphens.
fn groups(text: &str) -> Vec<usize> {
    text.split('-').map(str::len).collect()
}

#[tokio::test]
async fn a_name_has_one_to_sixty_four_characters_and_nothing_that_would_not_be_seen() {
    let (open, _) = with_people().await;
    let rule = "アカウント名は1文字以上64文字以内で、空白、制御文字、コロン（:）は使えません";
    let (longest, longer) = ("a".repeat(64), "a".repeat(65));
    for name in ["", "ha na", "hana\u{3000}", "\thana", "ha\u{7}na", "hana\u{85}", ":hana", &longer] {
        let refused = add(&open, name).await.expect_err("against the rule");
        assert_eq!(refused, rule, "{name:?}");
    }
    assert_eq!(add(&open, "hanako").await.expect_err("taken"), "同じ名前のアカウントがあります");
    for name in [longest.as_str(), "h"] {
        assert_eq!(add(&open, name).await.expect("by the rule").account, name);
    }
}

#[tokio::test]
async fn what_is_generated_is_typed_in_groups_of_four() {
    let (open, _) = with_people().await;
    let can_be_typed = |text: &str| text.chars().all(|letter| matches!(letter, 'a'..='z' | '2'..='7' | '-'));
    let password = add(&open, "jiro").await.expect("an account").password.expect("a password");
    assert_eq!(groups(password.expose()), [4, 4, 4, 4, 4, 4, 2]);
    assert!(password.expose().ends_with("-x7") && can_be_typed(password.expose()));

    let Reply::RecoveryCodes(codes) = act(&open, "hanako", AccountAct::RecoveryCodes).await else {
        panic!("codes are shown")
    };
    for code in &codes {
        assert_eq!(groups(code.expose()), [4, 4, 4, 4]);
        assert!(can_be_typed(code.expose()));
    }
    let different: BTreeSet<&str> = codes.iter().map(Hidden::expose).collect();
    assert_eq!(different.len(), 10);
}

#[tokio::test]
async fn of_two_codes_that_wait_each_enrols_its_own_terminal() {
    let open = OpenClinic::at_noon().await;
    let mut codes = Vec::new();
    for name in ["uketsuke-8", "uketsuke-9"] {
        let offer = Command::TerminalOffer { name: name.to_owned() };
        let Reply::EnrolmentCode { code, .. } = open.clinic.control(offer).await.expect("a code") else {
            panic!("a code is shown")
        };
        assert_eq!(groups(code.expose()), [4, 4, 4, 4]);
        codes.push(code.expose().to_owned());
    }
    let visitor = open.clinic.visitor();
    let enrol = async |code: &str| visitor.post("/v1/terminals/enrol", &json!({ "code": code })).await;
    for wrong in ["aaaa-bbbb-cccc-dddd", "-", &codes[0].replace('-', "+"), &codes[0][..14]] {
        assert_eq!(enrol(wrong).await.code(), "enrolment_code_invalid", "{wrong}");
    }
    let typed = format!(" {}\u{3000}", codes[1].to_uppercase().replace('-', " "));
    for (code, name) in [(&typed, "uketsuke-9"), (&codes[0], "uketsuke-8")] {
        let enrolled = enrol(code).await;
        assert_eq!((enrolled.status, enrolled.json()["name"].as_str()), (201, Some(name)));
    }
}

#[tokio::test]
async fn whoever_accepts_the_folders_is_on_record_by_name() {
    let share = TempDir::new().expect("a directory");
    let place = Place::make(share.path());
    let section = FolderSection::new("receipt", place.root().to_owned());
    let open = OpenClinic::with(|plan| {
        plan.folders.push(section);
        plan.accounts.push(("boss", Role::Administrator));
    })
    .await;
    let mut boss = open.clinic.visitor();
    boss.sign_in(&open.clinic.credentials("boss")).await;
    let accepted = boss.put("/v1/settings/folders", &json!({ "readers_need_no_mfa": true })).await;
    assert_eq!((accepted.status, accepted.json()["acceptance"]["by"].as_str()), (200, Some("boss")));

    let accept = Command::FoldersAccept { accept: true };
    let Reply::Folders(report) = open.clinic.control(accept).await.expect("accepted") else {
        panic!("the folders are shown")
    };
    assert_eq!(report.accepted.map(|(by, _)| by).as_deref(), Some("machine"));
    let seen = boss.get("/v1/settings/folders").await.json();
    assert_eq!(seen["acceptance"]["by"], "machine");
    for who in ["boss", "machine"] {
        assert!(audited(&open).await.contains(&row(who, "settings.folders_accepted", "ok:1")), "{who}");
    }
}

#[tokio::test]
async fn what_takes_no_credentials_away_or_is_refused_ends_no_session() {
    let (open, boss) = with_people().await;
    let (mut here, mut elsewhere) = (open.clinic.visitor(), open.clinic.visitor());
    here.sign_in(&open.clinic.credentials("hanako")).await;
    next_step(&open);
    elsewhere.sign_in(&open.clinic.credentials("hanako")).await;
    let nobody_left = async |after: &str| {
        for (who, visitor) in [("boss", &boss), ("here", &here), ("elsewhere", &elsewhere)] {
            assert!(is_signed_in(visitor).await, "{who} after {after}");
        }
    };

    let proof = json!({ "password": CHOSEN });
    let offered = here.post("/v1/accounts/me/totp", &proof).await;
    assert!(offered.json()["otpauth"].is_string(), "{}", offered.code());
    nobody_left("an authenticator was offered").await;
    let wrong = here.post("/v1/accounts/me/totp/confirm", &json!({ "code": "abcdef" })).await;
    assert_eq!(wrong.code(), "wrong_credentials");
    nobody_left("a wrong code").await;
    let issued = here.post("/v1/accounts/me/recovery-codes", &proof).await;
    assert!(issued.json()["recovery_codes"].is_array(), "{}", issued.code());
    nobody_left("new recovery codes").await;
    let body = json!({ "current_password": "not-the-password-1", "new_password": "sumire86" });
    assert_eq!(here.put("/v1/accounts/me/password", &body).await.code(), "wrong_credentials");
    nobody_left("a wrong password").await;

    for (what, change) in [
        ("unlock", AccountAct::Unlock),
        ("enable", AccountAct::Enable),
        ("recovery codes", AccountAct::RecoveryCodes),
    ] {
        act(&open, "hanako", change).await;
        nobody_left(what).await;
    }
    for change in [AccountAct::Disable, AccountAct::Remove] {
        let command = Command::Account { name: "boss".to_owned(), act: change };
        let last = open.clinic.control(command).await.expect_err("nobody would be left").to_string();
        assert!(last.starts_with("最後の管理者は無効にも削除にもできません"), "{last}");
        nobody_left("a refusal").await;
    }
    act(&open, "hanako", AccountAct::Disable).await;
    assert!(is_signed_in(&boss).await && !is_signed_in(&here).await && !is_signed_in(&elsewhere).await);
}

#[tokio::test]
async fn a_code_that_is_used_up_says_to_the_second_when_the_next_one_comes() {
    let open = OpenClinic::at_noon().await;
    assert_eq!(open.clock.now().as_second() % 30, 0, "a step begins at noon");
    let used = open.credentials.body(&open.credentials.code(seconds(&open)));
    for (passed, left) in [(0, "30"), (11, "19"), (18, "1"), (1, "30")] {
        open.clock.advance(SignedDuration::from_secs(passed));
        let refused = open.visitor.post("/v1/sessions", &used).await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some(left)));
    }
}
