//! Requests of the folders, and their one answer each.

use sqlx::FromRow;

use super::super::error::failed;
use super::super::job;
use super::super::writer::{Tx, write};
use super::super::{Store, keyring::MonthKeys};
use super::files;
use super::sealed::{self, Column, corrupt};
use crate::app::ports::{
    DueFile, Echo, FileBytes, FileKind, FolderName, FolderRequest, InquiryEnd, KnownRequest, NewAnswer,
    StoreError, WaitingRequest,
};
use crate::domain::identifiers::InquiryNumber;
use crate::domain::queue::{BulkId, JobId};
use crate::domain::retention::{JstMonth, expiry};

fn hash(keys: &MonthKeys, request: &FolderRequest) -> Result<Vec<u8>, StoreError> {
    let parts = [request.folder.0.as_bytes(), request.name.as_bytes(), &request.content];
    Ok(keys.folder_index.hash(&parts)?.to_vec())
}

/// A request that is remembered, and what is left of its answer.
#[derive(FromRow)]
struct Known {
    id: Option<i64>,
    month: Option<i32>,
    state: Option<String>,
    request_hash: Option<Vec<u8>>,
}

pub(super) async fn known(store: &Store, request: &FolderRequest) -> Result<KnownRequest, StoreError> {
    let row: Option<Known> = sqlx::query_as(
        "SELECT files.id, files.month, files.state, files.request_hash FROM folder_requests AS requests \
         LEFT JOIN folder_files AS files ON files.request_id = requests.id \
         WHERE requests.folder = ?1 AND requests.name = ?2",
    )
    .bind(&request.folder.0)
    .bind(&request.name)
    .fetch_optional(&store.readers)
    .await
    .map_err(|e| failed(&e))?;
    let Some(row) = row else { return Ok(KnownRequest::New) };
    // Past its retention only the name is left.
    let Known { id: Some(id), month: Some(month), state: Some(state), request_hash: Some(known) } = row
    else {
        return Ok(KnownRequest::Answered { same: false });
    };
    if state != "published" {
        return Ok(KnownRequest::OnItsWay);
    }
    let month = sealed::month_of(id, month)?;
    let same = match store.keyring.month(month) {
        Some(keys) => hash(&keys, request)? == known,
        None => false,
    };
    Ok(KnownRequest::Answered { same })
}

/// Remembers a request for ever; `None` if it is remembered already.
async fn remember(tx: &mut Tx, request: &FolderRequest) -> Result<Option<i64>, StoreError> {
    sqlx::query_scalar(
        "INSERT INTO folder_requests (folder, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING RETURNING id",
    )
    .bind(&request.folder.0)
    .bind(&request.name)
    .fetch_optional(&mut tx.db)
    .await
    .map_err(|e| failed(&e))
}

