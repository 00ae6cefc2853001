//! Accounts as an administrator manages them, at the machine or over the API. Every change is audited in its transaction.

use std::sync::Arc;

use super::credentials::{Credentials, CredentialsError, enrolment_uri, generate_password};
use super::ports::{
    Accounts, AuditEntry, CreateAccountError, NewAccount, Random, Role, Source, StoreError, random_bytes,
};
use crate::domain::personal::Secret;

/// Who acts when a command comes from the machine itself.
pub const MACHINE: &str = "machine";

/// Why an account was not created or changed; the texts go to the person at the machine.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The name breaks its rule.
    #[error("アカウント名は1文字以上64文字以内で、空白と制御文字は使えません")]
    Name,
    /// The password breaks its rule.
    #[error("パスワードは、英字と数字を含む13文字以上にしてください")]
    Password,
    /// The name is taken.
    #[error("同じ名前のアカウントがあります")]
    Exists,
    /// There is no such account.
    #[error("その名前のアカウントはありません")]
    Unknown,
    /// The store failed.
    #[error("保存領域が使えません: {0}")]
    Store(#[from] StoreError),
    /// Hashing failed.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
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
    /// Where accounts are kept.
    pub accounts: Arc<dyn Accounts>,
    /// Password hashing.
    pub credentials: Arc<Credentials>,
    /// Randomness for passwords and authenticator secrets.
    pub random: Arc<dyn Random>,
}

impl ManageAccounts {
    /// Creates an account.
    pub async fn add(
        &self,
        name: &str,
        role: Role,
        password: Option<Secret>,
    ) -> Result<NewCredentials, AccountsError> {
        let acceptable = (1..=64).contains(&name.chars().count())
            && !name.chars().any(|character| character.is_control() || character.is_whitespace());
        if !acceptable {
            return Err(AccountsError::Name);
        }
        let (password, generated) = if let Some(password) = password {
            (acceptable_password(password)?, None)
        } else {
            let password = generate_password(&*self.random);
            (Secret::new(password.expose().to_owned()), Some(password))
        };
        let totp_secret: [u8; 20] = random_bytes(&*self.random);
        let otpauth = enrolment_uri(&totp_secret, name)?;
        let account = NewAccount {
            name: name.to_owned(),
            role,
            password_hash: self.credentials.hash(password).await?,
            totp_secret: totp_secret.to_vec().into(),
        };
        match self.accounts.create(&account, &by_machine("account.create", name)).await {
            Ok(()) => Ok(NewCredentials { password: generated, otpauth: Some(otpauth) }),
            Err(CreateAccountError::Exists) => Err(AccountsError::Exists),
            Err(CreateAccountError::Store(error)) => Err(error.into()),
        }
    }

    /// Clears failures and lock of an account.
    pub async fn unlock(&self, name: &str) -> Result<(), AccountsError> {
        let unlocked = self.accounts.unlock(name, &by_machine("account.unlock", name)).await?;
        if unlocked { Ok(()) } else { Err(AccountsError::Unknown) }
    }
}

/// The audit row of a change to an account, which the outcome names.
fn by_machine(action: &'static str, account: &str) -> AuditEntry {
    AuditEntry {
        actor: MACHINE.to_owned(),
        action,
        source: Source::Machine,
        terminal: None,
        results: Vec::new(),
        outcome: format!("ok:{account}"),
    }
}

/// 医療情報システムの安全管理に関するガイドライン Q&A シQ-54: 13 characters or more need no periodic change.
fn acceptable_password(password: Secret) -> Result<Secret, AccountsError> {
    let text = password.expose();
    let long = text.chars().count() >= 13;
    let mixed = text.chars().any(char::is_alphabetic) && text.chars().any(char::is_numeric);
    if long && mixed { Ok(password) } else { Err(AccountsError::Password) }
}
