//! Sessions: begin, recognise, list, end.
//!
//! They live in memory and are written through, so that a request costs no query and a restart signs nobody out. Only the
//! SHA-256 of a token is ever kept. A session that began at an enrolled terminal, with a client certificate or on the front-desk page
//! works only there. What takes credentials away ends sessions on disk in its own transaction, and here by [`super::endings`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::access::{Actor, Authority, audit};
use super::machines::Machines;
use super::ports::{
    AuditLog, AuditSource, Clock, Device, Random, SessionRecord, SessionStore, Standing, StoreError,
    random_bytes,
};
use super::terminals::Terminals;
use crate::domain::personal::Secret;

/// A session of a program ends when it was not used for this long.
pub const IDLE_LIMIT: SignedDuration = SignedDuration::from_mins(30);
/// A session ends this long after it began, however busy it is.
pub const ABSOLUTE_LIMIT: SignedDuration = SignedDuration::from_hours(12);
/// The last use is written down at most this often.
const LAST_USE_GRAIN: SignedDuration = SignedDuration::from_secs(60);
/// A clock may be corrected by so much; one that is set back further ends sessions, which would live on for as long otherwise.
const CORRECTION: SignedDuration = SignedDuration::from_mins(2);

/// A session that has just begun.
pub struct SignedIn {
    /// The bearer token, base64url of 256 bits; shown once.
    pub token: Secret,
    /// The session.
    pub session: Session,
}

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its name in lists.
    pub id: String,
    /// Whose session it is. From where a request came is known to whoever takes it in.
    pub actor: Actor,
    /// When it began.
    pub began_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
    /// It ends when it was not used for this long.
    pub idle_limit: SignedDuration,
    /// The enrolled terminal it is bound to.
    pub terminal: Option<i64>,
    /// The client certificate it is bound to.
    pub certificate: Option<i64>,
    /// Whether it may do nothing but change the password.
    pub restricted: bool,
    /// Identifies it inside the daemon.
    pub token_hash: [u8; 32],
}

/// What became of a use.
enum Touched {
    /// There is no such session here.
    Nobodys,
    /// It has just ended.
    Ended,
    /// It is alive; whether the use is to be written down.
    Alive(Session, bool),
}

impl Session {
    fn of(record: &SessionRecord, page_idle: SignedDuration) -> Self {
        Self {
            id: record.id.clone(),
            actor: Actor {
                account: record.account.clone(),
                role: record.role,
                source: AuditSource::Api { loopback: false, session: Some(short(&record.token_hash)) },
            },
            began_at: record.created_at,
            last_used_at: record.last_used_at,
            ends_at: ends_at(record),
            idle_limit: idle_limit(record, page_idle),
            terminal: record.terminal,
            certificate: record.certificate,
            restricted: record.restricted,
            token_hash: record.token_hash,
        }
    }

    /// Whose failure counter its attempts count on.
    pub fn device(&self) -> Device {
        Bound { terminal: self.terminal, certificate: self.certificate, ..Bound::default() }.device()
    }
}

/// Where a request comes from, as far as it can prove that.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    /// The token of an enrolled terminal.
    pub terminal: Option<&'a str>,
    /// SHA-256 of the client certificate of its connection.
    pub certificate: Option<[u8; 32]>,
    /// Whether it came to the front-desk page.
    pub on_page: bool,
}

/// What a session is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bound {
    /// An enrolled terminal, by its row.
    pub(super) terminal: Option<i64>,
    /// A client certificate, by its row.
    pub(super) certificate: Option<i64>,
    /// The front-desk page, or everything else.
    pub(super) on_page: bool,
}

impl Bound {
    /// Whose failure counter attempts from there count on.
    pub(super) fn device(self) -> Device {
        match (self.certificate, self.terminal) {
            (Some(certificate), _) => Device::Certificate(certificate),
            (None, Some(terminal)) => Device::Terminal(terminal),
            (None, None) => Device::Anywhere,
        }
    }
}

/// What sessions are built from.
pub struct SessionsParts {
    /// Sessions on disk.
    pub store: Arc<dyn SessionStore>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// Which terminal a token belongs to.
    pub terminals: Arc<Terminals>,
    /// Which machine a certificate belongs to.
    pub machines: Arc<Machines>,
    /// A session of the front-desk page ends when it was not used for this long.
    pub page_idle: SignedDuration,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for tokens.
    pub random: Arc<dyn Random>,
}

/// The live sessions.
pub struct Sessions {
    parts: SessionsParts,
    live: Mutex<HashMap<[u8; 32], SessionRecord>>,
}

impl Sessions {
    /// Takes over the sessions that a restart left alive.
    pub async fn open(parts: SessionsParts) -> Result<Self, StoreError> {
        let since = parts.clock.now().checked_sub(ABSOLUTE_LIMIT).unwrap_or(Timestamp::MIN);
        let records = parts.store.load(since).await?;
        let live = records.into_iter().map(|record| (record.token_hash, record)).collect();
        let sessions = Self { parts, live: Mutex::new(live) };
        // A crash may have come between a device's end and theirs.
        sessions.end_of_lost_devices().await?;
        Ok(sessions)
    }

