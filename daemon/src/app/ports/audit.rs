//! The audit log as it is reviewed: rows, whether they are as they were written, and how long they are kept.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::{StoreError, TerminalId};
use crate::domain::check::ResultId;

/// From where somebody asked, as the audit log keeps it: a class and a short number, never an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditSource {
    /// Nobody asked: the program itself.
    #[default]
    Daemon,
    /// A command on the machine.
    Machine,
    /// The OQS folders: whoever may read and write them.
    Folders,
    /// The API.
    Api {
        /// Whether the peer was this machine itself.
        loopback: bool,
        /// The first four bytes of the session's hash; none before there is a session.
        session: Option<[u8; 4]>,
    },
}

impl AuditSource {
    /// As it stands in the log: `daemon`, `machine`, `folders`, `loopback`, `loopback/1a2b3c4d`, `network/1a2b3c4d`.
    pub fn word(self) -> String {
        match self {
            Self::Daemon => "daemon".to_owned(),
            Self::Machine => "machine".to_owned(),
            Self::Folders => "folders".to_owned(),
            Self::Api { loopback, session } => {
                let peer = if loopback { "loopback" } else { "network" };
                match session {
                    Some(session) => format!("{peer}/{}", data_encoding::HEXLOWER.encode(&session)),
                    None => peer.to_owned(),
                }
            }
        }
    }
}

/// What is wrong with the anchor, the file outside the database that knows count and head of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnchorFinding {
    /// An installation from before there were anchors: the first one was written now. Nothing is wrong.
    Begun,
    /// The file is gone although the log was anchored.
    Missing,
    /// The file holds no anchor of this installation.
    Unreadable,
    /// Rows were cut off the end of the log, or an older database was put back.
    RowsMissing {
        /// Rows that the anchor knows.
        anchored: i64,
        /// Rows that are there.
        found: i64,
    },
    /// The log holds another row at the anchor's place.
    Differs {
        /// The row.
        anchored: i64,
    },
    /// The log is ahead of the anchor by more than its last commit: an older anchor was put back.
    Older {
        /// Rows that the anchor knows.
        anchored: i64,
        /// Rows that are there.
        found: i64,
    },
}

impl AnchorFinding {
    /// As it stands in the log.
    pub fn word(self) -> String {
        match self {
            Self::Begun => "anchor_begun".to_owned(),
            Self::Missing => "anchor_missing".to_owned(),
            Self::Unreadable => "anchor_unreadable".to_owned(),
            Self::RowsMissing { anchored, found } => format!("rows_missing:{anchored}/{found}"),
            Self::Differs { anchored } => format!("anchor_differs:{anchored}"),
            Self::Older { anchored, found } => format!("anchor_older:{anchored}/{found}"),
        }
    }

    /// What it means and what to do, for people.
    pub fn meaning(self) -> String {
        match self {
            Self::Begun => "この版から監査ログのアンカーが作られました。異常ではありません".to_owned(),
            Self::Missing => {
                "監査ログのアンカーがありません。誰かが消したか、別の場所に移しました。末尾の行が消されていても分かりません"
                    .to_owned()
            }
            Self::Unreadable => {
                "監査ログのアンカーが壊れているか、別の設置のものです。末尾の行が消されていても分かりません".to_owned()
            }
            Self::RowsMissing { anchored, found } => format!(
                "監査ログの末尾が消されたか、古いデータベースに戻されています（アンカーは{anchored}行、実際は{found}行）"
            ),
            Self::Differs { anchored } => {
                format!("監査ログの{anchored}行目がアンカーと違います。書き換えられています")
            }
            Self::Older { anchored, found } => format!(
                "監査ログのアンカーが古すぎます（アンカーは{anchored}行、実際は{found}行）。古いアンカーに戻されたか、データベースだけが別の場所で動いていました"
            ),
        }
    }
}

/// A row of the audit log. Holds no insured data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number, from 1, without gaps.
    pub seq: i64,
    /// The store's instant: never goes back, also when the clock is set back.
    pub at: Timestamp,
    /// What the wall clock said; unknown in rows of old versions.
    pub wall: Option<Timestamp>,
    /// Which opening of the store wrote it; grows by one with each, 0 in rows of old versions.
    pub run: i64,
    /// Monotonic microseconds since that opening.
    pub up_us: i64,
    /// Number of the commit that wrote it.
    pub batch: i64,
    /// The account, `machine`, `daemon`, or `unknown`.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// From where it was asked.
    pub source: String,
    /// The terminal, if one was named.
    pub terminal: Option<TerminalId>,
    /// The results it was about.
    pub results: Vec<ResultId>,
    /// `ok`, or a stable code.
    pub outcome: String,
}

/// Which rows are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditRange {
    /// Written at or after this instant.
    pub since: Option<Timestamp>,
    /// Written before this instant.
    pub until: Option<Timestamp>,
}

/// A log that is as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Rows that were checked.
    pub rows: i64,
    /// The first of them; above 1 after rows were removed at the end of their retention.
    pub first: i64,
    /// The last of them.
    pub last: i64,
    /// What earlier starts found wrong with the anchor and nobody has accepted yet: number of the row and its word.
    pub findings: Vec<(i64, String)>,
}

/// How the log was altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tampering {
    /// Changed, removed, added or reordered at this row, or just before.
    Altered {
        /// The first row that does not hold.
        seq: i64,
    },
    /// The rows hold among themselves but not against the anchor.
    Anchor(AnchorFinding),
}

/// Why a log was not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyError {
    /// It was altered.
    Tampering(Tampering),
    /// It could not be read.
    Store(StoreError),
}

impl From<StoreError> for VerifyError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The audit log as it is reviewed.
#[async_trait]
pub trait AuditTrail: Send + Sync + 'static {
    /// Checks every row and the anchor; `progress` hears how many rows are done.
    async fn verify(&self, progress: &(dyn Fn(i64) + Send + Sync)) -> Result<Verified, VerifyError>;

    /// Rows in their order, at most `limit` after the row `after`.
    async fn rows(&self, range: AuditRange, after: i64, limit: u32) -> Result<Vec<AuditRecord>, StoreError>;

    /// Removes the rows from before an instant and says how many; the rest still verifies.
    async fn prune(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Whether something is known to be wrong with the anchor, without looking far: found at the start, or gone now.
    fn suspicion(&self) -> Option<AnchorFinding>;

    /// What is wrong with the anchor now, or was at the start.
    async fn anchor(&self) -> Result<Option<AnchorFinding>, StoreError>;
}
