//! Accounts and sessions: counted before evaluated, used once, kept over restarts.

use daemon::app::ports::{
    Account, AccountChange, Accounts, Attempt, AuditEntry, AuditSource, Changed, CreateAccountError, Device,
    NewAccount, Owner, Role, SessionRecord, SessionStore, SignInProof, Standing,
};
use daemon::store::Store;
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::support::{Machine, at};

const NOW: &str = "2026-06-10T01:00:00Z";

fn account(name: &str) -> NewAccount {
    NewAccount {
        name: name.to_owned(),
        role: Role::ReceiptComputer,
        password_hash: "$argon2id$invented".to_owned(),
        totp_secret: Zeroizing::new(b"12345678901234567890".to_vec()),
        must_change: false,
    }
}

pub(super) fn by(action: &'static str) -> AuditEntry {
    let (actor, outcome) = ("machine".to_owned(), "ok".to_owned());
    AuditEntry { actor, action, source: AuditSource::Machine, terminal: None, results: Vec::new(), outcome }
}

async fn unlock(store: &Store, name: &str) -> Changed {
    store.change(name, None, AccountChange::Unlock, &by("account.unlock")).await.expect("an answer")
}

async fn evaluated(store: &Store, name: &str, now: Timestamp) -> Account {
    match store.begin_attempt(name, Device::Anywhere, now).await.expect("an answer") {
        Attempt::Evaluate(account) => account,
        Attempt::Unknown => panic!("unknown"),
        Attempt::Wait(until) => panic!("wait until {until}"),
        Attempt::Locked => panic!("locked"),
    }
}

fn later(seconds: i64) -> Timestamp {
    at(NOW) + SignedDuration::from_secs(seconds)
}

fn session(token: u8, begun: i64) -> SessionRecord {
    SessionRecord {
        token_hash: [token; 32],
        id: format!("session-{token}"),
        account: "reseputo".to_owned(),
        role: Role::Operator,
        terminal: Some(i64::from(token)),
        certificate: Some(3),
        restricted: token == 2,
        on_page: token == 3,
        created_at: later(begun),
        last_used_at: later(begun),
    }
}

fn password(hash: &str) -> AccountChange {
    AccountChange::Password { hash: hash.to_owned(), must_change: false }
}

fn totp() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(b"09876543210987654321".to_vec())
}

/// Each way in which credentials are taken away, with what is done before.
fn takings() -> Vec<(Vec<AccountChange>, AccountChange)> {
    vec![
        (vec![], AccountChange::Disable),
        (vec![], AccountChange::Remove),
        (vec![], password("$argon2id$another")),
        (vec![], AccountChange::Totp(totp())),
        (vec![AccountChange::OfferTotp(totp())], AccountChange::TakeOffer(1)),
    ]
}

#[tokio::test]
async fn who_was_judged_by_credentials_that_are_taken_away_meanwhile_does_not_come_in() {
    for (before, taking) in takings() {
        let machine = Machine::at(NOW);
        let running = machine.start().await;
        let store = &running.store;
        let change = async |change| store.change("reseputo", None, change, &by("account.change")).await;
        store.create(&account("reseputo"), &by("account.create")).await.unwrap();
        for earlier in before {
            assert_eq!(change(earlier).await, Ok(Changed::Done));
        }
        let under_way = evaluated(store, "reseputo", at(NOW)).await.standing();
        let gone = matches!(taking, AccountChange::Remove);
        assert_eq!(change(taking).await, Ok(Changed::Done));
        // Nor does it help that the account is there again, or let in again.
        if gone {
            store.create(&account("reseputo"), &by("account.create")).await.unwrap();
        } else {
            assert_eq!(change(AccountChange::Enable).await, Ok(Changed::Done));
        }
        for proof in [SignInProof::Step(60_000_000), SignInProof::Lasting] {
            assert_eq!(store.succeed(under_way, Device::Anywhere, proof).await, Ok(false));
        }
        assert_eq!(store.begin(&session(1, 0), under_way).await, Ok(false));
        assert_eq!(store.load(at(NOW)).await, Ok(vec![]));
        let anew = evaluated(store, "reseputo", at(NOW)).await.standing();
        assert_eq!(store.succeed(anew, Device::Anywhere, SignInProof::Step(60_000_000)).await, Ok(true));
        assert_eq!(store.begin(&session(1, 0), anew).await, Ok(true));
        running.stop().await;
    }
}