    /// Begins a session; `None` if what it was judged by was taken away meanwhile.
    pub(super) async fn begin(
        &self,
        actor: Actor,
        of: Standing,
        bound: Bound,
        restricted: bool,
    ) -> Result<Option<SignedIn>, StoreError> {
        let random = &*self.parts.random;
        let token = Secret::new(data_encoding::BASE64URL_NOPAD.encode(&random_bytes::<32>(random)));
        let now = self.parts.clock.now();
        let record = SessionRecord {
            token_hash: token_hash(token.expose()),
            id: data_encoding::HEXLOWER.encode(&random_bytes::<8>(random)),
            account: actor.account,
            role: actor.role,
            terminal: bound.terminal,
            certificate: bound.certificate,
            restricted,
            on_page: bound.on_page,
            created_at: now,
            last_used_at: now,
        };
        let session = self.seen(&record);
        // Here first: what ends the account's sessions comes either before the row, which then is refused, or finds it here. Nobody
        // has the token yet.
        self.live().insert(record.token_hash, record.clone());
        let begun = self.parts.store.begin(&record, of).await;
        if !matches!(begun, Ok(true)) {
            self.live().remove(&record.token_hash);
        }
        Ok(begun?.then_some(SignedIn { token, session }))
    }

    /// The session of a token, if it is still alive and belongs to this place; counts as a use.
    pub async fn recognise(&self, token: &str, place: Place<'_>) -> Result<Option<Session>, StoreError> {
        let hash = token_hash(token);
        let now = self.parts.clock.now();
        let machine = place.certificate.and_then(|print| self.parts.machines.find(&print));
        let here = Bound {
            terminal: place.terminal.and_then(|token| self.parts.terminals.find(token)),
            certificate: machine.map(|machine| machine.id),
            on_page: place.on_page,
        };
        match self.touch(&hash, here, now) {
            Touched::Nobodys => Ok(None),
            Touched::Ended => {
                self.parts.store.delete(&[hash]).await?;
                Ok(None)
            }
            Touched::Alive(session, to_write) => {
                if to_write {
                    self.parts.store.used(&hash, now).await?;
                }
                Ok(Some(session))
            }
        }
    }

    fn seen(&self, record: &SessionRecord) -> Session {
        Session::of(record, self.parts.page_idle)
    }

    /// A session by its token's hash, without counting as a use.
    pub fn session(&self, token_hash: &[u8; 32]) -> Option<Session> {
        self.live().get(token_hash).map(|record| self.seen(record))
    }

    /// Whether a session is still alive now, without counting as a use: for answers that go on for long.
    pub fn is_alive(&self, token_hash: &[u8; 32]) -> bool {
        let now = self.parts.clock.now();
        self.live().get(token_hash).is_some_and(|record| self.is_alive_at(record, now))
    }

    fn is_alive_at(&self, record: &SessionRecord, now: Timestamp) -> bool {
        let (age, idle) = (now.duration_since(record.created_at), now.duration_since(record.last_used_at));
        let set_back = age < -CORRECTION || idle < -CORRECTION;
        !set_back && now < ends_at(record) && idle < idle_limit(record, self.parts.page_idle)
    }

    /// Notes a use of the session at its place. Whether it is alive is judged under the same lock: of two requests at once none
    /// revives what had ended.
    fn touch(&self, hash: &[u8; 32], here: Bound, now: Timestamp) -> Touched {
        let mut live = self.live();
        let Some(record) = live.get_mut(hash) else { return Touched::Nobodys };
        let elsewhere = |bound: Option<i64>, here: Option<i64>| bound.is_some() && bound != here;
        if record.on_page != here.on_page
            || elsewhere(record.terminal, here.terminal)
            || elsewhere(record.certificate, here.certificate)
        {
            return Touched::Nobodys;
        }
        if !self.is_alive_at(record, now) {
            live.remove(hash);
            return Touched::Ended;
        }
        let to_write = now.duration_since(record.last_used_at) >= LAST_USE_GRAIN;
        if to_write {
            record.last_used_at = now;
        }
        Touched::Alive(self.seen(record), to_write)
    }

    /// How many sessions are alive.
    pub fn count(&self) -> usize {
        let now = self.parts.clock.now();
        self.live().values().filter(|record| self.is_alive_at(record, now)).count()
    }

