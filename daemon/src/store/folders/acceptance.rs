//! Who let readers of the folders do without MFA, and for which folders.

use jiff::Timestamp;

use super::super::error::failed;
use super::super::writer::write as in_transaction;
use super::super::{Store, audit};
use crate::app::ports::{Acceptance, AuditEntry, StoreError};

pub(super) async fn read(store: &Store) -> Result<Option<Acceptance>, StoreError> {
    let row: Option<(String, i64)> =
        sqlx::query_as("SELECT accepted_by, accepted_at_us FROM folder_acceptance WHERE id = 1")
            .fetch_optional(&store.readers)
            .await
            .map_err(|e| failed(&e))?;
    let Some((by, at_us)) = row else { return Ok(None) };
    let roots = sqlx::query_scalar("SELECT root FROM folder_accepted_roots ORDER BY root")
        .fetch_all(&store.readers)
        .await
        .map_err(|e| failed(&e))?;
    let at = Timestamp::from_microsecond(at_us).unwrap_or(Timestamp::MAX);
    Ok(Some(Acceptance { by, at, roots }))
}

pub(super) async fn write(
    store: &Store,
    by: &str,
    roots: &[String],
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    let (by, roots, entry) = (by.to_owned(), roots.to_vec(), entry.clone());
    in_transaction(&store.writer, move |tx| {
        Box::pin(async move {
            sqlx::raw_sql("DELETE FROM folder_acceptance; DELETE FROM folder_accepted_roots;")
                .execute(&mut tx.db)
                .await
                .map_err(|e| failed(&e))?;
            if roots.is_empty() {
                // What is stored from now on was not meant, also if it is accepted again.
                sqlx::raw_sql("DELETE FROM folder_followed")
                    .execute(&mut tx.db)
                    .await
                    .map_err(|e| failed(&e))?;
            } else {
                sqlx::query(
                    "INSERT INTO folder_acceptance (id, accepted_by, accepted_at_us) VALUES (1, ?1, ?2)",
                )
                .bind(&by)
                .bind(tx.now_us)
                .execute(&mut tx.db)
                .await
                .map_err(|e| failed(&e))?;
            }
            for root in &roots {
                sqlx::query("INSERT OR IGNORE INTO folder_accepted_roots (root) VALUES (?1)")
                    .bind(root)
                    .execute(&mut tx.db)
                    .await
                    .map_err(|e| failed(&e))?;
            }
            audit::append(tx, &entry, &[]).await
        })
    })
    .await
}
