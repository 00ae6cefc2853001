//! Results: settled in the store, then in `face/`.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;

use super::directory::Root;
use super::{Round, Shared, Stopped, Work, blocking, publish};
use crate::app::folders::Side;
use crate::app::ports::{FolderStand, ResultsMark};

/// The side of a folder where results leave.
pub(super) struct Faces {
    shared: Arc<Shared>,
    news: watch::Receiver<ResultsMark>,
    /// The change up to which results have their files settled.
    settled: Option<i64>,
    /// What is open; not known before the first round.
    stand: Option<FolderStand>,
    /// Whether the folder was usable in the last round.
    usable: bool,
}

impl Faces {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let news = shared.exchange.news();
        Self { shared, news, settled: None, stand: None, usable: false }
    }

    /// Looks whether the folder is there; after it was not, removes what was left half written.
    async fn look(&mut self) -> io::Result<()> {
        let (root, anew) = (self.shared.folder.root.clone(), !self.usable);
        self.usable = false;
        blocking(move || {
            let root = Root::open(&root)?;
            let missing = || io::Error::from(io::ErrorKind::NotFound);
            let face = root.subdirectory("face")?.ok_or_else(missing)?;
            root.subdirectory("trash")?.ok_or_else(missing)?;
            if anew { face.remove_unfinished() } else { Ok(()) }
        })
        .await?;
        self.usable = true;
        Ok(())
    }

    /// Publishes what was settled before and is not out.
    async fn publish_due(&self) -> Result<usize, Stopped> {
        let Shared { folder, exchange } = &*self.shared;
        let (mut after, mut blocked) = (0, 0);
        loop {
            let files = exchange.due(&folder.name, Side::Faces, after).await?;
            let Some(last) = files.last() else { return Ok(blocked) };
            after = last.id;
            blocked += self.shared.publish(Side::Faces, files).await?.len();
        }
    }
}

impl Work for Faces {
    async fn round(&mut self) -> Result<Round, Stopped> {
        // What happens from here on is news.
        let change = self.news.borrow_and_update().change;
        let looked = self.look().await;
        let Shared { folder, exchange } = &*self.shared.clone();
        let mut blocked = 0;
        if looked.is_ok() && self.stand.is_none_or(|stand| stand.due > 0) {
            blocked = self.publish_due().await?;
        }
        // Results are settled also while the folder is away: they are there when it comes back.
        let (files, again) = if self.settled == Some(change) {
            (Vec::new(), false)
        } else {
            exchange.new_faces(&folder.name, &*folder.form).await?
        };
        self.settled = (!again).then_some(change);
        let changed = !files.is_empty();
        if looked.is_ok() {
            blocked +=
                self.shared.publish(Side::Faces, files).await.inspect_err(|_| self.stand = None)?.len();
        }
        if changed || blocked > 0 || self.stand.is_none_or(|stand| stand.due > 0) {
            self.stand = Some(exchange.stand(&folder.name, Side::Faces).await?);
        }
        let trouble = looked.err().map(|error| publish::trouble(&error));
        Ok(Round { again, refused: blocked, stand: self.stand.unwrap_or_default(), trouble })
    }

    fn pause(&mut self) {
        (self.settled, self.stand, self.usable) = (None, None, false);
    }

    async fn news(&mut self) {
        if self.news.changed().await.is_err() {
            // The store is closed: the task ends soon.
            std::future::pending::<()>().await;
        }
    }
}
