//! OQS folders: acceptance, files on their way out, requests that were seen.
//!
//! A file's bytes lie here sealed until it is known to be out; then only its name stays, and of a request for ever.

mod acceptance;
mod files;
mod requests;
mod sealed;

use std::collections::HashSet;

use async_trait::async_trait;

use super::Store;
use super::error::failed;
use crate::app::ports::{
    Acceptance, AuditEntry, DueFile, Echo, FileBytes, FolderFollowed, FolderLedger, FolderName,
    FolderRequest, FolderStand, KnownRequest, NewAnswer, NewFace, StoreError, WaitingRequest,
};
use crate::domain::check::ResultId;
use crate::domain::identifiers::InquiryNumber;
use crate::domain::queue::{BulkId, JobId};

#[async_trait]
impl FolderLedger for Store {
    async fn acceptance(&self) -> Result<Option<Acceptance>, StoreError> {
        acceptance::read(self).await
    }

    async fn set_acceptance(
        &self,
        by: &str,
        roots: &[String],
        audit: &AuditEntry,
    ) -> Result<Option<Acceptance>, StoreError> {
        acceptance::write(self, by, roots, audit).await?;
        acceptance::read(self).await
    }

    async fn followed(&self, folder: &FolderName) -> Result<Option<FolderFollowed>, StoreError> {
        files::followed(self, folder).await
    }

    async fn begin_to_follow(&self, folder: &FolderName, present: FolderFollowed) -> Result<(), StoreError> {
        files::begin_to_follow(self, folder, present).await
    }

    async fn have_faces(
        &self,
        folder: &FolderName,
        results: &[ResultId],
    ) -> Result<HashSet<ResultId>, StoreError> {
        let mut found = HashSet::new();
        for result in results {
            let known: bool = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM folder_files WHERE folder = ?1 AND result_id = ?2)",
            )
            .bind(&folder.0)
            .bind(result.0)
            .fetch_one(&self.readers)
            .await
            .map_err(|e| failed(&e))?;
            if known {
                found.insert(*result);
            }
        }
        Ok(found)
    }

    async fn intend_faces(
        &self,
        folder: &FolderName,
        faces: &[NewFace],
        followed: i64,
        audit: Option<&AuditEntry>,
    ) -> Result<Vec<DueFile>, StoreError> {
        files::intend_faces(self, folder, faces, followed, audit).await
    }

    async fn due(
        &self,
        folder: &FolderName,
        answers: bool,
        after: i64,
        limit: u32,
    ) -> Result<Vec<DueFile>, StoreError> {
        files::due(self, folder, answers, after, limit).await
    }

    async fn newest_file(&self) -> Result<i64, StoreError> {
        let newest: Option<i64> = sqlx::query_scalar("SELECT max(id) FROM folder_files")
            .fetch_one(&self.readers)
            .await
            .map_err(|e| failed(&e))?;
        Ok(newest.unwrap_or_default())
    }

    async fn note_published(&self, files: &[i64]) -> Result<(), StoreError> {
        files::note_published(self, files).await
    }

    async fn request(&self, request: &FolderRequest) -> Result<KnownRequest, StoreError> {
        requests::known(self, request).await
    }

    async fn note_waiting(
        &self,
        request: &FolderRequest,
        answer_name: &str,
        echo: &Echo,
        job: JobId,
    ) -> Result<(), StoreError> {
        requests::note_waiting(self, request, answer_name, echo, job).await
    }

    async fn ended(&self, folder: &FolderName, limit: u32) -> Result<Vec<WaitingRequest>, StoreError> {
        requests::ended(self, folder, limit).await
    }

    async fn intend_answer(
        &self,
        request: &FolderRequest,
        answer: &NewAnswer,
    ) -> Result<Option<DueFile>, StoreError> {
        requests::intend_answer(self, request, answer).await
    }

    async fn end_waiting(
        &self,
        folder: &FolderName,
        request: &str,
        bytes: &FileBytes,
    ) -> Result<Option<DueFile>, StoreError> {
        requests::end_waiting(self, folder, request, bytes).await
    }

    async fn bulk_numbers(
        &self,
        folder: &FolderName,
        bulk: BulkId,
    ) -> Result<Option<Vec<InquiryNumber>>, StoreError> {
        requests::bulk_numbers(self, folder, bulk).await
    }

    async fn stand(&self, folder: &FolderName, answers: bool) -> Result<FolderStand, StoreError> {
        let (waiting, due): (i64, i64) = sqlx::query_as(
            "SELECT coalesce(sum(state = 'waiting'), 0), coalesce(sum(state = 'due'), 0) FROM live_folder_files \
             WHERE folder = ?1 AND state <> 'published' AND (request_id IS NOT NULL) = ?2",
        )
        .bind(&folder.0)
        .bind(answers)
        .fetch_one(&self.readers)
        .await
        .map_err(|e| failed(&e))?;
        Ok(FolderStand { waiting: waiting.unsigned_abs(), due: due.unsigned_abs() })
    }
}
