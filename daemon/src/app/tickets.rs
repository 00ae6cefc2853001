//! Tickets of what takes two steps: what the first was about waits, unjudged, for the second. A sign-in in two steps waits
//! so, and so does what a passkey was asked.
//!
//! In memory only, and secrets are wiped on drop; few, short-lived, each good for one second step.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::ports::{Random, random_bytes};
use crate::domain::personal::Secret;

/// How long a ticket waits.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(2);
/// Tickets that wait at once; one more takes the place of the oldest.
const MOST: usize = 256;

/// The tickets that wait.
pub(super) struct Tickets<T> {
    waiting: HashMap<[u8; 32], (Timestamp, T)>,
}

impl<T> Default for Tickets<T> {
    fn default() -> Self {
        Self { waiting: HashMap::new() }
    }
}

impl<T> Tickets<T> {
    /// Keeps what waits and returns its ticket.
    pub(super) fn put(&mut self, what: T, now: Timestamp, random: &dyn Random) -> Secret {
        self.waiting.retain(|_, (begun, _)| is_alive(*begun, now));
        while self.waiting.len() >= MOST {
            let oldest = self.waiting.iter().min_by_key(|(_, (begun, _))| *begun).map(|(key, _)| *key);
            let Some(oldest) = oldest else { break };
            self.waiting.remove(&oldest);
        }
        let ticket = Secret::new(data_encoding::BASE64URL_NOPAD.encode(&random_bytes::<32>(random)));
        self.waiting.insert(key(ticket.expose()), (now, what));
        ticket
    }

    /// Takes what waits for a ticket; it is gone afterwards.
    pub(super) fn take(&mut self, ticket: &str, now: Timestamp) -> Option<T> {
        let (begun, what) = self.waiting.remove(&key(ticket))?;
        is_alive(begun, now).then_some(what)
    }
}

fn key(ticket: &str) -> [u8; 32] {
    Sha256::digest(ticket.as_bytes()).into()
}

/// A clock that was set back ends tickets too.
fn is_alive(begun: Timestamp, now: Timestamp) -> bool {
    let age = now.duration_since(begun);
    !age.is_negative() && age < LIFETIME
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    struct Counting(AtomicU8);

    impl Random for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0);
            if let Some(first) = buffer.first_mut() {
                *first = self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_ticket_is_good_once_and_for_two_minutes() {
        let random = Counting(AtomicU8::new(0));
        let mut tickets = Tickets::default();
        let ticket = tickets.put("a", at(0), &random);
        assert!(tickets.take("another", at(1)).is_none());
        assert_eq!(tickets.take(ticket.expose(), at(119)).unwrap(), "a");
        assert!(tickets.take(ticket.expose(), at(119)).is_none());
        let late = tickets.put("b", at(0), &random);
        assert!(tickets.take(late.expose(), at(120)).is_none());
        let back = tickets.put("c", at(0), &random);
        assert!(tickets.take(back.expose(), at(-1)).is_none());
    }

    #[test]
    fn tickets_are_bounded() {
        let random = Counting(AtomicU8::new(0));
        let mut tickets = Tickets::default();
        let first = tickets.put("first", at(0), &random);
        for _ in 0..255 {
            tickets.put("more", at(1), &random);
        }
        assert_eq!(tickets.waiting.len(), MOST);
        // The counter has come round: the 257th ticket would be the first again, so it is looked for before.
        assert!(tickets.waiting.contains_key(&key(first.expose())));
        assert!(tickets.take(first.expose(), at(1)).is_some());
    }
}
