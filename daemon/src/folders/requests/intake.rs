//! From a name in `req/` to a request, or to the reason why there is none.

use std::io;

use sha2::{Digest as _, Sha256};

use super::super::directory::{Found, Root, Stamp, is_held};
use super::super::intake::{self, Fault, Refused, Request};
use super::super::{Stopped, blocking};
use super::{Parked, Requests, SETTLED_AFTER};
use crate::app::ports::{FolderRequest, KnownRequest};
use crate::domain::folder_file::RequestName;

/// What a file in `req/` turned out to be.
pub(super) enum Seen {
    /// Nothing to do with it now.
    Nothing,
    /// It was answered before and has been moved out of the way.
    Moved,
    /// Its answer is on its way.
    OnItsWay,
    /// A request that was never seen.
    New(FolderRequest, Box<Result<Request, Refused>>),
}

impl Requests {
    /// Looks at one file.
    pub(super) async fn look(&mut self, name: &RequestName) -> Result<Seen, Stopped> {
        let parked = self.parked.get(name).copied();
        let found = self.read(name, parked).await?;
        let (content, stamp, bytes) = match found {
            None | Some(Found::Absent) => return Ok(Seen::Nothing),
            Some(Found::Moving) => {
                self.parked.remove(name);
                return Ok(Seen::Nothing);
            }
            Some(Found::NoFile) => return Ok(self.refuse(name, None)),
            // Nobody reads all of it, so its length stands for what it holds.
            Some(Found::TooLong(stamp)) => (Sha256::digest(format!("{stamp:?}")), stamp, None),
            Some(Found::Whole(bytes, stamp)) => (Sha256::digest(&bytes), stamp, Some(bytes)),
        };
        let folder = &self.shared.folder;
        let request = FolderRequest {
            folder: folder.name.clone(),
            name: name.as_str().to_owned(),
            content: content.into(),
        };
        match self.shared.exchange.known(&request).await? {
            KnownRequest::New => {}
            KnownRequest::OnItsWay => return Ok(Seen::OnItsWay),
            KnownRequest::Answered { same: true } => {
                let moved = self.consume(name).await?;
                return Ok(if moved { Seen::Moved } else { Seen::Nothing });
            }
            KnownRequest::Answered { same: false } => return Ok(self.refuse(name, Some(stamp))),
        }
        let read = match bytes {
            Some(bytes) => {
                let (kind, institution) = (name.kind(), folder.institution.clone());
                blocking(move || Ok(intake::read(kind, &bytes, &institution))).await?
            }
            None => Err(Fault::TooLarge.into()),
        };
        if read.as_ref().is_err_and(|refused| refused.fault.may_be_unfinished())
            && !self.is_settled(name, parked, stamp)
        {
            return Ok(Seen::Nothing);
        }
        self.parked.remove(name);
        Ok(Seen::New(request, Box::new(read)))
    }

    /// Reads a file, unless it is parked and has not changed.
    async fn read(&self, name: &RequestName, parked: Option<Parked>) -> io::Result<Option<Found>> {
        let (root, name) = (self.shared.folder.root.clone(), name.clone());
        let now = self.shared.exchange.clock().steady();
        blocking(move || {
            let Some(requests) = Root::open(&root)?.subdirectory("req")? else { return Ok(None) };
            let unchanged = match parked {
                None => false,
                Some(Parked::Refused { stamp }) => requests.stamp(name.as_str())? == stamp,
                Some(Parked::Unfinished { stamp, since }) => {
                    now.saturating_sub(since) < SETTLED_AFTER && requests.stamp(name.as_str())? == Some(stamp)
                }
            };
            if unchanged { Ok(None) } else { requests.read(name.as_str(), intake::LONGEST).map(Some) }
        })
        .await
    }

    /// Whether a file has not changed for long enough to be all there is.
    fn is_settled(&mut self, name: &RequestName, parked: Option<Parked>, stamp: Stamp) -> bool {
        let now = self.shared.exchange.clock().steady();
        match parked {
            Some(Parked::Unfinished { stamp: before, since }) if before == stamp => {
                now.saturating_sub(since) >= SETTLED_AFTER
            }
            _ => {
                self.parked.insert(name.clone(), Parked::Unfinished { stamp, since: now });
                false
            }
        }
    }

    fn refuse(&mut self, name: &RequestName, stamp: Option<Stamp>) -> Seen {
        if self.parked.insert(name.clone(), Parked::Refused { stamp }).is_none() {
            tracing::warn!(
                folder = self.shared.folder.name.0,
                "a file in req/ is no request or has a name that was answered before; it is left where it is"
            );
        }
        Seen::Nothing
    }

    /// A request that was answered goes to `trash/`, as everything that was consumed; `false` if another program has it open just
    /// now: then in a later round, and the others go on.
    async fn consume(&mut self, name: &RequestName) -> Result<bool, Stopped> {
        let (root, name) = (self.shared.folder.root.clone(), name.clone());
        Ok(blocking(move || {
            let root = Root::open(&root)?;
            let (Some(requests), Some(trash)) = (root.subdirectory("req")?, root.subdirectory("trash")?)
            else {
                return Err(io::ErrorKind::NotFound.into());
            };
            let moved = match requests.move_to(&trash, name.as_str()) {
                // One of its name lies there already; this one was answered, which is all that could be asked of it.
                Ok(false) => requests.remove(name.as_str()),
                outcome => outcome.map(drop),
            };
            match moved {
                Err(error) if is_held(&error) => Ok(false),
                outcome => outcome.map(|()| true),
            }
        })
        .await?)
    }
}
