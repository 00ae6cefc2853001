//! Numbers the insertions, so that a card taken away and put back is a new card event. Pure.

use std::collections::HashMap;

use crate::app::ports::{CardEvent, CardService, DeskView, ReaderName, ReaderState, ReaderView};
use crate::card::readers::{Observed, Presence};

/// Which insertion is on which reader.
#[derive(Debug, Default)]
pub struct Insertions {
    last: u64,
    current: HashMap<ReaderName, Insertion>,
}

#[derive(Debug, Clone, Copy)]
struct Insertion {
    event_count: u32,
    number: u64,
}

impl Insertions {
    /// Turns what was observed into the view for the use cases. Readers no longer listed are forgotten.
    pub fn see(&mut self, observed: Vec<Observed>) -> DeskView {
        self.current.retain(|name, _| observed.iter().any(|reader| reader.name == *name));
        let readers = observed.into_iter().map(|reader| self.see_one(reader)).collect();
        DeskView { service: CardService::Available, readers }
    }

    /// Forgets all cards: after this, none of them is known to be the same as before.
    pub fn forget(&mut self) {
        self.current.clear();
    }

    /// The event count that goes with a card event, if this card is still the latest on its reader.
    pub fn event_count(&self, card: &CardEvent) -> Option<u32> {
        let insertion = self.current.get(&card.reader)?;
        (insertion.number == card.insertion).then_some(insertion.event_count)
    }

    fn see_one(&mut self, observed: Observed) -> ReaderView {
        let Observed { name, presence, event_count } = observed;
        let state = match presence {
            Presence::Card => {
                let insertion = self.number(&name, event_count);
                ReaderState::Card(CardEvent { reader: name.clone(), insertion })
            }
            // A card may be mute for a moment (held badly) and come back as the same insertion.
            Presence::Mute => ReaderState::Mute,
            Presence::Empty => {
                self.current.remove(&name);
                ReaderState::Empty
            }
            Presence::Unavailable => {
                self.current.remove(&name);
                ReaderState::Unavailable
            }
        };
        ReaderView { name, state }
    }

    fn number(&mut self, name: &ReaderName, event_count: u32) -> u64 {
        match self.current.get(name) {
            Some(known) if known.event_count == event_count => known.number,
            _ => {
                self.last += 1;
                let insertion = Insertion { event_count, number: self.last };
                self.current.insert(name.clone(), insertion);
                self.last
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(insertions: &mut Insertions, reader: &str, presence: Presence, event_count: u32) -> Option<u64> {
        let name = ReaderName(reader.to_owned());
        let view = insertions.see(vec![Observed { name: name.clone(), presence, event_count }]);
        match view.state(&name) {
            Some(ReaderState::Card(event)) => Some(event.insertion),
            _ => None,
        }
    }

    #[test]
    fn a_card_keeps_its_number_while_it_lies_there() {
        let mut insertions = Insertions::default();
        assert_eq!(seen(&mut insertions, "A", Presence::Card, 1), Some(1));
        assert_eq!(seen(&mut insertions, "A", Presence::Card, 1), Some(1));
        assert_eq!(seen(&mut insertions, "A", Presence::Mute, 1), None);
        assert_eq!(seen(&mut insertions, "A", Presence::Card, 1), Some(1));
    }

    #[test]
    fn a_swap_that_was_not_seen_shows_in_the_event_count() {
        let mut insertions = Insertions::default();
        assert_eq!(seen(&mut insertions, "A", Presence::Card, 1), Some(1));
        assert_eq!(seen(&mut insertions, "A", Presence::Card, 3), Some(2));
    }

    #[test]
    fn a_removal_that_was_seen_makes_a_new_number_even_with_the_same_count() {
        let mut insertions = Insertions::default();
        for gone in [Presence::Empty, Presence::Unavailable] {
            let before = seen(&mut insertions, "A", Presence::Card, 7);
            seen(&mut insertions, "A", gone, 7);
            assert_ne!(seen(&mut insertions, "A", Presence::Card, 7), before);
        }
    }

    #[test]
    fn a_reader_that_left_the_list_and_a_lost_service_forget_the_card() {
        let mut insertions = Insertions::default();
        assert_eq!(seen(&mut insertions, "A", Presence::Card, 1), Some(1));
        assert_eq!(seen(&mut insertions, "B", Presence::Card, 1), Some(2));
        assert_eq!(seen(&mut insertions, "A", Presence::Card, 1), Some(3));
        insertions.forget();
        assert_eq!(seen(&mut insertions, "A", Presence::Card, 1), Some(4));
    }
}
