//! Sign-in and sessions: institution code, account and password, then the six-digit code (manual chapter 2, レセコン連携).
//!
//! Sessions live in memory and are written through, so that a request costs no query and a restart signs nobody out.
//! Only the SHA-256 of a token is ever kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::access::Actor;
use super::credentials::{Credentials, CredentialsError, code_step, seconds_to_next_step};
use super::ports::{
    Accounts, Attempt, AuditEntry, AuditLog, Clock, Random, SessionRecord, SessionStore, Source, StoreError,
    random_bytes,
};
use crate::domain::identifiers::InstitutionCode;
use crate::domain::lockout::{self, Verdict};
use crate::domain::personal::Secret;

/// A session ends when it was not used for this long.
pub const IDLE_LIMIT: SignedDuration = SignedDuration::from_mins(30);
/// A session ends this long after it began, however busy it is.
pub const ABSOLUTE_LIMIT: SignedDuration = SignedDuration::from_hours(12);
/// The last use is written down at most this often.
const LAST_USE_GRAIN: SignedDuration = SignedDuration::from_secs(60);

/// What someone enters to sign in.
pub struct SignInRequest {
    /// 機関コード.
    pub institution_code: String,
    /// Sign-in name.
    pub account: String,
    /// Password.
    pub password: Secret,
    /// Six-digit code of the authenticator app.
    pub code: Secret,
    /// Whether the peer is this machine itself; for the audit log only.
    pub from_loopback: bool,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Institution code, account, password or code is wrong; nobody learns which.
    #[error("sign-in refused")]
    Refused,
    /// The code was right but is used up: the next one comes in so many seconds.
    #[error("code already used")]
    CodeUsed {
        /// Seconds until the next code, 1 to 30.
        retry_after: u32,
    },
    /// Too many failures: wait.
    #[error("too many failures")]
    Delayed {
        /// Seconds until the next attempt is evaluated.
        retry_after: u32,
    },
    /// Locked until an administrator unlocks it.
    #[error("account locked")]
    Locked,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Hashing failed.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// A session that has just begun.
pub struct SignedIn {
    /// The bearer token, base64url of 256 bits; shown once.
    pub token: Secret,
    /// Whose session it is.
    pub actor: Actor,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose session it is.
    pub actor: Actor,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
    /// Identifies it inside the daemon.
    pub token_hash: [u8; 32],
}

/// What sign-in is built from.
pub struct SignInParts {
    /// The facility that this installation serves.
    pub institution: InstitutionCode,
    /// Accounts and counters.
    pub accounts: Arc<dyn Accounts>,
    /// Sessions on disk.
    pub sessions: Arc<dyn SessionStore>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// Password hashing.
    pub credentials: Arc<Credentials>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for tokens.
    pub random: Arc<dyn Random>,
}

/// Signs in, recognises tokens, signs out.
pub struct SignIn {
    parts: SignInParts,
    live: Mutex<HashMap<[u8; 32], SessionRecord>>,
    strangers: Mutex<Strangers>,
}

/// Failures of names that are not accounts: they slow down like accounts, so that nobody can tell them apart.
/// Kept in memory and bounded; names are kept as hashes, since a password may have been typed there.
#[derive(Default)]
struct Strangers {
    failures: HashMap<[u8; 32], (u32, Timestamp)>,
}

/// Names remembered at once; beyond it the memory starts afresh.
const MOST_STRANGERS: usize = 4096;

impl Strangers {
    /// Counts a failure in advance, as accounts do, unless the name must wait.
    fn attempt(&mut self, name: &str, now: Timestamp) -> Verdict {
        if self.failures.len() >= MOST_STRANGERS {
            self.failures.clear();
        }
        let entry = self.failures.entry(token_hash(name)).or_insert((0, now));
        let verdict = lockout::verdict(entry.0, Some(entry.1), now);
        if verdict == Verdict::Allowed {
            *entry = (entry.0.saturating_add(1), now);
        }
        verdict
    }
}

impl SignIn {
    /// Takes over the sessions that a restart left alive.
    pub async fn open(parts: SignInParts) -> Result<Self, StoreError> {
        let since = parts.clock.now().checked_sub(ABSOLUTE_LIMIT).unwrap_or(Timestamp::MIN);
        let records = parts.sessions.load(since).await?;
        let live = records.into_iter().map(|record| (record.token_hash, record)).collect();
        Ok(Self { parts, live: Mutex::new(live), strangers: Mutex::default() })
    }

    /// Signs in with all factors at once. Unknown account, wrong password and wrong code take the same work.
    pub async fn sign_in(&self, request: SignInRequest) -> Result<SignedIn, SignInError> {
        let now = self.parts.clock.now();
        let name = request.account.clone();
        let loopback = request.from_loopback;
        let outcome = self.evaluate(request, now).await;
        let word = match &outcome {
            Ok(_) => "ok",
            Err(SignInError::Refused) => "sign_in_failed",
            Err(SignInError::CodeUsed { .. }) => "code_used",
            Err(SignInError::Delayed { .. }) => "sign_in_delayed",
            Err(SignInError::Locked) => "account_locked",
            Err(SignInError::Store(_) | SignInError::Credentials(_)) => "internal",
        };
        self.parts
            .audit
            .append(&AuditEntry {
                // What was typed as an account can be a password: only names of real accounts are written down.
                actor: outcome.as_ref().map_or_else(|_| "unknown".to_owned(), |_| name),
                action: "session.sign_in",
                source: outcome
                    .as_ref()
                    .map_or(Source::Api { loopback, session: None }, |signed_in| signed_in.actor.source),
                terminal: None,
                results: Vec::new(),
                outcome: word.to_owned(),
            })
            .await?;
        outcome
    }

