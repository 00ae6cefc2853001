//! Readers and health: use cases → wire.

use std::time::Duration;

use api::codes::Code;
use api::wire as w;
use jiff::Timestamp;

use super::wire::{jst, method};
use super::{collect, errors};
use crate::app::checks::Offer;
use crate::app::folders::{FolderTrouble, FoldersHealth};
use crate::app::health::{HealthView, Notice};
use crate::app::ports::{
    CardService, DeskView, Origin, ReaderName, ReaderState, ReaderView, Renewal, StoreError, TerminalId,
};
use crate::app::retention::RetentionHealth;
use crate::domain::breaker::Circuit;
use crate::domain::clock::{Doubt, Trust};
use crate::domain::queue::QueueView;

pub(super) fn readers(view: &DeskView, offer: &Offer) -> w::Readers {
    w::Readers {
        service_available: view.service_available(),
        methods: offer.methods.iter().copied().map(method).collect(),
        visual_after_lock: offer.visual_after_lock,
        readers: view
            .readers
            .iter()
            .map(|reader| w::Reader {
                name: reader.name.0.clone(),
                state: reader_state(&reader.state),
                check_id: None,
            })
            .collect(),
        terminals: Vec::new(),
    }
}

pub(super) fn seen_reader(reader: &ReaderView) -> w::SeenReader {
    w::SeenReader { name: reader.name.0.clone(), state: reader_state(&reader.state) }
}

fn reader_state(state: &ReaderState) -> w::ReaderState {
    match state {
        ReaderState::Empty => w::ReaderState::Empty,
        ReaderState::Card(_) => w::ReaderState::Card,
        ReaderState::Mute => w::ReaderState::Mute,
        ReaderState::Unavailable => w::ReaderState::Unavailable,
    }
}

/// A terminal and the reader that a check there would use now.
pub(super) fn terminal((terminal, reader): (TerminalId, Option<ReaderName>)) -> w::TerminalReader {
    w::TerminalReader { terminal: terminal.0, reader: reader.map(|reader| reader.0) }
}

pub(super) fn health(view: &HealthView, now: Timestamp, origin: Origin) -> w::Health {
    let card = card_health(&view.desk);
    let upstream = upstream_health(view);
    let store = match view.store.as_ref().and(view.retention.room.as_ref()) {
        Ok(()) if view.audit_is_sound => w::HealthPart::well(w::HealthState::Ok),
        Ok(()) => w::HealthPart::troubled(w::HealthState::Degraded, Code::AuditLogSuspect),
        // It still answers, but nothing new is begun.
        Err(StoreError::DiskFull) if view.store.is_ok() => {
            w::HealthPart::troubled(w::HealthState::Degraded, Code::StoreFull)
        }
        Err(StoreError::DiskFull) => w::HealthPart::troubled(w::HealthState::Failed, Code::StoreFull),
        Err(StoreError::Failed(_) | StoreError::Corrupt { .. }) => {
            w::HealthPart::troubled(w::HealthState::Failed, Code::Internal)
        }
    };
    let queue = queue_health(&view.queue, now);
    let collect = collect::health(&view.collect);
    let retention = retention_health(&view.retention);
    let folders = folders_health(view.folders);
    let others = [
        card.state,
        upstream.state,
        queue.part.state,
        collect.part.state,
        retention.state,
        folders.part.state,
    ];
    w::Health {
        state: overall(store.state, others),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sandbox: origin == Origin::Sandbox,
        card,
        upstream,
        store,
        retention,
        queue,
        folders,
        collect,
        maintenance: collect::maintenance(&view.collect),
        link: link(view),
        notices: view.notices.iter().map(|notice| w::Notice::of(notice_code(*notice))).collect(),
    }
}

