//! The audit log, retention and the OQS folders: use case → wire.

use api::service::{Answer, Caller, UpkeepService};
use api::wire as w;
use async_trait::async_trait;

use super::wire::jst;
use super::{UseCases, actor, errors, health, query};
use crate::app::access::{Action, Authority};
use crate::app::folders::{AcceptanceView, ConfiguredFolder};
use crate::app::ports::{AuditRange, AuditRecord, LastPurge, MonthStock};
use crate::app::retention::RetentionView;

const DEFAULT_LIMIT: u32 = 100;

#[async_trait]
impl UpkeepService for UseCases {
    async fn audit(&self, caller: &Caller, asked: w::AuditQuery) -> Answer<w::AuditPage> {
        let (since, until) = query::period(asked.from.as_deref(), asked.to.as_deref())?;
        let (after, limit) = (asked.after.unwrap_or_default(), asked.limit.unwrap_or(DEFAULT_LIMIT));
        let range = AuditRange { since, until };
        let (rows, next_after) =
            self.review.page(&actor(caller), range, after, limit).await.map_err(errors::review)?;
        Ok(w::AuditPage { rows: rows.into_iter().map(row).collect(), next_after })
    }

    async fn retention(&self, caller: &Caller) -> Answer<w::RetentionStatus> {
        actor(caller).may(Action::Administer).map_err(errors::forbidden)?;
        Ok(status(&self.retention.view().await.map_err(errors::store)?))
    }

    async fn folder_settings(&self, caller: &Caller) -> Answer<w::FolderSettings> {
        let authority = Authority::of(&actor(caller)).map_err(errors::forbidden)?;
        Ok(folders(self.folders.view(&authority)))
    }

    async fn set_folder_access(&self, caller: &Caller, access: w::FolderAccess) -> Answer<w::FolderSettings> {
        let authority = Authority::of(&actor(caller)).map_err(errors::forbidden)?;
        let set = if access.readers_need_no_mfa {
            self.folders.accept(&authority).await
        } else {
            self.folders.withdraw(&authority).await
        };
        set.map_err(errors::folders)?;
        Ok(folders(self.folders.view(&authority)))
    }
}

fn folders(view: AcceptanceView) -> w::FolderSettings {
    let folder = |folder: ConfiguredFolder| w::ConfiguredFolder {
        name: folder.name,
        root: folder.root,
        accepted: folder.accepted,
    };
    w::FolderSettings {
        folders: view.folders.into_iter().map(folder).collect(),
        acceptance: view.record.map(|record| w::FolderAcceptance { by: record.by, at: jst(record.at) }),
    }
}

fn row(record: AuditRecord) -> w::AuditRow {
    w::AuditRow {
        seq: record.seq,
        at: jst(record.at),
        actor: record.actor,
        action: record.action,
        source: record.source,
        terminal: record.terminal.map(|terminal| terminal.0),
        results: record.results.iter().map(|id| id.0).collect(),
        outcome: record.outcome,
    }
}

fn status(view: &RetentionView) -> w::RetentionStatus {
    let stock = &view.stock;
    let month = |kept: &MonthStock| w::RetainedMonth {
        month: format!("{:04}-{:02}", kept.month.number() / 100, kept.month.number() % 100),
        results: kept.results,
        expires_at: jst(kept.expires_at),
        hidden: kept.expires_at <= stock.instant,
    };
    let purge = |last: LastPurge| w::LastPurge {
        at: jst(last.at),
        results: last.purged.results,
        months: last.purged.months,
    };
    w::RetentionStatus {
        now: jst(view.now),
        clock: health::clock_state(Some(view.clock)),
        months: stock.months.iter().map(month).collect(),
        due: view.due,
        lag_seconds: i64::try_from(view.health.lag.as_secs()).unwrap_or(i64::MAX),
        unfinished: stock.unfinished,
        last_purge: stock.last.map(purge),
        room: view.health.room.is_ok(),
        ballast: stock.ballast,
    }
}
