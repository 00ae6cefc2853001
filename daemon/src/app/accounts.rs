//! Accounts as an administrator manages them, at the machine or over the API. Every change is audited in its transaction.

use std::sync::Arc;

use super::access::Authority;
use super::credentials::{Credentials, CredentialsError, enrolment_uri, generate_password, normal_code};
use super::endings::Endings;
use super::own_account::recovery_codes;
use super::ports::{
    AccountChange, AccountSummary, Accounts, Changed, CreateAccountError, NewAccount, Random, Role, Settings,
    StoreError, random_bytes,
};
use crate::domain::identifiers::InstitutionCode;
use crate::domain::password::{self, Fault};
use crate::domain::personal::Secret;

/// Why an account was not created or changed; the texts go to the person at the machine.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The name breaks its rule.
    #[error("アカウント名は1文字以上64文字以内で、空白、制御文字、コロン（:）は使えません")]
    Name,
    /// The password breaks its rule.
    #[error("{}", fault_text(.0))]
    Password(Fault),
    /// The name is taken.
    #[error("同じ名前のアカウントがあります")]
    Exists,
    /// There is no such account.
    #[error("その名前のアカウントはありません")]
    Unknown,
    /// Nobody would be left to administer.
    #[error("最後の管理者は無効にも削除にもできません。先に別の管理者を作ってください")]
    LastAdministrator,
    /// The store failed.
    #[error("保存領域が使えません: {0}")]
    Store(#[from] StoreError),
    /// Hashing failed.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// What is wrong with a password, for people.
pub fn fault_text(fault: &Fault) -> String {
    match fault {
        Fault::Short(least) => format!("パスワードは{least}文字以上にしてください"),
        Fault::Plain => "パスワードには、英字などの文字と、数字か記号の両方を含めてください".to_owned(),
        Fault::Guessable => {
            "推測されやすいパスワードです。よく使われる語、並び、アカウント名、機関コードを避け、\
             これまでと違うものにしてください"
                .to_owned()
        }
    }
}

/// What an account signs in with from now on; shown once.
pub struct NewCredentials {
    /// The password, if it was generated.
    pub password: Option<Secret>,
    /// The `otpauth://` address for the authenticator app, if its secret is new.
    pub otpauth: Option<Secret>,
}

/// The use case.
pub struct ManageAccounts {
    /// The facility, whose code is no password.
    pub institution: InstitutionCode,
    /// Where accounts are kept.
    pub accounts: Arc<dyn Accounts>,
    /// Whether operators need a code.
    pub settings: Arc<dyn Settings>,
    /// What ends with some changes.
    pub endings: Endings,
    /// Password hashing.
    pub credentials: Arc<Credentials>,
    /// Randomness for passwords and authenticator secrets.
    pub random: Arc<dyn Random>,
}

impl ManageAccounts {
    /// Creates an account. People change the password at first use; a receipt computer keeps one that was generated for it,
    /// since nobody chose it and nobody there could change it.
    pub async fn add(
        &self,
        by: &Authority,
        name: &str,
        role: Role,
        password: Option<Secret>,
    ) -> Result<NewCredentials, AccountsError> {
        if !is_name(name) {
            return Err(AccountsError::Name);
        }
        let (password, generated) = if let Some(password) = password {
            let has_code = role != Role::Operator || self.settings.security().await?.operators_need_code;
            password::judge(password.expose(), has_code, &[name, self.institution.as_str()])
                .map_err(AccountsError::Password)?;
            (password, None)
        } else {
            let password = generate_password(&*self.random);
            (Secret::new(password.expose().to_owned()), Some(password))
        };
        let totp_secret: [u8; 20] = random_bytes(&*self.random);
        let otpauth = enrolment_uri(&totp_secret, name)?;
        let account = NewAccount {
            name: name.to_owned(),
            role,
            must_change: must_change(role, generated.is_some()),
            password_hash: self.credentials.hash(password).await?,
            totp_secret: totp_secret.to_vec().into(),
        };
        match self.accounts.create(&account, &by.audit("account.create", name)).await {
            Ok(()) => Ok(NewCredentials { password: generated, otpauth: Some(otpauth) }),
            Err(CreateAccountError::Exists) => Err(AccountsError::Exists),
            Err(CreateAccountError::Store(error)) => Err(error.into()),
        }
    }

    /// Every account.
    pub async fn list(&self, _: &Authority) -> Result<Vec<AccountSummary>, StoreError> {
        self.accounts.list().await
    }

    /// The account of a row.
    pub async fn find(&self, by: &Authority, id: i64) -> Result<AccountSummary, AccountsError> {
        let found = self.list(by).await?.into_iter().find(|account| account.id == id);
        found.ok_or(AccountsError::Unknown)
    }

    async fn by_name(&self, by: &Authority, name: &str) -> Result<AccountSummary, AccountsError> {
        let found = self.list(by).await?.into_iter().find(|account| account.name == name);
        found.ok_or(AccountsError::Unknown)
    }

    /// Clears failures and lock of an account, on every device.
    pub async fn unlock(&self, by: &Authority, name: &str) -> Result<(), AccountsError> {
        self.change(by, "account.unlock", name, AccountChange::Unlock).await
    }

    /// Lets nobody in with this account, and ends its sessions.
    pub async fn disable(&self, by: &Authority, name: &str) -> Result<(), AccountsError> {
        self.change(by, "account.disable", name, AccountChange::Disable).await
    }

    /// Lets the account in again.
    pub async fn enable(&self, by: &Authority, name: &str) -> Result<(), AccountsError> {
        self.change(by, "account.enable", name, AccountChange::Enable).await
    }

    /// Removes the account for good, and ends its sessions.
    pub async fn remove(&self, by: &Authority, name: &str) -> Result<(), AccountsError> {
        self.change(by, "account.remove", name, AccountChange::Remove).await
    }

    /// Generates another password, and ends the account's sessions.
    pub async fn reset_password(&self, by: &Authority, name: &str) -> Result<NewCredentials, AccountsError> {
        let account = self.by_name(by, name).await?;
        let password = generate_password(&*self.random);
        let hash = self.credentials.hash(Secret::new(password.expose().to_owned())).await?;
        let change = AccountChange::Password { hash, must_change: must_change(account.role, true) };
        self.change(by, "account.reset_password", name, change).await?;
        Ok(NewCredentials { password: Some(password), otpauth: None })
    }

    /// Replaces the authenticator's secret at once: for one that was lost. Its recovery codes and sessions end.
    pub async fn reset_totp(&self, by: &Authority, name: &str) -> Result<NewCredentials, AccountsError> {
        let secret: [u8; 20] = random_bytes(&*self.random);
        let otpauth = enrolment_uri(&secret, name)?;
        self.change(by, "account.reset_totp", name, AccountChange::Totp(secret.to_vec().into())).await?;
        Ok(NewCredentials { password: None, otpauth: Some(otpauth) })
    }

    /// Ten new recovery codes in place of the old ones; shown once.
    pub async fn recovery_codes(&self, by: &Authority, name: &str) -> Result<Vec<Secret>, AccountsError> {
        let codes = recovery_codes(&*self.random);
        let normal = codes.iter().map(|code| normal_code(code.expose())).collect();
        self.change(by, "account.recovery_codes", name, AccountChange::RecoveryCodes(normal)).await?;
        Ok(codes)
    }

    async fn change(
        &self,
        by: &Authority,
        action: &'static str,
        name: &str,
        change: AccountChange,
    ) -> Result<(), AccountsError> {
        match self.endings.change_account(name, None, change, by.audit(action, name)).await? {
            Changed::Done => Ok(()),
            // Nothing is outdated for whoever administers.
            Changed::Unknown | Changed::Outdated => Err(AccountsError::Unknown),
            Changed::LastAdministrator => Err(AccountsError::LastAdministrator),
        }
    }
}

/// Names stand before a colon in the addresses that authenticator apps take over, which have none themselves.
fn is_name(name: &str) -> bool {
    let unusable = |character: char| character.is_control() || character.is_whitespace() || character == ':';
    (1..=64).contains(&name.chars().count()) && !name.chars().any(unusable)
}

/// Whoever did not choose the password changes it; a generated one of a machine was chosen by nobody.
fn must_change(role: Role, generated: bool) -> bool {
    role != Role::ReceiptComputer || !generated
}
