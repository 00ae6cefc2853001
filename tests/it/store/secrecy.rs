//! Secrecy: nothing that names somebody, and no secret, can be read from the files.

use daemon::app::ports::{Accounts, Inquiry, InquiryEnd, InquiryQueue, NewAccount, Role};
use daemon::domain::eligibility::Field;
use daemon::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use zeroize::Zeroizing;

use super::support::{Machine, audit, insert, person, with};

const NOW: &str = "2026-06-10T01:00:00Z";

/// The forms in which a value could lie in a file.
fn forms(value: &str) -> Vec<Vec<u8>> {
    let utf16: Vec<u16> = value.encode_utf16().collect();
    vec![
        value.as_bytes().to_vec(),
        utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
    ]
}

#[tokio::test]
async fn no_file_shows_a_name_a_number_or_a_secret() {
    let canaries =
        ["青葉台 かなりあ", "77665544", "MEMBER-887766", "CHART-554433", "CHART-112200", "19690410"];
    let secret = b"TOTP-SEED-CANARY-0001".to_vec();
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let known = with(&person(canaries[0], canaries[2]), Field::InsurerNumber, canaries[1]);
    let known = with(&known, Field::ReferenceNumber, canaries[3]);
    let id = insert(&running.store, "c1", NOW, known.clone()).await;
    let inquiry = Inquiry {
        person: InsuranceIdentifiers::of(&known).unwrap(),
        number: InquiryNumber::parse(canaries[4]).unwrap(),
        result: Some(id),
    };
    let taken = running.store.take_in(&inquiry, &audit("inquiry_number.queued"), None).await.unwrap();
    let (job, _) = taken.expect("nobody has the number");
    assert_eq!(running.store.end(&[(job, InquiryEnd::Registered)]).await, Ok(vec![vec![id]]));
    let account = NewAccount {
        name: "reseputo".to_owned(),
        role: Role::ReceiptComputer,
        password_hash: "$argon2id$invented".to_owned(),
        totp_secret: Zeroizing::new(secret.clone()),
        must_change: false,
    };
    running.store.create(&account, &super::accounts::by("account.create")).await.unwrap();

    // While open the WAL holds the rows, afterwards the database file.
    let open = machine.files();
    assert!(open.iter().any(|(path, content)| path.ends_with("shikaku.db-wal") && content.len() > 4096));
    running.stop().await;
    let closed = machine.files();
    let contains =
        |content: &[u8], needle: &[u8]| content.windows(needle.len()).any(|window| window == needle);
    for (files, name) in [(&open, "shikaku.db-wal"), (&closed, "shikaku.db")] {
        let mut named = files.iter().filter(|(path, _)| path.ends_with(name));
        assert!(
            named.any(|(_, content)| contains(content, b"uketsuke-1")),
            "the scan sees what lies in clear"
        );
    }
    for (path, content) in open.iter().chain(&closed) {
        for form in canaries.iter().flat_map(|canary| forms(canary)).chain([secret.clone()]) {
            assert!(!contains(content, &form), "{form:?} in {}", path.display());
        }
    }
}
