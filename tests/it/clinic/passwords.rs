//! What passes for a password: by itself, at one's own change and as a first one, with the words that people read when it does not.

use daemon::control::{AccountAct, AccountLine, Command, Hidden, Reply, RoleName};
use daemon::domain::password::{Fault, judge};
use harness::clinic::{CHOSEN, OpenClinic, Visitor};
use serde_json::json;

use super::accounts::with_people;

const EIGHT: &str = "パスワードは8文字以上にしてください";
const THIRTEEN: &str = "パスワードは13文字以上にしてください";
const PLAIN: &str = "パスワードには、英字などの文字と、数字か記号の両方を含めてください";
const GUESSABLE: &str = "推測されやすいパスワードです。よく使われる語、並び、アカウント名、機関コードを避け、\
                         これまでと違うものにしてください";

/// Sets a password of one's own; what is wrong with it, if anything.
async fn choose(visitor: &Visitor, current: &str, new: &str) -> Option<String> {
    let body = json!({ "current_password": current, "new_password": new });
    let reply = visitor.put("/v1/accounts/me/password", &body).await;
    if reply.status == 204 {
        return None;
    }
    assert_eq!((reply.status, reply.code().as_str()), (422, "password_unacceptable"), "{new}");
    let problem = reply.json();
    assert_eq!(problem["field"], "new_password");
    Some(problem["detail"].as_str().unwrap_or_default().to_owned())
}

/// Creates an account at the machine; the machine's words if it does not.
async fn add(open: &OpenClinic, name: &str, role: RoleName, password: &str) -> Result<Reply, String> {
    let password = Some(Hidden::new(password.to_owned()));
    let command = Command::AccountAdd { name: name.to_owned(), role, password };
    open.clinic.control(command).await.map_err(|error| error.to_string())
}

async fn accounts(open: &OpenClinic) -> Vec<AccountLine> {
    match open.clinic.control(Command::AccountList).await.expect("a list") {
        Reply::Accounts(accounts) => accounts,
        other => panic!("{other:?}"),
    }
}

/// Who has to choose another password, in alphabetical order.
async fn pending(open: &OpenClinic) -> Vec<String> {
    let accounts = accounts(open).await.into_iter().filter(|account| account.must_change);
    let mut names: Vec<String> = accounts.map(|account| account.name).collect();
    names.sort();
    names
}

async fn no_codes_for_operators(administrator: &Visitor) {
    let settings = json!({ "visual_confirmation": true, "operators_need_code": false });
    assert_eq!(administrator.put("/v1/settings/security", &settings).await.status, 200);
}

#[test]
fn three_in_a_row_are_ones_own_and_four_are_taken_out() {
    for password in ["rst9ukuk", "uts9ukuw", "edc8kuw9", "ddd9kukwp"] {
        assert_eq!(judge(password, true, &[]), Ok(()), "{password}");
    }
    for password in ["uts9ukuk", "rstu9ukuk", "utsr9kuk", "dddd9kukwp", "fghj9kuk", "lkjh9kuk"] {
        assert_eq!(judge(password, true, &[]), Err(Fault::Guessable), "{password}: five are left at most");
    }
}

#[test]
fn names_of_three_letters_and_more_are_no_secret_and_shorter_ones_are_not_looked_for() {
    let institution = "1312345670";
    for (name, password) in [
        ("tsubakiya", "tsubakiya-86"),
        ("tsubakiya", "TsubakiYa-86"),
        ("yuzu", "yuzu-9ka"),
        ("mei", "mei-9kuw"),
    ] {
        for known in [[name, institution], [institution, name]] {
            assert_eq!(judge(password, true, &known), Err(Fault::Guessable), "{password}");
        }
        assert_eq!(judge(password, true, &["sumire", institution]), Ok(()), "{password} of somebody else");
    }
    for password in ["kawu9-hb", "ka-9wuh!"] {
        assert_eq!(judge(password, true, &["ka", institution]), Ok(()), "{password}");
    }
}

