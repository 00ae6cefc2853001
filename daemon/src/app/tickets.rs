//! Tickets of a sign-in in two steps: what was typed in the first waits, unjudged, for the second.
//!
//! In memory only and wiped on drop; few, short-lived, each good for one second step.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::ports::{Random, random_bytes};
use super::sign_in::Claim;
use crate::domain::personal::Secret;

/// How long a ticket waits.
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(2);
/// Tickets that wait at once; one more takes the place of the oldest.
const MOST: usize = 256;

/// The tickets that wait.
#[derive(Default)]
pub(super) struct Tickets {
    waiting: HashMap<[u8; 32], (Timestamp, Claim)>,
}

impl Tickets {
    /// Keeps a claim and returns its ticket.
    pub(super) fn put(&mut self, claim: Claim, now: Timestamp, random: &dyn Random) -> Secret {
        self.waiting.retain(|_, (begun, _)| is_alive(*begun, now));
        while self.waiting.len() >= MOST {
            let oldest = self.waiting.iter().min_by_key(|(_, (begun, _))| *begun).map(|(key, _)| *key);
            let Some(oldest) = oldest else { break };
            self.waiting.remove(&oldest);
        }
        let ticket = Secret::new(data_encoding::BASE64URL_NOPAD.encode(&random_bytes::<32>(random)));
        self.waiting.insert(key(ticket.expose()), (now, claim));
        ticket
    }

    /// Takes a ticket's claim; it is gone afterwards.
    pub(super) fn take(&mut self, ticket: &str, now: Timestamp) -> Option<Claim> {
        let (begun, claim) = self.waiting.remove(&key(ticket))?;
        is_alive(begun, now).then_some(claim)
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

    fn claim(account: &str) -> Claim {
        Claim {
            institution_code: "1312345678".to_owned(),
            account: account.to_owned(),
            password: Secret::new("kasa7min".to_owned()),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_ticket_is_good_once_and_for_two_minutes() {
        let random = Counting(AtomicU8::new(0));
        let mut tickets = Tickets::default();
        let ticket = tickets.put(claim("a"), at(0), &random);
        assert!(tickets.take("another", at(1)).is_none());
        assert_eq!(tickets.take(ticket.expose(), at(119)).unwrap().account, "a");
        assert!(tickets.take(ticket.expose(), at(119)).is_none());
        let late = tickets.put(claim("b"), at(0), &random);
        assert!(tickets.take(late.expose(), at(120)).is_none());
        let back = tickets.put(claim("c"), at(0), &random);
        assert!(tickets.take(back.expose(), at(-1)).is_none());
    }

    #[test]
    fn tickets_are_bounded() {
        let random = Counting(AtomicU8::new(0));
        let mut tickets = Tickets::default();
        let first = tickets.put(claim("first"), at(0), &random);
        for _ in 0..255 {
            tickets.put(claim("more"), at(1), &random);
        }
        assert_eq!(tickets.waiting.len(), MOST);
        // The counter has come round: the 257th ticket would be the first again, so it is looked for before.
        assert!(tickets.waiting.contains_key(&key(first.expose())));
        assert!(tickets.take(first.expose(), at(1)).is_some());
    }
}
