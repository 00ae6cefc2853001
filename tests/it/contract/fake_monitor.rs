//! The scripted program's part for whoever watches it.

use api::service::{Answer, MonitorService};
use api::wire;
use async_trait::async_trait;

use super::fake::Scripted;

#[async_trait]
impl MonitorService for Scripted {
    async fn readiness(&self) -> Answer<wire::Readiness> {
        self.play(wire::Readiness { ready: true, reasons: Vec::new() }).await
    }

    async fn metrics(&self) -> Answer<String> {
        self.play(
            "# HELP shikaku_sessions Live sessions.\n# TYPE shikaku_sessions gauge\nshikaku_sessions 1\n"
                .to_owned(),
        )
        .await
    }
}
