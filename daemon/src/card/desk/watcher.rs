//! The thread that looks at the readers and publishes what it sees.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::sight::Sight;
use crate::card::readers::Readers;

/// The pause before asking for a lost PC/SC service again.
const RETRY: Duration = Duration::from_millis(250);

/// Looks until `stop` is closed. A panic is reported and treated like a lost service: what was known is forgotten, and the
/// work goes on, because a clinic without readers helps nobody.
pub fn run(mut readers: Box<dyn Readers>, sight: &Arc<Sight>, stop: &Receiver<()>) {
    let mut pause = Duration::ZERO;
    while stop.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let looked = catch_unwind(AssertUnwindSafe(|| {
            let seen = readers.wait(sight.begin_look());
            let found = seen.is_ok();
            sight.end_look(seen);
            found
        }));
        // A service that is away, and a panic that repeats, must not make it spin.
        pause = if matches!(looked, Ok(true)) { Duration::ZERO } else { RETRY };
        if looked.is_err() {
            tracing::error!("the card thread panicked; all readers are looked at anew");
            sight.lose();
        }
    }
    // The readers are let go before anyone can see that there is nothing more to see.
    drop(readers);
    sight.close();
}
