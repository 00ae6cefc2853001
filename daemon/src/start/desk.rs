//! The front desk put together: checks, and what happens there and elsewhere.

use std::sync::Arc;
use std::time::Duration;

use super::Parts;
use super::people::People;
use crate::app::checks::{Checks, ChecksParts};
use crate::app::collect::Collect;
use crate::app::desk_records::KeepDeskRecords;
use crate::app::events::{Events, EventsParts};
use crate::app::idempotency::Idempotency;
use crate::app::ports::CardDesk as _;
use crate::card::desk::Desk;
use crate::card::pcsc::PcscReaders;
use crate::card::survey::survey_within;
use crate::config::Config;
use crate::service::SseForm;
use crate::store::Store;
use crate::upstream::Upstream;

/// The names of the readers that are connected; none where the service does not say in time. Touches no card.
pub(crate) fn connected_readers(within: Duration) -> Vec<String> {
    let Ok(readers) = PcscReaders::new() else { return Vec::new() };
    let seen = survey_within(within, Box::new(readers), false).unwrap_or_default();
    seen.into_iter().map(|reader| reader.name.0).collect()
}

pub(super) fn checks(
    config: &Config,
    parts: &Parts,
    store: &Arc<Store>,
    desk: &Arc<Desk>,
    central: &Arc<Upstream>,
    idempotency: Idempotency,
) -> Checks {
    Checks::new(ChecksParts {
        desk: desk.clone(),
        central: central.clone(),
        store: store.clone(),
        room: store.clone(),
        idempotency,
        audit: store.clone(),
        clock: parts.clock.clone(),
        random: parts.random.clone(),
        tasks: parts.tasks.clone(),
        settings: store.clone(),
        terminal_authentication: parts.terminal_authentication.clone(),
        maintenance: parts.maintenance.clone(),
        terminals: config.terminals(),
        patience: parts.patience,
        origin: config.mode.origin(),
        tally: parts.tally.clone(),
    })
}

/// What the front desk writes down.
pub(super) fn records(
    config: &Config,
    parts: &Parts,
    people: &People,
    store: &Arc<Store>,
) -> KeepDeskRecords {
    KeepDeskRecords {
        store: store.clone(),
        configured: config.terminals().into_iter().map(|terminal| terminal.id).collect(),
        audit: store.clone(),
        enrolled: people.terminals.clone(),
        clock: parts.clock.clone(),
    }
}

/// Events of everything that tells of itself, from here on.
pub(super) fn events(
    parts: &Parts,
    people: &People,
    store: &Arc<Store>,
    desk: &Arc<Desk>,
    checks: &Checks,
    collect: &Collect,
) -> Events {
    let events = Events::new(EventsParts {
        store: store.clone(),
        sessions: people.sessions.clone(),
        desk: desk.watch(),
        checks: checks.steps(),
        announced: collect.announced(),
        form: Arc::new(SseForm),
        tasks: parts.tasks.clone(),
    });
    events.start();
    events
}
