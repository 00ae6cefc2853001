//! Simulated readers in memory: plug into the daemon's desk where PC/SC would be.
//!
//! The desk owns [`SimReaders`]; the test or the sandbox keeps a [`SimReadersHandle`] and is the hand that puts cards on
//! readers and takes them away. Behaves as pcscd was measured: every insertion and removal moves the reader's event count,
//! a card torn out in the middle of a command gives an empty answer, and a connection does not outlive its insertion.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daemon::app::ports::ReaderName;
use daemon::card::drive::{Transmit, TransmitError};
use daemon::card::readers::{
    CardConnection, ConnectError, Line, Observed, Presence, Readers, ReadersError, Wake,
};

use super::SimCard;

/// A card that can be on a reader and in the test's hand at once.
pub type SharedCard = Arc<Mutex<SimCard>>;

/// How a simulated reader is out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// What lies on it does not answer to power-on.
    Mute,
    /// The reader itself does not answer.
    Unavailable,
    /// Another program holds the card.
    InUse,
}

/// The desk's side.
pub struct SimReaders {
    shared: Arc<Shared>,
    /// What [`Readers::wait`] last returned.
    returned: Option<Result<Vec<Observed>, ReadersError>>,
    /// The run of the service that this side is connected to.
    service_run: u32,
}

/// The hand's side.
#[derive(Clone)]
pub struct SimReadersHandle {
    shared: Arc<Shared>,
}

struct Shared {
    table: Mutex<Table>,
    changed: Condvar,
}

#[derive(Default)]
struct Table {
    slots: Vec<Slot>,
    service_error: Option<ReadersError>,
    /// Counts the service's runs: what was connected to an earlier one is dead, also if nobody looked in between.
    service_run: u32,
    woken: bool,
}

struct Slot {
    name: ReaderName,
    card: Option<SharedCard>,
    event_count: u32,
    trouble: Option<Trouble>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere is reported where it happened; the data stays usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimReaders {
    /// Readers with these names, all empty, and the hand that works them.
    pub fn new(names: &[&str]) -> (Self, SimReadersHandle) {
        let table = Mutex::new(Table::default());
        let shared = Arc::new(Shared { table, changed: Condvar::new() });
        let handle = SimReadersHandle { shared: Arc::clone(&shared) };
        for name in names {
            handle.plug_in(name);
        }
        (Self { shared, returned: None, service_run: 0 }, handle)
    }
}

impl SimReadersHandle {
    /// Plugs a reader in; its name must be new.
    pub fn plug_in(&self, name: &str) {
        let name = ReaderName(name.to_owned());
        self.change(|table| {
            assert!(table.slot(&name).is_none(), "a reader with this name is plugged in");
            table.slots.push(Slot { name, card: None, event_count: 0, trouble: None });
        });
    }

    /// Unplugs a reader; a card on it loses power. Does nothing if there is none with this name.
    pub fn unplug(&self, name: &str) {
        self.take(name);
        self.change(|table| table.slots.retain(|slot| slot.name.0 != name));
    }

    /// Puts a card on a reader; a card that lies there is taken away first. A torn card is whole again.
    pub fn insert(&self, name: &str, card: &SharedCard) {
        self.take(name);
        lock(card).reinsert();
        self.with_slot(name, |slot| {
            slot.card = Some(Arc::clone(card));
            slot.event_count += 1;
        });
    }

    /// Takes the card off a reader, if one is there.
    pub fn take(&self, name: &str) -> Option<SharedCard> {
        let card = self.change(|table| {
            let slot = table.slots.iter_mut().find(|slot| slot.name.0 == name)?;
            let card = slot.card.take()?;
            slot.event_count += 1;
            Some(card)
        })?;
        // Not under the table's lock: a slow card in the middle of a command holds its own.
        lock(&card).power_off();
        Some(card)
    }

    /// Brings a reader out of order, or in order again.
    pub fn set_trouble(&self, name: &str, trouble: Option<Trouble>) {
        self.with_slot(name, |slot| slot.trouble = trouble);
    }

    /// Stops the service (as when pcscd is killed); every connection is dead from then on.
    pub fn stop_service(&self) {
        self.change(|table| {
            table.service_error = Some(ReadersError::ServiceGone);
            table.service_run += 1;
        });
    }

    /// Lets the service refuse the daemon, as pcscd does where no polkit rule allows it.
    pub fn refuse_service(&self) {
        self.change(|table| table.service_error = Some(ReadersError::Refused));
    }

    /// Starts the service again, or lets it admit the daemon again, with the cards where they are.
    pub fn start_service(&self) {
        self.change(|table| {
            if table.service_error.take() == Some(ReadersError::ServiceGone) {
                // A new service counts from the start again, whatever happened while there was none.
                for slot in &mut table.slots {
                    slot.event_count = slot.card.is_some().into();
                }
            }
        });
    }

