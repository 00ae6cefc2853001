//! Settings: one row a group.

use async_trait::async_trait;

use super::error::failed;
use super::writer::write;
use super::{Store, audit};
use crate::app::ports::{AuditEntry, Settings, StoreError};
use crate::domain::admission::SecuritySettings;

#[async_trait]
impl Settings for Store {
    async fn security(&self) -> Result<SecuritySettings, StoreError> {
        let (visual, code): (i64, i64) = sqlx::query_as(
            "SELECT visual_confirmation, operators_need_code FROM security_settings WHERE id = 1",
        )
        .fetch_one(&self.readers)
        .await
        .map_err(|e| failed(&e))?;
        Ok(SecuritySettings { visual_confirmation: visual == 1, operators_need_code: code == 1 })
    }

    async fn set_security(&self, settings: SecuritySettings, audit: &AuditEntry) -> Result<(), StoreError> {
        let entry = audit.clone();
        write(&self.writer, move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE security_settings SET visual_confirmation = ?1, operators_need_code = ?2 WHERE id = 1",
                )
                .bind(i64::from(settings.visual_confirmation))
                .bind(i64::from(settings.operators_need_code))
                .execute(&mut tx.db)
                .await
                .map_err(|e| failed(&e))?;
                audit::append(tx, &entry, &[]).await
            })
        })
        .await
    }
}
