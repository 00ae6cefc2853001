//! OQS folders: results that leave as files, and inquiry numbers that come as files and are answered by files.
//!
//! Decides what leaves and when it is settled; knows neither file systems nor message forms. Everything is done by the actor
//! [`ACTOR`]: whoever may read and write the folders.

mod acceptance;
mod board;

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

pub use acceptance::{AcceptanceError, AcceptanceView, ConfiguredFolder, FolderAcceptance, covers};
pub use board::{FolderBoard, FolderTrouble, FoldersHealth, Side};

use super::access::Actor;
use super::inquiries::{BulkTaken, HandedIn, Inquiries, InquiryError, Ticket};
use super::ports::{
    AuditEntry, AuditLog, AuditSource, Clock, DueFile, Echo, FileBytes, FolderFollowed, FolderLedger,
    FolderName, FolderRequest, FolderStand, InquiryEnd, InquiryRequest, Keyed, KnownRequest, NewAnswer,
    NewFace, ResultStore, ResultsMark, Role, StoreError, StoredResult, Subject, WaitingRequest,
};
use super::retention::Retention;
use crate::domain::check::ResultId;
use crate::domain::folder_file::face_name;
use crate::domain::identifiers::{InquiryNumber, InsuranceIdentifiers};
use crate::domain::queue::{BulkId, JobId};

/// Who acts for the audit log.
pub const ACTOR: &str = "folders";
/// The action of results that leave as files.
pub const FACES: &str = "folders.face";
/// The action of inquiry numbers of a bulk that leave with their outcomes.
pub const OUTCOMES: &str = "folders.bulk_outcome";
/// Results that are settled in one transaction.
const AT_ONCE: u32 = 100;
/// Items of a bulk: no bulk has more.
const MOST_ITEMS: u32 = 10_000;

/// How a result is written into a file. Implemented where the forms are known.
pub trait FaceForm: Send + Sync + 'static {
    /// The whole file.
    fn render(&self, stored: &StoredResult) -> Vec<u8>;
}

/// What the use case is made of.
pub struct FolderParts {
    /// What is kept of the folders.
    pub ledger: Arc<dyn FolderLedger>,
    /// Stored results.
    pub results: Arc<dyn ResultStore>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// Inquiry numbers.
    pub inquiries: Inquiries,
    /// The administrator's word.
    pub acceptance: Arc<FolderAcceptance>,
    /// Whether the clock is trusted.
    pub retention: Arc<Retention>,
    /// Where health looks.
    pub board: FolderBoard,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// The use case.
pub struct FolderExchange {
    parts: FolderParts,
    /// Files up to this number were settled by an earlier run: whether they were out is not known.
    earlier: i64,
}

/// What became of a bulk: an item's number, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkItems {
    /// Whether any is still on its way.
    pub running: bool,
    /// The items in their order.
    pub items: Vec<(InquiryNumber, Option<InquiryEnd>)>,
}

impl FolderExchange {
    /// Begins where the run before ended.
    pub async fn open(parts: FolderParts) -> Result<Self, StoreError> {
        let earlier = parts.ledger.newest_file().await?;
        Ok(Self { parts, earlier })
    }

    /// The administrator's word.
    pub fn acceptance(&self) -> &FolderAcceptance {
        &self.parts.acceptance
    }

    /// Where health looks.
    pub fn board(&self) -> &FolderBoard {
        &self.parts.board
    }

    /// Where the stored results stand.
    pub fn news(&self) -> watch::Receiver<ResultsMark> {
        self.parts.results.news()
    }

