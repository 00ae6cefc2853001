//! OQS folders: an inbound adapter for receipt computers that know only files. Results go to `face/`; inquiry numbers come in
//! `req/` and are answered in `res/`; `trash/` is where each side moves what it has consumed.
//!
//! Calls the same use cases as the API, as the actor `folders`. Without an administrator's acceptance on record it touches
//! nothing. All work on files is in `directory`, which never leaves the root; `intake` reads what strangers wrote, `answer`
//! finds the words, `publish` gives files their names, `sweep` removes what has expired.

mod answer;
mod directory;
mod faces;
pub mod intake;
mod publish;
mod requests;
mod survey;
mod sweep;
mod watch;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch as channel};
use tokio_util::sync::CancellationToken;

pub use survey::{Surveyed, survey};

use crate::app::folders::{FaceForm, FolderExchange, FolderTrouble, Side, covers};
use crate::app::inquiries::InquiryError;
use crate::app::ports::{Acceptance, DueFile, FolderName, FolderStand, StoreError};
use crate::app::tasks::Tasks;
use crate::domain::identifiers::InstitutionCode;
use crate::domain::retention::JstMonth;
use crate::formats::Charset;
use faces::Faces;
use publish::Publication;
use requests::Requests;

/// Between two sweeps of a month.
const SWEEP_AGAIN: Duration = Duration::from_hours(1);

/// A configured folder.
#[derive(Clone)]
pub struct Folder {
    /// Its name.
    pub name: FolderName,
    /// Where it lies.
    pub root: PathBuf,
    /// The path as it stands on record.
    pub root_text: String,
    /// The character set of what leaves.
    pub charset: Charset,
    /// Whose requests are answered.
    pub institution: InstitutionCode,
    /// Whether results are put there.
    pub faces: bool,
    /// Whether requests are answered.
    pub inquiry_numbers: bool,
    /// How often it is looked at besides notifications.
    pub every: Duration,
    /// How results are written.
    pub form: Arc<dyn FaceForm>,
}

/// Begins to serve a folder; ends with the tasks. Whatever moment it ends at is like a crash: nothing is lost by it.
pub fn start(folder: Folder, exchange: &Arc<FolderExchange>, tasks: &Tasks) {
    let shared = Arc::new(Shared { folder, exchange: exchange.clone() });
    let sweeps_with = if shared.folder.faces { Side::Faces } else { Side::Requests };
    let stopping = tasks.stopping();
    if shared.folder.faces {
        let faces = Faces::new(shared.clone());
        let keeper = Keeper::new(&shared, Side::Faces, sweeps_with == Side::Faces);
        tasks.start(serve(faces, keeper, stopping.clone()));
    }
    if shared.folder.inquiry_numbers {
        let requests = Requests::new(shared.clone());
        let keeper = Keeper::new(&shared, Side::Requests, sweeps_with == Side::Requests);
        tasks.start(serve(requests, keeper, stopping));
    }
}

/// What both sides of a folder work with.
struct Shared {
    folder: Folder,
    exchange: Arc<FolderExchange>,
}

/// What a round has come to.
struct Round {
    /// Whether there is more to do at once.
    again: bool,
    /// Files that lie there and cannot be handled.
    refused: usize,
    /// What is open.
    stand: FolderStand,
    /// Why what is open stays open.
    trouble: Option<FolderTrouble>,
}

/// One side of a folder.
trait Work: Send + 'static {
    /// Does everything that can be done now.
    fn round(&mut self) -> impl Future<Output = Result<Round, Stopped>> + Send;

    /// The folder is not used for a while: what is known of it from looking is not true afterwards.
    fn pause(&mut self);

    /// Waits for a reason to look again.
    fn news(&mut self) -> impl Future<Output = ()> + Send;
}