/// A row that is to be inserted for a request.
struct Row<'r> {
    request: &'r FolderRequest,
    name: &'r str,
    state: &'static str,
    job: Option<JobId>,
    payload: (Column, &'r [u8]),
    bulk: Option<(BulkId, &'r [InquiryNumber])>,
}

/// Inserts the row; `None` if the request has one already.
async fn insert(tx: &mut Tx, row: Row<'_>) -> Result<Option<i64>, StoreError> {
    let Some(request_id) = remember(tx, row.request).await? else { return Ok(None) };
    let id = tx.next_id("folder_files").await?;
    let now = tx.now()?;
    let month = JstMonth::of(now);
    let keys = tx.month_keys(month).await?;
    let seal = |column, plain: &[u8]| sealed::seal(&keys, tx.random.as_ref(), (id, month, column), plain);
    let payload = seal(row.payload.0, row.payload.1)?;
    let numbers = match row.bulk {
        Some((_, numbers)) => Some(seal(Column::Numbers, &sealed::number_bytes(numbers)?)?),
        None => None,
    };
    sqlx::query(
        "INSERT INTO folder_files (id, folder, request_id, request_hash, name, job_id, bulk_id, month, expires_at_us, \
         state, payload, numbers) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )
    .bind(id)
    .bind(&row.request.folder.0)
    .bind(request_id)
    .bind(hash(&keys, row.request)?)
    .bind(row.name)
    .bind(row.job.map(|job| job.0))
    .bind(row.bulk.map(|(bulk, _)| bulk.0))
    .bind(month.number())
    .bind(expiry(now).as_microsecond())
    .bind(row.state)
    .bind(payload)
    .bind(numbers)
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    Ok(Some(id))
}

pub(super) async fn note_waiting(
    store: &Store,
    request: &FolderRequest,
    answer_name: &str,
    echo: &Echo,
    job: JobId,
) -> Result<(), StoreError> {
    let (request, name, echo) = (request.clone(), answer_name.to_owned(), sealed::echo_bytes(echo)?);
    write(&store.writer, move |tx| {
        Box::pin(async move {
            let payload = (Column::Echo, echo.as_slice());
            let row =
                Row { request: &request, name: &name, state: "waiting", job: Some(job), payload, bulk: None };
            insert(tx, row).await.map(drop)
        })
    })
    .await
}

pub(super) async fn intend_answer(
    store: &Store,
    request: &FolderRequest,
    answer: &NewAnswer,
) -> Result<Option<DueFile>, StoreError> {
    let (request, answer) = (request.clone(), answer.clone());
    write(&store.writer, move |tx| {
        Box::pin(async move {
            let row = Row {
                request: &request,
                name: &answer.name,
                state: "due",
                job: None,
                payload: (Column::Bytes, answer.bytes.expose()),
                bulk: answer.bulk.as_ref().map(|(bulk, numbers)| (*bulk, numbers.as_slice())),
            };
            let Some(id) = insert(tx, row).await? else { return Ok(None) };
            let kind = FileKind::Answer { request: request.name };
            Ok(Some(DueFile { id, kind, name: answer.name, bytes: answer.bytes }))
        })
    })
    .await
}

pub(super) async fn end_waiting(
    store: &Store,
    folder: &FolderName,
    request: &str,
    bytes: &FileBytes,
) -> Result<Option<DueFile>, StoreError> {
    let (folder, request, bytes) = (folder.clone(), request.to_owned(), bytes.clone());
    write(&store.writer, move |tx| {
        Box::pin(async move {
            let row: Option<(i64, i32, String)> = sqlx::query_as(
                "SELECT id, month, name FROM live_folder_files WHERE state = 'waiting' AND expires_at_us > ?3 \
                 AND request_id = (SELECT id FROM folder_requests WHERE folder = ?1 AND name = ?2)",
            )
            .bind(&folder.0)
            .bind(&request)
            .bind(tx.now_us)
            .fetch_optional(&mut tx.db)
            .await
            .map_err(|e| failed(&e))?;
            let Some((id, month, name)) = row else { return Ok(None) };
            let month = sealed::month_of(id, month)?;
            files::settle(tx, (id, month), &bytes).await?;
            Ok(Some(DueFile { id, kind: FileKind::Answer { request }, name, bytes }))
        })
    })
    .await
}

#[derive(FromRow)]
struct Ended {
    id: i64,
    request: String,
    month: i32,
    payload: Vec<u8>,
    state: String,
    failure: Option<String>,
    upstream_code: Option<String>,
}

pub(super) async fn ended(
    store: &Store,
    folder: &FolderName,
    limit: u32,
) -> Result<Vec<WaitingRequest>, StoreError> {
    let rows: Vec<Ended> = sqlx::query_as(
        "SELECT files.id, requests.name AS request, files.month, files.payload, jobs.state, jobs.failure, \
         jobs.upstream_code FROM live_folder_files AS files \
         JOIN folder_requests AS requests ON requests.id = files.request_id \
         JOIN live_inquiry_jobs AS jobs ON jobs.id = files.job_id \
         WHERE files.folder = ?1 AND files.state <> 'published' AND files.state = 'waiting' \
         AND jobs.state <> 'queued' AND files.expires_at_us > ?2 ORDER BY files.id LIMIT ?3",
    )
    .bind(&folder.0)
    .bind(store.clock.now_us())
    .bind(limit)
    .fetch_all(&store.readers)
    .await
    .map_err(|e| failed(&e))?;
    let read = |row: Ended| {
        let end = match (row.state.as_str(), &row.failure) {
            ("registered", _) => InquiryEnd::Registered,
            (_, Some(word)) => InquiryEnd::Failed(
                job::read_failure(word, row.upstream_code.clone())
                    .ok_or_else(|| corrupt(row.id, "its job's failure is unknown"))?,
            ),
            (_, None) => return Err(corrupt(row.id, "its job's state is unknown")),
        };
        let echo = sealed::open_echo(&store.keyring, row.id, row.month, &row.payload)?;
        Ok(WaitingRequest { name: row.request, echo, end })
    };
    rows.into_iter().map(read).collect()
}

pub(super) async fn bulk_numbers(
    store: &Store,
    folder: &FolderName,
    bulk: BulkId,
) -> Result<Option<Vec<InquiryNumber>>, StoreError> {
    let row: Option<(i64, i32, Vec<u8>)> = sqlx::query_as(
        "SELECT id, month, numbers FROM live_folder_files \
         WHERE folder = ?1 AND bulk_id = ?2 AND expires_at_us > ?3",
    )
    .bind(&folder.0)
    .bind(bulk.0)
    .bind(store.clock.now_us())
    .fetch_optional(&store.readers)
    .await
    .map_err(|e| failed(&e))?;
    let Some((id, month, sealed)) = row else { return Ok(None) };
    sealed::open_numbers(&store.keyring, id, month, &sealed).map(Some)
}
