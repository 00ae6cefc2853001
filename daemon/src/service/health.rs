//! Readers and health: use cases → wire.

use api::codes::Code;
use api::wire as w;
use jiff::Timestamp;

use super::errors;
use super::wire::method;
use crate::app::checks::Offer;
use crate::app::health::HealthView;
use crate::app::ports::{CardService, DeskView, Origin, ReaderState, StoreError, UpstreamHealth};
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
    let upstream = match view.upstream {
        UpstreamHealth::Unknown => w::HealthPart::well(w::HealthState::Unknown),
        UpstreamHealth::Answering => w::HealthPart::well(w::HealthState::Ok),
        UpstreamHealth::Failing => w::HealthPart::troubled(w::HealthState::Failed, Code::UpstreamUnreachable),
    };
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
