//! What lets somebody in, on disk: secrets, passkeys, certificates and terminals, each good for its own account, as often as it may
//! be and no longer.

use daemon::app::ports::{
    Account, AccountChange, Accounts as _, Attempt, AuditRange, AuditTrail as _, CertificateAuthority,
    Changed, Device, IssuedCertificate, Kept, MachineOffer, MachineStore as _, NewAccount, NewPasskey,
    PasskeyKey, PasskeyStore as _, Role, SessionRecord, SessionStore as _, SignInProof, Standing, StoreError,
    TerminalStore as _,
};
use daemon::store::Store;
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use zeroize::Zeroizing;

use super::accounts::by;
use super::support::{Machine, at};

const NOW: &str = "2026-06-10T01:00:00Z";

fn later(seconds: i64) -> Timestamp {
    at(NOW) + SignedDuration::from_secs(seconds)
}

async fn create(store: &Store, name: &str, role: Role) {
    let account = NewAccount {
        name: name.to_owned(),
        role,
        password_hash: "$argon2id$invented".to_owned(),
        totp_secret: Zeroizing::new(b"12345678901234567890".to_vec()),
        must_change: role == Role::Operator,
    };
    store.create(&account, &by("account.create")).await.expect("created");
}

async fn change(store: &Store, name: &str, change: AccountChange) -> Changed {
    store.change(name, None, change, &by("account.change")).await.expect("an answer")
}

async fn account(store: &Store, name: &str) -> Account {
    match store.begin_attempt(name, Device::Anywhere, at(NOW)).await.expect("an answer") {
        Attempt::Evaluate(account) => account,
        Attempt::Unknown | Attempt::Wait(_) | Attempt::Locked => panic!("{name} is not evaluated"),
    }
}

async fn comes(store: &Store, of: Standing, proof: SignInProof) -> bool {
    store.succeed(of, Device::Anywhere, proof).await.expect("an answer")
}

/// The log's rows of one kind, each with its outcome.
async fn logged(store: &Store, kind: &str) -> Vec<String> {
    let rows = store.rows(AuditRange::default(), 0, 100).await.expect("readable");
    let rows = rows.into_iter().filter(|row| row.action.starts_with(kind));
    rows.map(|row| format!("{} {}", row.action, row.outcome)).collect()
}

//------------ Accounts -----------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_list_says_of_each_account_what_holds_for_it() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    for (name, role) in
        [("boss", Role::Administrator), ("hanako", Role::Operator), ("receipt", Role::ReceiptComputer)]
    {
        create(store, name, role).await;
    }
    assert_eq!(change(store, "receipt", AccountChange::Disable).await, Changed::Done);
    let codes = vec![Zeroizing::new("aaaa".to_owned()), Zeroizing::new("bbbb".to_owned())];
    assert_eq!(change(store, "boss", AccountChange::RecoveryCodes(codes)).await, Changed::Done);
    for (name, times) in [("boss", 1), ("hanako", 2)] {
        for _ in 0..times {
            account(store, name).await;
        }
    }
    let listed = store.list().await.expect("readable");
    let said: Vec<_> = listed
        .iter()
        .map(|one| {
            (one.name.as_str(), one.role, one.must_change, one.disabled, one.failures, one.recovery_codes)
        })
        .collect();
    let expected = [
        ("boss", Role::Administrator, false, false, 1, 2),
        ("hanako", Role::Operator, true, false, 2, 0),
        ("receipt", Role::ReceiptComputer, false, true, 0, 0),
    ];
    assert_eq!(said, expected);
    for (summary, (name, role, must_change, disabled, ..)) in listed.iter().zip(expected) {
        let found = account(store, name).await;
        assert_eq!((found.id, found.role), (summary.id, role));
        assert_eq!((found.must_change, found.disabled), (must_change, disabled), "{name}");
    }
    running.stop().await;
}

