//! The scripted program's part about the audit log, retention and the OQS folders.

use api::service::{Answer, Caller, UpkeepService};
use api::wire;
use async_trait::async_trait;

use super::fake::Scripted;

const WHEN: &str = "2026-07-09T00:00:00+09:00";

#[async_trait]
impl UpkeepService for Scripted {
    async fn audit(&self, _: &Caller, _: wire::AuditQuery) -> Answer<wire::AuditPage> {
        let row = wire::AuditRow {
            seq: 1042,
            at: WHEN.to_owned(),
            actor: "receipt".to_owned(),
            action: "result.list".to_owned(),
            source: "loopback/1a2b3c4d".to_owned(),
            terminal: Some("uketsuke-1".to_owned()),
            results: vec![41, 42],
            outcome: "ok".to_owned(),
        };
        self.play(wire::AuditPage { rows: vec![row], next_after: Some(1042) }).await
    }

    async fn retention(&self, _: &Caller) -> Answer<wire::RetentionStatus> {
        let month = wire::RetainedMonth {
            month: "2026-05".to_owned(),
            results: 1200,
            expires_at: WHEN.to_owned(),
            hidden: true,
        };
        let status = wire::RetentionStatus {
            now: WHEN.to_owned(),
            clock: wire::ClockState::Unsynchronised,
            months: vec![month],
            due: true,
            lag_seconds: 3_600,
            unfinished: true,
            last_purge: Some(wire::LastPurge { at: WHEN.to_owned(), results: 1100, months: 1 }),
            room: true,
            ballast: false,
        };
        self.play(status).await
    }

    async fn folder_settings(&self, _: &Caller) -> Answer<wire::FolderSettings> {
        self.play(folders()).await
    }

    async fn set_folder_access(&self, _: &Caller, _: wire::FolderAccess) -> Answer<wire::FolderSettings> {
        self.play(folders()).await
    }
}

fn folders() -> wire::FolderSettings {
    let folder =
        wire::ConfiguredFolder { name: "receipt".to_owned(), root: "/srv/oqs".to_owned(), accepted: true };
    let acceptance = wire::FolderAcceptance { by: "kanrisha".to_owned(), at: WHEN.to_owned() };
    wire::FolderSettings { folders: vec![folder], acceptance: Some(acceptance) }
}
