//! Passkeys (WebAuthn): enrolling, listing and removing one's own, and signing in with one alone, which counts as both factors because
//! the authenticator verifies its user. For people; a receipt computer has nobody to be verified.
//!
//! A challenge is good once and for two minutes, and few wait at once. Every try to sign in counts on the account's one counter
//! before it is judged; whoever tries learns only that it failed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::access::{Actor, Authority};
use super::endings::Endings;
use super::own_account::{OwnAccount, OwnAccountError};
use super::ports::{
    Account, Accounts, AuditEntry, AuditLog, Clock, Kept, NewPasskey, Passkey, PasskeyAssertion,
    PasskeyChallenge, PasskeyCreation, PasskeyStore, PasskeyVerifier, Random, Role, SignInProof, StoreError,
    UserHandle, random_bytes,
};
use super::sessions::{Session, SignedIn};
use super::sign_in::{Along, SignIn, SignInError, Welcome};
use super::tickets::Tickets;
use crate::domain::personal::Secret;

/// Passkeys of one account: as many devices as a person has, and some to spare.
pub const MOST: u32 = 10;

/// Why nothing was asked, enrolled or removed.
#[derive(Debug, thiserror::Error)]
pub enum PasskeysError {
    /// The role has none.
    #[error("not for this role")]
    Forbidden,
    /// There is no host name that passkeys could be made for.
    #[error("no host name")]
    Unavailable,
    /// Password or code is wrong, or it is too early to try.
    #[error(transparent)]
    Proof(#[from] OwnAccountError),
    /// The answer is not one to our question, or the passkey is known already.
    #[error("refused")]
    Refused,
    /// The account has as many as it may have.
    #[error("too many")]
    TooMany,
    /// The account has no such passkey.
    #[error("no such passkey")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A new passkey that an authenticator is asked to make.
pub struct Enrolling {
    /// The ticket of the answer.
    pub ceremony: Secret,
    /// What it has to answer.
    pub challenge: PasskeyChallenge,
    /// The host name that it is made for.
    pub site: String,
    /// The algorithms that it may have, as COSE numbers.
    pub algorithms: &'static [i64],
    /// Sign-in name of its account.
    pub account: String,
    /// The account's name inside authenticators.
    pub user_handle: UserHandle,
    /// Credentials that the account has: an authenticator that holds one makes no other.
    pub known: Vec<Vec<u8>>,
}

/// A question that any passkey of this site may answer.
pub struct Asked {
    /// The ticket of the answer.
    pub ceremony: Secret,
    /// What is to be answered.
    pub challenge: PasskeyChallenge,
    /// The host name that the passkey was made for.
    pub site: String,
}

/// What an enrolment waits with.
struct Waiting {
    session: [u8; 32],
    /// The credentials that were proved for it.
    epoch: i64,
    challenge: PasskeyChallenge,
    user_handle: UserHandle,
}

/// What passkeys are built from.
pub struct PasskeysParts {
    /// Judges answers; none where there is no host name.
    pub verifier: Option<Arc<dyn PasskeyVerifier>>,
    /// Passkeys on disk.
    pub store: Arc<dyn PasskeyStore>,
    /// What is used up by signing in.
    pub accounts: Arc<dyn Accounts>,
    /// One's own account, which proves both factors.
    pub own_account: Arc<OwnAccount>,
    /// Signing in, of which this is a way.
    pub sign_in: Arc<SignIn>,
    /// What ends with a passkey.
    pub endings: Endings,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for challenges.
    pub random: Arc<dyn Random>,
}

/// The use case.
pub struct Passkeys {
    parts: PasskeysParts,
    enrolling: Mutex<Tickets<Waiting>>,
    asked: Mutex<Tickets<PasskeyChallenge>>,
}

impl Passkeys {
    /// Nobody was asked yet.
    pub fn new(parts: PasskeysParts) -> Self {
        Self { parts, enrolling: Mutex::default(), asked: Mutex::default() }
    }

    fn verifier(&self) -> Result<&dyn PasskeyVerifier, PasskeysError> {
        self.parts.verifier.as_deref().ok_or(PasskeysError::Unavailable)
    }

    //------------ One's own ------------------------------------------------------------------------------------------

    /// Begins to enrol a passkey, after its owner has proved both factors once more.
    pub async fn begin_enrolment(
        &self,
        session: &Session,
        password: Secret,
        code: Option<&Secret>,
    ) -> Result<Enrolling, PasskeysError> {
        const ACTION: &str = "account.offer_passkey";
        for_people(&session.actor)?;
        let verifier = self.verifier()?;
        let account = self.parts.own_account.prove_both(session, ACTION, password, code).await?;
        let known = self.parts.store.passkeys_of(&session.actor.account).await?;
        let user_handle = match known.first() {
            Some(passkey) => passkey.user_handle,
            None => random_bytes(&*self.parts.random),
        };
        let challenge = random_bytes(&*self.parts.random);
        let waiting = Waiting { session: session.token_hash, epoch: account.epoch, challenge, user_handle };
        self.parts.audit.append(&session.actor.entry(ACTION)).await?;
        let ceremony = open(&self.enrolling).put(waiting, self.parts.clock.now(), &*self.parts.random);
        Ok(Enrolling {
            ceremony,
            challenge,
            site: verifier.site().to_owned(),
            algorithms: verifier.algorithms(),
            account: session.actor.account.clone(),
            user_handle,
            known: known.into_iter().map(|passkey| passkey.key.credential).collect(),
        })
    }

    /// Keeps the passkey that the authenticator made, if the same session began it.
    pub async fn enrol(
        &self,
        session: &Session,
        ceremony: &Secret,
        name: String,
        creation: &PasskeyCreation,
    ) -> Result<Passkey, PasskeysError> {
        const ACTION: &str = "account.add_passkey";
        for_people(&session.actor)?;
        let verifier = self.verifier()?;
        let now = self.parts.clock.now();
        let waiting = open(&self.enrolling).take(ceremony.expose(), now);
        let waiting = waiting.filter(|waiting| waiting.session == session.token_hash);
        let key = waiting.as_ref().and_then(|waiting| {
            let judged = verifier.enrol(&waiting.challenge, creation);
            judged.inspect_err(|refusal| tracing::info!(%refusal, "a new passkey was refused")).ok()
        });
        let (Some(waiting), Some(key)) = (waiting, key) else { return self.refuse(session, ACTION).await };
        let (user_handle, epoch) = (waiting.user_handle, waiting.epoch);
        let account = session.actor.account.clone();
        let (name_kept, key_kept) = (name.clone(), key.clone());
        let new = NewPasskey { account: account.clone(), epoch, name: name_kept, user_handle, key: key_kept };
        match self.parts.store.add_passkey(new, MOST, now, &session.actor.entry(ACTION)).await? {
            Kept::As(id) => {
                Ok(Passkey { id, account, name, user_handle, key, created_at: now, last_used_at: None })
            }
            Kept::TooMany => Err(PasskeysError::TooMany),
            Kept::Refused => self.refuse(session, ACTION).await,
        }
    }

    async fn refuse(&self, session: &Session, action: &'static str) -> Result<Passkey, PasskeysError> {
        let outcome = "passkey_refused".to_owned();
        self.parts.audit.append(&AuditEntry { outcome, ..session.actor.entry(action) }).await?;
        Err(PasskeysError::Refused)
    }

    /// One's own passkeys, the oldest first.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<Passkey>, PasskeysError> {
        for_people(actor)?;
        Ok(self.parts.store.passkeys_of(&actor.account).await?)
    }

    /// Removes one of one's own passkeys. The account's other sessions end: one may have begun with it.
    pub async fn remove(&self, session: &Session, id: i64) -> Result<(), PasskeysError> {
        for_people(&session.actor)?;
        let (account, entry) = (&session.actor.account, session.actor.entry("account.remove_passkey"));
        let kept = Some(session.token_hash);
        match self.parts.endings.remove_passkeys(account, Some(id), kept, entry).await? {
            0 => Err(PasskeysError::NotFound),
            _ => Ok(()),
        }
    }

    /// Removes every passkey of an account, as an administrator does when a device was lost; its sessions end.
    pub async fn remove_all(&self, by: &Authority, account: &str) -> Result<(), StoreError> {
        let entry = by.audit("account.remove_passkeys", account);
        self.parts.endings.remove_passkeys(account, None, None, entry).await.map(drop)
    }

    //------------ Signing in -----------------------------------------------------------------------------------------

    /// Asks whoever is there to show a passkey.
    pub fn ask(&self) -> Result<Asked, PasskeysError> {
        let site = self.verifier()?.site().to_owned();
        let challenge = random_bytes(&*self.parts.random);
        let ceremony = open(&self.asked).put(challenge, self.parts.clock.now(), &*self.parts.random);
        Ok(Asked { ceremony, challenge, site })
    }

    /// Signs in with a passkey alone. Unknown credential, wrong signature, wrong challenge, locked and disabled answer alike.
    pub async fn sign_in(
        &self,
        ceremony: &Secret,
        assertion: &PasskeyAssertion,
        along: Along,
    ) -> Result<Welcome, SignInError> {
        let challenge = open(&self.asked).take(ceremony.expose(), self.parts.clock.now());
        let outcome = self.evaluate(challenge, assertion, &along).await;
        self.parts.sign_in.conclude(outcome, "session.sign_in_passkey", &along).await
    }

    async fn evaluate(
        &self,
        challenge: Option<PasskeyChallenge>,
        assertion: &PasskeyAssertion,
        along: &Along,
    ) -> Result<SignedIn, SignInError> {
        let sign_in = &self.parts.sign_in;
        let found = self.parts.store.passkey(&assertion.credential).await?;
        let bound = sign_in.bound(along);
        let device = bound.device();
        // Without a passkey there is no name, and nobody is called so; then a counter of the credential's own slows down alike.
        let name = found.as_ref().map_or("", |passkey| passkey.account.as_str());
        let stranger = format!("passkey {}", HEXLOWER.encode(&Sha256::digest(&assertion.credential)));
        let account = sign_in.attempt(name, &stranger, device, self.parts.clock.now()).await?;
        let (Some(account), Some(passkey), Some(challenge)) = (account, found, challenge) else {
            return Err(SignInError::Refused);
        };
        let proof = self.proof(&account, &passkey, &challenge, assertion).ok_or(SignInError::Refused)?;
        // A counter that stands still shows a copy of the authenticator.
        if account.disabled || !self.parts.accounts.succeed(account.standing(), device, proof).await? {
            return Err(SignInError::Refused);
        }
        let restricted = account.must_change;
        sign_in.begin_session(account, bound, restricted, along).await
    }

    /// What the assertion proves, if it is one of this account's passkey.
    fn proof(
        &self,
        account: &Account,
        passkey: &Passkey,
        challenge: &PasskeyChallenge,
        assertion: &PasskeyAssertion,
    ) -> Option<SignInProof> {
        let theirs = account.role != Role::ReceiptComputer
            && account.name == passkey.account
            && assertion.user_handle == passkey.user_handle;
        let verifier = self.parts.verifier.as_deref().filter(|_| theirs)?;
        let judged = verifier.verify(&passkey.key, challenge, assertion);
        let sign_count =
            judged.inspect_err(|refusal| tracing::info!(%refusal, "a passkey was refused")).ok()?;
        Some(SignInProof::Passkey { id: passkey.id, sign_count })
    }
}

fn for_people(actor: &Actor) -> Result<(), PasskeysError> {
    match actor.role {
        Role::Operator | Role::Administrator => Ok(()),
        Role::ReceiptComputer => Err(PasskeysError::Forbidden),
    }
}

/// Tickets are whole after every call, so a panic elsewhere leaves nothing half done.
fn open<T>(tickets: &Mutex<Tickets<T>>) -> MutexGuard<'_, Tickets<T>> {
    tickets.lock().unwrap_or_else(PoisonError::into_inner)
}
