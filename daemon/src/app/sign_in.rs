//! Sign-in: institution code, account and password, then the six-digit code (manual chapter 2, レセコン連携), in one step or
//! in two. Everything is judged together, in the last step: nobody learns which part was wrong. A receipt computer that nobody
//! sits at may show the client certificate of its connection in place of the code. A passkey signs in by itself (`passkeys`).

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::access::{Actor, audit};
use super::announcements::{Shown, at_sign_in};
use super::credentials::{Credentials, CredentialsError, code_step, normal_code, seconds_to_next_step};
use super::machines::Machines;
use super::ports::{
    Account, Accounts, Announcements, Attempt, AuditLog, AuditSource, Clock, Device, Machine, Random, Role,
    Settings, SignInProof, StoreError,
};
use super::sessions::{Bound, Sessions, SignedIn, short};
use super::strangers::Strangers;
use super::tally::Tally;
use super::terminals::Terminals;
pub use super::tickets::LIFETIME as TICKET_LIFETIME;
use super::tickets::Tickets;
use crate::domain::identifiers::InstitutionCode;
use crate::domain::lockout::Verdict;
use crate::domain::password;
use crate::domain::personal::Secret;

/// Who someone says they are.
pub struct Claim {
    /// 機関コード.
    pub institution_code: String,
    /// Sign-in name.
    pub account: String,
    /// Password.
    pub password: Secret,
}

/// Where the claim comes from.
pub enum Claimed {
    /// Made now.
    Now(Claim),
    /// Made in the first of two steps; its ticket.
    Before(Secret),
}

/// What is presented beside the password.
pub enum SecondFactor {
    /// Six-digit code of the authenticator app.
    Code(Secret),
    /// A recovery code instead of it.
    Recovery(Secret),
    /// Nothing typed: enough for an operator where no code is asked for, and for a receipt computer with its certificate.
    Nothing,
}

/// What came along with the request; none of it alone says who someone is.
#[derive(Default)]
pub struct Along {
    /// Whether the peer is this machine itself; for the audit log only.
    pub from_loopback: bool,
    /// The token of an enrolled terminal.
    pub terminal: Option<Secret>,
    /// SHA-256 of the client certificate of the connection.
    pub certificate: Option<[u8; 32]>,
    /// The token of an older session, which ends with this sign-in.
    pub session: Option<Secret>,
    /// Whether it came to the front-desk page.
    pub on_page: bool,
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

/// What someone who has signed in is given.
pub struct Welcome {
    /// The session.
    pub signed_in: SignedIn,
    /// The operators' announcements, as the manual shows them at sign-in.
    pub announcements: Vec<Shown>,
}

/// What sign-in is built from.
pub struct SignInParts {
    /// The facility that this installation serves.
    pub institution: InstitutionCode,
    /// Accounts and counters.
    pub accounts: Arc<dyn Accounts>,
    /// Whether operators need a code.
    pub settings: Arc<dyn Settings>,
    /// Sessions.
    pub sessions: Arc<Sessions>,
    /// Enrolled terminals.
    pub terminals: Arc<Terminals>,
    /// Receipt computers with a certificate.
    pub machines: Arc<Machines>,
    /// Announcements shown at sign-in.
    pub announcements: Arc<dyn Announcements>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// Password hashing.
    pub credentials: Arc<Credentials>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for tickets.
    pub random: Arc<dyn Random>,
    /// Where failures are counted.
    pub tally: Arc<Tally>,
}

/// Signs in.
pub struct SignIn {
    parts: SignInParts,
    strangers: Mutex<Strangers>,
    tickets: Mutex<Tickets<Claim>>,
}

impl SignIn {
    /// Nobody has tried yet.
    pub fn new(parts: SignInParts) -> Self {
        Self { parts, strangers: Mutex::default(), tickets: Mutex::default() }
    }

    /// The first of two steps: keeps what was typed and judges nothing. Returns the ticket of the second.
    pub fn begin(&self, claim: Claim) -> Secret {
        let now = self.parts.clock.now();
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.put(claim, now, &*self.parts.random)
    }