    /// The wall clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.parts.clock
    }

    /// The present, if somebody vouches for it: what expires before it may be destroyed.
    pub fn trusted_now(&self) -> Option<Timestamp> {
        self.parts.retention.trusted_now()
    }

    /// Whether a file was settled by an earlier run.
    pub fn is_of_earlier_run(&self, file: i64) -> bool {
        file <= self.earlier
    }

    //------------ Results --------------------------------------------------------------------------------------------

    /// Settles the files of results that have none yet, at most a hundred; besides, whether there is more. When this returns
    /// they are in the audit log and may leave.
    pub async fn new_faces(
        &self,
        folder: &FolderName,
        form: &dyn FaceForm,
    ) -> Result<(Vec<DueFile>, bool), StoreError> {
        let Self { parts: FolderParts { ledger, results, .. }, .. } = self;
        let mark = results.mark();
        let FolderFollowed { change: followed, known: before } = self.followed(folder).await?;
        if followed >= mark.change {
            return Ok((Vec::new(), false));
        }
        let rows = results.changes(followed, AT_ONCE).await?;
        let more = u32::try_from(rows.len()).unwrap_or(u32::MAX) >= AT_ONCE;
        let last = rows.last().map_or(followed, |row| row.change);
        // The mark was taken first: without more, everything up to it has been read, also what is not shown.
        let followed = if more { last } else { last.max(mark.change) };
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let known = ledger.have_faces(folder, &ids).await?;
        let mut faces = Vec::new();
        for id in ids.into_iter().filter(|id| *id > before && !known.contains(id)) {
            // Gone meanwhile: past its retention.
            let Some(stored) = results.get(id).await? else { continue };
            faces.push(face(&stored, form));
        }
        let about: Vec<ResultId> = faces.iter().map(|face| face.result).collect();
        let entry = (!about.is_empty()).then(|| AuditEntry { results: about, ..actor().entry(FACES) });
        Ok((ledger.intend_faces(folder, &faces, followed, entry.as_ref()).await?, more))
    }

    /// Up to where the folder follows the results; one that was never followed begins now.
    async fn followed(&self, folder: &FolderName) -> Result<FolderFollowed, StoreError> {
        let Self { parts: FolderParts { ledger, results, .. }, .. } = self;
        if let Some(followed) = ledger.followed(folder).await? {
            return Ok(followed);
        }
        // A result that is stored between the two questions must not fall between them.
        let present = loop {
            let known = results.newest().await?;
            let change = results.mark().change;
            if results.newest().await? == known {
                break FolderFollowed { change, known };
            }
        };
        ledger.begin_to_follow(folder, present).await?;
        Ok(present)
    }

    /// Files that are settled and not known to be out, some after a number.
    pub async fn due(&self, folder: &FolderName, side: Side, after: i64) -> Result<Vec<DueFile>, StoreError> {
        self.parts.ledger.due(folder, side == Side::Requests, after, AT_ONCE).await
    }

    /// Files are out.
    pub async fn published(&self, files: &[i64]) -> Result<(), StoreError> {
        self.parts.ledger.note_published(files).await
    }

    /// What is open.
    pub async fn stand(&self, folder: &FolderName, side: Side) -> Result<FolderStand, StoreError> {
        self.parts.ledger.stand(folder, side == Side::Requests).await
    }

    //------------ Requests -------------------------------------------------------------------------------------------

    /// Whether a request was seen before.
    pub async fn known(&self, request: &FolderRequest) -> Result<KnownRequest, StoreError> {
        self.parts.ledger.request(request).await
    }

    /// Takes a number in; the same request again changes nothing.
    pub async fn hand_in(
        &self,
        request: &FolderRequest,
        person: InsuranceIdentifiers,
        number: InquiryNumber,
    ) -> Result<HandedIn, InquiryError> {
        let actor = actor();
        self.parts.inquiries.hand_in(&actor, person, number, Some(keyed(request))).await
    }

    /// Waits for the end of a number as long as any caller does.
    pub async fn wait_for(&self, ticket: Ticket) -> Option<InquiryEnd> {
        self.parts.inquiries.wait_for(ticket).await
    }

    /// Takes a bulk in; the same request again changes nothing.
    pub async fn take_bulk(
        &self,
        request: &FolderRequest,
        items: Vec<(InsuranceIdentifiers, InquiryNumber)>,
    ) -> Result<BulkTaken, InquiryError> {
        let asked = |(person, number)| InquiryRequest { subject: Subject::Person(person), number };
        let items = items.into_iter().map(asked).collect();
        self.parts.inquiries.set_bulk(&actor(), items, Some(keyed(request))).await
    }

    /// What became of a bulk that came through the folder; `None` if there is none of this number. When this returns it is in
    /// the audit log and may leave.
    pub async fn bulk(&self, folder: &FolderName, bulk: BulkId) -> Result<Option<BulkItems>, InquiryError> {
        let Some(numbers) = self.parts.ledger.bulk_numbers(folder, bulk).await? else { return Ok(None) };
        let actor = actor();
        let (stand, page) = match self.parts.inquiries.bulk(&actor, bulk, 0, MOST_ITEMS).await {
            Ok(found) => found,
            Err(InquiryError::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let results = page.iter().flat_map(|view| view.job.results.iter().copied()).collect();
        self.parts.audit.append(&AuditEntry { results, ..actor.entry(OUTCOMES) }).await?;
        let ends = page.into_iter().map(|view| view.job.end);
        let running = stand.registered.saturating_add(stand.failed) < stand.items;
        Ok(Some(BulkItems { running, items: numbers.into_iter().zip(ends).collect() }))
    }

    /// Notes that the answer waits for a job.
    pub async fn wait(
        &self,
        request: &FolderRequest,
        answer_name: &str,
        echo: &Echo,
        job: JobId,
    ) -> Result<(), StoreError> {
        self.parts.ledger.note_waiting(request, answer_name, echo, job).await
    }

    /// Requests that wait for nothing any more.
    pub async fn ended(&self, folder: &FolderName) -> Result<Vec<WaitingRequest>, StoreError> {
        self.parts.ledger.ended(folder, AT_ONCE).await
    }

    /// Settles the one answer of a request; `None` if it was seen before.
    pub async fn answer(
        &self,
        request: &FolderRequest,
        answer: &NewAnswer,
    ) -> Result<Option<DueFile>, StoreError> {
        self.parts.ledger.intend_answer(request, answer).await
    }

    /// Settles the answer of a request that waited.
    pub async fn end_waiting(
        &self,
        folder: &FolderName,
        request: &str,
        bytes: &FileBytes,
    ) -> Result<Option<DueFile>, StoreError> {
        self.parts.ledger.end_waiting(folder, request, bytes).await
    }
}

fn face(stored: &StoredResult, form: &dyn FaceForm) -> NewFace {
    let checked_at = stored.content.confirmation.processed_at;
    NewFace {
        result: stored.id,
        checked_at,
        name: face_name(stored.id, checked_at),
        bytes: FileBytes::new(form.render(stored)),
    }
}

/// Whoever may write into the folders does what a receipt computer does.
fn actor() -> Actor {
    Actor { account: ACTOR.to_owned(), role: Role::ReceiptComputer, source: AuditSource::Folders }
}

/// The same file is the same request. No account's name holds a slash, so keys never meet those of the API.
fn keyed(request: &FolderRequest) -> Keyed {
    Keyed {
        account: format!("{ACTOR}/{}", request.folder.0),
        key: request.name.clone(),
        request: request.content,
    }
}