#[tokio::test]
async fn an_owner_does_not_undo_what_an_administrator_took_away_meanwhile() {
    for (before, taking) in takings() {
        let machine = Machine::at(NOW);
        let running = machine.start().await;
        let store = &running.store;
        let change = async |change| store.change("reseputo", None, change, &by("account.change")).await;
        store.create(&account("reseputo"), &by("account.create")).await.unwrap();
        for earlier in before {
            assert_eq!(change(earlier).await, Ok(Changed::Done));
        }
        let owner = Owner { epoch: evaluated(store, "reseputo", at(NOW)).await.epoch, session: [1; 32] };
        let gone = matches!(taking, AccountChange::Remove);
        assert_eq!(change(taking).await, Ok(Changed::Done));
        let codes = vec![Zeroizing::new("aaaabbbbccccdddd".to_owned())];
        for own in [
            password("$argon2id$own"),
            AccountChange::RecoveryCodes(codes),
            AccountChange::OfferTotp(totp()),
            AccountChange::TakeOffer(2),
        ] {
            let changed = store.change("reseputo", Some(owner), own, &by("account.change_own")).await;
            assert_eq!(changed, Ok(if gone { Changed::Unknown } else { Changed::Outdated }));
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn what_takes_credentials_away_ends_the_sessions_in_the_same_step() {
    for (before, taking) in takings() {
        let machine = Machine::at(NOW);
        let running = machine.start().await;
        let store = &running.store;
        let change = async |change| store.change("reseputo", None, change, &by("account.change")).await;
        store.create(&account("reseputo"), &by("account.create")).await.unwrap();
        store.create(&account("other"), &by("account.create")).await.unwrap();
        for earlier in before {
            assert_eq!(change(earlier).await, Ok(Changed::Done));
        }
        let of = evaluated(store, "reseputo", at(NOW)).await.standing();
        let theirs = SessionRecord { account: "other".to_owned(), ..session(9, 0) };
        let other = evaluated(store, "other", at(NOW)).await.standing();
        assert_eq!(store.begin(&theirs, other).await, Ok(true));
        assert_eq!(store.begin(&session(1, 0), of).await, Ok(true));
        assert_eq!(change(taking).await, Ok(Changed::Done));
        assert_eq!(store.load(at(NOW)).await, Ok(vec![theirs]));
        running.stop().await;
    }
}

#[tokio::test]
async fn the_session_of_whoever_chooses_a_password_goes_on_and_may_do_everything_again() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    store.create(&account("reseputo"), &by("account.create")).await.unwrap();
    let of = evaluated(store, "reseputo", at(NOW)).await.standing();
    for record in [session(1, 0), session(2, 0)] {
        assert_eq!(store.begin(&record, of).await, Ok(true));
    }
    let owner = Owner { epoch: of.epoch, session: [2; 32] };
    let chosen = store.change("reseputo", Some(owner), password("$argon2id$own"), &by("account.own")).await;
    assert_eq!(chosen, Ok(Changed::Done));
    let lifted = SessionRecord { restricted: false, ..session(2, 0) };
    assert_eq!(store.load(at(NOW)).await, Ok(vec![lifted]));
    running.stop().await;
}

#[tokio::test]
async fn an_account_comes_back_with_its_credentials_and_its_name_is_taken() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    running.store.create(&account("reseputo"), &by("account.create")).await.unwrap();
    assert_eq!(
        running.store.create(&account("reseputo"), &by("account.create")).await,
        Err(CreateAccountError::Exists)
    );
    running.stop().await;
    let running = machine.start().await;
    let found = evaluated(&running.store, "reseputo", at(NOW)).await;
    assert_eq!((found.name.as_str(), found.role), ("reseputo", Role::ReceiptComputer));
    assert_eq!(found.password_hash, "$argon2id$invented");
    assert_eq!(found.totp_secret.as_slice(), b"12345678901234567890");
    assert!(matches!(
        running.store.begin_attempt("nobody", Device::Anywhere, at(NOW)).await,
        Ok(Attempt::Unknown)
    ));
    assert_eq!(unlock(&running.store, "nobody").await, Changed::Unknown);
    running.stop().await;
}

#[tokio::test]
async fn failures_slow_down_lock_and_outlive_restarts_until_unlocked() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    running.store.create(&account("reseputo"), &by("account.create")).await.unwrap();
    for _ in 0..5 {
        evaluated(&running.store, "reseputo", at(NOW)).await;
    }
    running.stop().await;

    let running = machine.start().await;
    let refused = running.store.begin_attempt("reseputo", Device::Anywhere, at(NOW)).await.unwrap();
    assert!(matches!(refused, Attempt::Wait(until) if until == later(1)));
    evaluated(&running.store, "reseputo", later(1)).await;
    running.stop().await;

    // The ninety-nine failures before the last, at once.
    let options = SqliteConnectOptions::new().filename(machine.config().database());
    let mut db = options.connect().await.unwrap();
    sqlx::query("UPDATE sign_in_failures SET failures = 99").execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    let running = machine.start().await;
    evaluated(&running.store, "reseputo", later(100)).await;
    running.stop().await;

    let running = machine.start().await;
    let far = later(1_000_000);
    assert!(matches!(
        running.store.begin_attempt("reseputo", Device::Anywhere, far).await,
        Ok(Attempt::Locked)
    ));
    assert_eq!(unlock(&running.store, "reseputo").await, Changed::Done);
    evaluated(&running.store, "reseputo", far).await;
    running.stop().await;
}

