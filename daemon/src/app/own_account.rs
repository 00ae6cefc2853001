//! One's own account: password, authenticator, recovery codes. Each change asks for the password once more, and every try
//! counts on the same counter as signing in.

use std::sync::Arc;

use super::credentials::{
    Credentials, CredentialsError, code_step, enrolment_uri, generate_code, normal_code, seconds_to_next_step,
};
use super::endings::Endings;
use super::ports::{
    Account, AccountChange, Accounts, Attempt, AuditEntry, AuditLog, Changed, Clock, Owner, Random, Role,
    Settings, SignInProof, StoreError, random_bytes,
};
use super::sessions::Session;
use super::sign_in::seconds;
use crate::domain::identifiers::InstitutionCode;
use crate::domain::password::{self, Fault};
use crate::domain::personal::Secret;

/// Recovery codes of a set.
const RECOVERY_CODES: usize = 10;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OwnAccountError {
    /// The password or the code is wrong, or was taken away meanwhile.
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
    /// What ends with a change.
    pub endings: Endings,
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
        const ACTION: &str = "account.change_password";
        let account = self.prove(session, ACTION, current).await?;
        let needs_code =
            account.role != Role::Operator || self.settings.security().await?.operators_need_code;
        let known = [account.name.as_str(), self.institution.as_str()];
        password::judge(new.expose(), needs_code, &known).map_err(OwnAccountError::Password)?;
        let same = Secret::new(new.expose().to_owned());
        if self.credentials.password_fits(same, Some(account.password_hash.clone())).await? {
            return Err(OwnAccountError::Password(Fault::Guessable));
        }
        let hash = self.credentials.hash(new).await?;
        self.change(session, &account, ACTION, AccountChange::Password { hash, must_change: false }).await
    }

    /// Offers another authenticator secret: its `otpauth://` address, shown once. The old one stays until
    /// [`OwnAccount::confirm_totp`].
    pub async fn offer_totp(&self, session: &Session, password: Secret) -> Result<Secret, OwnAccountError> {
        const ACTION: &str = "account.offer_totp";
        let account = self.prove(session, ACTION, password).await?;
        let secret: [u8; 20] = random_bytes(&*self.random);
        let address = enrolment_uri(&secret, &account.name)?;
        self.change(session, &account, ACTION, AccountChange::OfferTotp(secret.to_vec().into())).await?;
        Ok(address)
    }

    /// The offered secret replaces the old one, once its first code shows that the app has it. The account's other sessions
    /// end.
    pub async fn confirm_totp(&self, session: &Session, code: &Secret) -> Result<(), OwnAccountError> {
        const ACTION: &str = "account.confirm_totp";
        let account = self.count(session).await?;
        let offered = self.accounts.offered_totp(account.id).await?.ok_or(OwnAccountError::NothingOffered)?;
        let now = self.clock.now();
        let Some(step) = code_step(&offered, code.expose(), now) else {
            return Err(self.refuse(session, ACTION).await?);
        };
        if !self.accounts.succeed(account.standing(), session.device(), SignInProof::Lasting).await? {
            return Err(self.refuse(session, ACTION).await?);
        }
        self.change(session, &account, ACTION, AccountChange::TakeOffer(step)).await
    }

    /// Ten new recovery codes in place of the old ones; shown once.
    pub async fn new_recovery_codes(
        &self,
        session: &Session,
        password: Secret,
    ) -> Result<Vec<Secret>, OwnAccountError> {
        const ACTION: &str = "account.recovery_codes";
        let account = self.prove(session, ACTION, password).await?;
        let codes = recovery_codes(&*self.random);
        let normal = codes.iter().map(|code| normal_code(code.expose())).collect();
        self.change(session, &account, ACTION, AccountChange::RecoveryCodes(normal)).await?;
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
        let lasting = SignInProof::Lasting;
        if !fits || !self.accounts.succeed(account.standing(), session.device(), lasting).await? {
            return Err(self.refuse(session, action).await?);
        }
        Ok(account)
    }

    /// That the owner of the session has both factors now: the password, and the next code of the authenticator app where
    /// the account signs in with one. Returns the account as it was then.
    pub(super) async fn prove_both(
        &self,
        session: &Session,
        action: &'static str,
        password: Secret,
        code: Option<&Secret>,
    ) -> Result<Account, OwnAccountError> {
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
        if self.accounts.succeed(account.standing(), session.device(), proof).await? {
            Ok(account)
        } else {
            Err(OwnAccountError::Delayed { retry_after: seconds_to_next_step(now) })
        }
    }

    async fn refuse(&self, session: &Session, action: &'static str) -> Result<OwnAccountError, StoreError> {
        let entry = AuditEntry { outcome: "wrong_credentials".to_owned(), ..session.actor.entry(action) };
        self.audit.append(&entry).await?;
        Ok(OwnAccountError::Wrong)
    }

    /// Changes the account of whoever has proved it; what it takes away ends but for this session.
    async fn change(
        &self,
        session: &Session,
        account: &Account,
        action: &'static str,
        change: AccountChange,
    ) -> Result<(), OwnAccountError> {
        let owner = Owner { epoch: account.epoch, session: session.token_hash };
        let entry = session.actor.entry(action);
        match self.endings.change_account(&account.name, Some(owner), change, entry).await? {
            Changed::Done => Ok(()),
            Changed::Outdated => Err(self.refuse(session, action).await?),
            Changed::Unknown | Changed::LastAdministrator => Err(OwnAccountError::NothingOffered),
        }
    }
}

/// A set of recovery codes.
pub(super) fn recovery_codes(random: &dyn Random) -> Vec<Secret> {
    (0..RECOVERY_CODES).map(|_| generate_code(random)).collect()
}
