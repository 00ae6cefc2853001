//! Events: what happened → the bytes of `text/event-stream`.

use api::wire as w;
use serde::Deserialize;

use super::{health, query, wire};
use crate::app::events::{EventForm, Happening};
use crate::app::ports::ReadyResult;
use crate::app::results::Followed;

/// The wire's form of events.
pub struct SseForm;

impl EventForm for SseForm {
    fn render(&self, happening: &Happening<'_>, followed: Option<Followed>) -> Vec<u8> {
        let event = match happening {
            Happening::Ready => w::Event::Ready,
            Happening::Result(result) => w::Event::Result(about(result)),
            Happening::Check(step) => w::Event::Check(w::CheckEvent {
                id: step.id.clone(),
                revision: step.revision,
                phase: wire::phase(&step.phase),
            }),
            Happening::Readers(view) => w::Event::Readers(w::ReadersEvent {
                service_available: view.service_available(),
                readers: view.readers.iter().map(health::seen_reader).collect(),
            }),
            Happening::Announcements => w::Event::Announcements,
            Happening::Expired(now) => w::Event::Expired(w::ExpiredEvent {
                expired_before: now.expired_before().map(wire::jst).unwrap_or_default(),
            }),
            Happening::Resync => w::Event::Resync,
            Happening::Stopping => w::Event::End(w::EndReason::Stopping),
            Happening::SessionEnded => w::Event::End(w::EndReason::SessionEnded),
            Happening::Quiet => return w::HEARTBEAT.to_vec(),
        };
        event.frame(followed.map(query::place_text).as_deref())
    }
}

/// What a rendered result says that is not about the person.
#[derive(Deserialize)]
struct About {
    terminal: String,
    validity: Kind,
}

#[derive(Deserialize)]
struct Kind {
    code: w::ValidityCode,
}

fn about(result: &ReadyResult) -> w::ResultEvent {
    // What cannot be read is still told by its number: the client reads the result itself.
    let about: Option<About> = serde_json::from_slice(&result.body).ok();
    let (terminal, validity) = about
        .map_or((String::new(), w::ValidityCode::Unknown), |about| (about.terminal, about.validity.code));
    w::ResultEvent { id: result.id.0, version: result.version, validity, terminal }
}
