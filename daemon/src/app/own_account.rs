//! One's own account: password, authenticator, recovery codes. Each change asks for the password once more, and every try
//! counts on the same counter as signing in.

use std::sync::Arc;

use super::credentials::{
    Credentials, CredentialsError, code_step, enrolment_uri, generate_code, normal_code, seconds_to_next_step,
};
use super::ports::{
    Account, AccountChange, Accounts, Attempt, AuditEntry, AuditLog, Changed, Clock, Random, Role, Settings,
    SignInProof, StoreError, random_bytes,
};
use super::sessions::{Session, Sessions};
use super::sign_in::seconds;
use crate::domain::identifiers::InstitutionCode;
use crate::domain::password::{self, Fault};
use crate::domain::personal::Secret;

/// Recovery codes of a set.
const RECOVERY_CODES: usize = 10;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OwnAccountError {
    /// The password or the code is wrong.
    #[error("wrong credentials")]
    Wrong,
    /// Too many failures: wait.
    #[error("too many failures")]
    Delayed {
        /// Seconds until the next try is evaluated.
        retry_after: u32,
    },
    /// The new password is not good enough.
    #[error("the new password is not acceptable")]
    Password(Fault),
    /// No authenticator was offered.
    #[error("nothing was offered")]
    NothingOffered,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Hashing failed.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// The use case.
pub struct OwnAccount {
    /// The facility, whose code is no password.
    pub institution: InstitutionCode,
    /// Accounts and counters.
    pub accounts: Arc<dyn Accounts>,
    /// Whether operators need a code.
    pub settings: Arc<dyn Settings>,
    /// Sessions, which end with a change.
    pub sessions: Arc<Sessions>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// Password hashing.
    pub credentials: Arc<Credentials>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for secrets and codes.
    pub random: Arc<dyn Random>,
}

impl OwnAccount {
    /// Replaces the password. The account's other sessions end; this one may do everything again.
    pub async fn change_password(
        &self,
        session: &Session,
        current: Secret,
        new: Secret,
    ) -> Result<(), OwnAccountError> {
        let account = self.prove(session, "account.change_password", current).await?;
        let needs_code =
            account.role != Role::Operator || self.settings.security().await?.operators_need_code;
        let known = [account.name.as_str(), self.institution.as_str()];
        password::judge(new.expose(), needs_code, &known).map_err(OwnAccountError::Password)?;
        let same = Secret::new(new.expose().to_owned());
        if self.credentials.password_fits(same, Some(account.password_hash.clone())).await? {
            return Err(OwnAccountError::Password(Fault::Guessable));
        }
        let hash = self.credentials.hash(new).await?;
        self.change(session, "account.change_password", AccountChange::Password { hash, must_change: false })
            .await?;
        self.sessions.lift_restriction(session).await?;
        self.end_others(session).await
    }

    /// Offers another authenticator secret: its `otpauth://` address, shown once. The old one stays until
    /// [`OwnAccount::confirm_totp`].
    pub async fn offer_totp(&self, session: &Session, password: Secret) -> Result<Secret, OwnAccountError> {
        let account = self.prove(session, "account.offer_totp", password).await?;
        let secret: [u8; 20] = random_bytes(&*self.random);
        let address = enrolment_uri(&secret, &account.name)?;
        self.change(session, "account.offer_totp", AccountChange::OfferTotp(secret.to_vec().into())).await?;
        Ok(address)
    }

    /// The offered secret replaces the old one, once its first code shows that the app has it. The account's other sessions
    /// end.
    pub async fn confirm_totp(&self, session: &Session, code: &Secret) -> Result<(), OwnAccountError> {
        let account = self.count(session).await?;
        let offered = self.accounts.offered_totp(account.id).await?.ok_or(OwnAccountError::NothingOffered)?;
        let now = self.clock.now();
        let Some(step) = code_step(&offered, code.expose(), now) else {
            return Err(self.refuse(session, "account.confirm_totp").await?);
        };
        if !self.accounts.succeed(account.id, session.device(), SignInProof::Lasting).await? {
            return Err(OwnAccountError::Delayed { retry_after: seconds_to_next_step(now) });
        }
        self.change(session, "account.confirm_totp", AccountChange::TakeOffer(step)).await?;
        self.end_others(session).await
    }

    /// Ten new recovery codes in place of the old ones; shown once.
    pub async fn new_recovery_codes(
        &self,
        session: &Session,
        password: Secret,
    ) -> Result<Vec<Secret>, OwnAccountError> {
        self.prove(session, "account.recovery_codes", password).await?;
        let codes = recovery_codes(&*self.random);
        let normal = codes.iter().map(|code| normal_code(code.expose())).collect();
        self.change(session, "account.recovery_codes", AccountChange::RecoveryCodes(normal)).await?;
        Ok(codes)
    }

    /// Counts a try in advance.
    async fn count(&self, session: &Session) -> Result<Account, OwnAccountError> {
        let now = self.clock.now();
        match self.accounts.begin_attempt(&session.actor.account, session.device(), now).await? {
            Attempt::Evaluate(account) => Ok(account),
            Attempt::Unknown | Attempt::Locked => Err(OwnAccountError::Wrong),
            Attempt::Wait(until) => Err(OwnAccountError::Delayed { retry_after: seconds(now, until) }),
        }
    }

    /// The account, after its password was right.
    async fn prove(
        &self,
        session: &Session,
        action: &'static str,
        password: Secret,
    ) -> Result<Account, OwnAccountError> {
        let account = self.count(session).await?;
        let fits = self.credentials.password_fits(password, Some(account.password_hash.clone())).await?;
        if !fits {
            return Err(self.refuse(session, action).await?);
        }
        self.accounts.succeed(account.id, session.device(), SignInProof::Lasting).await?;
        Ok(account)
    }

    /// That the owner of the session has both factors now: the password, and the next code of the authenticator app where
    /// the account signs in with one.
    pub(super) async fn prove_both(
        &self,
        session: &Session,
        action: &'static str,
        password: Secret,
        code: Option<&Secret>,
    ) -> Result<(), OwnAccountError> {
        let account = self.count(session).await?;
        let now = self.clock.now();
        let fits = self.credentials.password_fits(password, Some(account.password_hash.clone())).await?;
        let needs_code =
            account.role != Role::Operator || self.settings.security().await?.operators_need_code;
        let proof = match code {
            Some(code) => code_step(&account.totp_secret, code.expose(), now).map(SignInProof::Step),
            None => (!needs_code).then_some(SignInProof::Lasting),
        };
        let (true, Some(proof)) = (fits, proof) else { return Err(self.refuse(session, action).await?) };
        if self.accounts.succeed(account.id, session.device(), proof).await? {
            Ok(())
        } else {
            Err(OwnAccountError::Delayed { retry_after: seconds_to_next_step(now) })
        }
    }

    async fn refuse(&self, session: &Session, action: &'static str) -> Result<OwnAccountError, StoreError> {
        let entry = AuditEntry { outcome: "wrong_credentials".to_owned(), ..session.actor.entry(action) };
        self.audit.append(&entry).await?;
        Ok(OwnAccountError::Wrong)
    }

    async fn change(
        &self,
        session: &Session,
        action: &'static str,
        change: AccountChange,
    ) -> Result<(), OwnAccountError> {
        let account = &session.actor.account;
        match self.accounts.change(account, change, &session.actor.entry(action)).await? {
            Changed::Done => Ok(()),
            Changed::Unknown | Changed::LastAdministrator => Err(OwnAccountError::NothingOffered),
        }
    }

    /// Ends the account's other sessions.
    pub(super) async fn end_others(&self, session: &Session) -> Result<(), OwnAccountError> {
        self.sessions.end_of_account(&session.actor.account, Some(session.token_hash)).await?;
        Ok(())
    }
}

/// A set of recovery codes.
pub(super) fn recovery_codes(random: &dyn Random) -> Vec<Secret> {
    (0..RECOVERY_CODES).map(|_| generate_code(random)).collect()
}