#[tokio::test]
async fn parallel_attempts_get_no_more_than_the_free_ones() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    running.store.create(&account("reseputo"), &by("account.create")).await.unwrap();
    let attempts: JoinSet<bool> = (0..64)
        .map(|_| {
            let store = running.store.clone();
            async move {
                matches!(
                    store.begin_attempt("reseputo", Device::Anywhere, at(NOW)).await,
                    Ok(Attempt::Evaluate(_))
                )
            }
        })
        .collect();
    let allowed = attempts.join_all().await.into_iter().filter(|allowed| *allowed).count();
    assert_eq!(allowed, 5);
    running.stop().await;
}

#[tokio::test]
async fn a_step_is_accepted_once_by_64_callers_and_never_again() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    running.store.create(&account("reseputo"), &by("account.create")).await.unwrap();
    let id = evaluated(&running.store, "reseputo", at(NOW)).await.standing();
    for step in [0, 58_000_000, 58_000_001] {
        let callers: JoinSet<bool> = (0..64)
            .map(|_| {
                let store = running.store.clone();
                async move {
                    store.succeed(id, Device::Anywhere, SignInProof::Step(step)).await.expect("an answer")
                }
            })
            .collect();
        let accepted = callers.join_all().await.into_iter().filter(|accepted| *accepted).count();
        assert_eq!(accepted, 1, "{step}");
    }
    running.stop().await;
    let running = machine.start().await;
    assert_eq!(running.store.succeed(id, Device::Anywhere, SignInProof::Step(58_000_001)).await, Ok(false));
    assert_eq!(running.store.succeed(id, Device::Anywhere, SignInProof::Step(58_000_000)).await, Ok(false));
    assert_eq!(
        running
            .store
            .succeed(
                Standing { account: id.account + 1, ..id },
                Device::Anywhere,
                SignInProof::Step(58_000_002)
            )
            .await,
        Ok(false)
    );
    running.stop().await;
}

#[tokio::test]
async fn only_an_accepted_step_clears_the_failures() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    running.store.create(&account("reseputo"), &by("account.create")).await.unwrap();
    for _ in 0..4 {
        evaluated(&running.store, "reseputo", at(NOW)).await;
    }
    let id = evaluated(&running.store, "reseputo", at(NOW)).await.standing();
    assert_eq!(running.store.succeed(id, Device::Anywhere, SignInProof::Step(7)).await, Ok(true));
    for _ in 0..5 {
        evaluated(&running.store, "reseputo", at(NOW)).await;
    }
    assert_eq!(running.store.succeed(id, Device::Anywhere, SignInProof::Step(7)).await, Ok(false));
    assert!(matches!(
        running.store.begin_attempt("reseputo", Device::Anywhere, at(NOW)).await,
        Ok(Attempt::Wait(_))
    ));
    running.stop().await;
}

#[tokio::test]
async fn sessions_outlive_a_restart_until_they_end_or_grow_old() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    running.store.create(&account("reseputo"), &by("account.create")).await.unwrap();
    let of = evaluated(&running.store, "reseputo", at(NOW)).await.standing();
    for record in [session(1, 0), session(2, 10), session(3, 20)] {
        assert_eq!(running.store.begin(&record, of).await, Ok(true));
    }
    let used = SessionRecord { last_used_at: later(99), ..session(3, 20) };
    running.store.used(&[3; 32], later(99)).await.unwrap();
    running.stop().await;

    let running = machine.start().await;
    let mut loaded = running.store.load(later(10)).await.unwrap();
    loaded.sort_by_key(|record| record.token_hash);
    assert_eq!(loaded, [session(2, 10), used.clone()]);
    running.store.delete(&[[2; 32]]).await.unwrap();
    running.store.used(&[2; 32], later(99)).await.unwrap();
    assert_eq!(running.store.load(later(0)).await, Ok(vec![used]), "what was too old is deleted, not hidden");
    running.stop().await;
}

