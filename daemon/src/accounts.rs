//! `shikakud account`: accounts are managed on the machine itself, while the daemon is stopped.
//!
//! Passwords come from a file or are generated; neither they nor the authenticator's secret ever stand in argv or a log.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;

use crate::app::credentials::{Credentials, CredentialsError, enrolment_uri};
use crate::app::ports::{
    Accounts as _, Clock, CreateAccountError, NewAccount, Random, Role, StoreError, random_bytes,
};
use crate::app::tasks::Tasks;
use crate::config::{Config, ConfigError};
use crate::domain::personal::Secret;
use crate::start::{StartError, open_store};

/// Roles as they are written on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RoleName {
    /// 資格確認担当者
    Operator,
    /// レセコン
    ReceiptComputer,
    /// 管理者
    Administrator,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Operator => Self::Operator,
            RoleName::ReceiptComputer => Self::ReceiptComputer,
            RoleName::Administrator => Self::Administrator,
        }
    }
}

/// Why an account was not created or unlocked.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The configuration is not usable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store does not open; a running daemon holds it.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The name breaks its rule.
    #[error("アカウント名は1文字以上64文字以内で、空白と制御文字は使えません")]
    Name,
    /// The password breaks its rule.
    #[error("パスワードは、英字と数字を含む13文字以上にしてください")]
    Password,
    /// The password file could not be read.
    #[error("パスワードのファイルを読めません: {0}")]
    PasswordFile(std::io::Error),
    /// The name is taken.
    #[error("同じ名前のアカウントがあります")]
    Exists,
    /// There is no such account.
    #[error("その名前のアカウントはありません")]
    Unknown,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Hashing failed.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The answer could not be written.
    #[error("出力できません: {0}")]
    Output(#[from] std::io::Error),
}

/// What a new account signs in with; shown once.
pub struct Enrolment {
    /// The password, if it was generated.
    pub generated_password: Option<Secret>,
    /// The `otpauth://` address for the authenticator app.
    pub otpauth: Secret,
}

/// Creates an account.
pub async fn add(
    config: &Config,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    name: &str,
    role: Role,
    password_file: Option<&Path>,
) -> Result<Enrolment, AccountError> {
    let acceptable = (1..=64).contains(&name.chars().count())
        && !name.chars().any(|character| character.is_control() || character.is_whitespace());
    if !acceptable {
        return Err(AccountError::Name);
    }
    let (password, generated) = if let Some(path) = password_file {
        (read_password(path)?, None)
    } else {
        let password = generate_password(&**random);
        (Secret::new(password.expose().to_owned()), Some(password))
    };
    let credentials = Credentials::new(random.clone());
    let totp_secret: [u8; 20] = random_bytes(&**random);
    let otpauth = enrolment_uri(&totp_secret, name)?;
    let account = NewAccount {
        name: name.to_owned(),
        role,
        password_hash: credentials.hash(password).await?,
        totp_secret: totp_secret.to_vec().into(),
    };
    let tasks = Tasks::default();
    let store = open_store(config, clock, random, &tasks).await?;
    let created = store.create(&account).await;
    store.close().await;
    tasks.finish().await;
    match created {
        Ok(()) => Ok(Enrolment { generated_password: generated, otpauth }),
        Err(CreateAccountError::Exists) => Err(AccountError::Exists),
        Err(CreateAccountError::Store(error)) => Err(error.into()),
    }
}

/// Clears failures and lock of an account.
pub async fn unlock(
    config: &Config,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    name: &str,
) -> Result<(), AccountError> {
    let tasks = Tasks::default();
    let store = open_store(config, clock, random, &tasks).await?;
    let unlocked = store.unlock(name).await;
    store.close().await;
    tasks.finish().await;
    if unlocked? { Ok(()) } else { Err(AccountError::Unknown) }
}

/// Shows an enrolment to the person at the terminal.
pub fn show(enrolment: &Enrolment, name: &str, out: &mut dyn Write) -> Result<(), AccountError> {
    writeln!(out, "アカウント {name} を作成しました。次の情報は二度と表示されません。")?;
    if let Some(password) = &enrolment.generated_password {
        writeln!(out, "パスワード: {}", password.expose())?;
    }
    writeln!(out, "認証アプリに登録するURI: {}", enrolment.otpauth.expose())?;
    Ok(())
}

fn read_password(path: &Path) -> Result<Secret, AccountError> {
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(AccountError::PasswordFile)?);
    let password = text.trim_end_matches(['\r', '\n']);
    // 医療情報システムの安全管理に関するガイドライン Q&A シQ-54: 13 characters or more need no periodic change.
    let long = password.chars().count() >= 13;
    let mixed = password.chars().any(char::is_alphabetic) && password.chars().any(char::is_numeric);
    if long && mixed { Ok(Secret::new(password.to_owned())) } else { Err(AccountError::Password) }
}

/// 120 bits in groups of four, without letters that are easily confused, and always with a letter and a digit.
fn generate_password(random: &dyn Random) -> Secret {
    let text = data_encoding::BASE32_NOPAD.encode(&random_bytes::<15>(random)).to_lowercase();
    let groups: Vec<&str> =
        (0..text.len()).step_by(4).filter_map(|start| text.get(start..start + 4)).collect();
    Secret::new(format!("{}-x7", groups.join("-")))
}
