//! How long a check waits for people.

use std::time::Duration;

/// How long a check waits for people before it times out and frees its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the PIN, and for the card.
    pub pin_or_card: Duration,
    /// For the word that the last PIN try may be used; the card lies on the reader meanwhile.
    pub last_try: Duration,
    /// For the patient's consent to a card-use registration, which staff explain first.
    pub consent: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            pin_or_card: Duration::from_mins(2),
            last_try: Duration::from_mins(1),
            consent: Duration::from_mins(5),
        }
    }
}