    /// Signs in with all factors. Unknown account, wrong password, wrong code, locked and disabled take the same work.
    pub async fn sign_in(
        &self,
        claimed: Claimed,
        second: SecondFactor,
        along: Along,
    ) -> Result<Welcome, SignInError> {
        let now = self.parts.clock.now();
        let claim = match claimed {
            Claimed::Now(claim) => Some(claim),
            Claimed::Before(ticket) => {
                self.tickets.lock().unwrap_or_else(PoisonError::into_inner).take(ticket.expose(), now)
            }
        };
        let machine = claim.as_ref().and_then(|claim| self.machine(claim, &along));
        let action = match (&second, &machine) {
            (SecondFactor::Nothing, Some(_)) => "session.sign_in_certificate",
            (SecondFactor::Code(_) | SecondFactor::Nothing, _) => "session.sign_in",
            (SecondFactor::Recovery(_), _) => "session.sign_in_recovery",
        };
        let outcome = match claim {
            Some(claim) => self.evaluate(claim, second, &along, machine, now).await,
            None => Err(SignInError::Refused),
        };
        self.conclude(outcome, action, &along).await
    }

    /// Writes down how a sign-in ended, and welcomes who is in: an older session of the same connection ends.
    pub(super) async fn conclude(
        &self,
        outcome: Result<SignedIn, SignInError>,
        action: &'static str,
        along: &Along,
    ) -> Result<Welcome, SignInError> {
        // What was typed as an account can be a password: only names of real accounts are written down.
        let session = outcome.as_ref().ok().map(|signed_in| &signed_in.session);
        let actor = session.map_or("unknown", |session| session.actor.account.as_str());
        let token = session.map(|session| short(&session.token_hash));
        let source = AuditSource::Api { loopback: along.from_loopback, session: token };
        let word = word(&outcome);
        if outcome.is_err() {
            self.parts.tally.sign_in_failure(word);
        }
        self.parts.audit.append(&audit(actor, source, action, word.to_owned())).await?;
        if outcome.is_ok()
            && let Some(older) = &along.session
        {
            self.parts.sessions.end_by_token(older.expose()).await?;
        }
        let signed_in = outcome?;
        let announcements = at_sign_in(&*self.parts.announcements, &signed_in.session.actor.account).await;
        Ok(Welcome { signed_in, announcements })
    }

    async fn evaluate(
        &self,
        claim: Claim,
        second: SecondFactor,
        along: &Along,
        machine: Option<Machine>,
        now: Timestamp,
    ) -> Result<SignedIn, SignInError> {
        let certificate = machine.as_ref().map(|machine| machine.id);
        let bound = Bound { certificate, ..self.bound(along) };
        let device = bound.device();
        let account = match self.attempt(&claim.account, &claim.account, device, now).await {
            Err(SignInError::Locked) => {
                // The same work as for any other name: a lock must not be felt.
                self.parts.credentials.password_fits(claim.password, None).await?;
                return Err(SignInError::Locked);
            }
            other => other?,
        };
        let hash = account.as_ref().map(|account| account.password_hash.clone());
        let stands_alone = claim.password.expose().chars().count() >= password::ALONE;
        let password_fits = self.parts.credentials.password_fits(claim.password, hash).await?;
        let proof = self.proof(account.as_ref(), &second, machine.as_ref(), now).await?;
        let institution_fits = claim.institution_code == self.parts.institution.as_str();
        let (Some(account), Some(proof), true, true) = (account, proof, password_fits, institution_fits)
        else {
            return Err(SignInError::Refused);
        };
        let of_another = machine.as_ref().is_some_and(|machine| machine.account != account.id);
        if account.disabled || of_another {
            return Err(SignInError::Refused);
        }
        // A password that was long enough only beside a code must be changed where no code is asked for any more.
        let password_only = matches!(proof, SignInProof::Lasting) && machine.is_none();
        let restricted = account.must_change || (password_only && !stands_alone);
        if !self.parts.accounts.succeed(account.standing(), device, proof).await? {
            return Err(SignInError::CodeUsed { retry_after: seconds_to_next_step(now) });
        }
        self.begin_session(account, bound, restricted, along).await
    }

