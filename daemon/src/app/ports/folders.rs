//! OQS folders: which files are to leave, which requests were seen, and who let that happen.
//!
//! What leaves is committed here, byte for byte, before it leaves: after a crash the same name gets the same bytes or nothing.

use std::collections::HashSet;
use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::queue::InquiryEnd;
use super::store::{AuditEntry, StoreError};
use crate::domain::check::ResultId;
use crate::domain::identifiers::InquiryNumber;
use crate::domain::queue::{BulkId, JobId};

/// A configured folder, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderName(pub String);

/// On record: readers of the folders need no MFA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Who accepted.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The folders that were meant, by their paths.
    pub roots: Vec<String>,
}

/// Bytes of a file that names somebody: not shown, wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct FileBytes(Zeroizing<Vec<u8>>);

impl FileBytes {
    /// Takes them over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileBytes({} bytes)", self.0.len())
    }
}

/// What a file is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A result, in `face/`.
    Face,
    /// The answer to the request of this name, in `res/`.
    Answer {
        /// The request's name.
        request: String,
    },
}

/// A file that is to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueFile {
    /// Its number.
    pub id: i64,
    /// What it is about.
    pub kind: FileKind,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub bytes: FileBytes,
}

/// A result as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFace {
    /// The result.
    pub result: ResultId,
    /// When the check was carried out: retention counts from there.
    pub checked_at: Timestamp,
    /// The file's name.
    pub name: String,
    /// What it holds.
    pub bytes: FileBytes,
}

/// A request by its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderRequest {
    /// The folder.
    pub folder: FolderName,
    /// The file's name.
    pub name: String,
    /// SHA-256 of its bytes.
    pub content: [u8; 32],
}

/// Whether a request was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownRequest {
    /// Never.
    New,
    /// Its answer is on its way.
    OnItsWay,
    /// It was answered.
    Answered {
        /// Whether it is still the same request; also untrue where that can no longer be told.
        same: bool,
    },
}

/// What an answer repeats of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    /// MedicalInstitutionCode, as the request has it.
    pub institution: String,
    /// ArbitraryFileIdentifier, if the request has one.
    pub identifier: Option<String>,
    /// ReferenceNumber of a single request.
    pub number: Option<InquiryNumber>,
}

/// A request whose number is on its way, or no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRequest {
    /// The request's name.
    pub name: String,
    /// What its answer repeats.
    pub echo: Echo,
    /// How the number's job ended.
    pub end: InquiryEnd,
}

/// An answer that is to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAnswer {
    /// The file's name.
    pub name: String,
    /// What it holds.
    pub bytes: FileBytes,
    /// The bulk that it is the receipt of, and its numbers in their order.
    pub bulk: Option<(BulkId, Vec<InquiryNumber>)>,
}

/// Up to where a folder follows the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderFollowed {
    /// The last change that was looked at.
    pub change: i64,
    /// The last result from before the folder was followed: that one and those before it get no file, whatever becomes of them.
    pub known: ResultId,
}

/// What is open for a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FolderStand {
    /// Requests whose number is on its way.
    pub waiting: u64,
    /// Files that are to leave.
    pub due: u64,
}

/// What is kept of the folders. Reads never return what is past its retention.
#[async_trait]
pub trait FolderLedger: Send + Sync + 'static {
    /// Whether it is on record that readers need no MFA.
    async fn acceptance(&self) -> Result<Option<Acceptance>, StoreError>;

    /// Puts that on record for these paths, with the audit row in the same transaction; without paths takes it back.
    async fn set_acceptance(
        &self,
        by: &str,
        roots: &[String],
        audit: &AuditEntry,
    ) -> Result<Option<Acceptance>, StoreError>;

    /// Up to where the results are in files, if the folder was ever followed.
    async fn followed(&self, folder: &FolderName) -> Result<Option<FolderFollowed>, StoreError>;

    /// Begins to follow a folder.
    async fn begin_to_follow(&self, folder: &FolderName, present: FolderFollowed) -> Result<(), StoreError>;

    /// Which of these results have had a file in the folder.
    async fn have_faces(
        &self,
        folder: &FolderName,
        results: &[ResultId],
    ) -> Result<HashSet<ResultId>, StoreError>;

    /// Settles files of results, and up to which change the folder follows them, with the audit row in one transaction.
    async fn intend_faces(
        &self,
        folder: &FolderName,
        faces: &[NewFace],
        followed: i64,
        audit: Option<&AuditEntry>,
    ) -> Result<Vec<DueFile>, StoreError>;

    /// Files of a kind that are settled and not known to be out, at most `limit` after a number.
    async fn due(
        &self,
        folder: &FolderName,
        answers: bool,
        after: i64,
        limit: u32,
    ) -> Result<Vec<DueFile>, StoreError>;

    /// The highest number of a file, 0 if there is none.
    async fn newest_file(&self) -> Result<i64, StoreError>;

    /// Notes that files are out, and erases what they held.
    async fn note_published(&self, files: &[i64]) -> Result<(), StoreError>;

    /// Whether a request was seen before.
    async fn request(&self, request: &FolderRequest) -> Result<KnownRequest, StoreError>;

    /// Notes that a request waits for a job.
    async fn note_waiting(
        &self,
        request: &FolderRequest,
        answer_name: &str,
        echo: &Echo,
        job: JobId,
    ) -> Result<(), StoreError>;

    /// Waiting requests whose job has ended, at most `limit`.
    async fn ended(&self, folder: &FolderName, limit: u32) -> Result<Vec<WaitingRequest>, StoreError>;

    /// Settles the one answer of a request that was never seen; `None` if it was.
    async fn intend_answer(
        &self,
        request: &FolderRequest,
        answer: &NewAnswer,
    ) -> Result<Option<DueFile>, StoreError>;

    /// Settles the answer of a request that waits; `None` if it does not.
    async fn end_waiting(
        &self,
        folder: &FolderName,
        request: &str,
        bytes: &FileBytes,
    ) -> Result<Option<DueFile>, StoreError>;

    /// The numbers of a bulk that came through the folder.
    async fn bulk_numbers(
        &self,
        folder: &FolderName,
        bulk: BulkId,
    ) -> Result<Option<Vec<InquiryNumber>>, StoreError>;

    /// What is open of answers, or of results.
    async fn stand(&self, folder: &FolderName, answers: bool) -> Result<FolderStand, StoreError>;
}
