//! The card in a virtual reader: the reader's driver listens, the card connects; the connection is the insertion.
//!
//! Frames are a big-endian 16-bit length and a payload both ways. One byte is a control (00 off, 01 on, 02 reset, 04 ask
//! for the ATR, the only one with an answer), anything longer a command APDU. Two drivers speak it: vpcd of vsmartcard over
//! TCP ([`super::vpcd`]), and our own over a unix socket ([`super::ifd`]).

use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{ApduRecord, SimCard};

/// First and longest wait before the next attempt to reach a reader that does not listen (pcscd restarts).
const BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// What happened on the link; says nothing about the person or the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The card is in the reader.
    Inserted,
    /// The card is out of the reader, or the reader went away.
    Removed,
    /// Power on.
    PowerOn,
    /// Power off.
    PowerOff,
    /// Warm reset.
    Reset,
    /// A command was executed.
    Command(ApduRecord),
}

/// How a driver is reached.
pub trait Port: Send + 'static {
    /// A connection to it.
    type Stream: io::Read + io::Write + Send + 'static;

    /// Whether the driver notices a removal only if it lasts until its next poll.
    const MISSES_SHORT_REMOVALS: bool;

    /// Connects.
    fn connect(&self) -> io::Result<Self::Stream>;

    /// A second handle of a connection.
    fn second(stream: &Self::Stream) -> io::Result<Self::Stream>;

    /// Ends a connection, also for other handles.
    fn end(stream: &Self::Stream);

    /// Called before every read.
    fn before_read(_stream: &Self::Stream) -> io::Result<()> {
        Ok(())
    }
}

