//! Requests: read in `req/` in the order of their names, carried out by the use case, answered once in `res/`.
//!
//! A request that was answered moves to `trash/`; one that waits for the central system stays where it is. Half-written files
//! are given time; files that are no requests are left alone and counted.

mod carry_out;
mod intake;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use self::carry_out::{Carried, InFlight};
use super::directory::{Root, Stamp};
use super::watch::Watch;
use super::{Round, Shared, Stopped, Wake, Work, answer, blocking};
use crate::app::folders::Side;
use crate::app::ports::{Echo, FileKind, FolderRequest, FolderStand, InquiryEnd, NewAnswer};
use crate::domain::folder_file::RequestName;

/// A file that is not well-formed is taken for half written as long as it goes on changing, and for this long after.
const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// Numbers of this folder that are waited for at the same time.
const MOST_IN_FLIGHT: usize = 64;
/// Answers that are published together.
const AT_ONCE: usize = 64;

/// Why a file in `req/` is not looked at again until it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parked {
    /// It may still be being written.
    Unfinished { stamp: Stamp, since: Duration },
    /// It is no request, or its name was answered with another content before.
    Refused { stamp: Option<Stamp> },
}

/// An answer whose bytes are known and not settled yet.
struct Answered {
    request: FolderRequest,
    answer: NewAnswer,
}

/// The side of a folder where requests are answered.
pub(super) struct Requests {
    shared: Arc<Shared>,
    wake: Wake,
    watch: Option<Watch>,
    parked: HashMap<RequestName, Parked>,
    /// Requests whose answer is on its way.
    underway: HashSet<RequestName>,
    /// What is open; not known before the first round.
    stand: Option<FolderStand>,
    /// Whether the folder was usable in the last round.
    usable: bool,
}