#[tokio::test]
async fn an_authenticator_secret_opens_for_its_own_account_alone() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    create(store, "hanako", Role::Operator).await;
    create(store, "jiro", Role::Operator).await;
    let offer = Zeroizing::new(b"09876543210987654321".to_vec());
    assert_eq!(change(store, "hanako", AccountChange::OfferTotp(offer)).await, Changed::Done);
    let (hanako, jiro) = (account(store, "hanako").await.id, account(store, "jiro").await.id);
    let offered = store.offered_totp(hanako).await.expect("it opens").expect("an offer");
    assert_eq!(offered.as_slice(), b"09876543210987654321");
    assert!(store.offered_totp(jiro).await.expect("an answer").is_none());
    running.stop().await;

    // Somebody who can write the database gives one account what another one knows.
    let options = SqliteConnectOptions::new().filename(machine.config().database());
    let mut database = options.connect().await.expect("the database");
    sqlx::query(
        "UPDATE accounts SET (totp_secret, totp_offer) = \
         (SELECT totp_secret, totp_offer FROM accounts WHERE name = 'hanako') WHERE name = 'jiro'",
    )
    .execute(&mut database)
    .await
    .expect("written");
    database.close().await.expect("closed");
    let running = machine.start().await;
    let store = &running.store;
    assert_eq!(account(store, "hanako").await.totp_secret.as_slice(), b"12345678901234567890");
    let moved = store.begin_attempt("jiro", Device::Anywhere, at(NOW)).await;
    assert!(matches!(moved, Err(StoreError::Corrupt { table: "accounts", row, .. }) if row == jiro));
    let moved = store.offered_totp(jiro).await;
    assert!(matches!(moved, Err(StoreError::Corrupt { table: "accounts", row, .. }) if row == jiro));
    running.stop().await;
}

#[tokio::test]
async fn unlocking_after_a_clock_that_ran_ahead_frees_no_code_that_may_have_been_used() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    create(store, "hanako", Role::Operator).await;
    create(store, "jiro", Role::Operator).await;
    let (hanako, jiro) = (account(store, "hanako").await.standing(), account(store, "jiro").await.standing());
    let now = u64::try_from(at(NOW).as_second()).expect("after 1970") / 30;
    for of in [hanako, jiro] {
        assert!(comes(store, of, SignInProof::Step(now + 1000)).await);
    }
    assert_eq!(change(store, "hanako", AccountChange::Unlock).await, Changed::Done);
    for (of, ahead, is_good) in [
        (hanako, 0, false),
        // An authenticator may be one step ahead.
        (hanako, 1, false),
        (hanako, 2, true),
        (hanako, 2, false),
        (jiro, 2, false),
        (jiro, 1000, false),
        (jiro, 1001, true),
    ] {
        assert_eq!(comes(store, of, SignInProof::Step(now + ahead)).await, is_good, "{of:?}: {ahead}");
    }
    running.stop().await;
}

//------------ Passkeys -----------------------------------------------------------------------------------------------

/// A passkey of hanako's whose authenticator has counted so far.
fn passkey(sign_count: u8, epoch: i64) -> NewPasskey {
    NewPasskey {
        account: "hanako".to_owned(),
        epoch,
        name: "tablet".to_owned(),
        user_handle: [7; 32],
        key: PasskeyKey {
            credential: vec![sign_count; 16],
            public_key: vec![1],
            sign_count: u32::from(sign_count),
        },
    }
}

/// A session of hanako's.
fn session(token: u8) -> SessionRecord {
    SessionRecord {
        token_hash: [token; 32],
        id: format!("session-{token}"),
        account: "hanako".to_owned(),
        role: Role::Operator,
        terminal: None,
        certificate: None,
        restricted: false,
        on_page: false,
        created_at: at(NOW),
        last_used_at: at(NOW),
    }
}

async fn sessions(store: &Store) -> Vec<u8> {
    let records = store.load(at(NOW)).await.expect("readable");
    let mut tokens: Vec<_> = records.iter().map(|record| record.token_hash[0]).collect();
    tokens.sort_unstable();
    tokens
}

