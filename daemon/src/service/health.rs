//! Readers and health: use cases → wire.

use api::codes::Code;
use api::wire as w;
use jiff::Timestamp;

use super::errors;
use super::wire::{jst, method};
use crate::app::checks::Offer;
use crate::app::health::{HealthView, Notice};
use crate::app::ports::{CardService, DeskView, Origin, ReaderState, Renewal, StoreError};
use crate::domain::breaker::Circuit;
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
                state: match reader.state {
                    ReaderState::Empty => w::ReaderState::Empty,
                    ReaderState::Card(_) => w::ReaderState::Card,
                    ReaderState::Mute => w::ReaderState::Mute,
                    ReaderState::Unavailable => w::ReaderState::Unavailable,
                },
                check_id: None,
            })
            .collect(),
    }
}

pub(super) fn health(view: &HealthView, now: Timestamp, origin: Origin) -> w::Health {
    let card = card_health(&view.desk);
    let upstream = upstream_health(view);
    let store = match &view.store {
        Ok(()) => w::HealthPart::well(w::HealthState::Ok),
        Err(StoreError::DiskFull) => w::HealthPart::troubled(w::HealthState::Failed, Code::StoreFull),
        Err(StoreError::Failed(_) | StoreError::Corrupt { .. }) => {
            w::HealthPart::troubled(w::HealthState::Failed, Code::Internal)
        }
    };
    let queue = queue_health(&view.queue, now);
    w::Health {
        state: overall([card.state, upstream.state, store.state], queue.part.state),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sandbox: origin == Origin::Sandbox,
        card,
        upstream,
        store,
        queue,
        link: link(view),
        notices: view.notices.iter().map(|notice| w::Notice::of(notice_code(*notice))).collect(),
    }
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

/// The store failing means that nothing works; another part failing leaves the rest usable.
fn overall(parts: [w::HealthState; 3], queue: w::HealthState) -> w::HealthState {
    let troubled = |state| matches!(state, w::HealthState::Failed | w::HealthState::Degraded);
    let [card, upstream, store] = parts;
    match store {
        w::HealthState::Failed => w::HealthState::Failed,
        w::HealthState::Ok | w::HealthState::Unknown | w::HealthState::Degraded => {
            if [card, upstream, queue].into_iter().any(troubled) {
                w::HealthState::Degraded
            } else {
                w::HealthState::Ok
            }
        }
    }
}
