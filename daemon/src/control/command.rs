//! What can be asked over the control channel, and what is answered: the only place that knows the forms.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::retention::{RetentionRan, RetentionReport};
use super::review::{Days, RowForm, VerifyReport};
use crate::app::ports::Role;
use crate::domain::personal::Secret;

/// A secret on its way over the socket, whose both ends belong to the same user: redacted in `Debug`, wiped on drop.
#[derive(Clone)]
pub struct Hidden(Zeroizing<String>);

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl Hidden {
    /// Takes a text over.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself; call it only at the point of use.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<&Secret> for Hidden {
    fn from(secret: &Secret) -> Self {
        Self::new(secret.expose().to_owned())
    }
}

impl From<&Hidden> for Secret {
    fn from(hidden: &Hidden) -> Self {
        Self::new(hidden.expose().to_owned())
    }
}

/// Roles as they are written on the command line and over the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
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

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Operator => Self::Operator,
            Role::ReceiptComputer => Self::ReceiptComputer,
            Role::Administrator => Self::Administrator,
        }
    }
}

/// What someone on the machine asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Create an account.
    AccountAdd {
        /// Sign-in name.
        name: String,
        /// What it may do.
        role: RoleName,
        /// Its first password; generated if left out.
        password: Option<Hidden>,
    },
    /// Show every account.
    AccountList,
    /// Do something about one account.
    Account {
        /// Sign-in name.
        name: String,
        /// What.
        act: AccountAct,
    },
    /// Check the audit log and its anchor.
    AuditVerify {
        /// Accept afterwards what earlier starts found.
        accept: bool,
    },
    /// Write a backup.
    Backup {
        /// Where to, as the daemon sees it.
        directory: std::path::PathBuf,
        /// The recovery key's text.
        recovery: Hidden,
    },
    /// Write out rows of the audit log.
    AuditExport {
        /// The period.
        days: Days,
        /// How they are written.
        form: RowForm,
    },
    /// List the persons whose results were answered.
    AuditAffected {
        /// The period.
        days: Days,
    },
    /// Tell what is kept, hidden and due.
    RetentionStatus,
    /// Destroy what has expired now.
    RetentionRun {
        /// An administrator vouches for the clock, this once.
        clock_is_right: bool,
    },
    /// Make a code that enrols a terminal once.
    TerminalOffer {
        /// Its name.
        name: String,
    },
    /// Show every enrolled terminal.
    TerminalList,
    /// Remove a terminal.
    TerminalRemove {
        /// Its name.
        name: String,
    },
    /// Make a code that enrols a receipt computer's certificate once.
    MachineOffer {
        /// Sign-in name of its account.
        name: String,
    },
    /// Issue a certificate for a receipt computer on another machine.
    MachineIssue {
        /// Sign-in name of its account.
        name: String,
        /// Its certificate request, PEM.
        csr: String,
    },
    /// Show every certificate of receipt computers.
    MachineList,
    /// Revoke a certificate.
    MachineRevoke {
        /// Its number in the list.
        number: i64,
    },
    /// Show the certificate of the daemon's own authority.
    MachineAuthority,
    /// Show the OQS folders and what is on record about them.
    FoldersShow,
    /// Accept, or take back, that readers of the OQS folders need no MFA.
    FoldersAccept {
        /// Whether it is accepted.
        accept: bool,
    },
}

/// What can be done about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountAct {
    /// Clear failures and lock.
    Unlock,
    /// Let nobody in with it.
    Disable,
    /// Let it in again.
    Enable,
    /// Remove it for good.
    Remove,
    /// Generate another password.
    ResetPassword,
    /// Issue another authenticator secret.
    ResetTotp,
    /// Issue ten recovery codes.
    RecoveryCodes,
}

/// An account in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLine {
    /// Sign-in name.
    pub name: String,
    /// What it may do.
    pub role: RoleName,
    /// Whether an administrator disabled it.
    pub disabled: bool,
    /// Whether failures locked it.
    pub locked: bool,
    /// Whether its password must be changed at the next sign-in.
    pub must_change: bool,
    /// Recovery codes that are left.
    pub recovery_codes: u32,
}

/// A terminal in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalLine {
    /// Its name.
    pub name: String,
    /// When it was enrolled, Japan time to the second.
    pub enrolled_at: String,
}

/// A receipt computer's certificate in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineLine {
    /// Its number.
    pub number: i64,
    /// Sign-in name of its account.
    pub account: String,
    /// SHA-256 of the certificate, hexadecimal.
    pub fingerprint: String,
    /// When it ends, Japan time to the second.
    pub ends_at: String,
}

/// The OQS folders and what is on record about them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldersReport {
    /// Name, path, and whether the record means it.
    pub folders: Vec<(String, String, bool)>,
    /// Who accepted, and when, Japan time to the second.
    pub accepted: Option<(String, String)>,
}

/// What an account signs in with; shown once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Enrolment {
    /// Sign-in name.
    pub account: String,
    /// The password, if it was generated.
    pub password: Option<Hidden>,
    /// The `otpauth://` address for the authenticator app, if it is new.
    pub otpauth: Option<Hidden>,
}

/// The answer of a command that succeeded.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "reply", content = "content", rename_all = "snake_case")]
pub enum Reply {
    /// Nothing more to say.
    Done,
    /// New credentials.
    Enrolled(Enrolment),
    /// What a verification found.
    Verified(VerifyReport),
    /// A backup was written and read back.
    BackedUp {
        /// The archive.
        file: std::path::PathBuf,
        /// Results in it.
        results: u64,
        /// From when on none of them may be restored.
        results_expire_at: Option<String>,
    },
    /// Rows were written out.
    Wrote {
        /// How many.
        rows: usize,
        /// How many different persons, if they were named.
        persons: Option<usize>,
    },
    /// Every account.
    Accounts(Vec<AccountLine>),
    /// Codes, each good once.
    RecoveryCodes(Vec<Hidden>),
    /// A code that enrols a device once.
    EnrolmentCode {
        /// The code.
        code: Hidden,
        /// When it is too old, Japan time to the second.
        expires_at: String,
    },
    /// Every enrolled terminal.
    Terminals(Vec<TerminalLine>),
    /// Every certificate of receipt computers.
    Machines(Vec<MachineLine>),
    /// A new certificate of a receipt computer.
    MachineIssued {
        /// PEM.
        certificate: String,
        /// The authority's, PEM.
        authority: String,
        /// SHA-256 of the certificate, hexadecimal.
        fingerprint: String,
        /// When it ends, Japan time to the second.
        ends_at: String,
    },
    /// The certificate of the daemon's own authority.
    Authority {
        /// PEM.
        certificate: String,
        /// Its SHA-256, hexadecimal.
        fingerprint: String,
    },
    /// The OQS folders.
    Folders(FoldersReport),
    /// How retention is.
    Retention(RetentionReport),
    /// What was destroyed.
    RetentionRan(RetentionRan),
}

/// A line of the answer. After the last one, [`Line::Done`] or [`Line::Failed`], the daemon closes the connection.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// How far it is, in Japanese, for people.
    Progress(String),
    /// A portion of what the command writes out; can name persons.
    Output(Hidden),
    /// It succeeded.
    Done(Reply),
    /// It did not; in Japanese, says what to do.
    Failed(String),
}