#[tokio::test]
async fn how_long_ones_own_password_must_be_depends_on_whether_a_code_goes_with_it() {
    let (open, boss) = with_people().await;
    let mut hanako = open.clinic.visitor();
    hanako.sign_in(&open.clinic.credentials("hanako")).await;
    for (weak, words) in
        [("sumire8", EIGHT), ("tsubakiya", PLAIN), ("password1234567", GUESSABLE), (CHOSEN, GUESSABLE)]
    {
        assert_eq!(choose(&hanako, CHOSEN, weak).await.as_deref(), Some(words), "{weak}");
    }
    for visitor in [&hanako, &boss] {
        assert_eq!(choose(visitor, CHOSEN, "sumire86").await, None, "beside a code");
    }

    no_codes_for_operators(&boss).await;
    for short in ["tabako-86", "keroyon6-hat"] {
        assert_eq!(choose(&hanako, "sumire86", short).await.as_deref(), Some(THIRTEEN), "{short} alone");
    }
    assert_eq!(choose(&hanako, "sumire86", "keroyon6 hato").await, None);
    assert_eq!(choose(&boss, "sumire86", "hato8mugi").await, None, "an administrator always has a code");
}

#[tokio::test]
async fn a_first_password_is_judged_by_what_the_account_will_sign_in_with() {
    let (open, boss) = with_people().await;
    let roles = [RoleName::Operator, RoleName::Administrator, RoleName::ReceiptComputer];
    for (name, role) in ["sumire", "tsubaki", "yuri"].into_iter().zip(roles) {
        add(&open, name, role, "hato8mugi").await.expect("eight beside a code");
    }
    no_codes_for_operators(&boss).await;
    for (name, role, password, words) in [
        ("goro", RoleName::Operator, "hato8mugi", THIRTEEN),
        ("goro", RoleName::Operator, "tsubakiyatsubakiya", PLAIN),
        ("goro", RoleName::Administrator, "sumire8", EIGHT),
        ("tsubakiya", RoleName::Administrator, "tsubakiya-86", GUESSABLE),
    ] {
        let refused = add(&open, name, role, password).await.expect_err("not good enough");
        assert_eq!(refused, words, "{name}, {password}");
    }
    let known = accounts(&open).await;
    assert!(known.iter().all(|account| !["goro", "tsubakiya"].contains(&account.name.as_str())));

    for (name, role, password) in [
        ("goro", RoleName::Operator, "keroyon6 hato"),
        ("kasumi", RoleName::Administrator, "tsubakiya-86"),
        ("momo", RoleName::ReceiptComputer, "hato8mugi"),
    ] {
        add(&open, name, role, password).await.expect("good enough");
    }
    // Whoever chose it knows it, also where it is a machine's.
    assert_eq!(pending(&open).await, ["goro", "kasumi", "momo", "sumire", "tsubaki", "yuri"]);
}

#[tokio::test]
async fn people_change_a_password_that_was_made_for_them_and_a_receipt_computer_keeps_its_own() {
    let (open, _) = with_people().await;
    assert!(pending(&open).await.is_empty(), "people have chosen, and the machine's was made for it");
    let reset = async |name: &str| {
        let command = Command::Account { name: name.to_owned(), act: AccountAct::ResetPassword };
        open.clinic.control(command).await.map_err(|error| error.to_string())
    };
    for name in ["receipt", "hanako", "boss"] {
        let Reply::Enrolled(new) = reset(name).await.expect("a new password") else {
            panic!("a new password is shown")
        };
        assert!(new.account == name && new.password.is_some() && new.otpauth.is_none());
    }
    assert_eq!(pending(&open).await, ["boss", "hanako"]);
    let nobody = reset("nobody").await.expect_err("nobody is called so");
    assert_eq!(nobody, "その名前のアカウントはありません");
}
