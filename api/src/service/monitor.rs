//! What whoever watches the program is told, as the contract needs it.

use async_trait::async_trait;

use super::Answer;
use crate::wire;

/// The part of [`super::Service`] that needs no session: on this machine alone, and about nobody.
#[async_trait]
pub trait MonitorService: Send + Sync + 'static {
    /// Whether the program can do its work, and if not, why.
    async fn readiness(&self) -> Answer<wire::Readiness>;

    /// The program's figures in Prometheus's text format 0.0.4; [`crate::codes::Code::NotFound`] where they are not told.
    async fn metrics(&self) -> Answer<String>;
}