#[tokio::test]
async fn a_passkey_counts_on_from_what_was_seen_of_it_and_an_account_has_so_many_at_most() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    create(store, "hanako", Role::Operator).await;
    create(store, "boss", Role::Administrator).await;
    let (hanako, boss) = (account(store, "hanako").await.standing(), account(store, "boss").await.standing());
    let add = async |new: NewPasskey, most: u32| {
        store.add_passkey(new, most, at(NOW), &by("passkey.add")).await.expect("an answer")
    };
    let Kept::As(silent) = add(passkey(0, hanako.epoch), 2).await else { panic!("it is kept") };
    let Kept::As(counting) = add(passkey(5, hanako.epoch), 2).await else { panic!("it is kept") };
    assert_eq!(add(passkey(6, hanako.epoch), 2).await, Kept::TooMany);
    assert_eq!(add(passkey(5, hanako.epoch), 3).await, Kept::Refused, "it is known");
    assert_eq!(add(passkey(6, hanako.epoch + 1), 3).await, Kept::Refused, "judged by other credentials");
    assert_eq!(logged(store, "passkey.").await, ["passkey.add ok"; 2]);

    let unused = store.passkey(&[0; 16]).await.expect("readable").expect("a passkey");
    assert_eq!((unused.id, unused.account.as_str(), unused.last_used_at), (silent, "hanako", None));
    for (of, id, sign_count, is_good) in [
        (hanako, silent, 0, true),
        (hanako, silent, 0, true),
        (hanako, counting, 5, false),
        (hanako, counting, 4, false),
        (hanako, counting, 0, false),
        (hanako, counting, 6, true),
        (hanako, counting, 6, false),
        (hanako, counting + 1, 7, false),
        (boss, counting, 7, false),
        (hanako, silent, 1, true),
        (hanako, silent, 0, false),
    ] {
        let came = comes(store, of, SignInProof::Passkey { id, sign_count }).await;
        assert_eq!(came, is_good, "{of:?}, passkey {id} at {sign_count}");
    }
    let seen = store.passkeys_of("hanako").await.expect("readable");
    let seen: Vec<_> = seen.iter().map(|one| (one.id, one.key.sign_count, one.last_used_at)).collect();
    assert_eq!(seen, [(silent, 1, Some(at(NOW))), (counting, 6, Some(at(NOW)))]);
    running.stop().await;
}

#[tokio::test]
async fn a_passkey_that_is_not_found_ends_nothing_and_one_that_is_removed_ends_the_other_sessions() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    create(store, "hanako", Role::Operator).await;
    let of = account(store, "hanako").await.standing();
    for sign_count in [0, 5] {
        let new = passkey(sign_count, of.epoch);
        store.add_passkey(new, 10, at(NOW), &by("account.add_passkey")).await.expect("kept");
    }
    for token in [1, 2] {
        assert_eq!(store.begin(&session(token), of).await, Ok(true));
    }
    let ids: Vec<_> =
        store.passkeys_of("hanako").await.expect("readable").iter().map(|passkey| passkey.id).collect();
    let remove = async |which: Option<i64>| {
        store.remove_passkeys("hanako", which, Some([1; 32]), &by("passkey.remove")).await
    };
    assert_eq!(remove(Some(ids[1] + 1)).await, Ok(0));
    assert_eq!(sessions(store).await, [1, 2], "nothing was removed, nobody is to be put out");
    assert!(comes(store, of, SignInProof::Lasting).await, "an attempt that is under way goes on");
    assert!(logged(store, "passkey.").await.is_empty());

    assert_eq!(remove(Some(ids[0])).await, Ok(1));
    assert_eq!(sessions(store).await, [1]);
    assert!(!comes(store, of, SignInProof::Lasting).await);
    assert_eq!(store.passkey(&[0; 16]).await, Ok(None));
    assert_eq!(store.passkeys_of("hanako").await.expect("readable").len(), 1, "the other one stays");
    assert_eq!(remove(None).await, Ok(1));
    let anew = account(store, "hanako").await.standing();
    assert_eq!(remove(None).await, Ok(0));
    assert!(!comes(store, anew, SignInProof::Lasting).await, "where all are meant, all under way ends");
    assert_eq!(logged(store, "passkey.").await, ["passkey.remove ok"; 3]);
    running.stop().await;
}

