//! The timer of a listener's connections: every head of a request has a deadline, which almost none ever reaches.
//!
//! A timer that is no longer needed is kept for the next head. What the runtime has registered for it stays registered and is
//! only moved on, which takes neither its lock nor memory; a new timer for every head was a twentieth of what a poll costs that
//! has nothing new. One that is kept may wake whoever had it last once more, for nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// Timers that are kept: about as many as connections that are at work at the same time.
const KEPT: usize = 64;

type Timers = Mutex<Vec<Pin<Box<tokio::time::Sleep>>>>;

/// The timer.
#[derive(Clone, Default)]
pub(super) struct Deadlines {
    kept: Arc<Timers>,
}

fn keep(kept: &Timers, timer: Pin<Box<tokio::time::Sleep>>) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() < KEPT {
        kept.push(timer);
    }
}

impl Timer for Deadlines {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let timer = match kept {
            Some(mut timer) => {
                timer.as_mut().reset(deadline.into());
                timer
            }
            None => Box::pin(tokio::time::sleep_until(deadline.into())),
        };
        Box::pin(Deadline { timer: Some(timer), kept: Arc::clone(&self.kept) })
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

/// A deadline of one head.
struct Deadline {
    /// There until it is dropped.
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
    kept: Arc<Timers>,
}

impl Future for Deadline {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().map_or(Poll::Ready(()), |timer| timer.as_mut().poll(context))
    }
}

impl Sleep for Deadline {}

impl Drop for Deadline {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            keep(&self.kept, timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_kept_timer_ends_at_its_new_deadline_whatever_its_old_one_was() {
        let (short, long) = (Duration::from_millis(5), Duration::from_hours(1));
        let deadlines = Deadlines::default();
        drop(deadlines.sleep(Duration::ZERO));
        let begun = deadlines.now();
        deadlines.sleep(short).await;
        assert!(deadlines.now() - begun >= short, "put off");
        deadlines.sleep(short).await;
        assert!(deadlines.now() - begun >= 2 * short, "it had ended");
        drop(deadlines.sleep(long));
        deadlines.sleep(short).await;
        assert!(deadlines.now() - begun < long, "brought forward");
        assert_eq!(deadlines.kept.lock().unwrap().len(), 1, "one timer did for all");
    }

    #[tokio::test]
    async fn no_more_are_kept_than_are_of_use() {
        let deadlines = Deadlines::default();
        let many: Vec<_> = (0..2 * KEPT).map(|_| deadlines.sleep(Duration::from_hours(1))).collect();
        drop(many);
        assert_eq!(deadlines.kept.lock().unwrap().len(), KEPT);
    }
}
