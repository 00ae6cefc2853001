//! The only place where PC/SC contexts are made, and where they are counted.
//!
//! pcscd gives a client so many contexts (about 200) and then answers as if it were not running; a leak would show up months
//! later as a dead service. So no more than [`MOST`] exist at once, whatever happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pcsc::{Context, Error, Scope};

/// The most contexts at once: one that watches the readers, and one for each of three card sessions.
pub const MOST: usize = 4;

/// Counts the open contexts.
#[derive(Debug, Default)]
pub struct Contexts {
    open: AtomicUsize,
    high_water: AtomicUsize,
}

/// A context that is counted for as long as anyone holds it.
pub struct Counted {
    // Released before it is counted as released: fields are dropped in this order.
    context: Context,
    _permit: Permit,
}

struct Permit(Arc<Contexts>);

impl Contexts {
    /// Establishes a context; refused like by a service that has too much to do if `MOST` are open.
    pub fn establish(self: &Arc<Self>) -> Result<Arc<Counted>, Error> {
        let permit = self.permit().ok_or(Error::ServerTooBusy)?;
        let context = Context::establish(Scope::System)?;
        Ok(Arc::new(Counted { context, _permit: permit }))
    }

    /// How many are open now.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// The most that were ever open at once.
    pub fn high_water(&self) -> usize {
        self.high_water.load(Ordering::SeqCst)
    }

    fn permit(self: &Arc<Self>) -> Option<Permit> {
        let below = |open: usize| (open < MOST).then_some(open + 1);
        let before = self.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, below).ok()?;
        self.high_water.fetch_max(before + 1, Ordering::SeqCst);
        Some(Permit(Arc::clone(self)))
    }
}

impl Counted {
    /// The context. Whoever clones it must hold the `Counted` for as long as the clone.
    pub fn get(&self) -> &Context {
        &self.context
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_than_four() {
        let contexts = Arc::new(Contexts::default());
        let mut held: Vec<Permit> = (0..MOST).filter_map(|_| contexts.permit()).collect();
        assert_eq!((held.len(), contexts.open()), (4, 4));
        assert!(contexts.permit().is_none());
        assert_eq!(contexts.open(), 4, "a refusal is not counted");
        held.pop();
        held.pop();
        assert_eq!((contexts.open(), contexts.high_water()), (2, 4));
        assert!(contexts.permit().is_some());
        drop(held);
        assert_eq!((contexts.open(), contexts.high_water()), (0, 4));
    }
}