    /// The live sessions of an account, or everybody's for an administrator; the newest first.
    pub fn list(&self, of: Listed<'_>) -> Vec<Session> {
        let now = self.parts.clock.now();
        let is_listed = |record: &&SessionRecord| match of {
            Listed::Account(name) => record.account == name,
            Listed::Everybody(_) => true,
        };
        let alive = |record: &&SessionRecord| self.is_alive_at(record, now);
        let mut sessions: Vec<Session> =
            self.live().values().filter(is_listed).filter(alive).map(|record| self.seen(record)).collect();
        sessions.sort_by(|one, other| (other.began_at, &other.id).cmp(&(one.began_at, &one.id)));
        sessions
    }

    /// Ends a session of one's own.
    pub async fn sign_out(&self, session: &Session) -> Result<(), StoreError> {
        self.drop_one(&session.token_hash).await?;
        self.write_down(&session.actor, "session.sign_out", "ok".to_owned()).await
    }

    /// Ends a session by its name: one's own, or anybody's as an administrator. `false` if there is no such session.
    pub async fn revoke(&self, by: &Actor, id: &str) -> Result<bool, StoreError> {
        let everybody = Authority::of(by).is_ok();
        let found = {
            let live = self.live();
            live.values()
                .find(|record| record.id == id && (everybody || record.account == by.account))
                .map(|record| (record.token_hash, record.account.clone()))
        };
        let Some((hash, account)) = found else { return Ok(false) };
        self.drop_one(&hash).await?;
        self.write_down(by, "session.revoke", format!("ok:{account}")).await?;
        Ok(true)
    }

    /// Ends every other session of the same account; returns how many.
    pub async fn revoke_others(&self, session: &Session) -> Result<usize, StoreError> {
        let account = &session.actor.account;
        let ended = self
            .end_where(|record| record.account == *account && record.token_hash != session.token_hash)
            .await?;
        self.write_down(&session.actor, "session.revoke_others", "ok".to_owned()).await?;
        Ok(ended)
    }

    /// Ends an account's sessions but one, which have ended on disk already.
    pub(super) fn forget_account(&self, account: &str, but: Option<[u8; 32]>) {
        self.take_where(|record| record.account == account && Some(record.token_hash) != but);
    }

    /// Ends the sessions that are bound to a terminal or a certificate that is gone.
    pub async fn end_of_lost_devices(&self) -> Result<usize, StoreError> {
        let SessionsParts { terminals, machines, .. } = &self.parts;
        self.end_where(|record| {
            record.terminal.is_some_and(|id| !terminals.is_enrolled(id))
                || record.certificate.is_some_and(|id| !machines.is_enrolled(id))
        })
        .await
    }

    /// Ends the session of a token, if there is one: a sign-in leaves no older session behind on its connection.
    pub(super) async fn end_by_token(&self, token: &str) -> Result<(), StoreError> {
        let hash = token_hash(token);
        if self.session(&hash).is_some() { self.drop_one(&hash).await } else { Ok(()) }
    }

    /// A session may do again what its account may; on disk it may already.
    pub(super) fn lift_restriction(&self, token_hash: &[u8; 32]) {
        if let Some(record) = self.live().get_mut(token_hash) {
            record.restricted = false;
        }
    }

    async fn end_where(&self, ends: impl Fn(&SessionRecord) -> bool) -> Result<usize, StoreError> {
        // All at once, before the store is asked: an error there leaves none alive here.
        let ended = self.take_where(ends);
        if !ended.is_empty() {
            self.parts.store.delete(&ended).await?;
        }
        Ok(ended.len())
    }

    fn take_where(&self, ends: impl Fn(&SessionRecord) -> bool) -> Vec<[u8; 32]> {
        self.live().extract_if(|_, record| ends(record)).map(|(hash, _)| hash).collect()
    }

    async fn drop_one(&self, hash: &[u8; 32]) -> Result<(), StoreError> {
        self.live().remove(hash);
        self.parts.store.delete(&[*hash]).await
    }

    async fn write_down(
        &self,
        actor: &Actor,
        action: &'static str,
        outcome: String,
    ) -> Result<(), StoreError> {
        self.parts.audit.append(&audit(&actor.account, actor.source, action, outcome)).await
    }

    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], SessionRecord>> {
        // The map is whole after every statement, so a panic elsewhere leaves nothing half done.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose sessions are listed.
#[derive(Debug, Clone, Copy)]
pub enum Listed<'a> {
    /// This account's.
    Account(&'a str),
    /// Everybody's.
    Everybody(&'a Authority),
}

fn idle_limit(record: &SessionRecord, page_idle: SignedDuration) -> SignedDuration {
    if record.on_page { page_idle } else { IDLE_LIMIT }
}

fn ends_at(record: &SessionRecord) -> Timestamp {
    record.created_at.checked_add(ABSOLUTE_LIMIT).unwrap_or(Timestamp::MAX)
}

/// What the audit log calls a session: enough to tell sessions apart, not enough to find a token.
pub fn short(token_hash: &[u8; 32]) -> [u8; 4] {
    let [first, second, third, fourth, ..] = *token_hash;
    [first, second, third, fourth]
}

fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