//------------ Machines and terminals ---------------------------------------------------------------------------------

fn authority(mark: u8) -> CertificateAuthority {
    CertificateAuthority {
        certificate: format!("certificate {mark}"),
        fingerprint: [mark; 32],
        key: Zeroizing::new(vec![mark; 40]),
    }
}

fn known_by(authority: &CertificateAuthority) -> (&str, u8, u8) {
    (authority.certificate.as_str(), authority.fingerprint[0], authority.key[0])
}

#[tokio::test]
async fn the_first_authority_stays_and_only_its_certificate_is_ever_replaced() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    assert!(store.authority().await.expect("readable").is_none());
    for made in [1, 2] {
        let kept = store.keep_authority(authority(made), &by("authority.new")).await.expect("kept");
        assert_eq!(known_by(&kept), ("certificate 1", 1, 1), "whoever made one at once gets the first");
    }
    assert_eq!(logged(store, "authority.").await, ["authority.new ok"]);
    store.replace_authority(authority(3), &by("authority.renew")).await.expect("replaced");
    assert_eq!(logged(store, "authority.").await, ["authority.new ok", "authority.renew ok"]);
    running.stop().await;
    let running = machine.start().await;
    let stands = running.store.authority().await.expect("readable").expect("an authority");
    assert_eq!(known_by(&stands), ("certificate 3", 3, 1), "with its key of old");
    running.stop().await;
}

fn issued(mark: u8) -> IssuedCertificate {
    IssuedCertificate {
        certificate: "invented".to_owned(),
        fingerprint: [mark; 32],
        ends_at: later(i64::from(mark)),
    }
}

async fn fingerprints(store: &Store) -> Vec<u8> {
    let machines = store.machines().await.expect("readable");
    machines.iter().map(|machine| machine.fingerprint[0]).collect()
}