impl Requests {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            wake: Wake::default(),
            watch: None,
            parked: HashMap::new(),
            underway: HashSet::new(),
            stand: None,
            usable: false,
        }
    }

    /// The requests that lie there; after the folder was away, removes what was left half written and watches anew.
    async fn list(&mut self) -> io::Result<Vec<RequestName>> {
        let anew = !self.usable;
        self.usable = false;
        if anew {
            self.watch = Watch::begin(&self.shared.folder.root.join("req"), self.wake.clone());
            self.stand = None;
        }
        let root = self.shared.folder.root.clone();
        let names = blocking(move || {
            let root = Root::open(&root)?;
            let missing = || io::Error::from(io::ErrorKind::NotFound);
            let open = |name| root.subdirectory(name)?.ok_or_else(missing);
            let (requests, answers, _) = (open("req")?, open("res")?, open("trash")?);
            if anew {
                answers.remove_unfinished()?;
            }
            requests.names(|name| RequestName::parse(name).is_some())
        })
        .await?;
        self.usable = true;
        Ok(names.iter().filter_map(|name| RequestName::parse(name)).collect())
    }

    /// Publishes answers that were settled before and are not out; returns how many stay.
    async fn publish_due(&mut self) -> Result<usize, Stopped> {
        let (mut after, mut blocked) = (0, 0);
        loop {
            let Shared { folder, exchange } = &*self.shared;
            let files = exchange.due(&folder.name, Side::Requests, after).await?;
            let Some(last) = files.last() else { break };
            after = last.id;
            blocked += self.shared.publish(Side::Requests, files).await?.len();
        }
        // Whose answer is out moves on.
        self.underway.clear();
        Ok(blocked)
    }

    /// Settles and publishes the answers of requests whose number has arrived meanwhile; whether there were any.
    async fn end_waiting(&mut self) -> Result<bool, Stopped> {
        let Shared { folder, exchange } = &*self.shared;
        let ended = exchange.ended(&folder.name).await?;
        let mut files = Vec::with_capacity(ended.len());
        for waiting in &ended {
            let bytes = answer::single(folder, &waiting.echo, &waiting.end);
            files.extend(exchange.end_waiting(&folder.name, &waiting.name, &bytes).await?);
        }
        self.shared.publish(Side::Requests, files).await?;
        for waiting in &ended {
            if let Some(name) = RequestName::parse(&waiting.name) {
                self.underway.remove(&name);
            }
        }
        Ok(!ended.is_empty())
    }

    /// Reads and carries out what is new; whether anything was.
    async fn take_in(&mut self, names: Vec<RequestName>) -> Result<bool, Stopped> {
        self.parked.retain(|name, _| names.binary_search(name).is_ok());
        let mut names = names.into_iter().filter(|name| !self.underway.contains(name)).collect::<Vec<_>>();
        names.reverse();
        let mut in_flight: FuturesUnordered<InFlight> = FuturesUnordered::new();
        let (mut answered, mut any) = (Vec::new(), false);
        loop {
            while in_flight.len() < MOST_IN_FLIGHT && answered.len() < AT_ONCE {
                let Some(name) = names.pop() else { break };
                match self.take(&name).await? {
                    Carried::Nothing => {}
                    Carried::Moved => any = true,
                    Carried::Answer(answer) => answered.push(answer),
                    Carried::InFlight(job) => in_flight.push(job),
                    Carried::Waits => self.underway_is(name),
                    // The queue is full: the rest is for later, in its order.
                    Carried::Full => names.clear(),
                }
            }
            if answered.is_empty() {
                match in_flight.next().await {
                    Some(done) => self.landed(done, &mut answered).await?,
                    None if names.is_empty() => return Ok(any),
                    None => {}
                }
            }
            while let Some(Some(done)) = in_flight.next().now_or_never() {
                self.landed(done, &mut answered).await?;
            }
            any |= !answered.is_empty();
            self.settle(std::mem::take(&mut answered)).await?;
        }
    }

    /// A number's end was told, or is not to be waited for any longer.
    async fn landed(&mut self, done: carry_out::Landed, answered: &mut Vec<Answered>) -> Result<(), Stopped> {
        let carry_out::Landed { request, name, echo, job, end } = done;
        if let Some(end) = end {
            answered.push(self.answer(request, &name, &echo, &end));
        } else {
            self.shared.exchange.wait(&request, &name.answer(), &echo, job).await?;
            self.underway_is(name);
        }
        Ok(())
    }

    /// The store has it now, and somebody has to look after it.
    fn underway_is(&mut self, name: RequestName) {
        self.underway.insert(name);
        self.stand = None;
    }

    fn answer(&self, request: FolderRequest, name: &RequestName, echo: &Echo, end: &InquiryEnd) -> Answered {
        let bytes = answer::single(&self.shared.folder, echo, end);
        Answered { request, answer: NewAnswer { name: name.answer(), bytes, bulk: None } }
    }

    /// Settles answers and publishes them.
    async fn settle(&mut self, answered: Vec<Answered>) -> Result<(), Stopped> {
        if answered.is_empty() {
            return Ok(());
        }
        let exchange = &self.shared.exchange;
        let settling = answered.iter().map(|one| exchange.answer(&one.request, &one.answer));
        let mut files = Vec::with_capacity(answered.len());
        for settled in join_all(settling).await {
            files.extend(settled?);
        }
        // From here on the store knows them, wherever this ends.
        self.stand = None;
        let blocked = self.shared.publish(Side::Requests, files).await?;
        for file in blocked {
            if let FileKind::Answer { request } = file.kind {
                self.underway.extend(RequestName::parse(&request));
            }
        }
        Ok(())
    }
}

impl Work for Requests {
    async fn round(&mut self) -> Result<Round, Stopped> {
        let names = self.list().await?;
        let mut blocked = 0;
        if self.stand.is_none_or(|stand| stand.due > 0) {
            blocked = self.publish_due().await?;
        }
        let mut again = false;
        if self.stand.is_none_or(|stand| stand.waiting > 0) {
            again = self.end_waiting().await?;
        }
        again |= self.take_in(names).await?;
        let stand = match self.stand {
            Some(stand) if !again && stand == FolderStand::default() => stand,
            _ => self.shared.exchange.stand(&self.shared.folder.name, Side::Requests).await?,
        };
        self.stand = Some(stand);
        let refused = self.parked.values().filter(|parked| matches!(parked, Parked::Refused { .. })).count();
        Ok(Round { again, refused: refused + blocked, stand, trouble: None })
    }

    fn pause(&mut self) {
        self.parked.clear();
        self.underway.clear();
        (self.watch, self.stand, self.usable) = (None, None, false);
    }

    async fn news(&mut self) {
        self.wake.notified().await;
    }
}
