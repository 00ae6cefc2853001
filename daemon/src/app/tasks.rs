//! Tasks: the only way to start something in the background, so that shutdown can ask it to end and wait for it.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Starts tasks, tells them to end, waits for them.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Runs a future in the background; [`Tasks::finish`] waits for it.
    pub fn start(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Tasks that end with these but are waited for on their own.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { tracker: TaskTracker::new(), stop: self.stop.clone() }
    }

    /// Resolves when the process is to stop; every long task watches it.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Tells every task to end and waits until all have.
    pub async fn finish(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
