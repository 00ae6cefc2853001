//! Files on their way out of the folders.

use sqlx::FromRow;

use super::super::error::failed;
use super::super::writer::{Tx, write};
use super::super::{Store, audit};
use super::sealed::{self, Column};
use crate::app::ports::{
    AuditEntry, DueFile, FileBytes, FileKind, FolderFollowed, FolderName, NewFace, StoreError,
};
use crate::domain::check::ResultId;
use crate::domain::retention::{JstMonth, expiry};

pub(super) async fn followed(
    store: &Store,
    folder: &FolderName,
) -> Result<Option<FolderFollowed>, StoreError> {
    let row: Option<(i64, i64)> =
        sqlx::query_as("SELECT change, known FROM folder_followed WHERE folder = ?1")
            .bind(&folder.0)
            .fetch_optional(&store.readers)
            .await
            .map_err(|e| failed(&e))?;
    Ok(row.map(|(change, known)| FolderFollowed { change, known: ResultId(known) }))
}

pub(super) async fn begin_to_follow(
    store: &Store,
    folder: &FolderName,
    present: FolderFollowed,
) -> Result<(), StoreError> {
    let folder = folder.clone();
    write(&store.writer, move |tx| {
        Box::pin(async move {
            sqlx::query("INSERT INTO folder_followed (folder, change, known) VALUES (?1, ?2, ?3)")
                .bind(&folder.0)
                .bind(present.change)
                .bind(present.known.0)
                .execute(&mut tx.db)
                .await
                .map(drop)
                .map_err(|e| failed(&e))
        })
    })
    .await
}

async fn follow(tx: &mut Tx, folder: &FolderName, change: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE folder_followed SET change = max(change, ?2) WHERE folder = ?1")
        .bind(&folder.0)
        .bind(change)
        .execute(&mut tx.db)
        .await
        .map(drop)
        .map_err(|e| failed(&e))
}

pub(super) async fn intend_faces(
    store: &Store,
    folder: &FolderName,
    faces: &[NewFace],
    followed: i64,
    entry: Option<&AuditEntry>,
) -> Result<Vec<DueFile>, StoreError> {
    let (folder, faces, entry) = (folder.clone(), faces.to_vec(), entry.cloned());
    write(&store.writer, move |tx| {
        Box::pin(async move {
            let mut due = Vec::with_capacity(faces.len());
            for face in faces {
                due.push(intend_face(tx, &folder, face).await?);
            }
            follow(tx, &folder, followed).await?;
            if let Some(entry) = entry {
                audit::append(tx, &entry, &[]).await?;
            }
            Ok(due)
        })
    })
    .await
}

async fn intend_face(tx: &mut Tx, folder: &FolderName, face: NewFace) -> Result<DueFile, StoreError> {
    let id = tx.next_id("folder_files").await?;
    let month = JstMonth::of(face.checked_at);
    let keys = tx.month_keys(month).await?;
    let place = (id, month, Column::Bytes);
    let payload = sealed::seal(&keys, tx.random.as_ref(), place, face.bytes.expose())?;
    sqlx::query(
        "INSERT INTO folder_files (id, folder, result_id, name, month, expires_at_us, state, payload) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'due', ?7)",
    )
    .bind(id)
    .bind(&folder.0)
    .bind(face.result.0)
    .bind(&face.name)
    .bind(month.number())
    .bind(expiry(face.checked_at).as_microsecond())
    .bind(payload)
    .execute(&mut tx.db)
    .await
    .map_err(|e| failed(&e))?;
    Ok(DueFile { id, kind: FileKind::Face, name: face.name, bytes: face.bytes })
}

#[derive(FromRow)]
struct Due {
    id: i64,
    name: String,
    request: Option<String>,
    month: i32,
    payload: Vec<u8>,
}

pub(super) async fn due(
    store: &Store,
    folder: &FolderName,
    answers: bool,
    after: i64,
    limit: u32,
) -> Result<Vec<DueFile>, StoreError> {
    let rows: Vec<Due> = sqlx::query_as(
        "SELECT files.id, files.name, requests.name AS request, files.month, files.payload \
         FROM live_folder_files AS files LEFT JOIN folder_requests AS requests ON requests.id = files.request_id \
         WHERE files.folder = ?1 AND files.state <> 'published' AND files.state = 'due' AND files.id > ?2 \
         AND (files.request_id IS NOT NULL) = ?3 AND files.expires_at_us > ?4 ORDER BY files.id LIMIT ?5",
    )
    .bind(&folder.0)
    .bind(after)
    .bind(answers)
    .bind(store.clock.now_us())
    .bind(limit)
    .fetch_all(&store.readers)
    .await
    .map_err(|e| failed(&e))?;
    let read = |row: Due| {
        let kind = row.request.map_or(FileKind::Face, |request| FileKind::Answer { request });
        let bytes = sealed::open_bytes(&store.keyring, row.id, row.month, &row.payload)?;
        Ok(DueFile { id: row.id, kind, name: row.name, bytes })
    };
    // A damaged row must not hold up the others; it stays where it is.
    let readable = |file: Result<DueFile, StoreError>| {
        file.inspect_err(|error| tracing::error!(%error, "a file for a folder cannot be written")).ok()
    };
    Ok(rows.into_iter().map(read).filter_map(readable).collect())
}

pub(super) async fn note_published(store: &Store, files: &[i64]) -> Result<(), StoreError> {
    let files = files.to_vec();
    write(&store.writer, move |tx| {
        Box::pin(async move {
            for id in files {
                sqlx::query(
                    "UPDATE folder_files SET state = 'published', payload = NULL WHERE id = ?1 AND state = 'due'",
                )
                .bind(id)
                .execute(&mut tx.db)
                .await
                .map_err(|e| failed(&e))?;
            }
            Ok(())
        })
    })
    .await
}

/// Settles the bytes of a row that waits.
pub(super) async fn settle(
    tx: &mut Tx,
    (id, month): (i64, JstMonth),
    bytes: &FileBytes,
) -> Result<(), StoreError> {
    let keys = tx.month_keys(month).await?;
    let payload = sealed::seal(&keys, tx.random.as_ref(), (id, month, Column::Bytes), bytes.expose())?;
    sqlx::query("UPDATE folder_files SET state = 'due', payload = ?2 WHERE id = ?1 AND state = 'waiting'")
        .bind(id)
        .bind(payload)
        .execute(&mut tx.db)
        .await
        .map(drop)
        .map_err(|e| failed(&e))
}
