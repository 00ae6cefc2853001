//! From a request to its answer, or to the number that is waited for.

use futures_util::future::BoxFuture;

use super::super::answer::{self, Impossible};
use super::super::intake::{Asked, Item, Refused, Request};
use super::super::{Shared, Stopped};
use super::intake::Seen;
use super::{Answered, Requests};
use crate::app::idempotency::KeyError;
use crate::app::inquiries::{HandedIn, InquiryError};
use crate::app::ports::{Echo, FileBytes, FolderRequest, InquiryEnd, NewAnswer};
use crate::domain::folder_file::RequestName;
use crate::domain::identifiers::InquiryNumber;
use crate::domain::queue::{BulkId, JobId};

/// What became of a file in `req/`.
pub(super) enum Carried {
    /// Nothing to do with it now.
    Nothing,
    /// It was answered before and is out of the way.
    Moved,
    /// Its answer is known.
    Answer(Answered),
    /// Its number was taken in; the end will be told.
    InFlight(InFlight),
    /// Its answer is on its way, in the store's care.
    Waits,
    /// The queue takes no more now.
    Full,
}

/// A number whose end is waited for.
pub(super) type InFlight = BoxFuture<'static, Landed>;

/// A number whose end was told or is not waited for any longer.
pub(super) struct Landed {
    pub(super) request: FolderRequest,
    pub(super) name: RequestName,
    pub(super) echo: Echo,
    pub(super) job: JobId,
    pub(super) end: Option<InquiryEnd>,
}

impl Requests {
    /// Looks at one file and carries out what it asks for.
    pub(super) async fn take(&mut self, name: &RequestName) -> Result<Carried, Stopped> {
        match self.look(name).await? {
            Seen::Nothing => Ok(Carried::Nothing),
            Seen::Moved => Ok(Carried::Moved),
            Seen::OnItsWay => Ok(Carried::Waits),
            Seen::New(request, read) => match *read {
                Ok(read) => self.carry_out(request, name, read).await,
                Err(refused) => {
                    let bytes = answer::refused(&self.shared.folder, &refused);
                    Ok(answered(request, name, bytes))
                }
            },
        }
    }

    async fn carry_out(
        &self,
        request: FolderRequest,
        name: &RequestName,
        Request { identifier, asked }: Request,
    ) -> Result<Carried, Stopped> {
        let folder = &self.shared.folder;
        if let Some(fault) = self.unwritable(identifier.as_deref(), &asked) {
            let refused = Refused { institution: Some(folder.institution.clone()), identifier, fault };
            return Ok(answered(request, name, answer::refused(folder, &refused)));
        }
        match asked {
            Asked::Single(item) => self.single(request, name, identifier, item).await,
            Asked::Bulk(items) => self.bulk(request, name, identifier, items).await,
            Asked::BulkOutcome(bulk) => self.outcome(request, name, identifier, bulk).await,
        }
    }

    /// The first value that an answer could not repeat as it is.
    fn unwritable(&self, identifier: Option<&str>, asked: &Asked) -> Option<super::super::intake::Fault> {
        let folder = &self.shared.folder;
        let fits = |number: &InquiryNumber| answer::fits(folder, number.expose());
        if identifier.is_some_and(|identifier| !answer::fits(folder, identifier)) {
            return Some(answer::unwritable(None));
        }
        match asked {
            Asked::Single((_, number)) => (!fits(number)).then(|| answer::unwritable(None)),
            Asked::Bulk(items) => {
                let at = items.iter().position(|(_, number)| !fits(number))?;
                Some(answer::unwritable(Some(at + 1)))
            }
            Asked::BulkOutcome(_) => None,
        }
    }

    async fn single(
        &self,
        request: FolderRequest,
        name: &RequestName,
        identifier: Option<String>,
        (person, number): Item,
    ) -> Result<Carried, Stopped> {
        let Shared { folder, exchange } = &*self.shared;
        let echo = answer::echo(folder, identifier, Some(number.clone()));
        let ended = |request, end| {
            let bytes = answer::single(folder, &echo, &end);
            Ok(answered(request, name, bytes))
        };
        match exchange.hand_in(&request, person, number).await {
            Ok(HandedIn::Registered) => ended(request, InquiryEnd::Registered),
            Ok(HandedIn::OnItsWay(job)) => {
                exchange.wait(&request, &name.answer(), &echo, job).await?;
                Ok(Carried::Waits)
            }
            Ok(HandedIn::Taken(ticket)) => {
                let (exchange, name, job) = (exchange.clone(), name.clone(), ticket.id);
                Ok(Carried::InFlight(Box::pin(async move {
                    let end = exchange.wait_for(ticket).await;
                    Landed { request, name, echo, job, end }
                })))
            }
            Err(InquiryError::Failed(failure)) => ended(request, InquiryEnd::Failed(failure)),
            Err(error) => self.not_taken(request, name, &echo, error),
        }
    }

    async fn bulk(
        &self,
        request: FolderRequest,
        name: &RequestName,
        identifier: Option<String>,
        items: Vec<Item>,
    ) -> Result<Carried, Stopped> {
        let Shared { folder, exchange } = &*self.shared;
        let echo = answer::echo(folder, identifier, None);
        let numbers: Vec<_> = items.iter().map(|(_, number)| number.clone()).collect();
        match exchange.take_bulk(&request, items).await {
            Ok(taken) => {
                let bytes = answer::received(folder, &echo, taken.id, taken.taken_at);
                let bulk = Some((taken.id, numbers));
                let answer = NewAnswer { name: name.answer(), bytes, bulk };
                Ok(Carried::Answer(Answered { request, answer }))
            }
            Err(error) => self.not_taken(request, name, &echo, error),
        }
    }

    async fn outcome(
        &self,
        request: FolderRequest,
        name: &RequestName,
        identifier: Option<String>,
        bulk: Option<BulkId>,
    ) -> Result<Carried, Stopped> {
        let Shared { folder, exchange } = &*self.shared;
        let echo = answer::echo(folder, identifier, None);
        let found = match bulk {
            Some(bulk) => exchange.bulk(&folder.name, bulk).await?.map(|items| (bulk, items)),
            None => None,
        };
        let bytes = match &found {
            Some((bulk, items)) => answer::outcome(folder, &echo, *bulk, items),
            None => answer::impossible(folder, &echo, Impossible::ReceptionUnknown),
        };
        Ok(answered(request, name, bytes))
    }

    /// Why the use case did not take a request in.
    fn not_taken(
        &self,
        request: FolderRequest,
        name: &RequestName,
        echo: &Echo,
        error: InquiryError,
    ) -> Result<Carried, Stopped> {
        let impossible = match error {
            InquiryError::QueueFull => return Ok(Carried::Full),
            // The same file is being taken in just now, by a round that was cut off.
            InquiryError::Key(KeyError::Running) => return Ok(Carried::Nothing),
            InquiryError::Key(KeyError::Reused) => Impossible::Changed,
            InquiryError::NotFound => Impossible::Expired,
            other => return Err(other.into()),
        };
        let bytes = answer::impossible(&self.shared.folder, echo, impossible);
        Ok(answered(request, name, bytes))
    }
}

fn answered(request: FolderRequest, name: &RequestName, bytes: FileBytes) -> Carried {
    let answer = NewAnswer { name: name.answer(), bytes, bulk: None };
    Carried::Answer(Answered { request, answer })
}
