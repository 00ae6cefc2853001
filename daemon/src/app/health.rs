//! Health: how the parts are, in the words of the use cases. Contains nothing personal.

use std::sync::Arc;

use jiff::Timestamp;

use super::access::{Action, Actor, Forbidden};
use super::collect::{Collect, CollectView};
use super::folders::{FolderBoard, FoldersHealth};
use super::inquiries::Inquiries;
use super::ports::{
    AuditTrail, CardDesk, Clock, DeskView, ReaderState, Renewal, ResultStore, StoreError, UpstreamStatus,
    UpstreamView,
};
use super::retention::{Retention, RetentionHealth};
use crate::domain::breaker::Circuit;
use crate::domain::check::ResultId;
use crate::domain::queue::QueueView;
use crate::domain::upkeep::{self, Nearness};

/// How the parts are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthView {
    /// Readers and cards.
    pub desk: DeskView,
    /// The connection to the central system.
    pub upstream: UpstreamView,
    /// Whole days until our client certificate ends, if that is known.
    pub certificate_days_left: Option<i64>,
    /// What somebody should know or do about the connection, the most urgent first.
    pub notices: Vec<Notice>,
    /// Whether the store answers.
    pub store: Result<(), StoreError>,
    /// Whether the audit log agrees with its anchor, as far as is known.
    pub audit_is_sound: bool,
    /// The collection, and announced closures.
    pub collect: CollectView,
    /// Destroying what has expired.
    pub retention: RetentionHealth,
    /// Inquiry numbers on their way.
    pub queue: QueueView,
    /// The OQS folders, if there are any.
    pub folders: Option<FoldersHealth>,
}

/// What somebody should know or do about the connection to the central system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Our client certificate has ended.
    CertificateEnded,
    /// Nothing is asked for a short time, after failures in a row.
    Paused,
    /// Our clock and the central system's disagree.
    ClockOff,
    /// Changed files are not usable; the old ones stay in use.
    FilesRefused,
    /// Our client certificate ends within 60 days.
    CertificateEnding,
}

/// The notices that a view of the connection gives rise to.
fn notices(view: &UpstreamView, now: Timestamp) -> Vec<Notice> {
    let near = view.client_certificate_ends.and_then(|end| upkeep::nearness(end, now));
    let certificate = near.map(|near| match near {
        Nearness::Ended => Notice::CertificateEnded,
        Nearness::SixtyDays
        | Nearness::ThirtyDays
        | Nearness::FourteenDays
        | Nearness::SevenDays
        | Nearness::OneDay => Notice::CertificateEnding,
    });
    let ended = certificate.filter(|notice| *notice == Notice::CertificateEnded);
    let paused = match view.circuit {
        Circuit::Closed => None,
        Circuit::Open { .. } | Circuit::Trying => Some(Notice::Paused),
    };
    let clock = view.clock_offset.is_some_and(upkeep::is_clock_off).then_some(Notice::ClockOff);
    let files = match view.renewal {
        Renewal::None | Renewal::TakenOver { .. } => None,
        Renewal::Refused { .. } => Some(Notice::FilesRefused),
    };
    let ending = certificate.filter(|notice| *notice == Notice::CertificateEnding);
    [ended, paused, clock, files, ending].into_iter().flatten().collect()
}

/// Looks at the parts.
pub struct Health {
    /// Readers and cards.
    pub desk: Arc<dyn CardDesk>,
    /// The connection to the central system.
    pub upstream: Arc<dyn UpstreamStatus>,
    /// Stored results.
    pub store: Arc<dyn ResultStore>,
    /// The audit log.
    pub trail: Arc<dyn AuditTrail>,
    /// The collection.
    pub collect: Collect,
    /// Destroying what has expired.
    pub retention: Arc<Retention>,
    /// Inquiry numbers.
    pub inquiries: Inquiries,
    /// The OQS folders.
    pub folders: FolderBoard,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

impl Health {
    /// The readers and cards as they are now.
    pub fn desk(&self, actor: &Actor) -> Result<DeskView, Forbidden> {
        actor.may(Action::SeeHealth)?;
        Ok(self.desk.watch().borrow().clone())
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How all parts are now.
    pub async fn look(&self, actor: &Actor) -> Result<HealthView, Forbidden> {
        actor.may(Action::SeeHealth)?;
        Ok(self.see().await)
    }

    /// Whether the database answers.
    pub(super) async fn store_answers(&self) -> Result<(), StoreError> {
        // Numbers of results start at 1: this asks the database and finds nothing.
        self.store.get(ResultId(0)).await.map(|_| ())
    }

    /// Whether there is space for anything new.
    pub(super) fn has_room(&self) -> Result<(), StoreError> {
        self.retention.health().room
    }

    /// How all parts are now, for whoever watches the program: holds nothing of any person.
    pub(super) async fn see(&self) -> HealthView {
        let mut desk = self.desk.watch().borrow().clone();
        // Listed as before, and yet no card on it can be read.
        let hanging = self.desk.hanging();
        for reader in desk.readers.iter_mut().filter(|reader| hanging.contains(&reader.name)) {
            reader.state = ReaderState::Unavailable;
        }
        let store = self.store_answers().await;
        let (upstream, now) = (self.upstream.status(), self.clock.now());
        let days = upstream.client_certificate_ends.map(|end| upkeep::days_left(end, now));
        HealthView {
            desk,
            certificate_days_left: days,
            notices: notices(&upstream, now),
            upstream,
            store,
            queue: self.inquiries.view(),
            folders: self.folders.health(),
            collect: self.collect.view(),
            retention: self.retention.health(),
            audit_is_sound: self.trail.suspicion().is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn each_trouble_has_its_notice_and_none_hides_another() {
        let now: Timestamp = "2026-10-08T01:00:00Z".parse().unwrap();
        let in_days = |days: i64| now.checked_add(SignedDuration::from_hours(24 * days)).ok();
        let well = UpstreamView {
            circuit: Circuit::Closed,
            answering: Some(true),
            last_success: Some(now),
            last_failure: None,
            clock_offset: Some(SignedDuration::from_secs(-30)),
            client_certificate_ends: in_days(61),
            renewal: Renewal::TakenOver { at: now },
        };
        assert_eq!(notices(&well, now), []);
        let everything = UpstreamView {
            circuit: Circuit::Open { until: now },
            clock_offset: Some(SignedDuration::from_secs(31)),
            client_certificate_ends: in_days(60),
            renewal: Renewal::Refused { at: now, why: String::new() },
            ..well.clone()
        };
        let expected = [Notice::Paused, Notice::ClockOff, Notice::FilesRefused, Notice::CertificateEnding];
        assert_eq!(notices(&everything, now), expected);
        let ended = UpstreamView { client_certificate_ends: in_days(-1), circuit: Circuit::Trying, ..well };
        assert_eq!(notices(&ended, now), [Notice::CertificateEnded, Notice::Paused]);
    }
}