#[tokio::test]
async fn every_device_has_its_own_counter_and_unlocking_clears_them_all() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    store.create(&account("reseputo"), &by("account.create")).await.unwrap();
    let attempt = async |device| store.begin_attempt("reseputo", device, at(NOW)).await.unwrap();
    for device in [Device::Anywhere, Device::Terminal(1), Device::Terminal(2), Device::Certificate(1)] {
        for _ in 0..5 {
            assert!(matches!(attempt(device).await, Attempt::Evaluate(_)), "{device:?}");
        }
        assert!(matches!(attempt(device).await, Attempt::Wait(_)), "{device:?}");
    }
    let id = Standing { account: store.list().await.unwrap()[0].id, epoch: 0 };
    assert_eq!(store.succeed(id, Device::Terminal(1), SignInProof::Lasting).await, Ok(true));
    assert!(matches!(attempt(Device::Terminal(1)).await, Attempt::Evaluate(_)));
    assert!(
        matches!(attempt(Device::Terminal(2)).await, Attempt::Wait(_)),
        "only its own counter is cleared"
    );
    assert_eq!(unlock(store, "reseputo").await, Changed::Done);
    for device in [Device::Anywhere, Device::Terminal(2), Device::Certificate(1)] {
        assert!(matches!(attempt(device).await, Attempt::Evaluate(_)), "{device:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_recovery_code_is_used_by_one_of_64_callers_and_kept_only_as_a_hash() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = running.store.clone();
    store.create(&account("reseputo"), &by("account.create")).await.unwrap();
    let code = "canarycanary2345";
    let codes = vec![Zeroizing::new(code.to_owned())];
    let change = AccountChange::RecoveryCodes(codes);
    assert_eq!(
        store.change("reseputo", None, change, &by("account.recovery_codes")).await,
        Ok(Changed::Done)
    );
    let id = store.list().await.unwrap()[0].id;
    assert_eq!(store.recovery_fits(id, code).await, Ok(true));
    assert_eq!(store.recovery_fits(id + 1, code).await, Ok(false));
    let callers: JoinSet<bool> = (0..64)
        .map(|_| {
            let store = store.clone();
            let proof = SignInProof::Recovery(Zeroizing::new(code.to_owned()));
            async move {
                store
                    .succeed(Standing { account: id, epoch: 0 }, Device::Anywhere, proof)
                    .await
                    .expect("an answer")
            }
        })
        .collect();
    assert_eq!(callers.join_all().await.into_iter().filter(|used| *used).count(), 1);
    assert_eq!(store.recovery_fits(id, code).await, Ok(false));
    running.stop().await;
    for (path, content) in machine.files() {
        let found = content.windows(code.len()).any(|window| window == code.as_bytes());
        assert!(!found, "{}", path.display());
    }
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let machine = Machine::at(NOW);
    let running = machine.start().await;
    let store = &running.store;
    for name in ["one", "two"] {
        let administrator = NewAccount { role: Role::Administrator, ..account(name) };
        store.create(&administrator, &by("account.create")).await.unwrap();
    }
    store.create(&account("reseputo"), &by("account.create")).await.unwrap();
    let change = async |name, change| store.change(name, None, change, &by("account.change")).await.unwrap();
    assert_eq!(change("one", AccountChange::Disable).await, Changed::Done);
    for taken in [AccountChange::Disable, AccountChange::Remove] {
        assert_eq!(change("two", taken).await, Changed::LastAdministrator);
    }
    assert_eq!(change("one", AccountChange::Disable).await, Changed::Done, "it counts for nothing any more");
    assert_eq!(change("reseputo", AccountChange::Remove).await, Changed::Done);
    assert_eq!(change("one", AccountChange::Enable).await, Changed::Done);
    assert_eq!(change("two", AccountChange::Remove).await, Changed::Done);
    assert_eq!(store.list().await.unwrap().len(), 1);
    running.stop().await;
}
