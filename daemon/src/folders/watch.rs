//! Wakes whoever waits when something new may lie in a directory. A hint, never the truth: notifications get lost on network
//! shares, so everybody looks now and then as well.

use std::path::Path;
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

/// Watches one directory while it lives.
pub(super) struct Watch(#[expect(dead_code, reason = "held: dropping it ends the watch")] RecommendedWatcher);

impl Watch {
    /// Begins to watch; `None` where nothing tells, and regular looks have to do.
    pub(super) fn begin(directory: &Path, wake: Arc<Notify>) -> Option<Self> {
        let told = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| brings_news(&event)) {
                wake.notify_one();
            }
        };
        let watcher = notify::recommended_watcher(told).and_then(|mut watcher| {
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => Some(Self(watcher)),
            Err(error) => {
                tracing::debug!(%error, "a folder is not watched, only looked at now and then");
                None
            }
        }
    }
}

/// Looking into a directory is an event as well, and must not wake who looks.
fn brings_news(event: &Event) -> bool {
    match event.kind {
        EventKind::Create(_) | EventKind::Modify(_) => true,
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Other => event.need_rescan(),
        EventKind::Remove(_) => false,
    }
}