/// A card's connection to a virtual reader, on a thread of its own; dropping it removes the card.
pub struct Link<P: Port> {
    shared: Arc<Shared<P>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared<P: Port> {
    card: Arc<Mutex<SimCard>>,
    wish: Mutex<Wish<P>>,
    changed: Condvar,
}

/// What the owner wants, and the connection to shut down to get it.
struct Wish<P: Port> {
    inserted: bool,
    stop: bool,
    /// How often it was taken out: a connection that was begun before the last time is of no use.
    removals: u64,
    /// The card was taken out: before it is back, the reader must have noticed that it was away.
    unseen_removal: bool,
    stream: Option<P::Stream>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere is reported where it happened; the data stays usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<P: Port> Link<P> {
    /// Inserts a card into the reader at a port as soon as it listens. `on_event` runs on the link's
    /// thread.
    ///
    /// # Errors
    /// The thread could not be started.
    pub(super) fn open(
        card: Arc<Mutex<SimCard>>,
        port: P,
        on_event: impl FnMut(Event) + Send + 'static,
    ) -> io::Result<Self> {
        let wish = Mutex::new(Wish {
            inserted: true,
            stop: false,
            removals: 0,
            unseen_removal: false,
            stream: None,
        });
        let shared = Arc::new(Shared { card, wish, changed: Condvar::new() });
        let mut worker = Worker { shared: Arc::clone(&shared), port, on_event };
        let thread = thread::Builder::new().name("card-link".to_owned()).spawn(move || worker.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The card.
    pub fn card(&self) -> Arc<Mutex<SimCard>> {
        Arc::clone(&self.shared.card)
    }

    /// Takes the card out of the reader, in the middle of whatever it does.
    pub fn remove(&self) {
        let mut wish = lock(&self.shared.wish);
        wish.inserted = false;
        wish.removals += 1;
        wish.unseen_removal = true;
        disconnect(&mut wish);
    }

    /// Puts the card back, without power; also a card that was torn out.
    pub fn insert(&self) {
        lock(&self.shared.card).reinsert();
        lock(&self.shared.wish).inserted = true;
        self.shared.changed.notify_all();
    }

    /// Blocks for as long as the link lives (the binary's main thread).
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

impl<P: Port> Drop for Link<P> {
    fn drop(&mut self) {
        {
            let mut wish = lock(&self.shared.wish);
            wish.stop = true;
            disconnect(&mut wish);
        }
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn disconnect<P: Port>(wish: &mut Wish<P>) {
    if let Some(stream) = wish.stream.take() {
        P::end(&stream);
    }
}

struct Worker<P: Port, F> {
    shared: Arc<Shared<P>>,
    port: P,
    on_event: F,
}

impl<P: Port, F: FnMut(Event)> Worker<P, F> {
    fn run(&mut self) {
        let mut backoff = BACKOFF.0;
        while self.wait_until_inserted() {
            match self.connect() {
                Ok(Some(stream)) if self.must_knock() => {
                    knock::<P>(stream);
                    lock(&self.shared.wish).stream = None;
                }
                Ok(Some(stream)) => {
                    backoff = BACKOFF.0;
                    (self.on_event)(Event::Inserted);
                    // The end of the connection is the removal, whatever its reason.
                    let _ = self.serve(stream);
                    self.removed();
                }
                Ok(None) => {}
                Err(_) => {
                    self.pause(backoff);
                    backoff = (backoff * 2).min(BACKOFF.1);
                }
            }
        }
    }

    /// Waits until the card is to be in the reader; `false` at the end.
    fn wait_until_inserted(&self) -> bool {
        let wish = lock(&self.shared.wish);
        let idle = |wish: &mut Wish<P>| !wish.stop && !wish.inserted;
        let wish = self.shared.changed.wait_while(wish, idle).unwrap_or_else(PoisonError::into_inner);
        !wish.stop
    }

    /// Waits before the next attempt; any wish ends the wait.
    fn pause(&self, time: Duration) {
        let wish = lock(&self.shared.wish);
        if !wish.stop {
            drop(self.shared.changed.wait_timeout(wish, time));
        }
    }

    /// Whether the reader has yet to notice the last removal.
    fn must_knock(&self) -> bool {
        P::MISSES_SHORT_REMOVALS && std::mem::take(&mut lock(&self.shared.wish).unseen_removal)
    }

    /// Connects; `None` if the card was taken away meanwhile.
    fn connect(&self) -> io::Result<Option<P::Stream>> {
        let removals = lock(&self.shared.wish).removals;
        let stream = self.port.connect()?;
        let mut wish = lock(&self.shared.wish);
        if wish.stop || !wish.inserted || wish.removals != removals {
            return Ok(None);
        }
        wish.stream = Some(P::second(&stream)?);
        Ok(Some(stream))
    }

    fn removed(&mut self) {
        let torn = {
            let mut card = lock(&self.shared.card);
            card.power_off();
            card.is_torn()
        };
        {
            let mut wish = lock(&self.shared.wish);
            wish.stream = None;
            wish.inserted &= !torn;
            wish.unseen_removal |= torn;
        }
        (self.on_event)(Event::Removed);
    }

    /// Answers frames until the connection ends or the card is torn out.
    fn serve(&mut self, mut stream: P::Stream) -> io::Result<()> {
        loop {
            let mut length = [0; 2];
            receive::<P>(&mut stream, &mut length)?;
            let mut payload = vec![0; usize::from(u16::from_be_bytes(length))];
            receive::<P>(&mut stream, &mut payload)?;
            if let Some(answer) = self.answer(&payload) {
                // No answer to a command means the card is gone.
                let length = u16::try_from(answer.len()).ok().filter(|length| *length > 0);
                let length = length.ok_or(io::ErrorKind::ConnectionAborted)?;
                stream.write_all(&[length.to_be_bytes().as_slice(), &answer].concat())?;
            }
        }
    }

    /// The answer to a frame, if it has one; an empty answer if the card did not give any.
    fn answer(&mut self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut card = lock(&self.shared.card);
        let (answer, event) = match payload {
            [0x00] => {
                card.power_off();
                (None, Event::PowerOff)
            }
            [0x01] => {
                card.power_on();
                (None, Event::PowerOn)
            }
            [0x02] => {
                card.warm_reset();
                (None, Event::Reset)
            }
            // Asked several times a second for as long as the card is in: not worth an event.
            [0x04] => return Some(card.atr().to_vec()),
            [] | [_] => return None,
            command => {
                let answer = card.transmit(command);
                match card.log().last() {
                    Some(record) if !answer.is_empty() => (Some(answer), Event::Command(*record)),
                    _ => return Some(answer),
                }
            }
        };
        drop(card);
        (self.on_event)(event);
        answer
    }
}

/// Lets the reader's next poll fail, so that it sees a removal and then an insertion.
///
/// pcscd polls every 400 ms. If a client disconnects from a card that is out and the card is back before the next poll,
/// pcscd 1.9 itself marks the reader empty, but its poll never sees a change, and the reader stays empty for good.
fn knock<P: Port>(mut stream: P::Stream) {
    // Whatever comes first, the reader loses the connection over it.
    let _ = receive::<P>(&mut stream, &mut [0; 3]);
}

/// Reads exactly `buffer`.
fn receive<P: Port>(stream: &mut P::Stream, buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        P::before_read(stream)?;
        match stream.read(buffer.get_mut(filled..).unwrap_or_default())? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
    }
    Ok(())
}