    async fn evaluate(&self, request: SignInRequest, now: Timestamp) -> Result<SignedIn, SignInError> {
        let account = match self.parts.accounts.begin_attempt(&request.account, now).await? {
            Attempt::Evaluate(account) => Some(account),
            Attempt::Unknown => {
                if let Verdict::Wait(until) = self.strangers().attempt(&request.account, now) {
                    return Err(SignInError::Delayed { retry_after: seconds(now, until) });
                }
                None
            }
            Attempt::Wait(until) => return Err(SignInError::Delayed { retry_after: seconds(now, until) }),
            Attempt::Locked => {
                // The same work as for any other name: a lock must not be felt.
                self.parts.credentials.password_fits(request.password, None).await?;
                return Err(SignInError::Locked);
            }
        };
        let hash = account.as_ref().map(|account| account.password_hash.clone());
        let password_fits = self.parts.credentials.password_fits(request.password, hash).await?;
        let decoy_secret = [0; 20];
        let secret = account.as_ref().map_or(&decoy_secret[..], |account| account.totp_secret.as_slice());
        let step = code_step(secret, request.code.expose(), now);
        let institution_fits = request.institution_code == self.parts.institution.as_str();
        let (Some(account), Some(step), true, true) = (account, step, password_fits, institution_fits) else {
            return Err(SignInError::Refused);
        };
        if !self.parts.accounts.accept_step(account.id, step).await? {
            return Err(SignInError::CodeUsed { retry_after: seconds_to_next_step(now) });
        }
        let source = Source::Api { loopback: request.from_loopback, session: None };
        self.begin_session(Actor { account: account.name.clone(), role: account.role, source }, now).await
    }

    async fn begin_session(&self, mut actor: Actor, now: Timestamp) -> Result<SignedIn, SignInError> {
        let token =
            Secret::new(data_encoding::BASE64URL_NOPAD.encode(&random_bytes::<32>(&*self.parts.random)));
        let record = SessionRecord {
            token_hash: token_hash(token.expose()),
            account: actor.account.clone(),
            role: actor.role,
            created_at: now,
            last_used_at: now,
        };
        self.parts.sessions.save(&record).await?;
        if let Source::Api { session, .. } = &mut actor.source {
            *session = Some(short(&record.token_hash));
        }
        let ends_at = ends_at(&record);
        self.live().insert(record.token_hash, record);
        Ok(SignedIn { token, actor, ends_at })
    }

    /// The session of a token, if it is still alive; counts as a use.
    pub async fn recognise(&self, token: &str) -> Result<Option<Session>, StoreError> {
        let hash = token_hash(token);
        let now = self.parts.clock.now();
        let Some((record, written_before)) = self.touch(&hash, now) else {
            return Ok(None);
        };
        let idle_out = written_before.checked_add(IDLE_LIMIT).unwrap_or(Timestamp::MAX);
        if now >= ends_at(&record) || now >= idle_out {
            self.live().remove(&hash);
            self.parts.sessions.delete(&hash).await?;
            return Ok(None);
        }
        if record.last_used_at != written_before {
            self.parts.sessions.save(&record).await?;
        }
        Ok(Some(Session { ends_at: ends_at(&record), actor: actor(&record), token_hash: hash }))
    }

    /// A session by its token's hash, without counting as a use.
    pub fn session(&self, token_hash: &[u8; 32]) -> Option<Session> {
        self.live().get(token_hash).map(|record| Session {
            actor: actor(record),
            ends_at: ends_at(record),
            token_hash: *token_hash,
        })
    }

    /// Notes a use of the session; returns it and when it was last used before, to the minute.
    fn touch(&self, hash: &[u8; 32], now: Timestamp) -> Option<(SessionRecord, Timestamp)> {
        let mut live = self.live();
        let record = live.get_mut(hash)?;
        let before = record.last_used_at;
        if now.duration_since(before) >= LAST_USE_GRAIN {
            record.last_used_at = now;
        }
        Some((record.clone(), before))
    }

    /// Ends a session.
    pub async fn sign_out(&self, session: &Session) -> Result<(), StoreError> {
        self.live().remove(&session.token_hash);
        self.parts.sessions.delete(&session.token_hash).await?;
        self.parts
            .audit
            .append(&AuditEntry {
                actor: session.actor.account.clone(),
                action: "session.sign_out",
                source: session.actor.source,
                terminal: None,
                results: Vec::new(),
                outcome: "ok".to_owned(),
            })
            .await
    }

    fn strangers(&self) -> std::sync::MutexGuard<'_, Strangers> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], SessionRecord>> {
        // The map is whole after every statement, so a panic elsewhere leaves nothing half done.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose session it is. From where a request came is known to whoever takes it in.
fn actor(record: &SessionRecord) -> Actor {
    let source = Source::Api { loopback: true, session: Some(short(&record.token_hash)) };
    Actor { account: record.account.clone(), role: record.role, source }
}

/// What the audit log calls a session: enough to tell sessions apart, not enough to find a token.
pub fn short(token_hash: &[u8; 32]) -> [u8; 4] {
    let [first, second, third, fourth, ..] = *token_hash;
    [first, second, third, fourth]
}

fn ends_at(record: &SessionRecord) -> Timestamp {
    record.created_at.checked_add(ABSOLUTE_LIMIT).unwrap_or(Timestamp::MAX)
}

fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn seconds(now: Timestamp, until: Timestamp) -> u32 {
    let wait = until.duration_since(now).as_secs_f64().ceil().clamp(1.0, 3600.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=3600 above")]
    let seconds = wait as u32;
    seconds
}
