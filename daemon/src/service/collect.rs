//! Collection, announcements and closures: domain → wire.

use api::codes::Code;
use api::wire as w;

use super::wire::{iso_day, jst};
use crate::app::announcements::Shown;
use crate::app::collect::{CollectView, Report};
use crate::domain::announcement::{Closure, Kind, Scope};

pub(super) fn collected(report: Option<Report>) -> w::Collected {
    w::Collected {
        complete: report.is_some(),
        from: report.map(|report| iso_day(report.period.from)),
        to: report.map(|report| iso_day(report.period.to)),
        added: report.map(|report| count(report.added)),
        updated: report.map(|report| count(report.updated)),
        known: report.map(|report| count(report.known)),
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn announcements(shown: &[Shown]) -> w::AnnouncementList {
    let new = shown.iter().filter(|shown| shown.new).count();
    w::AnnouncementList {
        new_count: i64::try_from(new).unwrap_or(i64::MAX),
        announcements: shown.iter().map(announcement).collect(),
    }
}

fn announcement(shown: &Shown) -> w::Announcement {
    let content = &shown.content;
    w::Announcement {
        id: content.id.clone(),
        published_at: jst(content.published_at),
        kind: match content.kind {
            Kind::Notice => w::AnnouncementKind::Notice,
            Kind::Outage => w::AnnouncementKind::Outage,
            Kind::Maintenance => w::AnnouncementKind::Maintenance,
        },
        title: content.title.clone(),
        body: content.body.clone(),
        url: content.url.clone(),
        closure: content.closure.map(closure),
        new: shown.new,
    }
}

fn closure(closure: Closure) -> w::Closure {
    w::Closure {
        from: jst(closure.window.from),
        until: jst(closure.window.until),
        scope: match closure.scope {
            Scope::Everything => w::ClosureScope::Everything,
            Scope::Registration => w::ClosureScope::CardUseRegistration,
        },
    }
}

pub(super) fn health(view: &CollectView) -> w::CollectHealth {
    let progress = &view.progress;
    let part = match (&progress.failure, view.paused_until, progress.last_complete) {
        (_, Some(_), _) => w::HealthPart::troubled(w::HealthState::Degraded, Code::UpstreamMaintenance),
        (Some(failure), None, _) => w::HealthPart::troubled(w::HealthState::Degraded, named(failure)),
        (None, None, Some(_)) => w::HealthPart::well(w::HealthState::Ok),
        (None, None, None) => w::HealthPart::well(w::HealthState::Unknown),
    };
    w::CollectHealth {
        part,
        scheduled: view.scheduled,
        last_complete_at: progress.last_complete.map(jst),
        added: progress.last_complete.map(|_| count(progress.added)),
        paused_until: view.paused_until.map(jst),
    }
}

/// The code a failure was kept as; one that an older version knew is at least a failure.
fn named(failure: &str) -> Code {
    Code::ALL.iter().copied().find(|code| code.as_str() == failure).unwrap_or(Code::Internal)
}

pub(super) fn maintenance(view: &CollectView) -> w::MaintenanceHealth {
    w::MaintenanceHealth { now: view.closed.map(closure), next: view.next.map(closure) }
}
