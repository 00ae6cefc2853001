//! Whatever `/v1/health` calls degraded or failed reaches whoever is woken by metrics, in the part that it belongs to.

use jiff::SignedDuration;

use super::*;
use crate::app::collect::CollectView;
use crate::app::ports::{CardService, LastFailure, UpstreamError, UpstreamView};
use crate::domain::clock::Trust;
use crate::domain::collection::Progress;
use crate::domain::queue::Later;

fn now() -> Timestamp {
    "2026-10-08T03:00:00Z".parse().unwrap()
}

fn reader(name: &str, state: ReaderState) -> ReaderView {
    ReaderView { name: ReaderName(name.to_owned()), state }
}

/// An installation without any trouble.
fn well() -> HealthView {
    HealthView {
        desk: DeskView { service: CardService::Available, readers: vec![reader("A", ReaderState::Empty)] },
        upstream: UpstreamView {
            circuit: Circuit::Closed,
            answering: Some(true),
            last_success: Some(now()),
            last_failure: None,
            clock_offset: Some(SignedDuration::ZERO),
            client_certificate_ends: None,
            renewal: Renewal::None,
        },
        certificate_days_left: None,
        notices: Vec::new(),
        store: Ok(()),
        audit_is_sound: true,
        collect: CollectView {
            scheduled: true,
            paused_until: None,
            progress: Progress { last_complete: Some(now()), ..Progress::default() },
            closed: None,
            next: None,
        },
        retention: RetentionHealth {
            lag: Duration::ZERO,
            clock: Some(Ok(Trust::Kernel)),
            failed: None,
            room: Ok(()),
        },
        queue: QueueView { depth: 0, oldest: None, waits: None, full: false },
        folders: None,
    }
}

/// The parts that are in trouble.
fn troubled(view: &HealthView) -> Vec<&'static str> {
    let is_troubled = |state| matches!(state, w::HealthState::Degraded | w::HealthState::Failed);
    parts(view, now()).into_iter().filter(|(_, state)| is_troubled(*state)).map(|(part, _)| part).collect()
}

type Change = fn(&mut HealthView);

fn failed() -> StoreError {
    StoreError::Failed("disk I/O error".to_owned())
}

#[test]
fn each_trouble_is_one_of_its_part_and_of_no_other() {
    assert_eq!(troubled(&well()), [""; 0]);
    let troubles: &[(&str, Change)] = &[
        ("card", |view| view.desk.service = CardService::Gone),
        ("card", |view| view.desk.service = CardService::Refused),
        ("card", |view| view.desk.readers.clear()),
        ("card", |view| view.desk.readers.push(reader("B", ReaderState::Unavailable))),
        ("upstream", |view| {
            view.upstream.answering = Some(false);
            view.upstream.last_failure = Some(LastFailure { at: now(), error: UpstreamError::Timeout });
        }),
        ("upstream", |view| view.notices.push(Notice::CertificateEnded)),
        ("upstream", |view| view.notices.push(Notice::Paused)),
        ("upstream", |view| view.notices.push(Notice::ClockOff)),
        ("upstream", |view| view.notices.push(Notice::FilesRefused)),
        ("store", |view| view.store = Err(failed())),
        ("store", |view| view.store = Err(StoreError::DiskFull)),
        ("store", |view| view.retention.room = Err(StoreError::DiskFull)),
        ("store", |view| view.audit_is_sound = false),
        ("retention", |view| view.retention.failed = Some(failed())),
        ("retention", |view| view.retention.lag = Duration::from_mins(2)),
        ("retention", |view| {
            view.retention.clock = Some(Err(Doubt::Unsynchronised));
            view.retention.lag = Duration::from_secs(1);
        }),
        ("queue", |view| view.queue.full = true),
        ("queue", |view| {
            view.queue.depth = 1;
            view.queue.waits = Some(Later::Unreachable);
        }),
        ("collect", |view| view.collect.progress.failure = Some("upstream_refused".to_owned())),
        ("collect", |view| view.collect.paused_until = Some(now())),
    ];
    for (index, (part, change)) in troubles.iter().enumerate() {
        let mut view = well();
        change(&mut view);
        assert_eq!(troubled(&view), [*part], "{index}");
    }
    for trouble in [
        FolderTrouble::Refused,
        FolderTrouble::Store,
        FolderTrouble::NotAccepted,
        FolderTrouble::Full,
        FolderTrouble::Unavailable,
    ] {
        let folders = FoldersHealth { trouble: Some(trouble), known: true, ..FoldersHealth::default() };
        assert_eq!(troubled(&HealthView { folders: Some(folders), ..well() }), ["folders"]);
    }
}
