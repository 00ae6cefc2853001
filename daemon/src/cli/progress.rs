//! How far a command is, on standard error: one line that is written over again on a terminal, and plain lines elsewhere: at the
//! beginning, every ten seconds, at the end. Standard output is for answers alone.
//!
//! Knows nothing of the commands; whoever works says in Japanese what is being done.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::ambient;
use crate::app::ports::Clock;
use crate::app::tasks::Tasks;
use crate::system::terminal_takes_codes;

/// How often the line on a terminal is written anew: it counts the seconds.
const REDRAW: Duration = Duration::from_millis(200);
/// Between two plain lines.
const PLAIN: Duration = Duration::from_secs(10);

/// Where it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A terminal that lets its line be written over.
    Terminal,
    /// A file, a pipe, a journal, an old terminal.
    Plain,
    /// Nowhere: a program reads the answer, or what is written out shows by itself how far it is.
    Nowhere,
}

impl Place {
    /// What standard error is.
    pub(super) fn stderr() -> Self {
        if terminal_takes_codes() { Self::Terminal } else { Self::Plain }
    }

    /// As [`Place::stderr`], unless a program reads the answer.
    pub(super) fn unless(is_for_a_program: bool) -> Self {
        if is_for_a_program { Self::Nowhere } else { Self::stderr() }
    }
}

/// Work that says how far it is.
#[derive(Clone)]
pub(super) struct Job {
    clock: Arc<dyn Clock>,
    said: Arc<Mutex<Said>>,
}

impl Job {
    /// Says what is being done, or how far it is; as often as one likes.
    pub(super) fn say(&self, text: impl Into<String>) {
        self.write(|said, now| said.hear(now, text.into()));
    }

    /// If even this cannot be written, the answer still comes.
    fn write(&self, next: impl FnOnce(&mut Said, Duration) -> Option<String>) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = next(&mut said, self.clock.steady()) {
            drop(io::stderr().write_all(text.as_bytes()));
        }
    }
}

/// Does the work and shows meanwhile how far it is. Nothing is shown of work that says nothing.
pub(super) async fn watched<T, E>(
    place: Place,
    work: impl AsyncFnOnce(&Job) -> Result<T, E>,
) -> Result<T, E> {
    let (clock, _) = ambient();
    let job = Job { clock, said: Arc::new(Mutex::new(Said::new(place))) };
    // Beside the work, which may keep its thread busy.
    let beside = Tasks::default();
    let (ticking, stopping) = (job.clone(), beside.stopping());
    beside.start(async move {
        while tokio::time::timeout(REDRAW, stopping.cancelled()).await.is_err() {
            ticking.write(Said::tick);
        }
    });
    let outcome = work(&job).await;
    beside.finish().await;
    let is_done = outcome.is_ok();
    job.write(|said, now| said.end(now, is_done));
    outcome
}

/// What was said, and what of it was written.
struct Said {
    place: Place,
    text: String,
    /// When the first word came, and when something was written last.
    since: Option<(Duration, Duration)>,
}

impl Said {
    fn new(place: Place) -> Self {
        Self { place, text: String::new(), since: None }
    }

    fn hear(&mut self, now: Duration, text: String) -> Option<String> {
        self.text = text;
        if self.since.is_some() {
            return None;
        }
        self.since = Some((now, now));
        match self.place {
            Place::Terminal => Some(self.line(0)),
            Place::Plain => Some(format!("{}\n", self.text)),
            Place::Nowhere => None,
        }
    }

    fn tick(&mut self, now: Duration) -> Option<String> {
        let (begun, written) = self.since?;
        let every = match self.place {
            Place::Terminal => REDRAW,
            Place::Plain => PLAIN,
            Place::Nowhere => return None,
        };
        // Whoever waits does not always wake up to the millisecond.
        if now.saturating_sub(written) + REDRAW / 2 < every {
            return None;
        }
        self.since = Some((begun, now));
        let seconds = now.saturating_sub(begun).as_secs();
        Some(match self.place {
            Place::Terminal => self.line(seconds),
            Place::Plain | Place::Nowhere => format!("{}（{seconds}秒）\n", self.text),
        })
    }

    fn end(&mut self, now: Duration, is_done: bool) -> Option<String> {
        let (begun, _) = self.since?;
        let seconds = now.saturating_sub(begun).as_secs();
        let end = if is_done { "終わりました" } else { "できませんでした" };
        match self.place {
            // The answer takes its place.
            Place::Terminal => Some("\r\x1b[K".to_owned()),
            Place::Plain => Some(format!("{end}（{seconds}秒）\n")),
            Place::Nowhere => None,
        }
    }

    /// Cut off at the edge instead of going on below, where it could not be written over.
    fn line(&self, seconds: u64) -> String {
        format!("\r\x1b[?7l{}（{seconds}秒）\x1b[K\x1b[?7h", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written when `5` files are told within a second each, a tick after every one, and it ends after 25 seconds.
    fn told(place: Place) -> Vec<String> {
        let at = Duration::from_millis;
        let mut said = Said::new(place);
        assert!(said.tick(at(0)).is_none() && said.end(at(0), true).is_none(), "nothing was said yet");
        let mut written = vec![said.hear(at(100), "one".to_owned())];
        written.push(said.hear(at(150), "two".to_owned()));
        for tick in 1..=125 {
            written.push(said.tick(at(100 + tick * 200)));
        }
        written.push(said.end(at(25_100), true));
        written.into_iter().flatten().collect()
    }

    #[test]
    fn elsewhere_than_on_a_terminal_there_is_a_line_at_the_beginning_every_ten_seconds_and_at_the_end() {
        assert_eq!(told(Place::Plain), ["one\n", "two（10秒）\n", "two（20秒）\n", "終わりました（25秒）\n"]);
    }

    #[test]
    fn on_a_terminal_one_line_is_written_over_and_goes_in_the_end() {
        let written = told(Place::Terminal);
        assert!(written.iter().all(|text| text.starts_with('\r') && !text.contains('\n')), "{written:?}");
        assert!(written[0].contains("one") && written[1].contains("two"), "{written:?}");
        assert_eq!((written.len(), written[126].as_str()), (127, "\r\x1b[K"));
    }

    #[test]
    fn a_program_that_reads_the_answer_is_told_nothing() {
        assert!(told(Place::Nowhere).is_empty());
    }

    #[test]
    fn work_that_failed_is_not_called_done() {
        let mut said = Said::new(Place::Plain);
        said.hear(Duration::ZERO, "one".to_owned());
        assert_eq!(said.end(Duration::from_secs(3), false).as_deref(), Some("できませんでした（3秒）\n"));
    }
}
