//! Events: what clients are told as it happens, so that nobody has to ask again and again.
//!
//! One task watches results, checks, readers, announcements and the month, and has each event rendered once for everybody.
//! Events say that something happened, never anything about a person: so they are no answer about a person, and the audit log
//! has the reading that follows. Who reads too slowly is told that events were left out; memory does not grow with clients.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::access::{Action, Actor, Forbidden};
use super::checks::CheckStep;
use super::ports::{DeskView, ReadyResult, ResultStore, ResultsMark, StoreError};
use super::results::Followed;
use super::sessions::Sessions;
use super::tasks::Tasks;
use crate::domain::announcement::Announcement;

/// Events that wait for the slowest reader; for everybody together.
const BUFFER: usize = 1_024;
/// Changed results that are read at a time.
const BATCH: u32 = 200;
/// Results that a client which comes back is told of at most; beyond it must read anew.
const MOST_MISSED: i64 = 2_000;
/// The month and the sessions are looked at this often: their end is nobody's event.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A client hears something at least this often.
const HEARTBEAT: u32 = 15;

/// What happened.
#[derive(Debug)]
pub enum Happening<'a> {
    /// A client begins to listen.
    Ready,
    /// A result was stored or changed. Its body is for taking out what is not about the person.
    Result(&'a ReadyResult),
    /// A check moved on.
    Check(&'a CheckStep),
    /// Readers or cards changed.
    Readers(&'a DeskView),
    /// The announcements changed.
    Announcements,
    /// A month has ended.
    Expired(Followed),
    /// Events were left out.
    Resync,
    /// The program stops.
    Stopping,
    /// The client's session has ended.
    SessionEnded,
    /// Nothing, for a while.
    Quiet,
}

/// How events are sent. Implemented where the wire is known.
pub trait EventForm: Send + Sync + 'static {
    /// The event, rendered; with the place where a client that comes back goes on.
    fn render(&self, happening: &Happening<'_>, followed: Option<Followed>) -> Vec<u8>;
}

/// Who hears of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Audience {
    Everybody,
    WhoReadsResults,
    Account(String),
}

/// A rendered event; the bytes are the same for everybody.
#[derive(Clone)]
struct Published {
    audience: Audience,
    change: Option<i64>,
    frame: Arc<[u8]>,
}

/// What events are made from.
pub struct EventsParts {
    /// Stored results.
    pub store: Arc<dyn ResultStore>,
    /// Who is still signed in.
    pub sessions: Arc<Sessions>,
    /// The readers.
    pub desk: watch::Receiver<DeskView>,
    /// The checks' steps.
    pub checks: broadcast::Sender<CheckStep>,
    /// The announcements.
    pub announced: watch::Receiver<Vec<Announcement>>,
    /// How events are sent.
    pub form: Arc<dyn EventForm>,
    /// Background tasks.
    pub tasks: Tasks,
}

struct Hub {
    parts: EventsParts,
    sender: broadcast::Sender<Published>,
}

/// All events; a clone is the same.
#[derive(Clone)]
pub struct Events(Arc<Hub>);

impl Events {
    /// Nobody listens yet.
    pub fn new(parts: EventsParts) -> Self {
        Self(Arc::new(Hub { parts, sender: broadcast::Sender::new(BUFFER) }))
    }

    /// Publishes what happens from now on, until the process is to stop.
    pub fn start(&self) {
        let hub = self.0.clone();
        self.0.parts.tasks.start(async move { hub.publish_all().await });
    }

    /// Listens for an account; goes on after a place if one is given. `token_hash` names the session.
    pub async fn follow(
        &self,
        actor: &Actor,
        token_hash: [u8; 32],
        after: Option<Followed>,
    ) -> Result<Listener, StoreError> {
        let hub = self.0.clone();
        // First the receiver, then the mark: what happens from here on is in one of the two.
        let receiver = hub.sender.subscribe();
        let mark = hub.mark();
        let reads_results = actor.may(Action::ReadResults).is_ok();
        let mut listener = Listener {
            account: actor.account.clone(),
            reads_results,
            token_hash,
            receiver,
            told: mark.change,
            waiting: VecDeque::new(),
            look: every(LOOK_EVERY),
            quiet: 0,
            ended: false,
            hub,
        };
        listener.begin(mark, after).await?;
        Ok(listener)
    }

    /// Whether somebody may listen: everybody who signed in.
    pub fn admits(actor: &Actor) -> Result<(), Forbidden> {
        actor.may(Action::SeeHealth)
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl Hub {
    fn mark(&self) -> ResultsMark {
        self.parts.store.mark()
    }

    fn frame(&self, happening: &Happening<'_>, followed: Option<Followed>) -> Arc<[u8]> {
        self.parts.form.render(happening, followed).into()
    }

    fn publish(&self, audience: Audience, happening: &Happening<'_>, followed: Option<Followed>) {
        if self.sender.receiver_count() > 0 {
            let change =
                matches!(happening, Happening::Result(_)).then(|| followed.map(|place| place.change));
            let frame = self.frame(happening, followed);
            // Nobody may be listening any more.
            let _ = self.sender.send(Published { audience, change: change.flatten(), frame });
        }
    }

    async fn publish_all(&self) {
        let stopping = self.parts.tasks.stopping();
        let mut news = self.parts.store.news();
        let mut desk = self.parts.desk.clone();
        let mut announced = self.parts.announced.clone();
        let mut checks = self.parts.checks.subscribe();
        let mut told = Followed::to(*news.borrow_and_update());
        let mut look = every(LOOK_EVERY);
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                changed = news.changed() => if changed.is_err() { return },
                changed = desk.changed() => {
                    if changed.is_err() { return }
                    let view = desk.borrow_and_update().clone();
                    self.publish(Audience::Everybody, &Happening::Readers(&view), None);
                }
                changed = announced.changed() => {
                    if changed.is_err() { return }
                    announced.mark_unchanged();
                    self.publish(Audience::Everybody, &Happening::Announcements, None);
                }
                step = checks.recv() => match step {
                    Ok(step) => {
                        let audience = Audience::Account(step.owner.clone());
                        self.publish(audience, &Happening::Check(&step), None);
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        self.publish(Audience::Everybody, &Happening::Resync, Some(told));
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                _ = look.tick() => news = self.parts.store.news(),
            }
            let mark = *news.borrow_and_update();
            told = self.publish_results(told, mark).await;
        }
    }

    /// Publishes what the store has beyond `told`; returns what has been told now.
    async fn publish_results(&self, mut told: Followed, mark: ResultsMark) -> Followed {
        if mark.month < told.month {
            // A clock that ran ahead was set right: what was said to be gone is there again, and what came meanwhile was hidden.
            told = Followed::to(mark);
            self.publish(Audience::WhoReadsResults, &Happening::Resync, Some(told));
        } else if mark.month > told.month {
            told.month = mark.month;
            self.publish(Audience::WhoReadsResults, &Happening::Expired(told), Some(told));
        }
        while told.change < mark.change {
            if self.sender.receiver_count() == 0 {
                // Whoever comes next reads the mark after it has subscribed.
                told.change = mark.change;
                return told;
            }
            match self.parts.store.changes(told.change, BATCH).await {
                Ok(rows) => {
                    let whole = rows.len() < BATCH as usize;
                    for row in &rows {
                        told.change = row.change;
                        self.publish(Audience::WhoReadsResults, &Happening::Result(row), Some(told));
                    }
                    if whole {
                        told.change = told.change.max(mark.change);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "changed results could not be read for events");
                    told.change = mark.change;
                    self.publish(Audience::WhoReadsResults, &Happening::Resync, Some(told));
                }
            }
        }
        told
    }
}

/// One client that listens.
pub struct Listener {
    hub: Arc<Hub>,
    account: String,
    reads_results: bool,
    token_hash: [u8; 32],
    receiver: broadcast::Receiver<Published>,
    /// The last change of results that it was told of.
    told: i64,
    waiting: VecDeque<Arc<[u8]>>,
    look: Interval,
    /// Looks since it heard something.
    quiet: u32,
    ended: bool,
}

impl Listener {
    async fn begin(&mut self, mark: ResultsMark, after: Option<Followed>) -> Result<(), StoreError> {
        let (hub, now) = (self.hub.clone(), Followed::to(mark));
        let missed = after.filter(|after| self.reads_results && *after != now);
        // Until it was told what it missed, it stands where it was.
        self.waiting.push_back(hub.frame(&Happening::Ready, Some(missed.unwrap_or(now))));
        if let Some(after) = missed {
            self.catch_up(after, mark).await?;
        }
        let view = hub.parts.desk.borrow().clone();
        self.waiting.push_back(hub.frame(&Happening::Readers(&view), None));
        Ok(())
    }

    /// What was missed since the client's last place, or the word that it must read anew.
    async fn catch_up(&mut self, after: Followed, mark: ResultsMark) -> Result<(), StoreError> {
        let (hub, now) = (self.hub.clone(), Followed::to(mark));
        if !after.is_before(mark) || now.change - after.change > MOST_MISSED {
            self.waiting.push_back(hub.frame(&Happening::Resync, Some(now)));
            return Ok(());
        }
        let mut told = after;
        if after.month != now.month {
            told.month = now.month;
            self.waiting.push_back(hub.frame(&Happening::Expired(told), Some(told)));
        }
        while told.change < now.change {
            let rows = hub.parts.store.changes(told.change, BATCH).await?;
            let whole = rows.len() < BATCH as usize;
            for row in &rows {
                told.change = row.change;
                self.waiting.push_back(hub.frame(&Happening::Result(row), Some(told)));
            }
            if whole {
                told.change = told.change.max(now.change);
            }
        }
        self.told = told.change;
        Ok(())
    }

    /// The next rendered event; `None` after the last.
    pub async fn next(&mut self) -> Option<Arc<[u8]>> {
        if self.ended {
            return None;
        }
        if let Some(frame) = self.waiting.pop_front() {
            return Some(frame);
        }
        let stopping = self.hub.parts.tasks.stopping();
        loop {
            if let Some(frame) = self.one(&stopping).await {
                self.quiet = 0;
                return Some(frame);
            }
        }
    }

    /// Waits for one thing; `None` if it is nothing for this client.
    async fn one(&mut self, stopping: &CancellationToken) -> Option<Arc<[u8]>> {
        tokio::select! {
            biased;
            () = stopping.cancelled() => Some(self.end(&Happening::Stopping)),
            // Before what was received: a stream without a pause must not outlive its session.
            _ = self.look.tick() => {
                if !self.hub.parts.sessions.is_alive(&self.token_hash) {
                    return Some(self.end(&Happening::SessionEnded));
                }
                self.quiet += 1;
                (self.quiet >= HEARTBEAT).then(|| self.hub.frame(&Happening::Quiet, None))
            }
            received = self.receiver.recv() => match received {
                Ok(published) => self.heard(published),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    let now = self.hub.mark();
                    // What is left in the buffer is older than this word and is told as well: nothing is lost after it.
                    Some(self.hub.frame(&Happening::Resync, Some(Followed::to(now))))
                }
                Err(broadcast::error::RecvError::Closed) => Some(self.end(&Happening::Stopping)),
            },
        }
    }

    fn heard(&mut self, published: Published) -> Option<Arc<[u8]>> {
        let meant = match &published.audience {
            Audience::Everybody => true,
            Audience::WhoReadsResults => self.reads_results,
            Audience::Account(account) => *account == self.account,
        };
        let known = published.change.is_some_and(|change| change <= self.told);
        (meant && !known).then_some(published.frame)
    }

    fn end(&mut self, why: &Happening<'_>) -> Arc<[u8]> {
        self.ended = true;
        self.hub.frame(why, None)
    }
}