    fn with_slot(&self, name: &str, change: impl FnOnce(&mut Slot)) {
        let name = ReaderName(name.to_owned());
        self.change(|table| match table.slots.iter_mut().find(|slot| slot.name == name) {
            Some(slot) => change(slot),
            None => panic!("no reader is called {}", name.0),
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        self.shared.change(change)
    }
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let result = change(&mut lock(&self.table));
        self.changed.notify_all();
        result
    }
}

impl Wake for Shared {
    fn wake(&self) {
        self.change(|table| table.woken = true);
    }
}

impl Table {
    fn slot(&self, name: &ReaderName) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == *name)
    }

    fn observe(&self) -> Result<Vec<Observed>, ReadersError> {
        match self.service_error {
            Some(error) => Err(error),
            None => Ok(self.slots.iter().map(Slot::observe).collect()),
        }
    }
}

impl Slot {
    fn observe(&self) -> Observed {
        let presence = match (self.trouble, &self.card) {
            (Some(Trouble::Unavailable), _) => Presence::Unavailable,
            (Some(Trouble::Mute), _) => Presence::Mute,
            (_, Some(_)) => Presence::Card,
            (_, None) => Presence::Empty,
        };
        Observed { name: self.name.clone(), presence, event_count: self.event_count }
    }
}

impl Readers for SimReaders {
    fn wait(&mut self, timeout: Duration) -> Result<Vec<Observed>, ReadersError> {
        let unchanged = |table: &mut Table| {
            !table.woken && table.service_run == self.service_run && self.returned == Some(table.observe())
        };
        let waited = self.shared.changed.wait_timeout_while(lock(&self.shared.table), timeout, unchanged);
        let (mut table, _) = waited.unwrap_or_else(PoisonError::into_inner);
        table.woken = false;
        // A restart shows as an error once, however short it was.
        let restarted = std::mem::replace(&mut self.service_run, table.service_run) != table.service_run;
        let observed = if restarted { Err(ReadersError::ServiceGone) } else { table.observe() };
        self.returned = Some(observed.clone());
        observed
    }

    fn line(&self) -> Box<dyn Line> {
        Box::new(SimLine(Arc::clone(&self.shared)))
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::clone(&self.shared) as Arc<dyn Wake>
    }
}

/// A line of the desk.
struct SimLine(Arc<Shared>);

impl Line for SimLine {
    fn connect(
        &mut self,
        reader: &ReaderName,
        event_count: u32,
    ) -> Result<Box<dyn CardConnection>, ConnectError> {
        let table = lock(&self.0.table);
        match table.service_error {
            None => {}
            Some(ReadersError::ServiceGone) => return Err(ConnectError::ServiceGone),
            Some(ReadersError::Refused) => return Err(ConnectError::Refused),
        }
        let slot = table.slot(reader).ok_or(ConnectError::ReaderGone)?;
        match slot.trouble {
            None => {}
            Some(Trouble::Mute) => return Err(ConnectError::Mute),
            Some(Trouble::Unavailable) => return Err(ConnectError::ReaderGone),
            Some(Trouble::InUse) => return Err(ConnectError::InUse),
        }
        let card = Arc::clone(slot.card.as_ref().ok_or(ConnectError::NoCard)?);
        if slot.event_count != event_count {
            return Err(ConnectError::NoCard);
        }
        let service_run = table.service_run;
        drop(table);
        lock(&card).power_on();
        let (shared, reader) = (Arc::clone(&self.0), reader.clone());
        Ok(Box::new(SimConnection { shared, reader, event_count, service_run, card }))
    }
}

/// A connection to one insertion of a card.
struct SimConnection {
    shared: Arc<Shared>,
    reader: ReaderName,
    event_count: u32,
    service_run: u32,
    card: SharedCard,
}

impl SimConnection {
    fn still_connected(&self) -> Result<(), TransmitError> {
        let table = lock(&self.shared.table);
        if table.service_error.is_some() || table.service_run != self.service_run {
            return Err(TransmitError::ServiceGone);
        }
        let slot = table.slot(&self.reader).ok_or(TransmitError::ReaderGone)?;
        if slot.trouble == Some(Trouble::Unavailable) {
            return Err(TransmitError::ReaderGone);
        }
        let is_ours = slot.event_count == self.event_count
            && slot.card.as_ref().is_some_and(|card| Arc::ptr_eq(card, &self.card));
        if is_ours { Ok(()) } else { Err(TransmitError::Removed) }
    }

    /// The card was torn out by its own script: the reader is empty now.
    fn torn_out(&self) {
        self.shared.change(|table| {
            let slot = table.slots.iter_mut().find(|slot| slot.name == self.reader);
            if let Some(slot) = slot.filter(|slot| slot.event_count == self.event_count) {
                slot.card = None;
                slot.event_count += 1;
            }
        });
    }
}

impl Transmit for SimConnection {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        self.still_connected()?;
        let mut card = lock(&self.card);
        let answer = card.transmit(command);
        let torn = card.is_torn();
        drop(card);
        if torn {
            self.torn_out();
            return Ok(answer);
        }
        // Taken away while it worked: the answer did not arrive.
        self.still_connected()?;
        Ok(answer)
    }
}

impl CardConnection for SimConnection {}

impl Drop for SimConnection {
    fn drop(&mut self) {
        // A card that has left this reader has no power from it, and may be on another by now.
        if self.still_connected().is_ok() {
            lock(&self.card).power_off();
        }
    }
}