    /// The terminal that came along, if it is enrolled.
    pub(super) fn bound(&self, along: &Along) -> Bound {
        let terminal = along.terminal.as_ref().and_then(|token| self.parts.terminals.find(token.expose()));
        Bound { terminal, certificate: None, on_page: along.on_page }
    }

    /// The session of somebody who has proved who they are, by what still stands.
    pub(super) async fn begin_session(
        &self,
        account: Account,
        bound: Bound,
        restricted: bool,
        along: &Along,
    ) -> Result<SignedIn, SignInError> {
        let source = AuditSource::Api { loopback: along.from_loopback, session: None };
        let of = account.standing();
        let actor = Actor { account: account.name, role: account.role, source };
        self.parts.sessions.begin(actor, of, bound, restricted).await?.ok_or(SignInError::Refused)
    }

    /// The machine whose certificate the connection showed, if it is one of the account in the claim. Any other certificate is as
    /// good as none: nobody gets a counter of his own at an account that is not his.
    fn machine(&self, claim: &Claim, along: &Along) -> Option<Machine> {
        let machine = along.certificate.and_then(|print| self.parts.machines.find(&print));
        machine.filter(|machine| machine.account_name == claim.account)
    }

    /// Counts the attempt; `None` for a name that is no account: then it counts for the stranger.
    pub(super) async fn attempt(
        &self,
        name: &str,
        stranger: &str,
        device: Device,
        now: Timestamp,
    ) -> Result<Option<Account>, SignInError> {
        match self.parts.accounts.begin_attempt(name, device, now).await? {
            Attempt::Evaluate(account) => Ok(Some(account)),
            Attempt::Unknown => {
                let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
                match strangers.attempt(stranger, device, now) {
                    Verdict::Wait(until) => Err(SignInError::Delayed { retry_after: seconds(now, until) }),
                    Verdict::Allowed | Verdict::Locked => Ok(None),
                }
            }
            Attempt::Wait(until) => Err(SignInError::Delayed { retry_after: seconds(now, until) }),
            Attempt::Locked => Err(SignInError::Locked),
        }
    }

    /// Whether the second factor is right; the same work for an account that does not exist.
    async fn proof(
        &self,
        account: Option<&Account>,
        second: &SecondFactor,
        machine: Option<&Machine>,
        now: Timestamp,
    ) -> Result<Option<SignInProof>, SignInError> {
        let operators_need_code = self.parts.settings.security().await?.operators_need_code;
        Ok(match second {
            SecondFactor::Code(code) => {
                let decoy = [0; 20];
                let secret = account.map_or(&decoy[..], |account| account.totp_secret.as_slice());
                code_step(secret, code.expose(), now).map(SignInProof::Step)
            }
            SecondFactor::Recovery(code) => {
                let code = normal_code(code.expose());
                let fits = self.parts.accounts.recovery_fits(account.map_or(0, |account| account.id), &code);
                fits.await?.then_some(SignInProof::Recovery(code))
            }
            SecondFactor::Nothing => {
                let is_enough = account.is_some_and(|account| match account.role {
                    Role::Operator => !operators_need_code,
                    Role::ReceiptComputer => machine.is_some_and(|machine| machine.account == account.id),
                    Role::Administrator => false,
                });
                is_enough.then_some(SignInProof::Lasting)
            }
        })
    }
}

/// The words of everything but a success.
pub(super) const REFUSALS: [&str; 5] =
    ["sign_in_failed", "code_used", "sign_in_delayed", "account_locked", "internal"];

/// The word of an outcome in the audit log.
fn word(outcome: &Result<SignedIn, SignInError>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(SignInError::Refused) => "sign_in_failed",
        Err(SignInError::CodeUsed { .. }) => "code_used",
        Err(SignInError::Delayed { .. }) => "sign_in_delayed",
        Err(SignInError::Locked) => "account_locked",
        Err(SignInError::Store(_) | SignInError::Credentials(_)) => "internal",
    }
}

/// Seconds from now to an instant, 1 to 3600.
pub(super) fn seconds(now: Timestamp, until: Timestamp) -> u32 {
    let wait = until.duration_since(now).as_secs_f64().ceil().clamp(1.0, 3600.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=3600 above")]
    let seconds = wait as u32;
    seconds
}
