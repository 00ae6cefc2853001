//! Tasks: the only way to start something in the background, so that shutdown can ask it to end and wait for it.

use std::future::Future;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ports::StoreError;

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

    /// Runs a future to its end, also if whoever waits for it goes away: what belongs together is not cut in two by a connection
    /// that ends.
    pub async fn to_the_end<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        self.start(async move {
            // Nobody may be waiting any more.
            tell.send(work.await).ok();
        });
        told.await.unwrap_or_else(|_| Err(StoreError::Failed("the work was interrupted".to_owned()).into()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_done_to_its_end_needs_nobody_who_waits() {
        let (tasks, (go, going), (done, seen)) =
            (Tasks::default(), oneshot::channel::<()>(), oneshot::channel());
        let work = tasks.to_the_end(async move {
            going.await.unwrap();
            done.send(()).unwrap();
            Ok::<(), StoreError>(())
        });
        tokio::select! {
            biased;
            _ = work => panic!("it waits for its word"),
            () = std::future::ready(()) => {}
        }
        go.send(()).unwrap();
        seen.await.unwrap();
    }

    #[tokio::test]
    async fn whoever_waits_hears_what_came_of_it() {
        let tasks = Tasks::default();
        assert_eq!(tasks.to_the_end(async { Ok::<u8, StoreError>(7) }).await, Ok(7));
        let failed = tasks.to_the_end(async { Err::<u8, _>(StoreError::DiskFull) }).await;
        assert_eq!(failed, Err(StoreError::DiskFull));
    }
}
