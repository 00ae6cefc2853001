//! The beginning of a check: its reader is reserved, its task started, its request remembered.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, watch};

use super::registry::{Full, Registry};
use super::{CheckStep, CheckView, ChecksParts, CreateError, Entry, Facts, Stand, steps};
use crate::app::idempotency::Work;
use crate::app::ports::Made;
use crate::domain::check::Phase;

/// Remembers which check the request begins, then begins it: after a crash in between there is no check, never a second.
pub(super) async fn begin_once(
    parts: ChecksParts,
    registry: &Arc<Registry>,
    told: broadcast::Sender<CheckStep>,
    facts: Facts,
    work: &Work,
) -> Result<CheckView, CreateError> {
    if registry.on_reader(&facts.reader).is_some() {
        return Err(CreateError::ReaderBusy);
    }
    let idempotency = parts.idempotency.clone();
    idempotency.remember(work, &Made::Check(facts.id.clone())).await?;
    let begun = begin(parts, registry, told, facts);
    if begun.is_err() {
        idempotency.forget(work).await?;
    }
    begun
}

/// Reserves the reader and starts the check's task.
pub(super) fn begin(
    parts: ChecksParts,
    registry: &Arc<Registry>,
    told: broadcast::Sender<CheckStep>,
    facts: Facts,
) -> Result<CheckView, CreateError> {
    let facts = Arc::new(facts);
    let course = facts.method.course(parts.terminal_authentication.is_some());
    let begin = Stand { revision: 1, phase: Phase::first(course), certificate: None, ended_at: None };
    let (stand, watched) = watch::channel(begin);
    let (sender, inputs) = mpsc::channel(4);
    let entry = Arc::new(Entry { facts: facts.clone(), stand: watched, inputs: sender });
    let reservation = registry.admit(entry.clone()).map_err(|full| match full {
        Full::Reader => CreateError::ReaderBusy,
        Full::Checks => CreateError::TooMany,
    })?;
    let view = entry.view();
    let tasks = parts.tasks.clone();
    tasks.start(steps::tell(entry, told));
    tasks.start(super::drive::run(parts, facts, course, stand, inputs, reservation));
    Ok(view)
}