#[tokio::test]
async fn a_code_enrols_one_machine_and_a_revoked_certificate_takes_its_successors_with_it() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    for (name, role) in
        [("hanako", Role::Operator), ("receipt", Role::ReceiptComputer), ("gone", Role::ReceiptComputer)]
    {
        create(store, name, role).await;
    }
    for (name, code, outcome) in [
        ("nobody", 1, MachineOffer::UnknownAccount),
        ("hanako", 1, MachineOffer::OtherRole),
        ("receipt", 1, MachineOffer::Kept),
        ("gone", 2, MachineOffer::Kept),
        ("receipt", 3, MachineOffer::Kept),
    ] {
        let offered = store.offer_machine(name, [code; 32], later(100), &by("machine.offer")).await;
        assert_eq!(offered, Ok(outcome), "{name}");
    }
    for (code, seconds, name) in [
        (1, 0, Some("receipt")),
        (1, 99, Some("receipt")),
        (1, 100, None),
        (2, 0, Some("gone")),
        (9, 0, None),
    ] {
        let found = store.account_of_code([code; 32], later(seconds)).await;
        assert_eq!(found, Ok(name.map(str::to_owned)), "code {code} after {seconds} s");
    }
    assert_eq!(change(store, "gone", AccountChange::Disable).await, Changed::Done);
    let enrol = async |code: u8, mark: u8, seconds: i64| {
        store.enrol_machine([code; 32], &issued(mark), later(seconds), &by("machine.enrol")).await
    };
    assert_eq!(enrol(9, 90, 0).await, Ok(false), "nobody made this code");
    assert_eq!(enrol(1, 90, 0).await, Ok(true));
    assert_eq!(enrol(1, 91, 0).await, Ok(false), "once");
    assert_eq!(enrol(2, 92, 0).await, Ok(false), "its account is disabled");
    assert_eq!(fingerprints(store).await, [90]);
    // Enrolling anew clears away what has ended.
    assert_eq!(enrol(3, 180, 90).await, Ok(true));
    let first = store.machines().await.expect("readable").remove(0);
    assert_eq!((first.account_name.as_str(), first.ends_at), ("receipt", later(180)));

    let renew = async |old: i64, mark: u8| {
        store.renew_machine(old, &issued(mark), later(95), &by("machine.renew")).await
    };
    assert_eq!(renew(first.id + 1, 200).await, Ok(false), "there is none to take over from");
    assert_eq!(renew(first.id, 200).await, Ok(true));
    assert_eq!(renew(first.id, 201).await, Ok(true), "in place of the one before");
    let second = store.machines().await.expect("readable").remove(1);
    assert_eq!(renew(second.id, 202).await, Ok(true));
    assert_eq!(fingerprints(store).await, [180, 201, 202]);
    store.begin_attempt("receipt", Device::Certificate(second.id), at(NOW)).await.expect("an answer");
    let revoke = async |id: i64| store.revoke_machine(id, &by("machine.revoke")).await;
    assert_eq!(revoke(0).await, Ok(false));
    assert_eq!(fingerprints(store).await.len(), 3);
    assert_eq!(revoke(first.id).await, Ok(true));
    assert!(fingerprints(store).await.is_empty());
    assert_eq!(revoke(first.id).await, Ok(false));
    let counted = store.list().await.expect("readable");
    assert!(counted.iter().all(|account| account.failures == 0), "nobody could clear that counter any more");
    let expected = [
        "machine.offer ok",
        "machine.offer ok",
        "machine.offer ok",
        "machine.enrol ok:receipt",
        "machine.enrol ok:receipt",
        "machine.renew ok:receipt",
        "machine.renew ok:receipt",
        "machine.renew ok:receipt",
        "machine.revoke ok",
    ];
    assert_eq!(logged(store, "machine.").await, expected);
    running.stop().await;
}

#[tokio::test]
async fn a_code_enrols_one_terminal_in_place_of_an_older_one_of_its_name() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    for (name, code) in [("uketsuke-1", 1), ("uketsuke-1", 2), ("uketsuke-2", 3)] {
        store.offer_terminal(name, [code; 32], later(100), &by("terminal.offer")).await.expect("kept");
    }
    let enrol = async |code: u8, token: u8, seconds: i64| {
        let enrolled =
            store.enrol_terminal([code; 32], [token; 32], later(seconds), &by("terminal.enrol")).await;
        enrolled.expect("an answer")
    };
    assert_eq!(enrol(9, 1, 0).await, None, "nobody made this code");
    let old = enrol(1, 1, 0).await.expect("enrolled");
    assert_eq!((old.name.as_str(), old.token_hash, old.enrolled_at), ("uketsuke-1", [1; 32], later(0)));
    assert_eq!(enrol(1, 2, 0).await, None, "once");
    let new = enrol(2, 2, 99).await.expect("enrolled");
    assert_ne!(new.id, old.id, "sessions at the old one do not go on at the new one");
    assert_eq!(store.terminals().await, Ok(vec![new]));
    assert_eq!(enrol(3, 3, 100).await, None, "too late");
    let remove = async |name: &str| store.remove_terminal(name, &by("terminal.remove")).await;
    assert_eq!(remove("uketsuke-2").await, Ok(false));
    assert_eq!(remove("uketsuke-1").await, Ok(true));
    assert_eq!(store.terminals().await, Ok(vec![]));
    let expected = [
        "terminal.offer ok",
        "terminal.offer ok",
        "terminal.offer ok",
        "terminal.enrol ok:uketsuke-1",
        "terminal.enrol ok:uketsuke-1",
        "terminal.remove ok",
    ];
    assert_eq!(logged(store, "terminal.").await, expected);
    running.stop().await;
}