/// Why a round ended early. Everything that was settled goes on in the next.
#[derive(Debug)]
enum Stopped {
    /// The folder.
    Folder(io::Error),
    /// The store.
    Store(StoreError),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Folder(error)
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<InquiryError> for Stopped {
    fn from(error: InquiryError) -> Self {
        match error {
            InquiryError::Store(error) => Self::Store(error),
            other => Self::Store(StoreError::Failed(other.to_string())),
        }
    }
}

/// Keeps a side going, tells health, and removes what has expired.
struct Keeper {
    shared: Arc<Shared>,
    side: Side,
    sweeps: bool,
    swept: Option<(JstMonth, Duration)>,
    acceptance: channel::Receiver<Option<Acceptance>>,
    /// What was said last: a folder that is away for a night is one line in the log.
    trouble: Option<FolderTrouble>,
}

async fn serve(mut work: impl Work, mut keeper: Keeper, stopping: CancellationToken) {
    let all = async {
        loop {
            if !keeper.is_accepted() {
                work.pause();
                keeper.say(Err(FolderTrouble::NotAccepted));
                // An error means that nobody can accept any more: the daemon stops.
                if keeper.acceptance.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let outcome = work.round().await;
            let again = outcome.as_ref().is_ok_and(|round| round.again);
            let outcome = match outcome {
                Ok(round) if round.trouble.is_none() => keeper.sweep().await.map(|()| round),
                Ok(round) => Ok(round),
                Err(stopped) => Err(stopped),
            };
            keeper.say(outcome.map_err(|stopped| Keeper::trouble_of(&stopped)));
            if again {
                continue;
            }
            tokio::select! {
                () = work.news() => {}
                _ = keeper.acceptance.changed() => {}
                () = tokio::time::sleep(keeper.shared.folder.every) => {}
            }
        }
    };
    stopping.run_until_cancelled(all).await;
}

impl Keeper {
    fn new(shared: &Arc<Shared>, side: Side, sweeps: bool) -> Self {
        shared.exchange.board().expect(&shared.folder.name, side);
        let acceptance = shared.exchange.acceptance().watch();
        Self { shared: shared.clone(), side, sweeps, swept: None, acceptance, trouble: None }
    }

    fn is_accepted(&mut self) -> bool {
        covers(self.acceptance.borrow_and_update().as_ref(), &self.shared.folder.root_text)
    }

    fn trouble_of(stopped: &Stopped) -> FolderTrouble {
        match stopped {
            Stopped::Folder(error) => {
                tracing::debug!(%error, "a folder cannot be used");
                publish::trouble(error)
            }
            Stopped::Store(StoreError::DiskFull) => FolderTrouble::Store,
            Stopped::Store(error) => {
                tracing::error!(%error, "a folder is not served");
                FolderTrouble::Store
            }
        }
    }

    fn say(&mut self, outcome: Result<Round, FolderTrouble>) {
        let Shared { folder, exchange } = &*self.shared;
        let trouble = outcome.as_ref().map_or_else(|trouble| Some(*trouble), |round| round.trouble);
        if trouble != self.trouble {
            if let Some(trouble) = trouble {
                tracing::warn!(folder = folder.name.0, ?trouble, "a folder is not served");
            } else {
                tracing::info!(folder = folder.name.0, "a folder is served");
            }
            self.trouble = trouble;
        }
        let board = exchange.board();
        match outcome {
            Ok(round) => board.say(&folder.name, self.side, trouble, round.stand, round.refused),
            Err(trouble) => board.keep(&folder.name, self.side, trouble),
        }
    }

    /// Removes what has expired: as soon as a month has ended, and now and then.
    async fn sweep(&mut self) -> Result<(), Stopped> {
        let Some(now) = self.shared.exchange.trusted_now().filter(|_| self.sweeps) else { return Ok(()) };
        let (month, at) = (JstMonth::of(now), self.shared.exchange.clock().steady());
        let recent =
            |(swept, since): (JstMonth, Duration)| swept == month && at.saturating_sub(since) < SWEEP_AGAIN;
        if self.swept.is_some_and(recent) {
            return Ok(());
        }
        let root = self.shared.folder.root.clone();
        let removed = blocking(move || sweep::sweep(&root, now)).await?;
        if removed > 0 {
            tracing::info!(folder = self.shared.folder.name.0, removed, "removed expired files");
        }
        self.swept = Some((month, at));
        Ok(())
    }
}

impl Shared {
    /// Publishes settled files and notes those that are out; returns the others, which stay settled.
    async fn publish(&self, side: Side, files: Vec<DueFile>) -> Result<Vec<DueFile>, Stopped> {
        if files.is_empty() {
            return Ok(files);
        }
        let root = self.folder.root.clone();
        let subdirectory = match side {
            Side::Faces => "face",
            Side::Requests => "res",
        };
        let (files, (done, outcome)) = blocking(move || {
            let done = publish::publish(&root, subdirectory, &files);
            Ok((files, done))
        })
        .await?;
        let out: Vec<i64> =
            done.iter().filter(|(_, how)| *how != Publication::Blocked).map(|(id, _)| *id).collect();
        for (id, how) in &done {
            if *how == Publication::Published && self.exchange.is_of_earlier_run(*id) {
                self.exchange.board().count_ambiguous(&self.folder.name, side);
            }
        }
        if !out.is_empty() {
            self.exchange.published(&out).await?;
        }
        outcome?;
        Ok(files.into_iter().filter(|file| !out.contains(&file.id)).collect())
    }
}

/// Work on files has threads of its own: a share that hangs holds up nobody else.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Wakes one side.
type Wake = Arc<Notify>;