/// The state of each part by its name.
pub(super) fn parts(view: &HealthView, now: Timestamp) -> [(&'static str, w::HealthState); 7] {
    // Whose data they are changes no state.
    let health = health(view, now, Origin::Production);
    [
        ("card", health.card.state),
        ("upstream", health.upstream.state),
        ("store", health.store.state),
        ("retention", health.retention.state),
        ("queue", health.queue.part.state),
        ("folders", health.folders.part.state),
        ("collect", health.collect.part.state),
    ]
}

/// What waits is not lost, so a waiting queue is at most degraded; a full one takes nothing more.
fn queue_health(view: &QueueView, now: Timestamp) -> w::QueueHealth {
    let part = match (view.full, view.waits) {
        (true, _) => w::HealthPart::troubled(w::HealthState::Failed, Code::InquiryQueueFull),
        (false, Some(why)) if view.depth > 0 => {
            w::HealthPart::troubled(w::HealthState::Degraded, errors::later(why))
        }
        (false, _) => w::HealthPart::well(w::HealthState::Ok),
    };
    let age = |taken: Timestamp| u64::try_from(now.duration_since(taken).as_secs()).unwrap_or_default();
    w::QueueHealth {
        part,
        depth: u64::try_from(view.depth).unwrap_or(u64::MAX),
        oldest_s: view.oldest.map(age),
    }
}

/// What cannot be put into a folder now is not lost, so it is at most degraded.
fn folders_health(health: Option<FoldersHealth>) -> w::FoldersHealth {
    let trouble = health.and_then(|health| health.trouble).map(|trouble| match trouble {
        FolderTrouble::Refused => Code::FolderFilesRefused,
        FolderTrouble::Store => Code::Internal,
        FolderTrouble::NotAccepted => Code::FoldersNotAccepted,
        FolderTrouble::Full => Code::FolderFull,
        FolderTrouble::Unavailable => Code::FolderUnavailable,
    });
    let part = match (trouble, health.is_some_and(|health| health.known)) {
        (Some(code), _) => w::HealthPart::troubled(w::HealthState::Degraded, code),
        (None, true) => w::HealthPart::well(w::HealthState::Ok),
        (None, false) => w::HealthPart::well(w::HealthState::Unknown),
    };
    let FoldersHealth { stand, refused, ambiguous, .. } = health.unwrap_or_default();
    w::FoldersHealth { part, waiting: stand.waiting, due: stand.due, refused, ambiguous }
}

/// The last outcome tells the state; a notice about something that does not work makes it worse.
fn upstream_health(view: &HealthView) -> w::HealthPart {
    let worst = view.notices.iter().find(|notice| **notice != Notice::CertificateEnding);
    let worst = worst.map(|notice| notice_code(*notice));
    match (view.upstream.answering, &view.upstream.last_failure, worst) {
        (Some(false), Some(failure), _) => {
            w::HealthPart::troubled(w::HealthState::Failed, errors::upstream_code(&failure.error))
        }
        (_, _, Some(code)) => w::HealthPart::troubled(w::HealthState::Degraded, code),
        (Some(false), None, None) => {
            w::HealthPart::troubled(w::HealthState::Failed, Code::UpstreamUnreachable)
        }
        (Some(true), _, None) => w::HealthPart::well(w::HealthState::Ok),
        (None, _, None) => w::HealthPart::well(w::HealthState::Unknown),
    }
}

fn notice_code(notice: Notice) -> Code {
    match notice {
        Notice::CertificateEnded => Code::ClientCertificateEnded,
        Notice::Paused => Code::UpstreamPaused,
        Notice::ClockOff => Code::ClockDisagrees,
        Notice::FilesRefused => Code::UpstreamFilesRefused,
        Notice::CertificateEnding => Code::ClientCertificateEnding,
    }
}

fn link(view: &HealthView) -> w::UpstreamLink {
    let upstream = &view.upstream;
    let (circuit, until) = match upstream.circuit {
        Circuit::Closed => (w::CircuitState::Closed, None),
        Circuit::Open { until } => (w::CircuitState::Open, Some(until)),
        Circuit::Trying => (w::CircuitState::Trying, None),
    };
    let failure = upstream.last_failure.as_ref();
    w::UpstreamLink {
        circuit,
        circuit_open_until: until.map(jst),
        last_success_at: upstream.last_success.map(jst),
        last_failure_at: failure.map(|failure| jst(failure.at)),
        last_failure_code: failure.map(|failure| errors::upstream_code(&failure.error)),
        clock_offset_seconds: upstream.clock_offset.map(|offset| offset.as_secs()),
        client_certificate_not_after: upstream.client_certificate_ends.map(jst),
        days_left: view.certificate_days_left,
        files_renewed_at: match upstream.renewal {
            Renewal::None | Renewal::Refused { .. } => None,
            Renewal::TakenOver { at } => Some(jst(at)),
        },
    }
}

fn card_health(view: &DeskView) -> w::HealthPart {
    match view.service {
        CardService::Available => {}
        CardService::Gone => {
            return w::HealthPart::troubled(w::HealthState::Failed, Code::CardServiceUnavailable);
        }
        CardService::Refused => {
            return w::HealthPart::troubled(w::HealthState::Failed, Code::CardServiceRefused);
        }
    }
    let dead = view.readers.iter().filter(|reader| reader.state == ReaderState::Unavailable).count();
    match (view.readers.len(), dead) {
        (0, _) => w::HealthPart::troubled(w::HealthState::Failed, Code::NoReader),
        (_, 0) => w::HealthPart::well(w::HealthState::Ok),
        (all, dead) if all == dead => {
            w::HealthPart::troubled(w::HealthState::Failed, Code::ReaderUnavailable)
        }
        (_, _) => w::HealthPart::troubled(w::HealthState::Degraded, Code::ReaderUnavailable),
    }
}

/// A minute is what destroying may take after a boundary.
const IN_TIME: Duration = Duration::from_mins(1);

/// Whether the clock is trusted, and by whose word.
pub(super) fn clock_state(judged: Option<Result<Trust, Doubt>>) -> w::ClockState {
    match judged {
        None | Some(Err(Doubt::NoWitness | Doubt::JustSet)) => w::ClockState::Unknown,
        Some(Ok(Trust::Kernel)) => w::ClockState::Synchronised,
        Some(Ok(Trust::CentralSystem | Trust::Administrator)) => w::ClockState::Confirmed,
        Some(Err(Doubt::Unsynchronised)) => w::ClockState::Unsynchronised,
        Some(Err(Doubt::CentralDisagrees { .. })) => w::ClockState::Wrong,
    }
}

fn retention_health(health: &RetentionHealth) -> w::RetentionPart {
    let clock = clock_state(health.clock);
    let trusted = matches!(clock, w::ClockState::Synchronised | w::ClockState::Confirmed);
    let troubled = |code| w::HealthPart::troubled(w::HealthState::Degraded, code);
    let part = if health.failed.is_some() || (trusted && health.lag > IN_TIME) {
        troubled(Code::RetentionUnfinished)
    } else if clock == w::ClockState::Wrong {
        troubled(Code::ClockWrong)
    } else if !trusted && health.lag > Duration::ZERO {
        troubled(Code::RetentionWaitsForClock)
    } else if trusted {
        w::HealthPart::well(w::HealthState::Ok)
    } else {
        w::HealthPart::well(w::HealthState::Unknown)
    };
    w::RetentionPart::new(part, i64::try_from(health.lag.as_secs()).unwrap_or(i64::MAX), clock)
}

/// The store failing means that nothing works; anything else failing leaves the rest usable.
fn overall(store: w::HealthState, others: [w::HealthState; 6]) -> w::HealthState {
    match store {
        w::HealthState::Failed => w::HealthState::Failed,
        w::HealthState::Degraded => w::HealthState::Degraded,
        w::HealthState::Ok | w::HealthState::Unknown => {
            let troubled =
                |state: &w::HealthState| matches!(state, w::HealthState::Failed | w::HealthState::Degraded);
            if others.iter().any(troubled) { w::HealthState::Degraded } else { w::HealthState::Ok }
        }
    }
}

#[cfg(test)]
mod tests;
